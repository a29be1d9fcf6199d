/// The Internet checksum (RFC 1071), added byte by byte: slow, obvious, and no code of the gateway.
public enum InternetChecksum {
  /// The ones' complement sum.
  public static func sum(_ bytes: some Sequence<UInt8>) -> UInt16 {
    var sum: UInt32 = 0
    var isHigh = true
    for byte in bytes {
      sum += isHigh ? UInt32(byte) << 8 : UInt32(byte)
      isHigh.toggle()
      if sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
    }
    return UInt16(sum)
  }

  /// Ones' complement addition of two words.
  public static func sum(_ a: UInt16, _ b: UInt16) -> UInt16 { sum(big(a) + big(b)) }

  /// The checksum to write into a field that is zero in `bytes`. It is 0 over bytes that hold a right one.
  public static func of(_ bytes: some Sequence<UInt8>) -> UInt16 { ~sum(bytes) }

  /// Writes the checksum of the bytes in a range into a field of two bytes.
  public static func write(to bytes: inout [UInt8], at field: Int, over range: Range<Int>) {
    setWord(&bytes, field, 0)
    setWord(&bytes, field, of(bytes[range]))
  }

  /// The pseudo-header of TCP and UDP.
  public static func pseudoHeader(
    source: [UInt8], destination: [UInt8], protocolNumber: UInt8, length: Int
  ) -> [UInt8] {
    source + destination + [0, protocolNumber] + big(UInt16(truncatingIfNeeded: length))
  }
}
