/// Offsets and numbers of the TCP header (RFC 9293 section 3.1). Offsets count from its first byte.
public enum TCP {
  public static let minimumHeaderLength = 20
  public static let sequenceOffset = 4
  public static let acknowledgementOffset = 8
  public static let dataOffsetOffset = 12
  public static let flagsOffset = 13
  public static let windowOffset = 14
  public static let checksumOffset = 16
  public static let optionEnd: UInt8 = 0
  public static let optionNoOperation: UInt8 = 1
  public static let optionMaximumSegmentSize: UInt8 = 2
  public static let optionWindowScale: UInt8 = 3
  /// The MSS of a peer that announces none (RFC 9293 section 3.7.1).
  public static let defaultMaximumSegmentSize: UInt16 = 536
  /// The largest window scale: windows are at most 1 GiB (RFC 7323 section 2.3).
  public static let maximumWindowScale: UInt8 = 14
}

/// The six flags that a NAT reads. ECE and CWR (RFC 3168) pass unread.
public struct TCPFlags: OptionSet, BitwiseCopyable, Sendable {
  public let rawValue: UInt8

  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var fin: TCPFlags { TCPFlags(rawValue: 0x01) }
  @inlinable public static var syn: TCPFlags { TCPFlags(rawValue: 0x02) }
  @inlinable public static var rst: TCPFlags { TCPFlags(rawValue: 0x04) }
  @inlinable public static var psh: TCPFlags { TCPFlags(rawValue: 0x08) }
  @inlinable public static var ack: TCPFlags { TCPFlags(rawValue: 0x10) }
  @inlinable public static var urg: TCPFlags { TCPFlags(rawValue: 0x20) }

  /// No flag at all, or SYN with FIN or RST: no TCP sends these.
  @inlinable public var areMalformed: Bool {
    let six = rawValue & 0x3F
    return six == 0 || (six & 0x02 != 0 && six & 0x05 != 0)
  }
}

extension Frame {
  /// Lowers the first MSS option above `limit` in the TCP header of a SYN at `offset` (RFC 9293 section 3.7.1). Never adds
  /// an option. A malformed length ends the scan.
  ///
  /// - Returns: the delta for the TCP checksum, which the caller applies.
  @inline(never)
  public func clampMaximumSegmentSize(to limit: UInt16, tcpAt offset: Int, headerLength: Int)
    -> ChecksumDelta?
  {
    var options = TCPOptions(tcpAt: offset, headerLength: headerLength)
    while let option = options.next(in: self) {
      guard let at = option.maximumSegmentSizeOffset else { continue }
      let old = uint16(at: at)
      guard old > limit else { continue }
      setUInt16(limit, at: at)
      var delta = ChecksumDelta()
      // The bytes of an option at an odd offset lie in two words of the sum, swapped (RFC 1071 section 2B).
      if (at &- offset) & 1 == 0 {
        delta.replace(old, with: limit)
      } else {
        delta.replace(old.byteSwapped, with: limit.byteSwapped)
      }
      return delta
    }
    return nil
  }
}
