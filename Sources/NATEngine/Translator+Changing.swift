public import NATTable
public import NATWire

// Static mappings and pool addresses that change at run time. Each change updates the table and the list of
// our public addresses together.
extension Translator {
  /// Replaces the outside address; 0.0.0.0 means none.
  public func changeOutsideAddress(from old: IPv4Address, to new: IPv4Address) {
    if old != .any { publicAddresses.remove(old, .held) }
    if new != .any { publicAddresses.add(new, .held) }
  }

  /// Adds a port forward; false if there is no room for it.
  /// - Precondition: no binding is in its way (`Shard.bindingInTheWay(of:)`).
  public mutating func addForward(_ mapping: PortForward, at now: Instant) -> Bool {
    guard shard.addPortForward(mapping, at: now) else { return false }
    publicAddresses.add(mapping.public.address, .held)
    return true
  }

  /// Gives up the public addresses of port forwards whose lifetime is over.
  @inline(__always) public mutating func forgetEndedForwards() {
    while shard.hasEndedPortForwards, let address = shard.popEndedPortForward() {
      publicAddresses.remove(address, .held)
    }
  }

  /// Removes a port forward from every index. The caller ends its sessions.
  /// - Returns: nil if there is no such port forward.
  public mutating func closeForward(
    _ transport: TransportProtocol, public endpoint: Endpoint, because reason: EndReason
  ) -> Shard.Closing? {
    guard let binding = shard.findPortForward(transport, public: endpoint) else { return nil }
    publicAddresses.remove(endpoint.address, .held)
    return shard.close(binding, because: reason)
  }

  /// Adds a 1:1 mapping; false if there is no room for it.
  public mutating func addOneToOne(_ mapping: OneToOneMapping) -> Bool {
    guard shard.addOneToOne(mapping) else { return false }
    publicAddresses.add(mapping.public, .oneToOne)
    return true
  }

  /// Removes a 1:1 mapping. The caller ends its bindings and then calls ``forget(_:)``.
  public mutating func closeOneToOne(_ mapping: OneToOneMapping) -> Bool { shard.removeOneToOne(mapping) }

  /// Gives up the public address of a removed 1:1 mapping, after its bindings have ended.
  public func forget(_ mapping: OneToOneMapping) { publicAddresses.remove(mapping.public, .oneToOne) }

  /// Adds an address at the end of the pool; false if there is no room for it.
  public mutating func addPoolAddress(_ pool: PoolAddress) -> Bool {
    guard let place = shard.addPoolAddress(pool) else { return false }
    publicAddresses.add(pool.address, .pool(place: place))
    return true
  }

  /// Removes an address from the pool, after its bindings have ended.
  public mutating func removePoolAddress(_ address: IPv4Address) {
    guard let place = shard.poolPlace(of: address) else { return }
    shard.removePoolAddress(place)
    publicAddresses.remove(address, .pool(place: place))
  }
}
