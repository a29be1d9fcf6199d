import FuzzerSupport

/// A packet to be built, right or wrong.
struct Draft {
  enum Kind: UInt8, CaseIterable {
    case udp, tcp, echo, echoReply, timestamp, timestampReply, addressMask, udpWithoutChecksum, tcpWithOptions
    case otherICMP, generic, udpLite, datagramCongestion
  }

  var kind: Kind
  var source: UInt32
  var destination: UInt32
  /// Of a query, its identifier.
  var sourcePort: UInt16
  var destinationPort: UInt16
  var tcpFlags: UInt8 = 0x02
  var payload: [UInt8] = []
  var shape = Shape(0)
  var identification: UInt16 = 7

  /// TTL, DF, checksum, IP options.
  struct Shape {
    let byte: UInt8

    init(_ byte: UInt8) { self.byte = byte }

    var timeToLive: UInt8 { [64, 64, 2, 1][Int(byte & 3)] }
    var doesNotFragment: Bool { byte & 4 != 0 }
    var checksum: Checksum { [.right, .right, .wrong, .partial][Int(byte >> 3 & 3)] }

    var options: [UInt8] {
      switch byte >> 5 {
      case 4: [7, 7, 4, 0, 0, 0, 0, 0]
      case 5: [UInt8](repeating: 1, count: 36) + [0x94, 4, 0, 0]
      case 6: [7, 1, 0, 0]
      case 7: [0x83, 7, 4, 198, 51, 100, 7, 0]
      default: []
      }
    }
  }

  enum Checksum { case right, wrong, partial }

  static let sizes = [0, 1, 2, 4, 8, 31, 64, 100, 256, 548, 1000, 1400, 1472, 1473, 1600, 3000, 9000, 60000]

  static func payload(size: UInt8) -> [UInt8] {
    let count = sizes[Int(size) % sizes.count]
    return (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ count) }
  }

  private var protocolNumber: UInt8 {
    switch kind {
    case .udp, .udpWithoutChecksum: 17
    case .tcp, .tcpWithOptions: 6
    case .echo, .echoReply, .timestamp, .timestampReply, .addressMask, .otherICMP: 1
    case .generic: 47
    case .udpLite: 136
    case .datagramCongestion: 33
    }
  }

  private var transport: [UInt8] {
    switch kind {
    case .udp, .udpWithoutChecksum, .udpLite:
      return two(sourcePort) + two(destinationPort) + two(UInt16(8 + payload.count)) + [0, 0] + payload
    case .tcp: return segment(options: [])
    case .tcpWithOptions: return segment(options: [1, 2, 4, 0x23, 0, 3, 3, 7])
    case .echo: return query(8)
    case .echoReply: return query(0)
    case .timestamp: return query(13)
    case .timestampReply: return query(14)
    case .addressMask: return query(17)
    case .otherICMP: return query(UInt8(truncatingIfNeeded: destinationPort))
    case .generic: return payload
    case .datagramCongestion:
      return two(sourcePort) + two(destinationPort) + [4, 0, 0x12, 0x34, 2, 0, 0, 0] + payload
    }
  }

  private func segment(options: [UInt8]) -> [UInt8] {
    two(sourcePort) + two(destinationPort) + four(0x1000) + four(0x2000)
      + [UInt8(5 + options.count / 4) << 4, tcpFlags] + two(64240) + [0, 0, 0, 0] + options + payload
  }

  private func query(_ type: UInt8) -> [UInt8] { [type, 0, 0, 0] + two(sourcePort) + [0, 1] + payload }

  /// The IPv4 packet.
  var bytes: [UInt8] {
    let body = Array(transport.prefix(65535 - 20 - shape.options.count))
    var bytes = [0x45 + UInt8(shape.options.count / 4), 0]
    bytes += two(UInt16(20 + shape.options.count + body.count)) + two(identification)
    bytes += [shape.doesNotFragment ? 0x40 : 0, 0, shape.timeToLive, protocolNumber, 0, 0]
    bytes += four(source) + four(destination) + shape.options + body
    mendHeader(&bytes, at: 0)
    if kind != .udpWithoutChecksum { mendTransport(&bytes, at: 0) }
    guard let place = PlainPacket(bytes, at: 0)?.checksumPlace, shape.checksum != .right else { return bytes }
    if shape.checksum == .wrong {
      bytes[place] ^= 0x5A
    } else if let sum = PlainPacket(bytes, at: 0)?.foldedPseudoHeader {
      setWord(&bytes, place, sum)
    }
    return bytes
  }

  /// A packet cut up; `unit` is how much each carries, in bytes and a multiple of 8.
  static func fragments(of packet: [UInt8], unit: Int) -> [[UInt8]] {
    guard let whole = PlainPacket(packet, at: 0), unit > 0 else { return [packet] }
    var fragments: [[UInt8]] = []
    for start in stride(from: 0, to: whole.transportLength, by: unit) {
      let end = min(whole.transportLength, start + unit)
      fragments.append(
        fragment(
          of: Array(packet[..<whole.headerLength]), offset: start, isLast: end == whole.transportLength,
          Array(packet[whole.transport + start..<whole.transport + end])))
    }
    return fragments
  }

  static func fragment(of header: [UInt8], offset: Int, isLast: Bool, _ payload: [UInt8]) -> [UInt8] {
    var bytes = header + payload
    setWord(&bytes, 2, UInt16(truncatingIfNeeded: bytes.count))
    setWord(&bytes, 6, (isLast ? 0 : 0x2000) | UInt16(truncatingIfNeeded: offset / 8) & 0x1FFF)
    mendHeader(&bytes, at: 0)
    return bytes
  }
}
