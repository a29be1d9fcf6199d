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

/// A gateway between two interfaces, as a service: from opening them to the last counter.
///
/// The service manager, where there is one, hears of its state, and keeps the sockets of the guards over a restart.
public struct Daemon: Service, CustomStringConvertible {
  private let configuration: Configuration
  private let file: String?
  private let options: CaptureOptions
  private let logger: Logger
  private let logLevel: LogLevel?
  private let manager: ServiceManager?

  /// - Parameters:
  ///   - file: where the configuration was read from, to read it again; nil where it cannot be.
  ///   - logLevel: the level of the logger, where it can change.
  ///   - environment: of the process, which the service manager made.
  public init(
    _ configuration: Configuration, file: String? = nil, logger: Logger, logLevel: LogLevel? = nil,
    environment: [String: String] = [:]
  ) {
    self.configuration = configuration
    self.file = file
    options = CaptureOptions(
      snapLength: configuration.capture.snapLength, ringSize: Int(configuration.capture.ringBytes),
      delivery: configuration.capture.delivery == .immediate ? .immediate : .blocks(milliseconds: 1))
    self.logger = logger
    self.logLevel = logLevel
    manager = ServiceManager(environment)
  }

  /// For the log.
  public var description: String { "gateway" }

  /// Opens the interfaces, forwards until a graceful shutdown begins, and closes them.
  /// - Throws: `InterfaceFault` or `ControlSocketFault` when it cannot start.
  public func run() async throws {
    for warning in configuration.warnings { logger.warning("\(warning)") }
    let mailbox = Mailbox()
    // Heard before it is asked what there is, so that no change falls between.
    let listener = configuration.followsMachine ? try HostListener() : nil
    let interfaces = try InterfaceKeeper(
      configuration, options, besides: manager?.inheritedNames ?? [], logger: logger)
    // Not before no other gateway has the interfaces: it would be that one's reservation that is taken back.
    let reservation = PortReservation(configuration, logger: logger)
    reservation.reserve(configuration.reservedPorts)
    defer { reservation.restore() }
    // The new guards stand, and will stand over the next restart; only now the old ones fall.
    for owner in await interfaces.guardOwners { manager?.store(owner.socket, name: owner.table) }
    manager?.releaseInherited()
    try await interfaces.attach(mailbox)

    // What the configuration leaves open is the devices' own, and the host's.
    let host = interfaces.hostAtStart
    let live = await interfaces.completed(configuration.resolved(host).configuration)
    var settings = GatewaySettings(live)
    settings.completesChecksums = false
    settings.asksForNextHops = true
    settings.table.workers = 1
    settings.table.reserve = .live(settings.table)
    // Room for all that the configuration says, where some of it waits for the host's address.
    settings.table.reserve.forwards += configuration.statics.count - live.statics.count
    let counterStore = CounterStore()
    var random = RandomSource.secret()
    let table = TranslationTable(settings.table, random: &random)
    var gateway = Gateway(
      settings, table: table, worker: 0, counters: counterStore.counters, random: random)
    let state = StateKeeper(configuration.state, mailbox, logger: logger)
    if let state, let table = await state.load(waits: live.waitsForMachine) {
      await state.took(table, gateway.restore(table.snapshot, offset: table.offset, at: LiveClock.now))
    }
    let figures = WorkerFigures()
    let worker = Worker(Pipeline(gateway), mailbox, logger: logger, figures: figures)
    let control = GatewayControl(
      configuration, live: live, host: host, reservation: reservation, file: file, mailbox: mailbox,
      table: table, counters: counterStore, worker: figures, interfaces: interfaces, state: state,
      logLevel: logLevel, logger: logger)
    let thread = WorkerThread(worker, number: 0)
    await control.beginRecording()
    let serving: Task<Void, any Error>
    do {
      serving = try await ControlService(
        configuration.control, configuration.metrics, operations: control, logger: logger
      ).start()
    } catch {
      mailbox.post { $0.isToStop = true }
      await thread.waitForEnd()
      throw error
    }
    logger.notice(
      "started",
      metadata: [
        "inside": "\(configuration.interfaces.inside.name)",
        "outside": "\(configuration.interfaces.outside.name)",
        "address": "\(live.interfaces.outside.addressText)",
        "guard": configuration.kernelGuard ? "on" : "off",
      ])

    // The worker has both captures when it has done this.
    _ = await mailbox.perform(ReadFigures())
    var notices = ServiceNotices(manager, worker: figures)
    await notices.sayReady(control, logger)
    let report = Task { await Report(table: table, mailbox: mailbox).run() }
    let saving = Task { await state?.run() }
    let reload = Task { await ReloadSignal(control: control, manager: manager, logger: logger).run() }
    let news = Task {
      guard let listener else { return }
      for await _ in listener.news {
        // Another device may have the name.
        await interfaces.watch(mailbox)
        await follow(control)
      }
    }
    defer {
      report.cancel()
      saving.cancel()
      reload.cancel()
      news.cancel()
    }
    var exhaustion = ExhaustionLog()
    while !Task.isShuttingDownGracefully, !Task.isCancelled {
      await interfaces.watch(mailbox)
      await follow(control, looksAtSockets: true)
      exhaustion.look(at: counterStore.counters, now: LiveClock.now, logger)
      await notices.sayStatus(control)
      for _ in 0..<4 where !Task.isShuttingDownGracefully {
        notices.feedWatchdog()
        try? await Task.sleep(for: .milliseconds(250))
      }
    }

    manager?.notify(["STOPPING=1", "STATUS=Stopping"])
    serving.cancel()
    try? await serving.value
    saving.cancel()
    await saving.value
    await state?.stop()
    mailbox.post { $0.isToStop = true }
    await thread.waitForEnd()
    let (from, to) = (counterStore.counters.side(.inside), counterStore.counters.side(.outside))
    logger.notice(
      "stopped",
      metadata: [
        "insideReceived": "\(from.packetsReceived)", "insideSent": "\(from.packetsSent)",
        "insideCaptureDropped": "\(from.captureDropped)", "outsideReceived": "\(to.packetsReceived)",
        "outsideSent": "\(to.packetsSent)", "outsideCaptureDropped": "\(to.captureDropped)",
        "drops": "\(drops(counterStore.counters))",
      ])
  }

  /// Takes over what the host has by now.
  private func follow(_ control: GatewayControl, looksAtSockets: Bool = false) async {
    do {
      guard let followed = try await control.follow(looksAtSockets: looksAtSockets) else { return }
      logger.notice(
        "the host's addresses, routes or sockets have changed",
        metadata: [
          "address": "\(followed.outside)", "gateway": "\(followed.gateway)",
          "sessionsEnded": "\(followed.sessionsEnded)",
        ])
      for reason in followed.degraded { logger.warning("degraded", metadata: ["reason": "\(reason)"]) }
    } catch {
      logger.warning("\(error)")
    }
  }

  /// The drop reasons that have occurred, for the log.
  private func drops(_ counters: Counters) -> String {
    DropReason.allCases.filter { counters.drops($0) > 0 }.map { "\($0.name) \(counters.drops($0))" }
      .joined(separator: ", ")
  }
}
