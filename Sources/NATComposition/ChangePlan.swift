public import NATConfiguration
public import NATGateway
public import NATTable
import NATWire

/// The operations that bring a running gateway from one configuration to another.
///
/// Removals come first, then changed settings, then additions, so that no port ever has two owners.
/// ``refusal(from:to:_:usedLifetimes:)`` tells beforehand whether the change needs a restart.
public struct ChangePlan: Sendable {
  public private(set) var operations: [GatewayChange.Operation] = []

  /// A setting whose change needs a restart, and the values that are possible without one.
  public struct Refusal: Error, Sendable, Equatable {
    public var setting: String
    public var expected: String
  }

  /// - Parameters:
  ///   - old: the configuration in force.
  ///   - new: the next one, with the MAC addresses and MTUs of the interfaces if the old one has them.
  public init(from old: Configuration, to new: Configuration) {
    let before = TableSettings(old)
    let after = TableSettings(new)
    // Sessions on an address that the machine has lost end with the reason `addressChanged`.
    let lost = old.sharedAddress == new.sharedAddress ? nil : old.sharedAddress
    if let lost, !new.publicAddresses.contains(lost) { operations.append(.loseAddress(lost)) }
    let rehomed = planRemovals(before, after, lost: lost)
    let settings = GatewaySettings(new)
    operations.append(.setRules(settings))
    if old.interfaces != new.interfaces { operations.append(.setInterfaces(settings)) }
    if !Set(new.nat.insideNetworks).isSuperset(of: old.nat.insideNetworks) {
      operations.append(.endBindingsOutsideInsideNetworks)
    }
    if after.lifetimes.shorten(before.lifetimes) { operations.append(.sweepLifetimes) }
    planAdditions(before, after, rehomed, shared: new.sharedAddress)
    let known = Set(old.publicAddresses)
    for address in new.publicAddresses where !known.contains(address) && address != new.sharedAddress {
      operations.append(.announce(address))
    }
  }

  /// - Returns: port forwards to add again, because their public address enters or leaves the pool.
  private mutating func planRemovals(
    _ before: TableSettings, _ after: TableSettings, lost: IPv4Address?
  ) -> [PortForward] {
    let oldPool = Set(before.pool.map(\.address))
    let newPool = Set(after.pool.map(\.address))
    let kept = Set(after.forwards)
    var rehomed: [PortForward] = []
    let removed = before.pool.map(\.address).filter { !newPool.contains($0) }
    operations += removed.map { .closePoolAddress($0) }
    for forward in before.forwards {
      let address = forward.public.address
      if !kept.contains(forward) {
        operations.append(.removeForward(forward, address == lost ? .addressChanged : .staticMappingRemoved))
      } else if oldPool.contains(address) != newPool.contains(address) {
        let reason = oldPool.contains(address) ? EndReason.poolAddressRemoved : .poolAddressAdded
        operations.append(.removeForward(forward, reason))
        rehomed.append(forward)
      }
    }
    let keptHosts = Set(after.oneToOne.map(HostKey.init))
    let closed = before.oneToOne.filter { !keptHosts.contains(HostKey($0)) }
    operations += closed.map { .closeOneToOne($0) }
    if !closed.isEmpty { operations.append(.endBindingsOfClosedOneToOne) }
    operations += closed.map { .forgetOneToOne($0) }
    operations += removed.map {
      .removePoolAddress($0, $0 == lost ? .addressChanged : .poolAddressRemoved)
    }
    return rehomed
  }

  private mutating func planAdditions(
    _ before: TableSettings, _ after: TableSettings, _ rehomed: [PortForward], shared: IPv4Address?
  ) {
    let oldPool = Dictionary(
      before.pool.map { ($0.address, $0.ports) }, uniquingKeysWith: { first, _ in first })
    for pool in after.pool {
      if let ports = oldPool[pool.address] {
        guard ports != pool.ports else { continue }
        operations.append(.setPorts(pool))
        // The kernel gets back the ports of the shared address that left the pool, so their sessions end.
        if pool.address == shared { operations.append(.endUnoffered(pool.address)) }
      } else {
        operations.append(.addPoolAddress(pool))
      }
    }
    if before.pool.map(\.address) != after.pool.map(\.address) {
      operations.append(.orderPool(after.pool.map(\.address)))
    }
    let knownHosts = Set(before.oneToOne.map(HostKey.init))
    let added = after.oneToOne.filter { !knownHosts.contains(HostKey($0)) }
    operations += added.map { .addOneToOne($0) }
    if !added.isEmpty { operations.append(.endDynamicOfOneToOne) }
    let known = Set(before.forwards).subtracting(rehomed)
    operations += after.forwards.filter { !known.contains($0) }.map { .addForward($0) }
  }

  /// The first setting whose change needs a restart; nil if there is none.
  ///
  /// - Parameters:
  ///   - capacity: the capacity of the table in use.
  ///   - usedLifetimes: all port lifetimes used since the start, in nanoseconds.
  public static func refusal(
    from old: Configuration, to new: Configuration, _ capacity: TableCapacity, usedLifetimes: Set<UInt64>
  ) -> Refusal? {
    if let change = old.changes(to: new).first(where: { $0.effect == .restart }) {
      return Refusal(
        setting: change.setting, expected: "\(change.before ?? "none") as before, or a restart")
    }
    let table = TableSettings(new)
    func most(_ setting: String, _ count: Int, _ most: Int) -> Refusal? {
      count <= most ? nil : Refusal(setting: setting, expected: "at most \(most), or a restart")
    }
    let lifetimes = usedLifetimes.union(new.nat.lifetimes.ports.map(\.nanoseconds))
    return most("nat.limits.bindings", table.bindingLimit, capacity.bindings)
      ?? most("nat.limits.sessions", table.sessionLimit, capacity.sessions)
      ?? most("nat.pool", table.pool.count, capacity.poolAddresses)
      ?? most("static", table.forwards.count, capacity.forwards)
      ?? most("static", table.oneToOne.count, capacity.oneToOne)
      ?? (lifetimes.count <= Lifetimes.maximumOverrides
        ? nil
        : Refusal(
          setting: "nat.lifetimes.ports",
          expected: "at most \(Lifetimes.maximumOverrides) different lifetimes since the start, or a restart"))
  }
}

private struct HostKey: Hashable {
  let publicAddress: IPv4Address
  let privateAddress: IPv4Address

  init(_ mapping: OneToOneMapping) {
    publicAddress = mapping.public
    privateAddress = mapping.private
  }
}
