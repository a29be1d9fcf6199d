public import NATWire

extension Configuration {
  /// What the gateway answers to outside: its own address, the pool, and static public addresses; ascending.
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

  /// What it answers to on either side, and nobody else: an address of the host's stays the kernel's.
  public var ownAddresses: [IPv4Address] {
    (interfaces.inside.hasMachineAddress ? [] : [interfaces.inside.address])
      + publicAddresses.filter { $0 != sharedAddress }
  }
}
