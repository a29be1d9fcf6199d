internal import Glibc
internal import NATSystem
public import NATWire

/// Writes a pcap file: Ethernet, nanoseconds, in the machine's byte order.
///
/// Records gather in a buffer of 128 KiB, small enough for the cache. A frame can be built in place, from any
/// number of pieces: ``reserve(_:)``, fill, ``commit(_:at:)``. Only ``close()`` reports whether everything
/// reached the file.
@safe public struct CaptureWriter: ~Copyable {
  /// The longest frame, and the snap length in the file's header, in bytes: libpcap reads no more.
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

  /// Creates or truncates the file, and writes its header: a capture without records is valid.
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
    // After an error elsewhere nobody calls close(). Save the records anyway; nobody can handle a failure.
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
  /// - Parameter wireLength: of a truncated frame, its length on the wire.
  /// - Precondition: at most ``longestFrame`` bytes.
  /// - Complexity: O(length).
  public mutating func append(
    _ bytes: UnsafeRawBufferPointer, wireLength: Int = 0, at stamp: Instant
  ) throws(CaptureWriteFault) {
    let length = bytes.count
    let room = try unsafe reserve(length)
    // Safety: `reserve` returned room for as many bytes.
    unsafe UnsafeMutableRawBufferPointer(start: room, count: length).copyMemory(from: bytes)
    commit(length, wireLength: wireLength, at: stamp)
  }

  /// Room for a frame of up to `length` bytes. Fill it, then call ``commit(_:at:)``. Valid until the next
  /// call of another method. A reservation without a commit has no effect.
  /// - Precondition: at most ``longestFrame`` bytes.
  public mutating func reserve(_ length: Int) throws(CaptureWriteFault) -> UnsafeMutableRawPointer {
    precondition((0...CaptureWriter.longestFrame).contains(length), "a frame too long for a capture")
    if used + CaptureWriter.recordHeaderLength + length > CaptureWriter.fullAt { try flush() }
    // Safety: after the flush there is room after the record header.
    return unsafe buffer + used + CaptureWriter.recordHeaderLength
  }

  /// Makes a record of the first `length` bytes of the last reservation. Times after February 2106, which the
  /// format cannot hold, become the last possible one.
  /// - Precondition: `length` is at most the reserved length.
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

  /// Writes all records so far to the file.
  public mutating func flush() throws(CaptureWriteFault) {
    // Empty the buffer after a failure, too: bytes after a gap are useless.
    let count = used
    used = 0
    // Safety: the buffer holds as many bytes.
    let code = unsafe writeAll(UnsafeRawBufferPointer(start: buffer, count: count), to: descriptor)
    guard code == 0 else { throw CaptureWriteFault(operation: .write, path: path, code: code) }
  }

  /// Writes the remaining records and closes the file. Only after that the file is known to be complete.
  public consuming func close() throws(CaptureWriteFault) {
    try flush()
    let closing = descriptor
    descriptor = -1
    // On Linux the descriptor is closed even if a signal interrupted the call.
    guard Glibc.close(closing) == 0 || errno == EINTR else {
      throw CaptureWriteFault(operation: .close, path: path, code: errno)
    }
  }

  private mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    // Safety: the file header fits an empty buffer, and `reserve` made room for a record header.
    unsafe buffer.storeBytes(of: value, toByteOffset: used, as: Value.self)
    used += MemoryLayout<Value>.size
  }
}
