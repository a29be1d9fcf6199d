public import NATCaptureFiles
public import NATConfiguration
public import NATControl
import NATEngine
public import NATGateway
import NATMemory
public import NATTable
public import NATWire

/// Runs captures through a gateway: reads received frames from files and writes sent frames to files, with
/// the clock of the captures.
///
/// Memory does not grow with the captures: each batch is read, processed and written before the next one.
public struct Replay: ~Copyable {
  public private(set) var gateway: Gateway
  /// The result of restoring the snapshot, if there was one.
  public let restored: RestoredTable?
  private let counterStore: CounterStore
  private let table: TranslationTable
  private var batch: FrameBatch
  private var outbox: Outbox
  private var insideOut: CaptureWriter?
  private var outsideOut: CaptureWriter?
  #if DEBUG
  private var framesToAudit = Replay.framesPerAudit
  #endif

  /// The longest record that a capture can hold (libpcap's own limit).
  private static let longestRecord = CaptureWriter.longestFrame

  /// - Parameters:
  ///   - seed: for hash keys and port choice; the same seed gives the same bytes.
  ///   - insideOut: the file for frames sent on the inside; nil for none.
  ///   - snapshot: the initial table. The replay starts at its time of day, the clock that captures have.
  public init(
    _ configuration: Configuration, seed: UInt64, insideOut: consuming CaptureWriter?,
    outsideOut: consuming CaptureWriter?, restoring snapshot: TableSnapshot? = nil
  ) {
    var settings = GatewaySettings(configuration)
    // A replay is deterministic, so it has one worker whatever the configuration says.
    settings.table.workers = 1
    var random = RandomSource(seed: seed)
    table = TranslationTable(settings.table, random: &random)
    counterStore = CounterStore()
    gateway = Gateway(settings, table: table, worker: 0, counters: counterStore.counters, random: random)
    if let snapshot {
      let now = snapshot.header.unixNanoseconds
      let offset = Int64(truncatingIfNeeded: now &- snapshot.header.clock.nanoseconds)
      restored = gateway.restore(
        snapshot, offset: offset, at: Instant(nanoseconds: now), repeatsChoice: true)
    } else {
      restored = nil
    }
    batch = FrameBatch(maximumFrameLength: Replay.longestRecord)
    outbox = Outbox()
    self.insideOut = insideOut
    self.outsideOut = outsideOut
  }

  /// Adds a record to the batch. If the batch is full, processes it first.
  public mutating func receive(
    _ bytes: UnsafeRawBufferPointer, wireLength: Int, at stamp: Instant, from interface: InterfaceIndex,
    link: LinkLayer
  ) throws(CaptureWriteFault) {
    if !batch.hasRoom(for: bytes.count) { try flush() }
    // Safety: the bytes are copied before the reader is asked for the next record.
    unsafe batch.append(bytes, wireLength: wireLength, at: stamp, from: interface, link: link)
  }

  /// Processes the batch and writes the frames that leave.
  public mutating func flush() throws(CaptureWriteFault) {
    while batch.processed < batch.count {
      gateway.process(&batch, into: &outbox)
      for index in 0..<outbox.count {
        let entry = outbox[index]
        // Safety: the frame's memory is the batch's or the outbox's, which are cleared below.
        if entry.side == .inside {
          try unsafe insideOut?.append(entry.frame.unsafeBytes, at: entry.instant)
        } else {
          try unsafe outsideOut?.append(entry.frame.unsafeBytes, at: entry.instant)
        }
      }
      outbox.removeAll()
    }
    #if DEBUG
    framesToAudit -= batch.count
    if framesToAudit <= 0 { audit() }
    #endif
    batch.removeAll()
  }

  #if DEBUG
  private static let framesPerAudit = 65536

  /// Audits rarely, so that the cost for each frame stays small for any table size.
  private mutating func audit() {
    framesToAudit = max(Replay.framesPerAudit, 8 * gateway.translator.shard.counts.sessions)
    guard let reader = TableReader(table) else { preconditionFailure("a replay has no other readers") }
    let audit = TableAudit(reader, gateway.translator.shard, at: gateway.clock)
    precondition(audit.faults.isEmpty, audit.faults.joined(separator: "\n"))
  }
  #endif

  /// Runs both captures through the gateway, to their ends.
  /// - Parameter progress: called from time to time with the bytes read and the size of the captures.
  /// - Returns: the damage found. Everything before it has been processed.
  public mutating func run(
    _ captures: inout CaptureMerge, progress: (_ read: UInt64, _ total: UInt64?) -> Void = { _, _ in }
  ) throws(CaptureWriteFault) -> [CaptureDamage] {
    let insideLink = captures.link(of: .inside) ?? .ethernet
    let outsideLink = captures.link(of: .outside) ?? .ethernet
    var untilProgress = Replay.recordsPerProgress
    while let (side, record) = captures.next() {
      try unsafe receive(
        record.bytes, wireLength: record.wireLength, at: record.stamp, from: InterfaceIndex(side),
        link: side == .inside ? insideLink : outsideLink)
      untilProgress -= 1
      if untilProgress == 0 {
        untilProgress = Replay.recordsPerProgress
        let (read, total) = captures.progress
        progress(read, total)
      }
    }
    try flush()
    #if DEBUG
    audit()
    #endif
    return captures.damages
  }

  private static let recordsPerProgress = 65536

  /// Writes the rest and closes the outputs. Reports write errors that only appear now.
  public mutating func close() throws(CaptureWriteFault) {
    if let writer = insideOut.take() { try writer.close() }
    if let writer = outsideOut.take() { try writer.close() }
  }

  public var tableDocument: TableDocument {
    guard let reader = TableReader(table) else { preconditionFailure("a replay has no other readers") }
    return TableDocument(reader, started: gateway.started ?? gateway.clock, at: gateway.clock)
  }

  public var statsDocument: StatsDocument { StatsDocument(gateway) }
}
