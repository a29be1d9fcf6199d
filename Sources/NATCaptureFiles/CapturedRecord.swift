public import NATWire

/// One packet of a capture, in the memory of the reader it came from.
@safe public struct CapturedRecord: BitwiseCopyable {
  /// The captured bytes, from the first one of the link (or IP) header; valid until the reader's next call.
  public let bytes: UnsafeRawBufferPointer
  /// How long the packet was on the wire, in bytes: more than `bytes.count` where the capture cut it.
  public let wireLength: Int
  /// When it was captured, in nanoseconds since 1970.
  public let stamp: Instant

  @inlinable public init(bytes: UnsafeRawBufferPointer, wireLength: Int, stamp: Instant) {
    // Safety: only stored; whoever reads the bytes answers for their lifetime.
    unsafe self.bytes = bytes
    self.wireLength = wireLength
    self.stamp = stamp
  }
}
