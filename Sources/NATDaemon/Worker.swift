import Glibc
import Logging
import NATEngine
import NATGateway
import NATKernel
import NATLiveIO
import NATWire

/// The loop of one thread: takes frames from each interface in turn, and runs each batch through the gateway.
struct Worker: ~Copyable, @unchecked Sendable {
  // Sendable: only the thread that runs it owns it.
  var pipeline: Pipeline
  let mailbox: Mailbox
  let logger: Logger
  private var captures = PerInterface<LiveCapture>()
  private var nextStatistics = Instant(nanoseconds: 0)
  private var commands: [Command] = []
  /// For `poll(2)`: the mailbox, then the captures.
  private var waits: [pollfd] = []
  private var now = Instant(nanoseconds: 0)
  private let figures: WorkerFigures

  /// The most frames that one interface delivers in a round, so that the others need not wait longer.
  private static let batchLimit = 64
  /// The longest sleep, in milliseconds. Frames that a timer sends are late by at most this time.
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

  /// Runs until a last command arrives.
  mutating func run() {
    while true {
      figures.beat()
      if let mail = mailbox.take() {
        commands += mail.commands
        if mail.isToStop { return stop(mail.last) }
        if let addresses = mail.machineAddresses { pipeline.setMachineAddresses(addresses) }
        attach(mail)
      }
      // Later than the previous round, so that time stamps give the order of frames.
      now = max(LiveClock.now, now.advanced(by: 1))
      var count = 0
      for index in captures.indices { count += receive(index, at: now) }
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

  /// Takes one step of the first command. Frames wait no longer than that.
  private mutating func work(at now: Instant) {
    if commands[0].step(&pipeline, now) { commands.removeFirst() }
  }

  /// Carries out the last command, and gives up the others.
  private mutating func stop(_ last: Command?) {
    if let last { while !last.step(&pipeline, LiveClock.now) {} }
    for command in commands + mailbox.refuseCommands() { command.giveUp() }
    commands = []
  }

  /// Takes the frames that have arrived on one interface, processes them, and sends the frames that leave.
  /// - Returns: the number of frames.
  private mutating func receive(_ index: InterfaceIndex, at now: Instant) -> Int {
    guard captures[index] != nil else { return 0 }
    pipeline.begin(index, at: now)
    var count = 0
    do {
      count = try captures[index]!.receive(into: &pipeline, limit: Worker.batchLimit)
    } catch {
      detach(index, error)
    }
    pipeline.flush()
    return count
  }

  private mutating func attach(_ mail: borrowing Mailbox.Mail) {
    guard mail.isToAnnounce || !mail.attachments.isEmpty else { return }
    for box in mail.attachments {
      guard let attachment = box.take() else { continue }
      captures.insert(attachment.capture, at: box.index)
      pipeline.forgetNeighbours(on: box.index)
      pipeline.transmitters.insert(attachment.transmitter, at: box.index)
    }
    pipeline.announce(at: LiveClock.now)
  }

  private mutating func detach(_ index: InterfaceIndex, _ fault: InterfaceFault) {
    captures[index] = nil
    pipeline.transmitters[index] = nil
    logger.warning("capture ended", metadata: ["side": "\(index.side)", "reason": "\(fault)"])
    mailbox.report(lost: index)
  }

  /// Waits for a frame or mail.
  private mutating func sleep() {
    waits.removeAll(keepingCapacity: true)
    waits.append(pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0))
    for index in captures.indices {
      // The kernel skips negative descriptors.
      waits.append(pollfd(fd: captures[index]?.descriptor ?? -1, events: Int16(POLLIN), revents: 0))
    }
    // Safety: the array holds as many descriptors.
    _ = unsafe poll(&waits, nfds_t(waits.count), Worker.longestSleep)
  }

  private mutating func countDrops() {
    for index in captures.indices {
      guard let drops = captures[index]?.takeDrops(), drops > 0 else { continue }
      pipeline.gateway.counters.countCaptureDropped(index, drops)
    }
  }
}
