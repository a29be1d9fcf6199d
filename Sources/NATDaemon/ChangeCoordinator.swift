import NATComposition
import NATConfiguration
import NATControl
import NATGateway
import NATKernel
import NATTable
import NATWire

/// Changes a running gateway, one change at a time: a reload, static mappings, the machine's addresses.
///
/// A change is refused as a whole, or takes these steps: the observers prepare, the kernel rules cover old
/// and new addresses, the workers carry out the ``ChangePlan``, the kernel rules cover the new addresses
/// only, the observers follow. If the table has no room, the workers undo the change.
actor ChangeCoordinator: Component {
  private let workers: WorkerSet
  private let table: TranslationTable
  private let interfaces: any GatewayInterfaces
  private let events: EventHub
  private let state: StateKeeper?
  private let observers: [any ChangeObserver]
  private(set) var inForce: ConfigurationInForce
  private var statics = StaticRegistry()
  /// What the kernel rules cover now.
  private var covered: KernelRules.Scope
  /// Why the gateway does less than the configuration says.
  private var degraded: [String]
  /// The fault of the last try to follow the machine's addresses.
  private var followFault: String?
  /// All port lifetimes used since the start.
  private var lifetimes: Set<UInt64>
  private var isChanging = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  /// - Parameter observers: called in this order.
  init(
    _ inForce: ConfigurationInForce, _ workers: WorkerSet, _ table: TranslationTable,
    interfaces: any GatewayInterfaces, events: EventHub, state: StateKeeper?,
    observers: [any ChangeObserver]
  ) {
    self.inForce = inForce
    self.workers = workers
    self.table = table
    self.interfaces = interfaces
    self.events = events
    self.state = state
    self.observers = observers
    covered = KernelRules.Scope(inForce.live)
    degraded = inForce.written.resolved(inForce.machine).degraded
    lifetimes = Set(inForce.written.nat.lifetimes.ports.map(\.nanoseconds))
  }

  var conditions: [Condition] {
    let isWaiting = inForce.live.waitsForMachine
    return degraded.map { Condition(reason: $0, stopsForwarding: isWaiting) }
      + [followFault].compactMap(\.self).map { Condition(reason: $0) }
  }

  /// The configuration in force, without the static mappings that have ended without an operator.
  func current() -> ConfigurationInForce {
    statics.removeEnded(from: &inForce, table)
    return inForce
  }

  // MARK: Static mappings

  func addStatic(_ entry: StaticDocument) async throws(ControlError) -> StaticChangeDocument {
    await beginChange()
    defer { endChange() }
    var target = current().written
    let mapping = try statics.mapping(entry, beside: target)
    target.statics.append(mapping)
    let ended = try await change(to: target)
    statics.added.append(mapping)
    return StaticChangeDocument(mapping: StaticDocument(entry: mapping.entry), ended: ended)
  }

  func removeStatic(
    protocol name: String, public endpoint: String
  ) async throws(ControlError) -> StaticChangeDocument {
    await beginChange()
    defer { endChange() }
    var target = current().written
    guard
      let place = target.statics.firstIndex(where: { $0.protocolText == name && $0.publicText == endpoint })
    else {
      throw ControlError(
        status: 404, reason: "no-such-static-mapping",
        "found no static mapping \(name) \(endpoint); expected one of `portico static list`")
    }
    let mapping = target.statics.remove(at: place)
    let ended = try await change(to: target)
    statics.added.removeAll { $0 == mapping }
    return StaticChangeDocument(mapping: StaticDocument(entry: mapping.entry), ended: ended)
  }

  // MARK: Reload

  /// Reads the file again, and applies all of its changes or none.
  func reload() async throws(ControlError) -> ReloadDocument {
    await beginChange()
    defer { endChange() }
    guard let file = inForce.file else {
      throw ControlError(status: 409, reason: "no-file", "the configuration did not come from a file")
    }
    var target: Configuration
    do {
      target = try Configuration.load(path: file)
    } catch {
      throw ControlError(status: 422, reason: "bad-configuration", error.description)
    }
    let before = current().written
    let kept = try statics.addAdded(to: &target)
    let ended = try await change(to: target)
    statics.added = kept
    await events.publish(EventDocument(.reload))
    return ReloadDocument(
      changed: before.changes(to: target).map {
        ReloadDocument.Change(setting: $0.setting, before: $0.before, after: $0.after)
      }, ended: ended)
  }

  // MARK: The machine's addresses

  /// The result of a change of the machine's addresses, routes or sockets, for the log.
  struct Followed: Sendable {
    var outside: String
    var gateway: String
    var sessionsEnded: Int
    var degraded: [String]
  }

  /// Why the machine's addresses cannot be followed.
  struct FollowFault: Error, CustomStringConvertible { let description: String }

  /// Takes over the machine's current addresses, routes and sockets.
  ///
  /// - Parameter looksAtSockets: whether to read the sockets too. The callers do so once a second.
  /// - Returns: nil if nothing has changed.
  /// - Throws: ``FollowFault``, once for a fault that lasts. Each call tries again.
  func follow(looksAtSockets: Bool) async throws(FollowFault) -> Followed? {
    guard inForce.written.followsMachine else { return nil }
    await beginChange()
    defer { endChange() }
    do {
      let followed = try await takeOver(looksAtSockets: looksAtSockets)
      followFault = nil
      return followed
    } catch {
      let fault = FollowFault(description: "the machine's addresses cannot be followed: \(error)")
      guard fault.description != followFault else { return nil }
      followFault = fault.description
      throw fault
    }
  }

  private func takeOver(looksAtSockets: Bool) async throws -> Followed? {
    let before = current()
    let machine = try await interfaces.machine(before.written, looksAtSockets: looksAtSockets)
    let next = await interfaces.completed(before.written.resolved(machine).configuration)
    guard machine != before.machine || next != before.live else { return nil }
    let ended = try await carryOut(before.written, machine)
    let live = inForce.live
    if live.sharedAddress != before.live.sharedAddress {
      var event = EventDocument(.addressChanged, count: UInt64(ended.sessions))
      event.publicEndpoint = live.sharedAddress.map { EndpointDocument(address: "\($0)", port: 0) }
      await events.publish(event)
    }
    return Followed(
      outside: live.interfaces.outside.addressText,
      gateway: live.interfaces.gateway.map { "\($0)" } ?? "none", sessionsEnded: ended.sessions,
      degraded: degraded)
  }

  // MARK: Carrying out

  /// Changes to another configuration, or changes nothing.
  private func change(to target: Configuration) async throws(ControlError) -> EndedDocument {
    if let refusal = ChangePlan.refusal(
      from: inForce.written, to: target, table.capacity, usedLifetimes: lifetimes)
    {
      let found =
        inForce.written.changes(to: target).first { $0.setting == refusal.setting }.flatMap(\.after) ?? "none"
      throw ControlError(
        status: 409, reason: "needs-restart",
        "\(refusal.setting): found \(found); expected \(refusal.expected)")
    }
    return try await carryOut(target, inForce.machine)
  }

  /// - Parameter machine: the machine's addresses, routes and ports from now on.
  private func carryOut(
    _ target: Configuration, _ machine: Configuration.Machine
  ) async throws(ControlError) -> EndedDocument {
    let resolved = target.resolved(machine)
    let next = await interfaces.completed(resolved.configuration)
    for observer in observers { await observer.prepare(for: next) }
    // During the change, the kernel rules cover old and new addresses and ports.
    let before = covered
    let after = KernelRules.Scope(next)
    if before != after { try await cover(before.union(after)) }
    let held = next.waitsForMachine ? nil : await state?.held
    let plan = ChangePlan(from: inForce.live, to: next)
    guard let jobs = await workers.perform(GatewayChange(plan.operations, takingUp: held)) else {
      throw .stopping
    }
    lifetimes.formUnion(target.nat.lifetimes.ports.map(\.nanoseconds))
    let refused = jobs.map(\.refused).max() ?? 0
    // A change of the machine's addresses cannot be undone: the machine has lost the old ones.
    guard refused == 0 || machine != inForce.machine else {
      // Undo what found room.
      _ = await workers.perform(GatewayChange(ChangePlan(from: next, to: inForce.live).operations))
      if before != after { try? await cover(before) }
      for observer in observers { await observer.follow(inForce.live) }
      throw ControlError(
        status: 500, reason: "no-room",
        "\(refused) statics or pool addresses found no room in the table; nothing is changed")
    }
    inForce.written = target
    inForce.live = next
    inForce.machine = machine
    degraded = resolved.degraded
    if let held, let restored = jobs.first?.restored { await report(held, restored) }
    if refused > 0 { degraded.append("\(refused) statics or pool addresses found no room in the table") }
    // The change is in force. Kernel rules that cover too much are no reason to fail.
    if before != after { try? await cover(after) }
    for observer in observers { await observer.follow(next) }
    return EndedDocument(jobs.map(\.ended))
  }

  private func cover(_ scope: KernelRules.Scope) async throws(ControlError) {
    do {
      try await interfaces.setScope(scope)
      covered = scope
    } catch {
      throw ControlError(status: 500, reason: "guard-failed", error.description)
    }
  }

  /// Reports that the state that waited for the machine's addresses is restored.
  private func report(_ held: HeldTable, _ restored: RestoredTable) async {
    await state?.took(held, restored)
    await events.publish(EventDocument(.stateRestored, count: UInt64(restored.sessions)))
    let lost = restored.notAllowed + restored.withoutRoom + restored.contradicting
    guard lost > 0 else { return }
    await events.publish(EventDocument(.stateDropped, count: UInt64(lost)))
  }

  // MARK: One change at a time

  private func beginChange() async {
    if isChanging {
      await withCheckedContinuation { waiting.append($0) }
    } else {
      isChanging = true
    }
  }

  private func endChange() {
    if waiting.isEmpty { isChanging = false } else { waiting.removeFirst().resume() }
  }
}
