/// Reads 16 bits, the higher byte first.
func word(_ bytes: [UInt8], _ offset: Int) -> UInt16 {
  UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
}

/// Writes 16 bits, the higher byte first.
func setWord(_ bytes: inout [UInt8], _ offset: Int, _ value: UInt16) {
  bytes[offset] = UInt8(value >> 8)
  bytes[offset + 1] = UInt8(value & 0xFF)
}

func address(_ bytes: [UInt8], _ offset: Int) -> ReferenceAddress {
  ReferenceAddress(UInt32(word(bytes, offset)) << 16 | UInt32(word(bytes, offset + 2)))
}

func setAddress(_ bytes: inout [UInt8], _ offset: Int, _ value: ReferenceAddress) {
  setWord(&bytes, offset, UInt16(value.number >> 16))
  setWord(&bytes, offset + 2, UInt16(value.number & 0xFFFF))
}

/// The one's complement sum of RFC 1071, folded to 16 bits; an odd last byte is padded with zero.
func onesSum(_ bytes: ArraySlice<UInt8>, startingWith start: UInt64 = 0) -> UInt16 {
  var sum = start
  for (place, byte) in bytes.enumerated() {
    sum += place % 2 == 0 ? UInt64(byte) << 8 : UInt64(byte)
  }
  return fold(sum)
}

func fold(_ sum: UInt64) -> UInt16 {
  var sum = sum
  while sum > 0xFFFF {
    sum = (sum & 0xFFFF) + (sum >> 16)
  }
  return UInt16(sum)
}

/// RFC 1624, equation 3: HC' = ~(~HC + ~m + m') for every 16-bit word m that became m'.
func updatedChecksum(_ checksum: UInt16, from old: [UInt16], to new: [UInt16]) -> UInt16 {
  var sum = UInt64(~checksum)
  for value in old { sum += UInt64(~value) }
  for value in new { sum += UInt64(value) }
  return ~fold(sum)
}

func words(_ address: ReferenceAddress) -> [UInt16] {
  [UInt16(address.number >> 16), UInt16(address.number & 0xFFFF)]
}

func words(_ endpoint: ReferenceEndpoint) -> [UInt16] {
  words(endpoint.address) + [endpoint.port]
}

/// The six flags that the page names.
struct TCPFlags: OptionSet, Sendable {
  let rawValue: UInt8
  static let fin = TCPFlags(rawValue: 0x01)
  static let syn = TCPFlags(rawValue: 0x02)
  static let rst = TCPFlags(rawValue: 0x04)
  static let ack = TCPFlags(rawValue: 0x10)
}

/// The transport protocol numbers that have a meaning here.
enum Transport {
  static let icmp: UInt8 = 1
  static let tcp: UInt8 = 6
  static let udp: UInt8 = 17
  static let dccp: UInt8 = 33
  static let udpLite: UInt8 = 136
}

/// ICMP types by what the page does with them.
enum ICMPType {
  static let echoReply: UInt8 = 0
  static let echoRequest: UInt8 = 8
  /// Row "queries": 8/0, 13/14, 15/16, 17/18.
  static let requests: Set<UInt8> = [8, 13, 15, 17]
  static let replies: Set<UInt8> = [0, 14, 16, 18]
  static let queries = requests.union(replies)
  /// Row "errors": 3, 11, 12 pass, 4 and 5 do not.
  static let passingErrors: Set<UInt8> = [3, 11, 12]
  static let errors: Set<UInt8> = [3, 4, 5, 11, 12]
}
