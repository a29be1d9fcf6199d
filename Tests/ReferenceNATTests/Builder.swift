public import ReferenceNAT
public import TestSupport

extension ReferenceAddress: AddressBytes {
  public var octets: [UInt8] { big(number) }
}

/// Packets with right checksums. `Golden` checks the builder itself.
enum Build {
  static let insideMAC: [UInt8] = [0x02, 0x50, 0, 0, 0, 1]
  static let outsideMAC: [UInt8] = [0x02, 0x50, 0, 0, 0, 2]

  /// An Ethernet frame for the gateway on that side, from a neighbour whose MAC says which.
  static func frame(_ packet: [UInt8], on side: ReferenceSide, from neighbour: UInt8 = 9) -> [UInt8] {
    (side == .inside ? insideMAC : outsideMAC) + [0x0A, 0, 0, 0, 0, neighbour] + [0x08, 0x00] + packet
  }

  static func ipv4(
    _ source: ReferenceAddress, _ destination: ReferenceAddress, _ transport: UInt8, _ payload: [UInt8],
    timeToLive: UInt8 = 64, identification: UInt16 = 0, dontFragment: Bool = false, more: Bool = false,
    offset: Int = 0, options: [UInt8] = []
  ) -> [UInt8] {
    var builder = PacketBuilder(source, destination, .other(transport, payload))
    builder.timeToLive = timeToLive
    builder.identification = identification
    builder.fragmentField = UInt16((dontFragment ? 0x4000 : 0) + (more ? 0x2000 : 0) + offset / 8)
    builder.options = options
    return builder.bytes
  }

  static func udpSegment(
    _ source: ReferenceEndpoint, _ destination: ReferenceEndpoint, _ data: [UInt8] = [1, 2, 3]
  ) -> [UInt8] {
    PacketBuilder(source.address, destination.address, .udp(source.port, destination.port, data: data))
      .payload
  }

  static func udp(
    _ source: ReferenceEndpoint, _ destination: ReferenceEndpoint, _ data: [UInt8] = [1, 2, 3],
    timeToLive: UInt8 = 64
  ) -> [UInt8] {
    ipv4(
      source.address, destination.address, 17, udpSegment(source, destination, data), timeToLive: timeToLive)
  }

  static func tcp(
    _ source: ReferenceEndpoint, _ destination: ReferenceEndpoint, _ flags: UInt8, _ data: [UInt8] = [],
    timeToLive: UInt8 = 64, dontFragment: Bool = true, sequence: UInt32 = 1000, acknowledgement: UInt32 = 0
  ) -> [UInt8] {
    var builder = PacketBuilder(
      source.address, destination.address, .tcp(source.port, destination.port, flags: flags, data: data))
    builder.numbers.sequence = sequence
    builder.numbers.acknowledgement = acknowledgement
    builder.timeToLive = timeToLive
    builder.doesNotFragment = dontFragment
    return builder.bytes
  }

  static func icmpMessage(_ type: UInt8, _ code: UInt8, rest: UInt32, _ data: [UInt8] = []) -> [UInt8] {
    PacketBuilder([0, 0, 0, 0], [0, 0, 0, 0], .icmp(type: type, code: code, rest: rest, data: data)).payload
  }

  static func icmp(
    _ source: ReferenceAddress, _ destination: ReferenceAddress, _ type: UInt8, _ code: UInt8 = 0,
    identifier: UInt16 = 0, _ data: [UInt8] = []
  ) -> [UInt8] {
    ipv4(source, destination, 1, icmpMessage(type, code, rest: UInt32(identifier) << 16, data))
  }

  /// A frame as the gateway sends it; `packet` with its new TTL.
  static func sent(_ packet: [UInt8], on side: ReferenceSide, to neighbour: UInt8?) -> [UInt8] {
    let placeholder: [UInt8] = [0x02, 0, 0, 0, 0, side == .inside ? 1 : 2]
    let target = neighbour.map { [0x0A, 0, 0, 0, 0, $0] } ?? placeholder
    return target + (side == .inside ? insideMAC : outsideMAC) + [0x08, 0x00] + packet
  }
}

let second: UInt64 = 1_000_000_000

/// The addresses of the scenarios.
enum Host {
  static let one: ReferenceAddress = "192.168.1.2"
  static let two: ReferenceAddress = "192.168.1.3"
  static let server: ReferenceAddress = "198.51.100.7"
  static let otherServer: ReferenceAddress = "198.51.100.8"
  static let publicAddress: ReferenceAddress = "203.0.113.5"
}

extension ReferenceSettings {
  /// 192.168.1.1/24 inside, 203.0.113.5/24 outside with its gateway, the defaults else.
  static var plain: ReferenceSettings {
    ReferenceSettings(
      inside: ReferenceNetwork("192.168.1.1", 24), outside: ReferenceNetwork("203.0.113.5", 24),
      gateway: "203.0.113.1")
  }

  func with(_ change: (inout ReferenceSettings) -> Void) -> ReferenceSettings {
    var copy = self
    change(&copy)
    return copy
  }
}

extension ReferenceNAT {
  /// Gives a packet in a frame for the gateway and returns what leaves because of it.
  @discardableResult
  mutating func give(
    _ packet: [UInt8], on side: ReferenceSide, at instant: UInt64 = 0, from neighbour: UInt8 = 9
  ) -> [ReferenceFrame] {
    giveFrame(Build.frame(packet, on: side, from: neighbour), on: side, at: instant)
  }

  @discardableResult
  mutating func giveFrame(_ frame: [UInt8], on side: ReferenceSide, at instant: UInt64 = 0)
    -> [ReferenceFrame]
  {
    let before = sent.count
    receive(frame, wireLength: frame.count, on: side, ethernet: true, at: instant)
    return Array(sent[before...])
  }

  /// The drops that are not zero.
  var counted: [String: UInt64] { stats().drops.filter { $0.value > 0 } }
}

/// Text for a mismatch.
func text(_ frames: [ReferenceFrame]) -> String {
  frames.map { "\($0.side) at \($0.nanoseconds)\n\(describe($0.bytes))" }.joined(separator: "\n\n")
}
