import Logging
import NATEngine
import NATGateway
import NATMemory
import NATTable
import NATWire

/// The threads of the workers. Each runs a gateway; the first table is the one that an earlier daemon left.
actor WorkerThreads: Component {
  private let workers: WorkerSet
  private let settings: GatewaySettings
  private let memory: GatewayMemory
  private let state: StateKeeper?
  private let configured: Int
  private let logger: Logger
  private var threads: [WorkerThread] = []
  /// The workers that have not finished a round since the last check.
  private var hanging: Set<Int> = []

  /// - Parameters:
  ///   - memory: allocated for `settings`.
  ///   - configured: the number of workers in the configuration.
  init(
    _ workers: WorkerSet, _ settings: GatewaySettings, _ memory: GatewayMemory, state: StateKeeper?,
    configured: Int, logger: Logger
  ) {
    self.workers = workers
    self.settings = settings
    self.memory = memory
    self.state = state
    self.configured = configured
    self.logger = logger
  }

  func start() async {
    for member in workers.members {
      var gateway = Gateway(
        settings, table: memory.table, worker: member.number, counters: memory.counters.counters,
        random: .secret())
      if let state, let held = await state.load() {
        await state.took(held, gateway.restore(held.snapshot, offset: held.offset, at: LiveClock.now))
      }
      let worker = Worker(Pipeline(gateway), member.mailbox, logger: logger, figures: member.figures)
      threads.append(WorkerThread(worker, number: member.number))
    }
  }

  func run() async {
    var before: [UInt64] = []
    await repeatedly(every: .seconds(5)) {
      let beats = workers.members.map(\.figures.heartbeats)
      hanging = Set(zip(beats, before).enumerated().filter { $1.0 == $1.1 }.map(\.offset))
      before = beats
    }
  }

  func stop() async {
    workers.post { $0.isToStop = true }
    for thread in threads { await thread.waitForEnd() }
    threads = []
  }

  var conditions: [Condition] {
    let fewer =
      configured > workers.members.count
      ? [Condition(reason: "workers: \(configured) are configured, one runs")] : []
    return fewer
      + hanging.sorted().map { Condition(reason: "worker \($0) hangs", stopsForwarding: true) }
  }
}

/// What the workers of a gateway share: the table and the counters.
struct GatewayMemory: Sendable {
  let table: TranslationTable
  let counters = CounterStore()

  init(_ settings: GatewaySettings) {
    var random = RandomSource.secret()
    table = TranslationTable(settings.table, random: &random)
  }
}
