public import NATWire

extension Configuration {
  /// The addresses that can be reached from outside, ascending: the gateway's own, the pool, and those of
  /// static mappings.
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

  /// The addresses for which only the gateway answers, on either side. For the machine's addresses its kernel
  /// answers.
  public var ownAddresses: [IPv4Address] {
    (interfaces.inside.hasMachineAddress ? [] : [interfaces.inside.address])
      + publicAddresses.filter { $0 != sharedAddress }
  }
}
