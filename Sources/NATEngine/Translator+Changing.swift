public import NATTable
public import NATWire

/// Statics and pool addresses that come and go at run time: the table and the list of our public addresses in step.
extension Translator {
  /// The outside address is another one now; 0.0.0.0 is none.
  public func changeOutsideAddress(from old: IPv4Address, to new: IPv4Address) {
    if old != .any { publicAddresses.remove(old, .held) }
    if new != .any { publicAddresses.add(new, .held) }
  }

  /// Adds a port forward, and nothing where there is no room for it.
  /// - Precondition: nothing is in its way (`Shard.bindingInTheWay(of:)`).
  public mutating func addForward(_ mapping: StaticForward, at now: Instant) -> Bool {
    guard shard.addForward(mapping, at: now) else { return false }
    publicAddresses.add(mapping.public.address, .held)
    return true
  }

  /// Takes back the public addresses of forwards that have ended by themselves.
  @inline(__always) public mutating func forgetEndedForwards() {
    while shard.hasEndedForwards, let address = shard.popEndedForward() {
      publicAddresses.remove(address, .held)
    }
  }

  /// Takes a port forward out of every index; its sessions are to be ended.
  /// - Returns: nil where there is no such forward.
  public mutating func closeForward(
    _ transport: TransportProtocol, public endpoint: Endpoint, because reason: EndReason
  ) -> Shard.Closing? {
    guard let binding = shard.findForward(transport, public: endpoint) else { return nil }
    publicAddresses.remove(endpoint.address, .held)
    return shard.close(binding, because: reason)
  }

  /// Adds a 1:1 mapping, and nothing where there is no room for it.
  public mutating func addOneToOne(_ mapping: StaticAddress) -> Bool {
    guard shard.addOneToOne(mapping) else { return false }
    publicAddresses.add(mapping.public, .oneToOne)
    return true
  }

  /// Takes a 1:1 mapping back; its bindings are to be ended, and after them ``forget(_:)`` called.
  public mutating func closeOneToOne(_ mapping: StaticAddress) -> Bool { shard.removeOneToOne(mapping) }

  /// The public address of a 1:1 mapping whose bindings have all ended.
  public func forget(_ mapping: StaticAddress) { publicAddresses.remove(mapping.public, .oneToOne) }

  /// Adds an address to the pool, behind the others; false where there is no place for it.
  public mutating func addPoolAddress(_ pool: PoolAddress) -> Bool {
    guard let place = shard.addPoolAddress(pool) else { return false }
    publicAddresses.add(pool.address, .pool(place: place))
    return true
  }

  /// Takes an address whose bindings have all ended out of the pool.
  public mutating func removePoolAddress(_ address: IPv4Address) {
    guard let place = shard.poolPlace(of: address) else { return }
    shard.removePoolAddress(place)
    publicAddresses.remove(address, .pool(place: place))
  }
}
