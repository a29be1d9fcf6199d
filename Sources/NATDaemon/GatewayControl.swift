import Logging
import NATComposition
import NATConfiguration
import NATControl
import NATEngine
import NATGateway
import NATKernel
import NATTable
import NATWire

/// The running gateway as operators see and steer it.
///
/// Reads walk the table as one more reader; changes go to the worker as jobs, one change at a time, and return when it
/// has carried them out.
actor GatewayControl: GatewayOperations {
  private let mailbox: Mailbox
  private let table: TranslationTable
  private let worker: WorkerFigures
  private let interfaces: any GatewayInterfaces
  private let state: StateKeeper?
  private let recorder: FlightRecorder
  private let logLevel: LogLevel?
  private let hub: EventHub
  private let started = LiveClock.now
  private let file: String?
  /// What is in force: the file as it was read last, with the statics of the operator's.
  private(set) var inForce: Configuration
  /// The same with the host's addresses and the devices' MAC addresses and MTUs in it: what the worker goes by.
  private var live: Configuration
  private var host: Configuration.Machine
  /// Why less is in force than the configuration says.
  private var degraded: [String] = []
  private let reservation: PortReservation?
  /// Why the host could not be followed the last time.
  private var followFault: String?
  /// What the guard keeps the kernel away from.
  private var guarded: KernelRules.Scope
  /// Statics that were added at run time: they outlive a reload.
  private var added: [Configuration.StaticMapping] = []
  /// Lifetimes that ports have had since the start.
  private var lifetimes: Set<UInt64>
  private var isChanging = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  /// - Parameters:
  ///   - live: the same with what the worker began with: `host`'s addresses, and the devices' MAC addresses and MTUs.
  ///   - file: where the configuration was read from; nil where it cannot be read again.
  ///   - reservation: of the gateway's ports on the host's address.
  init(
    _ configuration: Configuration, live: Configuration,
    host: Configuration.Machine = Configuration.Machine(),
    reservation: PortReservation? = nil, file: String?, mailbox: Mailbox, table: TranslationTable,
    counters: CounterStore, worker: WorkerFigures, interfaces: any GatewayInterfaces,
    state: StateKeeper? = nil, logLevel: LogLevel? = nil, logger: Logger? = nil
  ) {
    inForce = configuration
    self.live = live
    self.host = host
    self.reservation = reservation
    guarded = KernelRules.Scope(live)
    degraded = configuration.resolved(host).degraded
    self.file = file
    self.mailbox = mailbox
    self.table = table
    self.worker = worker
    self.interfaces = interfaces
    self.state = state
    self.logLevel = logLevel
    lifetimes = Set(configuration.nat.lifetimes.ports.map(\.nanoseconds))
    hub = EventHub(mailbox, table, counters)
    recorder = FlightRecorder(configuration.record, mailbox, started: started, logger: logger)
  }

  // MARK: Reading

  func status() async throws(ControlError) -> StatusDocument {
    let interfaces = await interfaces.documents(live)
    var degraded = degraded + [reservation?.fault, followFault].compactMap(\.self)
    for (side, interface) in [("inside", interfaces.inside), ("outside", interfaces.outside)] {
      switch interface.link {
      case "missing": degraded.append("the \(side) interface \(interface.name) is missing")
      case "down": degraded.append("the \(side) interface \(interface.name) has no carrier")
      default: break
      }
    }
    let state = await state?.status
    if let fault = state?.fault { degraded.append(fault) }
    if inForce.workers > 1 { degraded.append("workers: \(inForce.workers) are configured, one runs") }
    return StatusDocument(
      version: Release.version, uptime: uptime, interfaces: interfaces,
      workers: [
        StatusDocument.Worker(
          number: 0, busyNanoseconds: worker.busyNanoseconds,
          longestRoundNanoseconds: worker.longestRoundNanoseconds,
          longestRoundBySecondNanoseconds: worker.longestRounds(at: LiveClock.now), rounds: worker.roundCount)
      ], degraded: degraded, restored: state?.restored)
  }

  private var uptime: Seconds { Seconds(nanoseconds: LiveClock.now.nanoseconds &- started.nanoseconds) }

  func stats() async throws(ControlError) -> StatsDocument {
    guard let figures = await mailbox.perform(ReadFigures())?.figures else { throw .stopping }
    var document = StatsDocument(figures)
    document.uptime = uptime
    return document
  }

  nonisolated func table(
    _ filter: TableFilter, after cursor: String?, limit: Int
  ) async throws(ControlError) -> TableDocument {
    let now = LiveClock.now
    guard var page = TablePage(SessionFilter(filter), after: cursor, limit: limit, at: now) else {
      throw ControlError(
        status: 400, reason: "bad-cursor", "found a cursor of no page; expected `next` of an earlier answer")
    }
    let reader = try await walk { page.add($0) }
    return page.document(reader, started: started)
  }

  nonisolated func sessionCounts() async throws(ControlError) -> [SessionCount] {
    let now = LiveClock.now
    var tally = SessionTally()
    _ = try await walk { tally.add($0, at: now) }
    return tally.counts
  }

  nonisolated func hosts(limit: Int) async throws(ControlError) -> HostsDocument {
    let now = LiveClock.now
    var tally = HostTally()
    let reader = try await walk { tally.add($0, at: now) }
    return tally.document(reader, limit: limit)
  }

  /// Reads the whole table, and lets others run in between.
  private nonisolated func walk(
    _ body: (SessionSnapshot) -> Void
  ) async throws(ControlError) -> TableReader {
    guard let reader = TableReader(table) else {
      throw ControlError(
        status: 503, reason: "too-many-readers", "the table has as many readers as it has room for; try again"
      )
    }
    var cursor: TableReader.Cursor? = TableReader.Cursor()
    while let from = cursor {
      cursor = reader.read(from: from, limit: TableReader.chunk, body)
      await Task.yield()
    }
    return reader
  }

  func statics() async throws(ControlError) -> StaticsDocument {
    forgetEndedStatics()
    return StaticsDocument(statics: inForce.statics.map { StaticDocument(entry: $0.entry) })
  }

  func configuration() async throws(ControlError) -> ConfigurationDocument {
    forgetEndedStatics()
    return ConfigurationDocument(
      file: file ?? "",
      settings: inForce.settings.map { SettingDocument(setting: $0.name, value: $0.value) })
  }

  func events() async throws(ControlError) -> AsyncStream<EventDocument> { await hub.listen() }

  func explain(_ request: ExplainRequest) async throws(ControlError) -> ExplainDocument {
    let question: ExplainFrame
    do {
      question = try ExplainFrame(request)
    } catch {
      throw ControlError(status: 400, reason: "bad-question", error.text)
    }
    guard let job = await mailbox.perform(question) else { throw .stopping }
    return ExplainDocument(job.explanation)
  }

  // MARK: Changing

  func end(_ filter: TableFilter) async throws(ControlError) -> EndedDocument {
    guard let job = await mailbox.perform(EndSessions(SessionFilter(filter))) else { throw .stopping }
    await recorder.note(change: "an operator ended sessions")
    return EndedDocument(job.ended)
  }

  func addStatic(_ entry: StaticDocument) async throws(ControlError) -> StaticChangeDocument {
    await beginChange()
    defer { endChange() }
    forgetEndedStatics()
    let mapping: Configuration.StaticMapping
    do {
      mapping = try inForce.staticMapping(from: entry.entry, beside: [])
    } catch {
      throw ControlError(status: 400, reason: "bad-static-mapping", error.description)
    }
    do {
      _ = try inForce.staticMapping(from: entry.entry, beside: inForce.statics)
    } catch {
      throw ControlError(status: 409, reason: "static-mapping-conflict", error.description)
    }
    var target = inForce
    target.statics.append(mapping)
    let ended = try await change(to: target)
    added.append(mapping)
    return StaticChangeDocument(mapping: StaticDocument(entry: mapping.entry), ended: ended)
  }

  func removeStatic(
    protocol name: String, public endpoint: String
  ) async throws(ControlError) -> StaticChangeDocument {
    await beginChange()
    defer { endChange() }
    forgetEndedStatics()
    guard
      let place = inForce.statics.firstIndex(where: { $0.protocolText == name && $0.publicText == endpoint })
    else {
      throw ControlError(
        status: 404, reason: "no-such-static-mapping",
        "found no static mapping \(name) \(endpoint); expected one of `portico static list`")
    }
    var target = inForce
    let mapping = target.statics.remove(at: place)
    let ended = try await change(to: target)
    added.removeAll { $0 == mapping }
    return StaticChangeDocument(mapping: StaticDocument(entry: mapping.entry), ended: ended)
  }

  func reload() async throws(ControlError) -> ReloadDocument {
    await beginChange()
    defer { endChange() }
    guard let file else {
      throw ControlError(status: 409, reason: "no-file", "the configuration did not come from a file")
    }
    var target: Configuration
    do {
      target = try Configuration.load(path: file)
    } catch {
      throw ControlError(status: 422, reason: "bad-configuration", error.description)
    }
    forgetEndedStatics()
    // What operators added stays, as if it stood at the end of the file.
    var kept: [Configuration.StaticMapping] = []
    for mapping in added where !target.statics.contains(mapping) {
      do {
        _ = try target.staticMapping(from: mapping.entry, beside: target.statics)
      } catch {
        throw ControlError(
          status: 409, reason: "static-mapping-conflict",
          "the mapping \(mapping.protocolText) \(mapping.publicText), added at run time, does not fit "
            + "the file: \(error.description)")
      }
      target.statics.append(mapping)
      kept.append(mapping)
    }
    let changed = inForce.changes(to: target)
    let ended = try await change(to: target)
    added = kept
    logLevel?.value = Logger.Level(target.log.level)
    await hub.tell(EventDocument(unixNanoseconds: LiveClock.unixNanoseconds, kind: .reload))
    return ReloadDocument(
      changed: changed.map { ReloadDocument.Change(setting: $0.setting, before: $0.before, after: $0.after) },
      ended: ended)
  }

  /// Records from the start where that is configured.
  func beginRecording() async { await recorder.begin() }

  func recording() async throws(ControlError) -> RecordDocument { try await recorder.status() }

  func record(_ request: RecordRequest) async throws(ControlError) -> RecordDocument {
    switch request.action {
    case .on: return try await recorder.on(request.content)
    case .off: return try await recorder.off()
    case .dump:
      guard let directory = request.directory else {
        throw ControlError(
          status: 400, reason: "bad-directory", "directory is missing; expected the path of one to be made")
      }
      // A replay has no host to follow.
      return try await recorder.dump(to: directory, live.standingAlone)
    }
  }

  func snapshot() async throws(ControlError) -> SnapshotDocument {
    guard let state else {
      throw ControlError(
        status: 409, reason: "no-state-file",
        "found no state.file in the configuration; expected the path of one")
    }
    return try await state.save()
  }

  /// Brings the gateway to another configuration, or changes nothing.
  private func change(to target: Configuration) async throws(ControlError) -> EndedDocument {
    if let refusal = ChangePlan.refusal(
      from: inForce, to: target, table.capacity, usedLifetimes: lifetimes)
    {
      let found =
        inForce.changes(to: target).first { $0.setting == refusal.setting }.flatMap(\.after) ?? "none"
      throw ControlError(
        status: 409, reason: "needs-restart",
        "\(refusal.setting): found \(found); expected \(refusal.expected)")
    }
    return try await carryOut(target, host)
  }

  /// - Parameter host: what the host has from now on.
  private func carryOut(
    _ target: Configuration, _ host: Configuration.Machine
  ) async throws(ControlError) -> EndedDocument {
    let resolved = target.resolved(host)
    let next = await interfaces.completed(resolved.configuration)
    reservation?.reserve(next.reservedPorts)
    // While addresses and ports change, the kernel keeps away from old and new ones.
    let before = guarded
    let after = KernelRules.Scope(next)
    if before != after { try await setGuards(before.union(after)) }
    let plan = ChangePlan(from: live, to: next)
    let held = next.waitsForMachine ? nil : await state?.held
    guard let job = await mailbox.perform(GatewayChange(plan.operations, takingUp: held)) else {
      throw .stopping
    }
    lifetimes.formUnion(target.nat.lifetimes.ports.map(\.nanoseconds))
    await recorder.note(change: "the configuration, static mappings or the host's addresses changed")
    // What the host had before it has no more: there is no way back from that.
    guard job.refused == 0 || host != self.host else {
      // All or nothing: what did find room is taken back.
      _ = await mailbox.perform(GatewayChange(ChangePlan(from: next, to: live).operations))
      if before != after { try? await setGuards(before) }
      throw ControlError(
        status: 500, reason: "no-room",
        "\(job.refused) statics or pool addresses found no room in the table; nothing is changed")
    }
    inForce = target
    live = next
    self.host = host
    degraded = resolved.degraded
    if let held, let restored = job.restored { await tell(held, restored) }
    if job.refused > 0 {
      degraded.append("\(job.refused) statics or pool addresses found no room in the table")
    }
    // The change is in force. A guard that keeps more from the kernel than it need is no reason to call it failed.
    if before != after { try? await setGuards(after) }
    return EndedDocument(job.ended)
  }

  /// What has waited for the host's addresses is taken up.
  private func tell(_ held: HeldTable, _ restored: RestoredTable) async {
    await state?.took(held, restored)
    let now = LiveClock.unixNanoseconds
    await hub.tell(
      EventDocument(unixNanoseconds: now, kind: .stateRestored, count: UInt64(restored.sessions)))
    let lost = restored.notAllowed + restored.withoutRoom + restored.contradicting
    guard lost > 0 else { return }
    await hub.tell(EventDocument(unixNanoseconds: now, kind: .stateDropped, count: UInt64(lost)))
  }

  /// Leaves out of what is in force the port forwards that have ended by themselves.
  /// - Complexity: O(forwards), where there are some that do.
  private func forgetEndedStatics() {
    let passing = live.statics.filter(\.terms.endsByItself)
    guard !passing.isEmpty, let reader = TableReader(table) else { return }
    var standing: Set<PortForward> = []
    reader.portForwards { standing.insert($0) }
    let ended = Set(
      passing.filter { mapping in
        guard case .portForward(let transport, let outer, let inner, _) = mapping else { return false }
        return !standing.contains(PortForward(transport, public: outer, private: inner))
      })
    guard !ended.isEmpty else { return }
    let outside = live.interfaces.outside.address
    func hasEnded(_ mapping: Configuration.StaticMapping) -> Bool {
      ended.contains(mapping.onMachine(outside))
    }
    live.statics.removeAll(where: ended.contains)
    inForce.statics.removeAll(where: hasEnded)
    added.removeAll(where: hasEnded)
  }

  private func setGuards(_ scope: KernelRules.Scope) async throws(ControlError) {
    do {
      try await interfaces.setScope(scope)
      guarded = scope
    } catch {
      throw ControlError(status: 500, reason: "guard-failed", error.description)
    }
  }

  // MARK: The host's address

  /// What a change of the host's came to, for the log.
  struct Followed: Sendable {
    var outside: String
    var gateway: String
    var sessionsEnded: Int
    var degraded: [String]
  }

  /// Takes over what the host has by now.
  /// - Parameter looksAtSockets: whether its sockets are looked at, too: once a second.
  /// - Returns: nil where nothing has changed.
  /// - Throws: ``FollowFault``, once for what goes on; it is tried again with each call.
  func follow(looksAtSockets: Bool) async throws(FollowFault) -> Followed? {
    guard inForce.followsMachine else { return nil }
    await beginChange()
    defer { endChange() }
    do {
      let followed = try await takeOver(looksAtSockets: looksAtSockets)
      followFault = nil
      return followed
    } catch {
      let fault = FollowFault(description: "the host's addresses cannot be followed: \(error)")
      guard fault.description != followFault else { return nil }
      followFault = fault.description
      throw fault
    }
  }

  /// Why the host cannot be followed.
  struct FollowFault: Error, CustomStringConvertible { let description: String }

  private func takeOver(looksAtSockets: Bool) async throws -> Followed? {
    forgetEndedStatics()
    let host = try await interfaces.host(inForce, looksAtSockets: looksAtSockets)
    let next = await interfaces.completed(inForce.resolved(host).configuration)
    // Whoever loads kernel settings anew may have taken the ports out.
    if looksAtSockets { reservation?.reserve(inForce.reservedPorts) }
    guard host != self.host || next != live else { return nil }
    let before = live.sharedAddress
    let ended = try await carryOut(inForce, host)
    if live.sharedAddress != before {
      await hub.tell(
        EventDocument(
          unixNanoseconds: LiveClock.unixNanoseconds, kind: .addressChanged,
          publicEndpoint: live.sharedAddress.map { EndpointDocument(address: "\($0)", port: 0) },
          count: UInt64(ended.sessions)))
    }
    return Followed(
      outside: live.interfaces.outside.addressText,
      gateway: live.interfaces.gateway.map { "\($0)" } ?? "none", sessionsEnded: ended.sessions,
      degraded: degraded)
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

extension ControlError {
  static var stopping: ControlError {
    ControlError(status: 503, reason: "stopping", "the gateway is stopping")
  }
}

extension Logger.Level {
  init(_ level: Configuration.LogLevel) { self = Logger.Level(rawValue: level.rawValue) ?? .info }
}
