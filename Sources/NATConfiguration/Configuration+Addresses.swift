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
    return addresses.sorted()
  }

  /// What it answers to on either side.
  public var ownAddresses: [IPv4Address] { [interfaces.inside.address] + publicAddresses }
}
