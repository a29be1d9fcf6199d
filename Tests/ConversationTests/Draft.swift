import NATWire

/// TCP flags as they stand in the header.
enum Flag {
  static let fin: UInt8 = 0x01
  static let syn: UInt8 = 0x02
  static let rst: UInt8 = 0x04
  static let push: UInt8 = 0x08
  static let ack: UInt8 = 0x10
  static let urgent: UInt8 = 0x20
}

/// An IPv4 packet to be built, right or wrong.
struct Draft {
  enum Content {
    /// `length`: what the header says, where it is not the truth.
    case udp(UInt16, UInt16, data: [UInt8], length: Int? = nil)
    case tcp(
      UInt16, UInt16, flags: UInt8, options: [UInt8] = [], data: [UInt8] = [], numbers: Numbers = Numbers())
    case icmp(type: UInt8, code: UInt8 = 0, rest: UInt32, data: [UInt8] = [])
    case other(UInt8, [UInt8])
  }

  /// Where a TCP segment stands in its connection.
  struct Numbers {
    var sequence: UInt32 = 0x1000
    var acknowledgement: UInt32 = 0x2000
    var window: UInt16 = 64240
  }

  enum Checksum {
    case right, wrong
    /// The folded sum of the pseudo-header alone.
    case partial
    /// Zero.
    case none
  }

  var source: IPv4Address
  var destination: IPv4Address
  var content: Content
  var checksum = Checksum.right
  var timeToLive: UInt8 = 64
  var typeOfService: UInt8 = 0
  var identification: UInt16 = 0
  var doesNotFragment = false
  /// A multiple of four bytes.
  var options: [UInt8] = []

  init(_ source: IPv4Address, _ destination: IPv4Address, _ content: Content) {
    self.source = source
    self.destination = destination
    self.content = content
  }

  var protocolNumber: UInt8 {
    switch content {
    case .udp: 17
    case .tcp: 6
    case .icmp: 1
    case .other(let number, _): number
    }
  }

  /// The whole packet.
  var bytes: [UInt8] { ipv4(payload, fragmentField: doesNotFragment ? 0x4000 : 0) }

  /// An IPv4 packet of this one's header with another payload and fragment field.
  func ipv4(_ payload: [UInt8], fragmentField: UInt16) -> [UInt8] {
    var header: [UInt8] = [0x45 + UInt8(options.count / 4), typeOfService]
    header += two(UInt16(20 + options.count + payload.count)) + two(identification) + two(fragmentField)
    header +=
      [timeToLive, protocolNumber, 0, 0] + four(source.rawValue) + four(destination.rawValue) + options
    header.replaceSubrange(10..<12, with: two(~onesComplementSum(header)))
    return header + payload
  }

  /// What follows the IPv4 header.
  var payload: [UInt8] {
    switch content {
    case .udp(let sourcePort, let destinationPort, let data, let length):
      let header =
        two(sourcePort) + two(destinationPort) + two(UInt16(truncatingIfNeeded: length ?? 8 + data.count))
      return summed(header + [0, 0] + data, at: 6, covered: length ?? 8 + data.count)
    case .tcp(let sourcePort, let destinationPort, let flags, let options, let data, let numbers):
      let segment =
        two(sourcePort) + two(destinationPort) + four(numbers.sequence) + four(numbers.acknowledgement)
        + [UInt8(5 + options.count / 4) << 4, flags] + two(numbers.window) + [0, 0, 0, 0] + options + data
      return summed(segment, at: 16, covered: segment.count)
    case .icmp(let type, let code, let rest, let data):
      var message = [type, code, 0, 0] + four(rest) + data
      message.replaceSubrange(2..<4, with: two(~onesComplementSum(message)))
      if checksum == .wrong { message[2] ^= 0x5A }
      return message
    case .other(_, let bytes): return bytes
    }
  }

  private func summed(_ segment: [UInt8], at place: Int, covered: Int) -> [UInt8] {
    let pseudo =
      four(source.rawValue) + four(destination.rawValue) + [0, protocolNumber]
      + two(UInt16(truncatingIfNeeded: covered))
    var field: UInt16
    switch checksum {
    case .none: field = 0
    case .partial: field = onesComplementSum(pseudo)
    case .right, .wrong:
      field = ~onesComplementSum(pseudo + segment.prefix(covered))
      if checksum == .wrong { field ^= 0x0101 }
      if protocolNumber == 17, field == 0 { field = 0xFFFF }
    }
    var segment = segment
    segment.replaceSubrange(place..<place + 2, with: two(field))
    return segment
  }
}

/// The sum of RFC 1071, folded.
func onesComplementSum(_ bytes: [UInt8]) -> UInt16 {
  var sum: UInt32 = 0
  var isHigh = true
  for byte in bytes {
    sum &+= isHigh ? UInt32(byte) << 8 : UInt32(byte)
    isHigh.toggle()
  }
  while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
  return UInt16(sum)
}

func two(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }

func four(_ value: UInt32) -> [UInt8] {
  two(UInt16(value >> 16)) + two(UInt16(truncatingIfNeeded: value))
}

/// Reads 16 bits, the higher byte first.
func word(_ bytes: [UInt8], _ offset: Int) -> UInt16 {
  UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
}

/// Reads an address.
func address(_ bytes: [UInt8], _ offset: Int) -> IPv4Address {
  IPv4Address(UInt32(word(bytes, offset)) << 16 | UInt32(word(bytes, offset + 2)))
}
