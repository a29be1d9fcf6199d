import NATWire

/// Ethernet frames as bytes, built and summed without the rooms under test.
enum WireFrames {
  typealias Station = (mac: [UInt8], address: [UInt8])

  static func words(_ bytes: [UInt8]) -> UInt64 {
    var sum: UInt64 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += UInt64(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt64(bytes[index + 1]) : 0)
    }
    return sum
  }

  static func folded(_ sum: UInt64) -> UInt16 {
    var sum = sum
    while sum >> 16 != 0 { sum = (sum & 0xFFFF) + (sum >> 16) }
    return UInt16(sum)
  }

  static func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
  static func bytes(_ value: UInt32) -> [UInt8] { bytes(UInt16(value >> 16)) + bytes(UInt16(value & 0xFFFF)) }

  static func ethernet(_ from: Station, _ to: Station, type: UInt16, _ payload: [UInt8]) -> [UInt8] {
    to.mac + from.mac + bytes(type) + payload
  }

  static func ipv4(_ from: Station, _ to: Station, protocolNumber: UInt8, _ payload: [UInt8]) -> [UInt8] {
    var header: [UInt8] =
      [0x45, 0] + bytes(UInt16(20 + payload.count)) + [0, 7, 0x40, 0, 64, protocolNumber, 0, 0]
      + from.address + to.address
    header.replaceSubrange(10..<12, with: bytes(~folded(words(header))))
    return ethernet(from, to, type: 0x0800, header + payload)
  }

  static func pseudoHeader(_ from: Station, _ to: Station, _ protocolNumber: UInt8, _ length: Int) -> UInt64 {
    words(from.address) + words(to.address) + UInt64(protocolNumber) + UInt64(length)
  }

  enum Sum { case complete, partial, wrong }

  /// The checksum of a segment whose field is zero so far.
  static func checksum(_ kind: Sum, _ pseudo: UInt64, _ segment: [UInt8]) -> [UInt8] {
    switch kind {
    case .complete: bytes(~folded(pseudo + words(segment)))
    case .wrong: bytes(~folded(pseudo + words(segment)) ^ 0x0101)
    case .partial: bytes(folded(pseudo))
    }
  }

  static func udp(
    _ from: Station, _ source: UInt16, _ to: Station, _ destination: UInt16, _ data: [UInt8],
    _ sum: Sum = .complete
  ) -> [UInt8] {
    var segment = bytes(source) + bytes(destination) + bytes(UInt16(8 + data.count)) + [0, 0] + data
    segment.replaceSubrange(
      6..<8, with: checksum(sum, pseudoHeader(from, to, 17, segment.count), segment))
    return ipv4(from, to, protocolNumber: 17, segment)
  }

  struct Segment {
    var flags: UInt8
    var sequence: UInt32
    var acknowledgement: UInt32 = 0
    var options: [UInt8] = []
    var data: [UInt8] = []
  }

  static func tcp(
    _ from: Station, _ source: UInt16, _ to: Station, _ destination: UInt16, _ segment: Segment,
    _ sum: Sum = .complete
  ) -> [UInt8] {
    var payload =
      bytes(source) + bytes(destination) + bytes(segment.sequence) + bytes(segment.acknowledgement)
      + [UInt8(5 + segment.options.count / 4) << 4, segment.flags, 0xFF, 0xFF, 0, 0, 0, 0] + segment.options
      + segment.data
    payload.replaceSubrange(16..<18, with: checksum(sum, pseudoHeader(from, to, 6, payload.count), payload))
    return ipv4(from, to, protocolNumber: 6, payload)
  }

  static func arpRequest(_ from: Station, for target: [UInt8]) -> [UInt8] {
    arp(1, from, ([0, 0, 0, 0, 0, 0], target), to: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
  }

  static func arpReply(_ from: Station, _ to: Station) -> [UInt8] { arp(2, from, to, to: to.mac) }

  private static func arp(_ operation: UInt8, _ from: Station, _ target: Station, to mac: [UInt8]) -> [UInt8]
  {
    mac + from.mac + bytes(0x0806 as UInt16) + [0, 1, 8, 0, 6, 4, 0, operation] + from.mac + from.address
      + target.mac + target.address
  }
}
