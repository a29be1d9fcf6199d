import NATControl
import NATEngine
import NATGateway
import NATLiveIO
import NATTable
import NATWire

/// What a worker recorded.
struct Recording: Sendable {
  var stretches: [RecordedStretch] = []
  /// Nil while the recorder is off.
  var settings: Recorder.Settings?
  var begin = RecordDocument.Begin.on
  var lastFrame = Instant(nanoseconds: 0)
  /// The table after the last frame.
  var after = SaveTable(limit: .max)
}

/// A worker without its captures: takes frames, runs them through the gateway and sends the frames that
/// leave.
///
/// Small frames are copied into a batch. A large frame stays in the ring of its capture; the batch before it
/// is sent first, so that frames keep their order.
struct Pipeline: ~Copyable, FrameReceiver {
  private(set) var gateway: Gateway
  private var batch: FrameBatch
  private var outbox = Outbox()
  /// Transmitters; nil while an interface is missing.
  var transmitters = PerInterface<Transmitter>()
  /// The interface of the next frames.
  private var index = InterfaceIndex.inside
  private var now = Instant(nanoseconds: 0)
  private var recorder: Recorder?
  /// The time of the last frame.
  private var lastFrame = Instant(nanoseconds: 0)

  /// Copying a longer frame costs more than batching saves.
  private static let longestCopied = 2048

  init(_ gateway: consuming Gateway) {
    self.gateway = gateway
    batch = FrameBatch(maximumFrameLength: Pipeline.longestCopied)
  }

  /// Sets the interface and the time of the next frames.
  mutating func begin(_ index: InterfaceIndex, at now: Instant) {
    self.index = index
    self.now = now
    if recorder?.isDue(at: now) ?? false { beginStretch() }
  }

  mutating func receive(_ frame: Frame, wireLength: Int) {
    if recorder != nil { record(frame, wireLength) }
    if frame.count > Pipeline.longestCopied {
      flush()
      batch.append(inPlace: frame, wireLength: wireLength, at: now, from: index)
      flush()
    } else {
      if !batch.hasRoom(for: frame.count) { flush() }
      // Safety: the bytes are copied before the callback returns.
      unsafe batch.append(
        frame.unsafeBytes, wireLength: wireLength, at: now, from: index, link: .ethernet)
    }
  }

  /// Processes the batch, and sends the frames that leave.
  mutating func flush() {
    while batch.processed < batch.count {
      gateway.process(&batch, into: &outbox)
      transmit()
    }
    batch.removeAll()
  }

  /// Runs timers while no frame arrives.
  mutating func advance(to now: Instant) {
    gateway.advance(to: now, into: &outbox)
    transmit()
  }

  /// Removes the neighbours of an interface, which may be attached to another link now.
  mutating func forgetNeighbours(on index: InterfaceIndex) { gateway.forgetNeighbours(on: index) }

  /// Sets the machine's own addresses. Packets for them are left to the kernel.
  mutating func setMachineAddresses(_ addresses: [IPv4Address]) { gateway.setMachineAddresses(addresses) }

  /// Announces the gateway's addresses to the neighbours on all interfaces.
  mutating func announce(at now: Instant) {
    var next: Int? = 0
    while let place = next {
      next = gateway.announce(from: place, at: now, into: &outbox)
      transmit()
    }
  }

  // MARK: Recording

  /// Switches the recorder on or off.
  ///
  /// - Parameters:
  ///   - settings: nil to switch it off.
  ///   - begin: why the new recording begins.
  /// - Returns: the old recording, and the table after its last frame.
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
    // The recording contains the secret key, which would reveal the next ports. Use a new one.
    gateway.translator.random = .secret()
  }

  private mutating func beginRecording(_ settings: Recorder.Settings, with begin: RecordDocument.Begin) {
    recorder = Recorder(settings, begin)
    beginStretch()
  }

  /// The recording so far.
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
    recorder!.add(frame, length, wireLength: wireLength, at: now, from: index)
    lastFrame = now
  }

  /// - Precondition: the batch is empty.
  private mutating func beginStretch() {
    var table = SaveTable(limit: .max)
    _ = work(on: &table, at: now)
    recorder!.begin(table)
  }

  /// Takes a step of a job, and sends the frames that it made. If the job changed the gateway, a new
  /// recording begins, because a replay would not see the change.
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
      if transmitters[entry.interface] != nil {
        transmitters[entry.interface]!.add(entry.frame, entry.facts, largestPacket: Int(entry.largestPacket))
      } else {
        isLost += 1
      }
    }
    for index in transmitters.indices { transmitters[index]?.flush() }
    outbox.removeAll()
    gateway.countUnsent(isLost, as: .linkDown)
    for index in transmitters.indices {
      if let drops = transmitters[index]?.takeDrops() { count(drops) }
    }
  }

  private mutating func count(_ drops: Transmitter.Drops) {
    gateway.countUnsent(drops.linkDown, as: .linkDown)
    gateway.countUnsent(drops.queueFull, as: .transmitQueueFull)
    gateway.countUnsent(drops.refused, as: .transmitRefused)
  }
}
