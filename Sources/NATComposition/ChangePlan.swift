public import NATConfiguration
public import NATGateway
public import NATTable
import NATWire

/// How a running gateway comes from one configuration to another.
///
/// Statics and pool addresses that go are taken out first, then the rules change, then what is new comes in, so that no
/// port ever has two owners. Everything that could be refused is known before the first operation.
public struct ChangePlan: Sendable {
  public private(set) var operations: [GatewayChange.Operation] = []

  /// A setting that cannot change as asked while the gateway runs, and what would be right.
  public struct Refusal: Error, Sendable, Equatable {
    public var setting: String
    public var expected: String
  }

  /// - Parameters:
  ///   - old: the configuration in force.
  ///   - new: the one to come; its interfaces know their MAC addresses and MTUs where the old one's do.
  public init(from old: Configuration, to new: Configuration) {
    let before = TableSettings(old)
    let after = TableSettings(new)
    // What goes with an address of the host's has that for a reason.
    let lost = old.sharedAddress == new.sharedAddress ? nil : old.sharedAddress
    if let lost, !new.publicAddresses.contains(lost) { operations.append(.loseAddress(lost)) }
    let rehomed = planRemovals(before, after, lost: lost)
    let settings = GatewaySettings(new)
    operations.append(.setRules(settings))
    if old.interfaces != new.interfaces { operations.append(.setInterfaces(settings)) }
    if !Set(new.nat.insideNetworks).isSuperset(of: old.nat.insideNetworks) {
      operations.append(.endBindingsOutsideInsideNetworks)
    }
    let (from, to) = (before.lifetimes, after.lifetimes)
    if to.icmp < from.icmp || to.udp < from.udp || to.tcpEstablished < from.tcpEstablished {
      operations.append(.sweepLifetimes)
    }
    planAdditions(before, after, rehomed, shared: new.sharedAddress)
    let known = Set(old.publicAddresses)
    for address in new.publicAddresses where !known.contains(address) && address != new.sharedAddress {
      operations.append(.announce(address))
    }
  }

  /// - Returns: forwards that stay and lose their place, because their public address enters the pool or leaves it.
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
        // The kernel has them again.
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

  /// What keeps the gateway from coming to another configuration without a restart; nil where nothing does.
  ///
  /// - Parameters:
  ///   - capacity: of the table that is in use.
  ///   - usedLifetimes: different lifetimes that ports have had so far, in nanoseconds.
  public static func refusal(
    from old: Configuration, to new: Configuration, _ capacity: TableCapacity, usedLifetimes: Set<UInt64>
  ) -> Refusal? {
    for change in old.changes(to: new) where isFixed(change.setting) {
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

  /// Settings that a running gateway is built on.
  private static func isFixed(_ setting: String) -> Bool {
    if setting == "interfaces.outside.gateway" { return false }
    let prefixes = ["interfaces.", "capture.", "control.", "metrics.", "state.", "record.", "nat.fragments."]
    let names = ["workers", "guard", "nat.tcp.window-tracking", "nat.evict", "nat.lifetimes.fragment"]
    return names.contains(setting) || prefixes.contains { setting.hasPrefix($0) }
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
