public import Logging
import NATComposition
public import NATConfiguration
import NATEngine
import NATGateway
import NATPacketIO
import NATTable
import NATWire
public import ServiceLifecycle

/// A gateway between two interfaces, as a service: from opening them to the last counter.
public struct Daemon: Service, CustomStringConvertible {
  private let configuration: Configuration
  private let options: CaptureOptions
  private let logger: Logger

  public init(_ configuration: Configuration, logger: Logger) {
    self.configuration = configuration
    options = CaptureOptions(
      snapLength: configuration.capture.snapLength, ringSize: Int(configuration.capture.ringBytes),
      delivery: configuration.capture.delivery == .immediate ? .immediate : .blocks(milliseconds: 1))
    self.logger = logger
  }

  /// For the log.
  public var description: String { "gateway" }

  /// Opens the interfaces, forwards until a graceful shutdown begins, and closes them.
  /// - Throws: `InterfaceFault` when it cannot start.
  public func run() async throws {
    let addresses = configuration.ownAddresses
    var inside = try LiveInterface(
      configuration.interfaces.inside, addresses: addresses, isGuarded: configuration.kernelGuard)
    var outside = try LiveInterface(
      configuration.interfaces.outside, addresses: addresses, isGuarded: configuration.kernelGuard)
    let macs = (inside: inside.mac, outside: outside.mac)
    let insideAttachment = try inside.attach(mac: macs.inside, options)
    let outsideAttachment = try outside.attach(mac: macs.outside, options)

    // What the configuration leaves open is the devices' own.
    var live = configuration
    live.interfaces.inside.mac = macs.inside
    live.interfaces.inside.mtu = inside.mtu
    live.interfaces.outside.mac = macs.outside
    live.interfaces.outside.mtu = outside.mtu
    var settings = GatewaySettings(live)
    settings.completesChecksums = false
    settings.asksForNextHops = true
    let counterStore = CounterStore()
    let mailbox = Mailbox()
    var random = RandomSource.secret()
    let table = TranslationTable(settings.table, random: &random)
    let gateway = Gateway(
      settings, table: table, worker: 0, counters: counterStore.counters, random: random)
    var machineAddresses: [IPv4Address] = []
    watch(&machineAddresses, mailbox)
    let worker = Worker(Pipeline(gateway), mailbox, logger: logger)
    post(insideAttachment, .inside, to: mailbox)
    post(outsideAttachment, .outside, to: mailbox)
    let thread = WorkerThread(worker, number: 0)
    logger.notice(
      "started",
      metadata: [
        "inside": "\(inside.name)", "outside": "\(outside.name)",
        "address": "\(live.interfaces.outside.address)",
        "guard": configuration.kernelGuard ? "on" : "off",
      ])

    let report = Task { await Report(table: table, mailbox: mailbox).run() }
    defer { report.cancel() }
    var exhaustion = ExhaustionLog()
    while !Task.isShuttingDownGracefully, !Task.isCancelled {
      watch(&inside, .inside, mac: macs.inside, mailbox)
      watch(&outside, .outside, mac: macs.outside, mailbox)
      watch(&machineAddresses, mailbox)
      exhaustion.look(at: counterStore.counters, now: LiveClock.now, logger)
      for _ in 0..<4 where !Task.isShuttingDownGracefully {
        try? await Task.sleep(for: .milliseconds(250))
      }
    }

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

  private func post(_ attachment: consuming Attachment, _ side: Side, to mailbox: Mailbox) {
    var attachment: Attachment? = consume attachment
    mailbox.post { mail in
      switch side {
      case .inside: mail.inside = attachment.take()
      case .outside: mail.outside = attachment.take()
      }
    }
  }

  /// Looks at an interface, says what has changed, and attaches to it when it is back.
  private func watch(
    _ interface: inout LiveInterface, _ side: Side, mac: MACAddress, _ mailbox: Mailbox
  ) {
    let name: Logger.Metadata = ["side": "\(side)", "interface": "\(interface.name)"]
    do throws(InterfaceFault) {
      let isLost = mailbox.takeLost(side)
      switch try interface.look() {
      case .none where isLost && interface.isThere, .device:
        post(try interface.attach(mac: mac, options), side, to: mailbox)
        logger.notice("interface attached", metadata: name)
      case .none: break
      case .link(let isUp):
        logger.notice(isUp ? "link up" : "link down", metadata: name)
        if isUp { mailbox.post { $0.isToAnnounce = true } }
      case .vanished: logger.warning("interface vanished, waiting for it", metadata: name)
      }
    } catch {
      logger.warning("\(error.description)", metadata: name)
    }
  }

  /// Looks at the addresses that the kernel has for itself, and tells the worker when they have changed.
  private func watch(_ machineAddresses: inout [IPv4Address], _ mailbox: Mailbox) {
    let now = InterfaceFacts.kernelAddresses().map(\.address.address)
    guard now != machineAddresses else { return }
    machineAddresses = now
    mailbox.post { $0.machineAddresses = now }
  }

  /// The drop reasons that have occurred, for the log.
  private func drops(_ counters: Counters) -> String {
    DropReason.allCases.filter { counters.drops($0) > 0 }.map { "\($0.name) \(counters.drops($0))" }
      .joined(separator: ", ")
  }
}
