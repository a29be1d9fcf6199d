/// The options of a TCP header, one after the other (RFC 9293 section 3.2).
///
/// Ends where the list says so, at the header's end, and at a length below 2 or beyond it.
struct TCPOptions {
  struct Option {
    var kind: UInt8
    /// Where it begins in the frame.
    var offset: Int
    /// With kind and length.
    var length: Int

    /// Where the value of an MSS option lies; nil for any other.
    var maximumSegmentSizeOffset: Int? {
      kind == TCP.optionMaximumSegmentSize && length == 4 ? offset &+ 2 : nil
    }
  }

  private var at: Int
  private let end: Int

  /// - Parameters:
  ///   - offset: of the TCP header in the frame.
  ///   - headerLength: in bytes, as its data offset says; the frame holds as many.
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
  /// The largest segment that the sender of a SYN wants, without the headers of IPv4 and TCP (RFC 9293 section 3.7.1);
  /// of several the least, and without an option 536.
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
