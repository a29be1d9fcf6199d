import NATControl
import NATEngine
import NATGateway
import NATLiveIO
import NATTable
import NATWire

/// What a worker recorded.
struct Recording: Sendable {
  var stretches: [RecordedStretch] = []
  /// Nil where nothing is recorded.
  var settings: Recorder.Settings?
  var begin = RecordDocument.Begin.on
  var lastFrame = Instant(nanoseconds: 0)
  /// The table behind the last frame.
  var after = SaveTable(limit: .max)
}

/// Frames in, through the gateway, frames out: what one worker does, without its captures.
///
/// Small frames are copied and gather to a batch. A large one is worked on and sent where it lies in the ring
/// of its capture; the batch before it is sent first, so that it overtakes nothing.
struct Pipeline: ~Copyable, FrameReceiver {
  private(set) var gateway: Gateway
  private var batch: FrameBatch
  private var outbox = Outbox()
  /// Where frames leave; nil while there is no interface.
  var inside: Transmitter?
  var outside: Transmitter?
  /// Of the frames that are handed over next.
  private var side = Side.inside
  private var now = Instant(nanoseconds: 0)
  private var recorder: Recorder?
  /// When the last frame came.
  private var lastFrame = Instant(nanoseconds: 0)

  /// Copying more than this costs more than the batch brings.
  private static let longestCopied = 2048

  init(_ gateway: consuming Gateway) {
    self.gateway = gateway
    batch = FrameBatch(maximumFrameLength: Pipeline.longestCopied)
  }

  /// Says from where and when the frames come that are handed over from here on.
  mutating func begin(_ side: Side, at now: Instant) {
    self.side = side
    self.now = now
    if recorder?.isDue(at: now) ?? false { beginStretch() }
  }

  mutating func receive(_ frame: Frame, wireLength: Int) {
    if recorder != nil { record(frame, wireLength) }
    if frame.count > Pipeline.longestCopied {
      flush()
      batch.append(inPlace: frame, wireLength: wireLength, at: now, from: side)
      flush()
    } else {
      if !batch.hasRoom(for: frame.count) { flush() }
      // Safety: the bytes are copied before the callback returns.
      unsafe batch.append(frame.unsafeBytes, wireLength: wireLength, at: now, from: side, link: .ethernet)
    }
  }

  /// Works on the batch and sends what leaves.
  mutating func flush() {
    while batch.processed < batch.count {
      gateway.process(&batch, into: &outbox)
      transmit()
    }
    batch.removeAll()
  }

  /// Does what has fallen due while nothing arrived.
  mutating func advance(to now: Instant) {
    gateway.advance(to: now, into: &outbox)
    transmit()
  }

  /// The other end of a side's cable may be another.
  mutating func forgetNeighbours(on side: Side) { gateway.forgetNeighbours(on: side) }

  /// What is for the kernel's own addresses is left to it.
  mutating func setMachineAddresses(_ addresses: [IPv4Address]) { gateway.setMachineAddresses(addresses) }

  /// Tells the neighbours on both sides which addresses are here.
  mutating func announce(at now: Instant) {
    var next: Int? = 0
    while let place = next {
      next = gateway.announce(from: place, at: now, into: &outbox)
      transmit()
    }
  }

  // MARK: Recording

  /// Records from now on, or no more; what was recorded before is given away.
  ///
  /// - Parameter begin: what lets it begin.
  /// - Returns: what was recorded, and the table behind its last frame.
  mutating func record(
    _ settings: Recorder.Settings?, with begin: RecordDocument.Begin, at now: Instant
  ) -> Recording {
    self.now = now
    var recording = self.recording
    if recorder != nil {
      recording.lastFrame = lastFrame
      _ = work(on: &recording.after, at: now)
      stopRecording()
    }
    if let settings { beginRecording(settings, with: begin) }
    return recording
  }

  private mutating func stopRecording() {
    recorder = nil
    // What was given away, or may be seen in memory, tells which ports came next.
    gateway.translator.random = .secret()
  }

  private mutating func beginRecording(_ settings: Recorder.Settings, with begin: RecordDocument.Begin) {
    recorder = Recorder(settings, begin)
    beginStretch()
  }

  /// What is recorded now.
  var recording: Recording {
    switch recorder {
    case .some(let recorder):
      Recording(stretches: recorder.stretches, settings: recorder.settings, begin: recorder.begin)
    case .none: Recording()
    }
  }

  private mutating func record(_ frame: Frame, _ wireLength: Int) {
    let length = recorder!.keptLength(of: frame)
    if !recorder!.hasRoom(for: length) {
      flush()
      beginStretch()
    }
    recorder!.add(frame, length, wireLength: wireLength, at: now, from: side)
    lastFrame = now
  }

  /// - Precondition: the batch is empty.
  private mutating func beginStretch() {
    var table = SaveTable(limit: .max)
    _ = work(on: &table, at: now)
    recorder!.begin(table)
  }

  /// Takes a step of a job, and sends what it left. Behind a change, which is in no capture, what is recorded begins anew.
  /// - Returns: whether the job is done.
  mutating func work<Job: GatewayJob>(on job: inout Job, at now: Instant) -> Bool {
    let isDone = job.step(&gateway, into: &outbox, at: now)
    transmit()
    if isDone, Job.isChange, let settings = recorder?.settings {
      self.now = now
      stopRecording()
      beginRecording(settings, with: .change)
    }
    return isDone
  }

  private mutating func transmit() {
    guard outbox.count > 0 else { return }
    var isLost = 0
    for index in 0..<outbox.count {
      let entry = outbox[index]
      switch entry.side {
      case .inside where inside != nil:
        inside!.add(entry.frame, entry.facts, largestPacket: Int(entry.largestPacket))
      case .outside where outside != nil:
        outside!.add(entry.frame, entry.facts, largestPacket: Int(entry.largestPacket))
      case .inside, .outside: isLost += 1
      }
    }
    inside?.flush()
    outside?.flush()
    outbox.removeAll()
    gateway.countUnsent(isLost, as: .linkDown)
    if let drops = inside?.takeDrops() { count(drops) }
    if let drops = outside?.takeDrops() { count(drops) }
  }

  private mutating func count(_ drops: Transmitter.Drops) {
    gateway.countUnsent(drops.linkDown, as: .linkDown)
    gateway.countUnsent(drops.queueFull, as: .transmitQueueFull)
    gateway.countUnsent(drops.refused, as: .transmitRefused)
  }
}
