internal import Glibc
internal import NATSystem
public import NATWire

/// A pcap file being written: nanoseconds, Ethernet, the machine's byte order.
///
/// Records gather until there are 128 KiB of them, which leaves the cache to others, and go out with `write(2)`. A frame can be built in place, from as
/// many pieces as needed: ``reserve(_:)``, fill, ``commit(_:at:)``. Only ``close()`` says whether everything
/// reached the file.
@safe public struct CaptureWriter: ~Copyable {
  /// The longest frame, and the snap length in the file's header, in bytes: what libpcap reads back.
  public static let longestFrame = 262_144

  /// As given by the caller; `standard output` for `-`.
  public let path: String
  private var descriptor: Int32
  private let buffer: UnsafeMutableRawPointer
  private var used = 0

  private static let fullAt = 1 << 17
  /// Room for the longest frame, too.
  private static let bufferSize = fullAt + longestFrame + recordHeaderLength
  private static let recordHeaderLength = 16

  /// Creates the file, or empties it if it is there. The file's header is the first thing to be written, so a
  /// capture without records is a valid one.
  /// - Parameter path: `-` is standard output.
  public init(path given: String) throws(CaptureWriteFault) {
    let isStandardOutput = given == "-"
    let name = isStandardOutput ? "standard output" : given
    // Safety: neither call keeps the path.
    let opened =
      unsafe isStandardOutput
      ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
      : open(given, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard opened >= 0 else { throw CaptureWriteFault(operation: .create, path: name, code: errno) }
    path = name
    descriptor = opened
    // Safety: owned by this value, freed in deinit.
    unsafe buffer = .allocate(byteCount: CaptureWriter.bufferSize, alignment: 4096)
    store(UInt32(0xA1B2_3C4D))  // nanoseconds
    store(UInt16(2))  // version 2.4
    store(UInt16(4))
    store(UInt64(0))  // time zone and accuracy, always 0
    store(UInt32(CaptureWriter.longestFrame))
    store(UInt32(1))  // LINKTYPE_ETHERNET
  }

  deinit {
    // Without close(), after an error elsewhere, what was gathered is still worth having; nobody is left to
    // hear of a failure.
    if descriptor >= 0 {
      // Safety: the buffer holds `used` bytes.
      _ = unsafe writeAll(UnsafeRawBufferPointer(start: buffer, count: used), to: descriptor)
      _ = Glibc.close(descriptor)
    }
    // Safety: owned, freed once.
    unsafe buffer.deallocate()
  }

  /// Appends a frame.
  ///
  /// - Parameter wireLength: of a frame of which only the beginning is there, its whole length.
  /// - Precondition: at most ``longestFrame`` bytes.
  /// - Complexity: O(length).
  public mutating func append(
    _ bytes: UnsafeRawBufferPointer, wireLength: Int = 0, at stamp: Instant
  ) throws(CaptureWriteFault) {
    let length = bytes.count
    let room = try unsafe reserve(length)
    // Safety: `reserve` gave room for as many bytes.
    unsafe UnsafeMutableRawBufferPointer(start: room, count: length).copyMemory(from: bytes)
    commit(length, wireLength: wireLength, at: stamp)
  }

  /// Room for a frame of up to `length` bytes, to be filled and then given to ``commit(_:at:)``. Valid until
  /// the next call of another method; a reservation that is not committed leaves no trace.
  /// - Precondition: at most ``longestFrame`` bytes.
  public mutating func reserve(_ length: Int) throws(CaptureWriteFault) -> UnsafeMutableRawPointer {
    precondition((0...CaptureWriter.longestFrame).contains(length), "a frame too long for a capture")
    if used + CaptureWriter.recordHeaderLength + length > CaptureWriter.fullAt { try flush() }
    // Safety: the flush left room behind the record header.
    return unsafe buffer + used + CaptureWriter.recordHeaderLength
  }

  /// Makes the first `length` bytes of the room reserved last a record. Stamps after February 2106, which the
  /// format cannot hold, are written as its last one.
  /// - Precondition: `length` is at most what was reserved.
  public mutating func commit(_ length: Int, wireLength: Int = 0, at stamp: Instant) {
    precondition(
      length >= 0 && used + CaptureWriter.recordHeaderLength + length <= CaptureWriter.bufferSize,
      "more than was reserved")
    let time = min(stamp, CaptureStamp.last).nanoseconds
    store(UInt32(time / CaptureStamp.nanosecondsPerSecond))
    store(UInt32(time % CaptureStamp.nanosecondsPerSecond))
    store(UInt32(length))
    store(UInt32(max(length, wireLength)))
    used += length
  }

  /// Hands everything appended so far to the system.
  public mutating func flush() throws(CaptureWriteFault) {
    // The buffer counts as empty after a failure too: bytes behind a gap are of no use.
    let count = used
    used = 0
    // Safety: the buffer holds as many bytes.
    let code = unsafe writeAll(UnsafeRawBufferPointer(start: buffer, count: count), to: descriptor)
    guard code == 0 else { throw CaptureWriteFault(operation: .write, path: path, code: code) }
  }

  /// Writes what is left and closes the file; only now it is known to be whole.
  public consuming func close() throws(CaptureWriteFault) {
    try flush()
    let closing = descriptor
    descriptor = -1
    // On Linux the descriptor is gone even when a signal interrupted the call, and nothing is lost by that.
    guard Glibc.close(closing) == 0 || errno == EINTR else {
      throw CaptureWriteFault(operation: .close, path: path, code: errno)
    }
  }

  private mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    // Safety: callers have made sure of the room: the header fits an empty buffer, a record's was reserved.
    unsafe buffer.storeBytes(of: value, toByteOffset: used, as: Value.self)
    used += MemoryLayout<Value>.size
  }
}
