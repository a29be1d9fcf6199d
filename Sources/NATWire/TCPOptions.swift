/// The options of a TCP header, in order (RFC 9293 section 3.2).
///
/// The sequence ends at an end-of-list option, at the end of the header, and at a length below 2 or beyond the header.
struct TCPOptions {
  struct Option {
    var kind: UInt8
    /// Where the option begins in the frame.
    var offset: Int
    /// Bytes, kind and length included.
    var length: Int

    /// The offset of the value of an MSS option; nil for other options.
    var maximumSegmentSizeOffset: Int? {
      kind == TCP.optionMaximumSegmentSize && length == 4 ? offset &+ 2 : nil
    }
  }

  private var at: Int
  private let end: Int

  /// - Parameters:
  ///   - offset: of the TCP header in the frame.
  ///   - headerLength: bytes of the TCP header, all inside the frame.
  init(tcpAt offset: Int, headerLength: Int) {
    at = offset &+ TCP.minimumHeaderLength
    end = offset &+ headerLength
  }

  mutating func next(in frame: Frame) -> Option? {
    while at < end {
      let kind = frame.uint8(at: at)
      if kind == TCP.optionNoOperation {
        at &+= 1
        continue
      }
      guard kind != TCP.optionEnd, at &+ 1 < end else { break }
      let option = Option(kind: kind, offset: at, length: Int(frame.uint8(at: at &+ 1)))
      guard option.length >= 2, at &+ option.length <= end else { break }
      at &+= option.length
      return option
    }
    at = end
    return nil
  }
}

extension Packet {
  /// The MSS that a SYN announces, without IPv4 and TCP header (RFC 9293 section 3.7.1). The least of several options; 536
  /// without an option.
  /// - Precondition: the packet's kind is `.tcp`.
  public var maximumSegmentSize: UInt16 {
    var least: UInt16?
    var options = TCPOptions(tcpAt: transportOffset, headerLength: transportHeaderLength)
    while let option = options.next(in: frame) {
      if let at = option.maximumSegmentSizeOffset { least = min(least ?? .max, frame.uint16(at: at)) }
    }
    return least ?? TCP.defaultMaximumSegmentSize
  }
}
