/// The sequence numbers and window of a TCP segment (RFC 9293 section 3.4).
public struct TCPSegment: BitwiseCopyable, Equatable, Sendable {
  public var flags: TCPFlags
  public var sequence: UInt32
  public var acknowledgement: UInt32
  /// The window as in the header, not scaled.
  public var window: UInt16
  /// How many sequence numbers it takes: data bytes, SYN and FIN. For a first fragment, those that it contains.
  public var length: UInt32
  /// The window scale that a SYN announces, at most 14 (RFC 7323 section 2.3); nil without the option.
  public var windowScale: UInt8?

  public init(
    _ flags: TCPFlags, sequence: UInt32, acknowledgement: UInt32 = 0, window: UInt16 = 0, data: Int = 0,
    windowScale: UInt8? = nil
  ) {
    self.flags = flags
    self.sequence = sequence
    self.acknowledgement = acknowledgement
    self.window = window
    length =
      UInt32(truncatingIfNeeded: data) &+ (flags.contains(.syn) ? 1 : 0) &+ (flags.contains(.fin) ? 1 : 0)
    self.windowScale = windowScale
  }

  /// The sequence number after its last one.
  @inlinable public var end: UInt32 { sequence &+ length }
}

extension Packet {
  /// Reads the segment of a packet.
  /// - Precondition: the packet's kind is `.tcp`.
  /// - Complexity: O(1); O(options) for a SYN.
  public var segment: TCPSegment {
    let offset = transportOffset
    return TCPSegment(
      tcpFlags, sequence: frame.uint32(at: offset &+ TCP.sequenceOffset),
      acknowledgement: frame.uint32(at: offset &+ TCP.acknowledgementOffset),
      window: frame.uint16(at: offset &+ TCP.windowOffset), data: transportLength &- transportHeaderLength,
      windowScale: tcpFlags.contains(.syn)
        ? frame.windowScale(tcpAt: offset, headerLength: transportHeaderLength) : nil)
  }
}

extension Frame {
  /// The first window scale option of a TCP header at `offset` (RFC 7323 section 2.2). A malformed length ends the
  /// search.
  func windowScale(tcpAt offset: Int, headerLength: Int) -> UInt8? {
    var options = TCPOptions(tcpAt: offset, headerLength: headerLength)
    while let option = options.next(in: self) {
      if option.kind == TCP.optionWindowScale, option.length == 3 {
        return min(uint8(at: option.offset &+ 2), TCP.maximumWindowScale)
      }
    }
    return nil
  }
}
