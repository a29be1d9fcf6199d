public import NATCaptureFiles
public import NATConfiguration
public import NATControl
import NATEngine
public import NATGateway
import NATMemory
public import NATTable
public import NATWire

/// Captures through the gateway: what comes in is read from files, what leaves is written to files, and the clock is
/// the captures'.
///
/// Memory does not grow with the captures: a batch is read, worked on and written before the next one.
public struct Replay: ~Copyable {
  public private(set) var gateway: Gateway
  /// What became of the snapshot that it began with.
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
  ///   - seed: of hash keys and port choice; the same seed gives the same bytes.
  ///   - insideOut: gets what leaves on the inside; nil throws it away.
  ///   - snapshot: the table to begin with, as it stood when it was taken by the time of the world, which is that of
  ///     captures.
  public init(
    _ configuration: Configuration, seed: UInt64, insideOut: consuming CaptureWriter?,
    outsideOut: consuming CaptureWriter?, restoring snapshot: TableSnapshot? = nil
  ) {
    var settings = GatewaySettings(configuration)
    // A replay is deterministic, so one worker does it, whatever the configuration says.
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

  /// Puts a record into the batch, working on it first where it has no room left.
  public mutating func receive(
    _ bytes: UnsafeRawBufferPointer, wireLength: Int, at stamp: Instant, from side: Side, link: LinkLayer
  ) throws(CaptureWriteFault) {
    if !batch.hasRoom(for: bytes.count) { try flush() }
    // Safety: the bytes are copied before the reader is asked for the next record.
    unsafe batch.append(bytes, wireLength: wireLength, at: stamp, from: side, link: link)
  }

  /// Works on what has been received, and writes what leaves.
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

  /// So seldom that walking the table costs a frame next to nothing, however large the table.
  private mutating func audit() {
    framesToAudit = max(Replay.framesPerAudit, 8 * gateway.translator.shard.counts.sessions)
    guard let reader = TableReader(table) else { preconditionFailure("a replay has no other readers") }
    let audit = TableAudit(reader, gateway.translator.shard, at: gateway.clock)
    precondition(audit.faults.isEmpty, audit.faults.joined(separator: "\n"))
  }
  #endif

  /// Puts both captures through, to their ends.
  ///
  /// - Parameter progress: called now and then with bytes read and to be read.
  /// - Returns: what was found damaged; everything before the damage has been worked on.
  public mutating func run(
    _ captures: inout CaptureMerge, progress: (_ read: UInt64, _ total: UInt64?) -> Void = { _, _ in }
  ) throws(CaptureWriteFault) -> [CaptureDamage] {
    let insideLink = captures.link(of: .inside) ?? .ethernet
    let outsideLink = captures.link(of: .outside) ?? .ethernet
    var untilProgress = Replay.recordsPerProgress
    while let (side, record) = captures.next() {
      try unsafe receive(
        record.bytes, wireLength: record.wireLength, at: record.stamp, from: side,
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

  /// Writes what is left; only now the outputs are known to be whole.
  public mutating func close() throws(CaptureWriteFault) {
    if let writer = insideOut.take() { try writer.close() }
    if let writer = outsideOut.take() { try writer.close() }
  }

  /// The table as of the last packet.
  public var tableDocument: TableDocument {
    guard let reader = TableReader(table) else { preconditionFailure("a replay has no other readers") }
    return TableDocument(reader, started: gateway.started ?? gateway.clock, at: gateway.clock)
  }

  /// The counters as of the last packet.
  public var statsDocument: StatsDocument { StatsDocument(gateway) }
}
