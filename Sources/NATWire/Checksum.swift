// The Internet checksum (RFC 1071): a ones' complement sum of 16-bit words in network byte order. It stays unfolded in
// 64 bits as long as possible. A header's checksum field holds the complement of the folded sum.

/// A ones' complement sum before folding.
public struct ChecksumSum: BitwiseCopyable {
  @usableFromInline var value: UInt64

  @inlinable public init(_ value: UInt64 = 0) { self.value = value }

  @inlinable @inline(__always) public mutating func add(_ word: UInt16) { value &+= UInt64(word) }

  /// Adds two 16-bit words at once: folding adds the upper half to the lower (2^16 is 1 in ones' complement).
  @inlinable @inline(__always) public mutating func add(_ words: UInt32) { value &+= UInt64(words) }

  @inlinable @inline(__always) public mutating func add(_ address: IPv4Address) { add(address.rawValue) }

  /// The sum folded to 16 bits. It is 0 only if all words were 0.
  @inlinable public var folded: UInt16 {
    // A number plus itself with its halves swapped has their sum, end-around carry included, in its upper half.
    let words = UInt32(truncatingIfNeeded: (value &+ (value &<< 32 | value &>> 32)) &>> 32)
    return UInt16(truncatingIfNeeded: (words &+ (words &<< 16 | words &>> 16)) &>> 16)
  }

  /// The value of a header's checksum field: the complement of the folded sum.
  @inlinable public var checksum: UInt16 { ~folded }
}

extension Frame {
  /// The sum over `count` bytes from `offset` on. An odd last byte is padded with a zero (RFC 1071).
  ///
  /// - Complexity: O(`count`), eight bytes a step.
  @inlinable public func sum(from offset: Int, count length: Int) -> ChecksumSum {
    precondition(offset >= 0 && length >= 0 && offset <= count &- length)
    // Adding words in the machine's byte order gives the sum with its bytes swapped (RFC 1071 section 2B). So one swap at
    // the end replaces one for each word.
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

/// The effect of changed header words on a checksum: the sum of `~m + m'` (RFC 1624, equation 3).
///
/// One delta serves every checksum that covers the same words: the IPv4 header's, the transport's, and that of an ICMP
/// error that quotes both.
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

  /// Adds the change of a word that decreases by `amount`: `~m + (m - amount)` is the same for every `m`.
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

  /// The field after the change for UDP (RFC 768): 0 means "no checksum" and stays 0; a result of 0 becomes 0xFFFF.
  @inlinable @inline(__always) public func appliedUDP(to checksum: UInt16) -> UInt16 {
    checksum == 0 ? 0 : appliedUDPLite(to: checksum)
  }

  /// The field after the change for UDP-Lite (RFC 3828 section 3.1), where 0 is invalid: a result of 0 becomes 0xFFFF.
  @inlinable @inline(__always) public func appliedUDPLite(to checksum: UInt16) -> UInt16 {
    let result = applied(to: checksum)
    return result == 0 ? 0xFFFF : result
  }

  /// A partial checksum after the change. It holds the folded sum of the pseudo-header, not its complement.
  @inlinable @inline(__always) public func appliedToPartial(_ field: UInt16) -> UInt16 {
    var sum = self.sum
    sum.add(field)
    return sum.folded
  }
}
