/// Offsets and numbers of the IPv4 header (RFC 791). Offsets count from its first byte.
public enum IPv4 {
  public static let minimumHeaderLength = 20
  public static let maximumHeaderLength = 60
  public static let maximumLength = 65535
  public static let typeOfServiceOffset = 1
  public static let totalLengthOffset = 2
  public static let identificationOffset = 4
  public static let fragmentOffset = 6
  public static let timeToLiveOffset = 8
  public static let protocolOffset = 9
  public static let checksumOffset = 10
  public static let sourceOffset = 12
  public static let destinationOffset = 16

  public static let dontFragment: UInt16 = 0x4000
  public static let moreFragments: UInt16 = 0x2000
  /// The bits of the fragment offset, in units of eight bytes.
  public static let fragmentOffsetMask: UInt16 = 0x1FFF

  public static let protocolICMP: UInt8 = 1
  public static let protocolTCP: UInt8 = 6
  public static let protocolUDP: UInt8 = 17
  public static let protocolDCCP: UInt8 = 33
  public static let protocolUDPLite: UInt8 = 136

  static let optionEnd: UInt8 = 0
  static let optionNoOperation: UInt8 = 1
  static let optionLooseSourceRoute: UInt8 = 131
  static let optionStrictSourceRoute: UInt8 = 137
  /// The bit in an option's type that says to copy the option into every fragment.
  static let optionCopied: UInt8 = 0x80
}

extension Frame {
  /// Checks the options of an IPv4 header at `offset`.
  ///
  /// - Returns: the first fault: ``WireFault/badIPv4Options`` for a length below 2 or beyond the header,
  ///   ``WireFault/sourceRoute`` for a source route (RFC 791 section 3.1). Nil if all options may pass.
  /// - Complexity: O(options), at most 40 steps.
  func faultInIPv4Options(at offset: Int, headerLength: Int) -> WireFault? {
    var at = offset &+ IPv4.minimumHeaderLength
    let end = offset &+ headerLength
    while at < end {
      let type = uint8(at: at)
      if type == IPv4.optionEnd { break }
      if type == IPv4.optionNoOperation {
        at &+= 1
        continue
      }
      guard at &+ 1 < end else { return .badIPv4Options }
      let length = Int(uint8(at: at &+ 1))
      guard length >= 2, at &+ length <= end else { return .badIPv4Options }
      if type == IPv4.optionLooseSourceRoute || type == IPv4.optionStrictSourceRoute {
        return .sourceRoute
      }
      at &+= length
    }
    return nil
  }

  // MARK: Splitting

  /// The header length of fragments after the first, in bytes: options without the copied flag are left out (RFC 791
  /// section 3.1).
  ///
  /// - Precondition: ``faultInIPv4Options(at:headerLength:)`` found nothing.
  public func copiedIPv4HeaderLength(at offset: Int, headerLength: Int) -> Int {
    var length = IPv4.minimumHeaderLength
    forEachCopiedOption(at: offset, headerLength: headerLength) { _, count in length += count }
    return (length + 3) & ~3
  }

  /// Writes the header of fragments after the first, padded with zeros to whole words. Length and checksum are still
  /// those of the datagram.
  public func copyIPv4Header(of whole: Frame, at offset: Int, headerLength: Int) {
    copy(whole, from: offset, count: IPv4.minimumHeaderLength, to: offset)
    var length = IPv4.minimumHeaderLength
    whole.forEachCopiedOption(at: offset, headerLength: headerLength) { option, count in
      copy(whole, from: option, count: count, to: offset + length)
      length += count
    }
    while length & 3 != 0 {
      setUInt8(IPv4.optionEnd, at: offset + length)
      length += 1
    }
    setUInt8(0x40 | UInt8(length / 4), at: offset)
  }

  /// Writes total length, flags, offset and header checksum of a fragment. The packet ends with the frame.
  public func finishIPv4Fragment(at offset: Int, headerLength: Int, fragmentField: UInt16) {
    setUInt16(UInt16(count - offset), at: offset + IPv4.totalLengthOffset)
    setUInt16(fragmentField, at: offset + IPv4.fragmentOffset)
    setUInt16(0, at: offset + IPv4.checksumOffset)
    setUInt16(sum(from: offset, count: headerLength).checksum, at: offset + IPv4.checksumOffset)
  }

  @inline(__always)
  private func forEachCopiedOption(
    at offset: Int, headerLength: Int, _ body: (_ option: Int, _ count: Int) -> Void
  ) {
    var at = offset + IPv4.minimumHeaderLength
    let end = offset + headerLength
    while at < end, uint8(at: at) != IPv4.optionEnd {
      let type = uint8(at: at)
      let count = type == IPv4.optionNoOperation ? 1 : Int(uint8(at: at + 1))
      if type & IPv4.optionCopied != 0 { body(at, count) }
      at += count
    }
  }
}
