public import NATWire

/// One packet of a capture, in the memory of its reader.
@safe public struct CapturedRecord: BitwiseCopyable {
  /// The bytes from the link header on, or from the IP header on. Valid until the reader's next call.
  public let bytes: UnsafeRawBufferPointer
  /// Bytes on the wire; more than `bytes.count` if the capture truncated the packet.
  public let wireLength: Int
  /// The time of capture, in nanoseconds since 1970.
  public let stamp: Instant

  @inlinable public init(bytes: UnsafeRawBufferPointer, wireLength: Int, stamp: Instant) {
    // Safety: only stored; readers of the bytes must respect their lifetime.
    unsafe self.bytes = bytes
    self.wireLength = wireLength
    self.stamp = stamp
  }
}
