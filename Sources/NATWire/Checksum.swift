// The Internet checksum (RFC 1071): a sum in ones' complement, kept unfolded in 64 bits.
// A sum of 16-bit words in network byte order is written `Sum`; the field of a header holds its complement.

/// A ones' complement sum that has not been folded yet.
public struct ChecksumSum: BitwiseCopyable {
  @usableFromInline var value: UInt64

  @inlinable public init(_ value: UInt64 = 0) { self.value = value }

  @inlinable @inline(__always) public mutating func add(_ word: UInt16) { value &+= UInt64(word) }

  /// Adds two words at once: folding brings the upper half down (2^16 is 1 in ones' complement arithmetic).
  @inlinable @inline(__always) public mutating func add(_ words: UInt32) { value &+= UInt64(words) }

  @inlinable @inline(__always) public mutating func add(_ address: IPv4Address) { add(address.rawValue) }

  /// The sum in 16 bits, 0 only if nothing but zeros was added.
  @inlinable public var folded: UInt16 {
    // Adding a number to itself with its halves exchanged leaves their sum, end-around carry included, in the upper one.
    let words = UInt32(truncatingIfNeeded: (value &+ (value &<< 32 | value &>> 32)) &>> 32)
    return UInt16(truncatingIfNeeded: (words &+ (words &<< 16 | words &>> 16)) &>> 16)
  }

  /// What a header's checksum field holds.
  @inlinable public var checksum: UInt16 { ~folded }
}

extension Frame {
  /// The sum over `count` bytes from `offset` on; an odd last byte is padded with a zero (RFC 1071).
  ///
  /// - Complexity: O(`count`), eight bytes a step.
  @inlinable public func sum(from offset: Int, count length: Int) -> ChecksumSum {
    precondition(offset >= 0 && length >= 0 && offset <= count &- length)
    // Adding words in the machine's order gives the sum with its bytes exchanged (RFC 1071 section 2B),
    // so the one exchange at the end replaces one a word.
    var total: UInt64 = 0
    var at = offset
    let end = offset &+ length
    while at &+ 8 <= end {
      // Safety: `at + 8 <= end`, and `end` was checked against `count` above.
      let word = unsafe base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      total &+= (word & 0xFFFF_FFFF) &+ (word >> 32)
      at &+= 8
    }
    while at &+ 2 <= end {
      // Safety: `at + 2 <= end`, as above.
      total &+= UInt64(unsafe base.loadUnaligned(fromByteOffset: at, as: UInt16.self))
      at &+= 2
    }
    if at < end { total &+= UInt64(UInt16(uint8(at: at)).littleEndian) }
    return ChecksumSum(UInt64(ChecksumSum(total).folded.bigEndian))
  }

  /// The sum over the pseudo-header of TCP and UDP (RFC 9293 section 3.1, RFC 768).
  @inlinable @inline(__always) public static func pseudoHeaderSum(
    source: IPv4Address, destination: IPv4Address, protocolNumber: UInt8, length: Int
  ) -> ChecksumSum {
    var sum = ChecksumSum(UInt64(length))
    sum.add(source)
    sum.add(destination)
    sum.add(UInt16(protocolNumber))
    return sum
  }
}

/// What a change of header words does to a checksum: the sum of `~m + m'` of RFC 1624, equation 3.
///
/// One delta serves every checksum that covers the same words: that of the IPv4 header, of the transport, and of
/// an ICMP error that quotes both.
public struct ChecksumDelta: BitwiseCopyable {
  @usableFromInline var sum: ChecksumSum

  @inlinable public init() { sum = ChecksumSum() }

  @inlinable @inline(__always) public mutating func replace(_ old: UInt16, with new: UInt16) {
    sum.add(~old)
    sum.add(new)
  }

  @inlinable @inline(__always) public mutating func replace(_ old: IPv4Address, with new: IPv4Address) {
    sum.add(~old.rawValue)
    sum.add(new.rawValue)
  }

  /// A word becomes smaller by `amount`: `~m + (m - amount)` is the same for every `m`.
  @inlinable @inline(__always) public mutating func addDecrement(of amount: UInt16) { sum.add(~amount) }

  @inlinable @inline(__always) public mutating func add(_ other: ChecksumDelta) {
    sum.value &+= other.sum.value
  }

  /// The checksum field after the change: `HC' = ~(~HC + ~m + m')` (RFC 1624 equation 3).
  @inlinable @inline(__always) public func applied(to checksum: UInt16) -> UInt16 {
    var sum = self.sum
    sum.add(~checksum)
    return sum.checksum
  }

  /// The same for UDP (RFC 768): 0 says "no checksum" and stays 0, and a result of 0 is written as 0xFFFF.
  @inlinable @inline(__always) public func appliedUDP(to checksum: UInt16) -> UInt16 {
    checksum == 0 ? 0 : appliedUDPLite(to: checksum)
  }

  /// The same for UDP-Lite (RFC 3828 section 3.1), where 0 is no checksum but a mistake, and is never written.
  @inlinable @inline(__always) public func appliedUDPLite(to checksum: UInt16) -> UInt16 {
    let result = applied(to: checksum)
    return result == 0 ? 0xFFFF : result
  }

  /// A partial checksum holds the pseudo-header's folded sum itself, not its complement.
  @inlinable @inline(__always) public func appliedToPartial(_ field: UInt16) -> UInt16 {
    var sum = self.sum
    sum.add(field)
    return sum.folded
  }
}
