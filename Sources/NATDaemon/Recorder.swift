import NATControl
import NATGateway
import NATMemory
import NATTable
import NATWire

/// Keeps the latest frames of a worker in three stretches, each with the table at its beginning. A stretch
/// lasts half of the configured window, or less if its memory fills up; then the oldest stretch is reused. So
/// a recording begins with a table and goes back two to three stretches.
/// A frame costs one copy, or one comparison while the recorder is off.
struct Recorder: ~Copyable {
  struct Settings: Sendable {
    var keepsHeaders: Bool
    /// The nanoseconds and bytes of one stretch.
    var span: UInt64
    var bytes: Int
  }

  let settings: Settings
  let begin: RecordDocument.Begin
  private(set) var stretches: [RecordedStretch] = []
  private var current: RecordedStretch?
  private var ends = Instant(nanoseconds: 0)

  static let stretchCount = 3

  init(_ settings: Settings, _ begin: RecordDocument.Begin) {
    self.settings = settings
    self.begin = begin
  }

  func isDue(at now: Instant) -> Bool { now >= ends }

  /// Begins a stretch with the current table.
  mutating func begin(_ table: SaveTable) {
    let next: RecordedStretch
    if stretches.count == Recorder.stretchCount {
      next = stretches.removeFirst()
    } else {
      next = RecordedStretch(byteCount: settings.bytes)
    }
    next.begin(table)
    stretches.append(next)
    current = next
    ends = table.clock.advanced(by: settings.span)
  }

  /// How many bytes of a frame are kept.
  func keptLength(of frame: Frame) -> Int { settings.keepsHeaders ? frame.headerLength : frame.count }

  func hasRoom(for length: Int) -> Bool { current?.hasRoom(for: length) ?? false }

  /// - Precondition: ``hasRoom(for:)``.
  func add(_ frame: Frame, _ length: Int, wireLength: Int, at now: Instant, from interface: InterfaceIndex) {
    current?.add(frame, length, wireLength: wireLength, at: now, from: interface)
  }
}

/// A table and the frames after it. One thread at a time uses it: the worker, then the thread that writes
/// files.
final class RecordedStretch: @unchecked Sendable {
  private(set) var table = SaveTable()
  private(set) var frameCount = 0
  /// The kept bytes of all frames, without the record headers.
  private(set) var byteCount = 0
  private let memory: MappedMemory
  private let bytes: Frame
  private var used = 0

  /// The header of each frame: time:64 | length on the wire:32 | interface:8 | kept length:24.
  private static let headerLength = 16

  init(byteCount: Int) {
    memory = MappedMemory(byteCount: byteCount)
    bytes = memory.frame
  }

  func begin(_ table: SaveTable) {
    self.table = table
    used = 0
    frameCount = 0
    byteCount = 0
  }

  func hasRoom(for length: Int) -> Bool { used + RecordedStretch.headerLength + length + 8 <= bytes.count }

  func add(_ frame: Frame, _ length: Int, wireLength: Int, at now: Instant, from interface: InterfaceIndex) {
    bytes.setUInt64(now.nanoseconds, at: used)
    bytes.setUInt32(UInt32(wireLength), at: used + 8)
    bytes.setUInt32(UInt32(interface.rawValue) << 24 | UInt32(length), at: used + 12)
    bytes.copy(frame, from: 0, count: length, to: used + RecordedStretch.headerLength)
    used += RecordedStretch.headerLength + (length + 7) & ~7
    frameCount += 1
    byteCount += length
  }

  /// Calls `body` for each frame, in the order of the packet path.
  func forEach<Failure: Error>(
    _ body: (_ frame: Frame, _ wireLength: Int, Instant, InterfaceIndex) throws(Failure) -> Void
  ) throws(Failure) {
    var at = 0
    while at < used {
      let word = bytes.uint32(at: at + 12)
      let length = Int(word & 0xFF_FFFF)
      try body(
        bytes.window(at: at + RecordedStretch.headerLength, count: length), Int(bytes.uint32(at: at + 8)),
        Instant(nanoseconds: bytes.uint64(at: at)), InterfaceIndex(place: Int(word >> 24)))
      at += RecordedStretch.headerLength + (length + 7) & ~7
    }
  }
}

extension Frame {
  /// Where the payload of TCP or UDP begins; at most 64 for other frames. The recorder looks itself: it
  /// copies frames before decoding, because translation changes them and malformed frames are recorded too.
  fileprivate var headerLength: Int {
    let network = Ethernet.headerLength
    guard count >= network + 20, uint16(at: 12) == Ethernet.typeIPv4 else { return min(count, 64) }
    let transport = network + Int(uint8(at: network) & 0xF) * 4
    switch uint8(at: network + 9) {
    case IPv4.protocolTCP where count > transport + 12:
      return min(count, transport + Int(uint8(at: transport + 12) >> 4) * 4)
    case IPv4.protocolUDP: return min(count, transport + 8)
    default: return min(count, 64)
    }
  }
}
