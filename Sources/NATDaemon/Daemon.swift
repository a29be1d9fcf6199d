// NATDaemon: a live gateway as a service.
//
// `Daemon` opens the interfaces, builds the parts of the gateway, and runs them as a list of components (`Component`):
// they start in order and stop in reverse. Read `Daemon.assemble` to see what a daemon consists of.
//
//   packet path      `WorkerThread` runs a `Worker`: captures -> `Pipeline` -> transmitters.
//   between threads  `WorkerSet` holds a `Mailbox` and `WorkerFigures` for each worker. Jobs travel as `Command`s.
//   changes          `ChangeCoordinator` carries out one change at a time; a `ChangeObserver` follows each of them.
//   reads            `TableQueries` walks the table without disturbing the workers.
//   operators        `GatewayControl` joins these to the operations that `ControlService` serves.
//
// A new capability is a component of its own, added to the list:
//
//     actor Blinker: Component {
//       func run() async { await repeatedly(every: .seconds(1)) { blink() } }
//       var conditions: [Condition] { isBroken ? [Condition(reason: "the lamp is broken")] : [] }
//     }

public import Logging
import NATComposition
public import NATConfiguration
import NATEngine
import NATGateway
import NATKernel
import NATLiveIO
import NATMemory
import NATTable
import NATWire
public import ServiceLifecycle

/// A gateway between two interfaces, as a service: a list of components that it starts and stops.
public struct Daemon: Service, CustomStringConvertible {
  private let configuration: Configuration
  private let file: String?
  private let logger: Logger
  private let logLevel: LogLevel?
  private let manager: ServiceManager?

  /// - Parameters:
  ///   - file: the path that the configuration was read from; nil if it cannot be read again.
  ///   - logLevel: the level of the logger, if it can change.
  ///   - environment: the environment of the process, which tells whether there is a service manager.
  public init(
    _ configuration: Configuration, file: String? = nil, logger: Logger, logLevel: LogLevel? = nil,
    environment: [String: String] = [:]
  ) {
    self.configuration = configuration
    self.file = file
    self.logger = logger
    self.logLevel = logLevel
    manager = ServiceManager(environment)
  }

  public var description: String { "gateway" }

  /// Opens the interfaces, forwards until a graceful shutdown begins, and closes them.
  /// - Throws: `InterfaceFault` or `ControlSocketFault` if the daemon cannot start.
  public func run() async throws {
    for warning in configuration.warnings { logger.warning("\(warning)") }
    // Listen before the first reading of the machine's addresses, so that no change is missed.
    let listener = configuration.followsMachine ? try MachineListener() : nil
    let workers = WorkerSet()
    let interfaces = try InterfaceKeeper(configuration, workers, manager, logger: logger)
    let live = await interfaces.completed(configuration.resolved(interfaces.machineAtStart).configuration)
    let settings = settings(live, workers)
    let memory = GatewayMemory(settings)
    let components = assemble(
      ConfigurationInForce(
        written: configuration, live: live, machine: interfaces.machineAtStart, file: file),
      interfaces, listener, workers, settings, memory)
    try await components.start()
    logger.notice(
      "started",
      metadata: [
        "inside": "\(configuration.interfaces.inside.name)",
        "outside": "\(configuration.interfaces.outside.name)",
        "address": "\(live.interfaces.outside.addressText)",
        "guard": configuration.kernelGuard ? "on" : "off",
      ])
    try? await gracefulShutdown()
    await components.stop()
    logStop(memory.counters.counters)
  }

  /// Makes the components of the daemon, in the order in which they start.
  private func assemble(
    _ inForce: ConfigurationInForce, _ interfaces: InterfaceKeeper, _ listener: MachineListener?,
    _ workers: WorkerSet, _ settings: GatewaySettings, _ memory: GatewayMemory
  ) -> ComponentList {
    let started = LiveClock.now
    let reservation = PortReservation(configuration, logger: logger)
    let state = StateKeeper(
      configuration.state, workers, waits: inForce.live.waitsForMachine, logger: logger)
    let recorder = FlightRecorder(configuration.record, workers, started: started, logger: logger)
    let events = EventHub(workers, memory)
    let changes = ChangeCoordinator(
      inForce, workers, memory.table, interfaces: interfaces, events: events, state: state,
      observers: [reservation, recorder] + [logLevel].compactMap(\.self))
    let components = ComponentList()
    let control = GatewayControl(
      changes: changes, workers: workers, queries: TableQueries(table: memory.table, started: started),
      events: events, recorder: recorder, state: state, interfaces: interfaces, components: components)
    let all: [(any Component)?] = [
      reservation,
      interfaces,
      WorkerThreads(
        workers, settings, memory, state: state, configured: configuration.workers, logger: logger),
      state,
      recorder,
      changes,
      ControlService(configuration.control, configuration.metrics, operations: control, logger: logger),
      ReportSignal(control: control),
      ReloadSignal(control: control, manager: manager, logger: logger),
      MachineFollower(changes: changes, interfaces: interfaces, listener: listener, logger: logger),
      ExhaustionLog(counters: memory.counters, logger: logger),
      // Last, because it reports that all others are ready.
      ServiceNotices(manager, workers, control, logger: logger),
    ]
    components.append(all.compactMap(\.self))
    return components
  }

  private func settings(_ live: Configuration, _ workers: WorkerSet) -> GatewaySettings {
    var settings = GatewaySettings(live)
    settings.completesChecksums = false
    settings.asksForNextHops = true
    settings.table.workers = workers.members.count
    settings.table.reserve = .live(settings.table)
    // Reserve room for all static mappings of the file. Some may still wait for the machine's address.
    settings.table.reserve.forwards += configuration.statics.count - live.statics.count
    return settings
  }

  private func logStop(_ counters: Counters) {
    let (inside, outside) = (counters.side(.inside), counters.side(.outside))
    let drops = DropReason.allCases.filter { counters.drops($0) > 0 }
      .map { "\($0.name) \(counters.drops($0))" }.joined(separator: ", ")
    logger.notice(
      "stopped",
      metadata: [
        "insideReceived": "\(inside.packetsReceived)", "insideSent": "\(inside.packetsSent)",
        "insideCaptureDropped": "\(inside.captureDropped)", "outsideReceived": "\(outside.packetsReceived)",
        "outsideSent": "\(outside.packetsSent)", "outsideCaptureDropped": "\(outside.captureDropped)",
        "drops": "\(drops)",
      ])
  }
}
