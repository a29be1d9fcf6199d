import Logging
import NATComposition
import NATConfiguration
import NATControl
import NATEngine
import NATGateway
import NATTable
import NATWire

/// The operations of a running gateway. Each goes to the part of the daemon that carries it out.
struct GatewayControl: GatewayOperations {
  let changes: ChangeCoordinator
  let workers: WorkerSet
  let queries: TableQueries
  let events: EventHub
  let recorder: FlightRecorder
  let state: StateKeeper?
  let interfaces: any GatewayInterfaces
  let components: ComponentList

  private var started: Instant { queries.started }
  private var uptime: Seconds { Seconds(from: started, to: LiveClock.now) }

  // MARK: Reading

  func status() async throws(ControlError) -> StatusDocument {
    let now = LiveClock.now
    return StatusDocument(
      version: Release.version, uptime: uptime,
      interfaces: await interfaces.documents(await changes.inForce.live),
      workers: workers.members.map { member in
        var worker = StatusDocument.Worker(number: member.number)
        worker.busyNanoseconds = member.figures.busyNanoseconds
        worker.longestRoundNanoseconds = member.figures.longestRoundNanoseconds
        worker.longestRoundBySecondNanoseconds = member.figures.longestRounds(at: now)
        worker.rounds = member.figures.roundCount
        return worker
      }, degraded: await components.conditions.map(\.reason), restored: await state?.document)
  }

  func health() async throws(ControlError) -> HealthDocument {
    HealthDocument(reasons: await components.conditions.filter(\.stopsForwarding).map(\.reason))
  }

  func stats() async throws(ControlError) -> StatsDocument {
    let jobs = try await perform(ReadFigures())
    return StatsDocument(jobs.compactMap(\.figures), uptime: uptime)
  }

  func table(
    _ filter: TableFilter, after cursor: String?, limit: Int
  ) async throws(ControlError) -> TableDocument {
    try await queries.page(filter, after: cursor, limit: limit)
  }

  func sessionCounts() async throws(ControlError) -> [SessionCount] { try await queries.sessionCounts() }

  func hosts(limit: Int) async throws(ControlError) -> HostsDocument { try await queries.hosts(limit: limit) }

  func statics() async throws(ControlError) -> StaticsDocument {
    StaticsDocument(
      statics: await changes.current().written.statics.map { StaticDocument(entry: $0.entry) })
  }

  func configuration() async throws(ControlError) -> ConfigurationDocument {
    let inForce = await changes.current()
    return ConfigurationDocument(
      file: inForce.file ?? "",
      settings: inForce.written.settings.map { SettingDocument(setting: $0.name, value: $0.value) })
  }

  func events() async throws(ControlError) -> AsyncStream<EventDocument> { await events.subscribe() }

  func explain(_ request: ExplainRequest) async throws(ControlError) -> ExplainDocument {
    let question: ExplainFrame
    do {
      question = try ExplainFrame(request)
    } catch {
      throw ControlError(status: 400, reason: "bad-question", error.text)
    }
    // The first worker. With several workers it must be the one that owns the packet's flow.
    guard let job = await workers.members[0].mailbox.perform(question) else { throw .stopping }
    return ExplainDocument(job.explanation)
  }

  // MARK: Changing

  func end(_ filter: TableFilter) async throws(ControlError) -> EndedDocument {
    let jobs = try await perform(EndSessions(SessionFilter(filter)))
    await recorder.note(change: "an operator ended sessions")
    return EndedDocument(jobs.map(\.ended))
  }

  func addStatic(_ entry: StaticDocument) async throws(ControlError) -> StaticChangeDocument {
    try await changes.addStatic(entry)
  }

  func removeStatic(
    protocol name: String, public endpoint: String
  ) async throws(ControlError) -> StaticChangeDocument {
    try await changes.removeStatic(protocol: name, public: endpoint)
  }

  func reload() async throws(ControlError) -> ReloadDocument { try await changes.reload() }

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
      // A replay cannot follow a machine's addresses, so they are written as the gateway's own.
      return try await recorder.dump(to: directory, await changes.inForce.live.standingAlone)
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

  private func perform<Job: GatewayJob>(_ job: Job) async throws(ControlError) -> [Job] {
    guard let jobs = await workers.perform(job) else { throw .stopping }
    return jobs
  }
}

extension ControlError {
  /// Thrown when a worker has stopped.
  static var stopping: ControlError {
    ControlError(status: 503, reason: "stopping", "the gateway is stopping")
  }
}
