public import NATWire

extension Configuration {
  /// The addresses at which the gateway can be reached from outside: its own, the pool, and those of static mappings.
  /// Ascending.
  public var publicAddresses: [IPv4Address] {
    var addresses: Set = [interfaces.outside.address]
    addresses.formUnion(nat.pool.map(\.address))
    for mapping in statics {
      switch mapping {
      case .portForward(_, let endpoint, _, _): addresses.insert(endpoint.address)
      case .oneToOne(let address, _): addresses.insert(address)
      }
    }
    addresses.remove(.machine)
    return addresses.sorted()
  }

  /// The addresses that the gateway alone answers for, on either side. The kernel answers for those of the machine.
  public var ownAddresses: [IPv4Address] {
    (interfaces.inside.hasMachineAddress ? [] : [interfaces.inside.address])
      + publicAddresses.filter { $0 != sharedAddress }
  }
}
