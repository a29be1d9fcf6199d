/// The Internet checksum of RFC 1071, summed up word by word: slow and obvious.
enum InternetChecksum {
  /// The checksum to write into a field that is zero in `bytes`; 0 over bytes that hold a right one.
  static func of(_ bytes: some Sequence<UInt8>) -> UInt16 {
    var sum: UInt32 = 0
    var isHigh = true
    for byte in bytes {
      sum += isHigh ? UInt32(byte) << 8 : UInt32(byte)
      isHigh.toggle()
      if sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
    }
    return ~UInt16(sum)
  }

  /// The pseudo-header of TCP and UDP.
  static func pseudoHeader(source: [UInt8], destination: [UInt8], protocolNumber: UInt8, length: Int)
    -> [UInt8]
  {
    source + destination + [0, protocolNumber, UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF)]
  }
}
