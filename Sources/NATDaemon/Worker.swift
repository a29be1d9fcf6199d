import Glibc
import Logging
import NATEngine
import NATGateway
import NATKernel
import NATLiveIO
import NATWire

/// What one thread does: frames of both interfaces through the gateway, each batch to its end.
struct Worker: ~Copyable, @unchecked Sendable {
  // Sendable: it has one owner, the thread that runs it.
  var pipeline: Pipeline
  let mailbox: Mailbox
  let logger: Logger
  private var inside: LiveCapture?
  private var outside: LiveCapture?
  private var nextStatistics = Instant(nanoseconds: 0)
  private var commands: [Command] = []
  private var now = Instant(nanoseconds: 0)
  private let figures: WorkerFigures

  /// Frames of one side a round: the other side never waits longer than that.
  private static let batchLimit = 64
  /// The longest sleep, in milliseconds: what timers send is as late as this at most.
  private static let longestSleep: Int32 = 100
  private static let statisticsInterval: UInt64 = 1_000_000_000

  init(
    _ pipeline: consuming Pipeline, _ mailbox: Mailbox, logger: Logger,
    figures: WorkerFigures = WorkerFigures()
  ) {
    self.figures = figures
    self.pipeline = pipeline
    self.mailbox = mailbox
    self.logger = logger
  }

  /// Runs until the mailbox says stop.
  mutating func run() {
    while true {
      figures.beat()
      if let mail = mailbox.take() {
        commands += mail.commands
        if mail.isToStop { return stop(mail.last) }
        if let addresses = mail.machineAddresses { pipeline.setMachineAddresses(addresses) }
        attach(mail)
      }
      // Later than the round before, so that stamps tell the order.
      now = max(LiveClock.now, now.advanced(by: 1))
      let count = receive(.inside, at: now) + receive(.outside, at: now)
      let hasWorked = count > 0 || !commands.isEmpty
      if !commands.isEmpty { work(at: now) }
      if now >= nextStatistics {
        nextStatistics = now.advanced(by: Worker.statisticsInterval)
        countDrops()
      }
      if count == 0 {
        pipeline.advance(to: now)
        if !hasWorked { sleep() }
      }
      if hasWorked {
        let end = LiveClock.now
        figures.count(round: end.nanoseconds &- now.nanoseconds, at: end)
      }
    }
  }

  /// Takes a step of the first command: frames never wait for more than that.
  private mutating func work(at now: Instant) {
    if commands[0].step(&pipeline, now) { commands.removeFirst() }
  }

  /// Whoever waits for a command will not get it, but for the last one.
  private mutating func stop(_ last: Command?) {
    if let last { while !last.step(&pipeline, LiveClock.now) {} }
    for command in commands + mailbox.refuseCommands() { command.giveUp() }
    commands = []
  }

  /// Takes what has arrived on one side, works on it, and sends what leaves.
  private mutating func receive(_ side: Side, at now: Instant) -> Int {
    pipeline.begin(side, at: now)
    var count = 0
    do {
      switch side {
      case .inside where inside != nil:
        count = try inside!.receive(into: &pipeline, limit: Worker.batchLimit)
      case .outside where outside != nil:
        count = try outside!.receive(into: &pipeline, limit: Worker.batchLimit)
      case .inside, .outside: return 0
      }
    } catch {
      detach(side, error)
    }
    pipeline.flush()
    return count
  }

  private mutating func attach(_ mail: consuming Mailbox.Mail) {
    guard mail.isToAnnounce || mail.inside != nil || mail.outside != nil else { return }
    if let attachment = mail.inside.take() {
      inside = .some(attachment.capture)
      pipeline.forgetNeighbours(on: .inside)
      pipeline.inside = .some(attachment.transmitter)
    }
    if let attachment = mail.outside.take() {
      outside = .some(attachment.capture)
      pipeline.forgetNeighbours(on: .outside)
      pipeline.outside = .some(attachment.transmitter)
    }
    pipeline.announce(at: LiveClock.now)
  }

  private mutating func detach(_ side: Side, _ fault: InterfaceFault) {
    switch side {
    case .inside:
      inside = nil
      pipeline.inside = nil
    case .outside:
      outside = nil
      pipeline.outside = nil
    }
    logger.warning("capture ended", metadata: ["side": "\(side)", "reason": "\(fault)"])
    mailbox.report(lost: side)
  }

  /// Waits for a frame or for mail.
  private mutating func sleep() {
    var waits = (
      pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: inside?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: outside?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
    )
    // Safety: three descriptors one behind the other; those below 0 are skipped.
    _ = unsafe withUnsafeMutableBytes(of: &waits) {
      unsafe poll($0.baseAddress?.assumingMemoryBound(to: pollfd.self), 3, Worker.longestSleep)
    }
  }

  private mutating func countDrops() {
    let counters = pipeline.gateway.counters
    if let drops = inside?.takeDrops(), drops > 0 { counters.countCaptureDropped(.inside, drops) }
    if let drops = outside?.takeDrops(), drops > 0 { counters.countCaptureDropped(.outside, drops) }
  }
}
