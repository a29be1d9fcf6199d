import NATEngine
import NATGateway
import NATTable
import NATWire
import TestSupport
import Testing

/// How large the packets may be that the gateway hands on: what a super-frame is cut to.
@Suite struct LargestPacketTests {
  typealias Ends = (source: [UInt8], sourcePort: UInt16, destination: [UInt8], destinationPort: UInt16)

  static let client: [UInt8] = [192, 168, 1, 2]
  static let server: [UInt8] = [198, 51, 100, 7]
  static let outside: [UInt8] = [203, 0, 113, 5]
  static let out: Ends = (client, 5000, server, 443)
  static let back: Ends = (server, 443, outside, 5000)
  static let syn: UInt8 = 0x02
  static let ack: UInt8 = 0x10

  static func tcp(_ ends: Ends, _ flags: UInt8, options: [UInt8] = []) -> [UInt8] {
    PacketBuilder(
      ends.source, ends.destination,
      .tcp(ends.sourcePort, ends.destinationPort, flags: flags, options: options)
    ).with { $0.doesNotFragment = true }.bytes
  }

  static func mss(_ size: UInt16) -> [UInt8] { [2, 4] + big(size) }

  /// 3/4 about a packet.
  static func tooBig(_ quoted: [UInt8], mtu: UInt16, from: [UInt8], to: [UInt8]) -> [UInt8] {
    PacketBuilder(from, to, .icmp(type: 3, code: 4, rest: UInt32(mtu), data: quoted)).with {
      $0.doesNotFragment = true
    }.bytes
  }

  static func frame(_ packet: [UInt8], from side: Side, host: UInt8 = 2) -> [UInt8] {
    (side == .inside
      ? [2, 0x50, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, host] : [2, 0x50, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 1, 1])
      + [8, 0] + packet
  }

  /// The largest packet that goes with the only frame that a packet became.
  static func limit(_ gate: inout Gate, _ packet: [UInt8], from side: Side, host: UInt8 = 2) throws -> UInt16
  {
    gate.receive(frame(packet, from: side, host: host), from: InterfaceIndex(side))
    let sent = gate.takeSent()
    try #require(sent.count == 1)
    return sent[0].largestPacket
  }

  /// TCP options, and the largest packet that whoever announces them gets.
  static let announcements: [([UInt8], UInt16)] = [
    ([2, 4, 0x05, 0xB4], 1500), ([2, 4, 0x04, 0xC4], 1260), ([1, 2, 4, 0x05, 0x15], 1341),
    ([2, 4, 0x07, 0xD6], 2046),
    // Above 2,047 bytes it is rounded down to 2,048 and a multiple of 32.
    ([2, 4, 0x23, 0x00], 8992), ([2, 4, 0xFF, 0xFF], 65_504),
    // RFC 9293 section 3.7.1: no option is 536; of several the least counts; one of another length is none.
    ([], 576), ([2, 4, 0x05, 0x78, 2, 4, 0x04, 0xC4, 2, 4, 0x05, 0x14], 1260), ([2, 3, 5, 0], 576),
    ([1, 1, 2, 4], 576),
    // As low as a sender goes.
    ([2, 4, 0, 0], 88), ([2, 4, 0, 48], 88), ([2, 4, 0, 49], 89),
  ]

  /// Each end has announced a size.
  static func connected(client: [UInt8], server: [UInt8], change: (inout GatewaySettings) -> Void = { _ in })
    throws -> Gate
  {
    var gate = Gate(change: change)
    _ = try limit(&gate, tcp(out, syn, options: client), from: .inside)
    _ = try limit(&gate, tcp(back, syn | ack, options: server), from: .outside)
    return gate
  }

  @Test(
    "CS7 packets to each end are no larger than the MSS that it announced and 40 bytes",
    arguments: announcements)
  func announced(options: [UInt8], largest: UInt16) throws {
    let options = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
    var gate = try Self.connected(client: options, server: Self.mss(1460))
    #expect(try Self.limit(&gate, Self.tcp(Self.back, Self.ack), from: .outside) == largest)
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == 1500)
    gate = try Self.connected(client: Self.mss(1460), server: options)
    #expect(try Self.limit(&gate, Self.tcp(Self.back, Self.ack), from: .outside) == 1500)
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == largest)
  }

  @Test("CS7 an MSS that the gateway clamps counts as its peer sees it")
  func clamped() throws {
    var gate = try Self.connected(client: Self.mss(1460), server: Self.mss(1460)) {
      $0.translator.maximumSegmentSize = 1360
    }
    #expect(try Self.limit(&gate, Self.tcp(Self.back, Self.ack), from: .outside) == 1400)
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == 1400)
  }

  @Test("CS7 a new connection on the same session announces anew")
  func again() throws {
    var gate = try Self.connected(client: Self.mss(1220), server: Self.mss(1220))
    _ = try Self.limit(&gate, Self.tcp(Self.out, Self.syn, options: Self.mss(1460)), from: .inside)
    #expect(try Self.limit(&gate, Self.tcp(Self.back, Self.ack), from: .outside) == 1500)
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == 1260)
  }

  @Test("CS7 no size is known of other protocols, nor of a connection whose SYN was not seen")
  func unknown() throws {
    var gate = Gate { $0.translator.loose = true }
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == .max)
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == .max)
    #expect(try Self.limit(&gate, Array(Gate.datagram[14...]), from: .inside) == .max)
  }

  @Test(
    "IE3 a 3/4 from outside lowers what leaves towards its quote's receiver, and nothing else",
    arguments: [
      (1400, 1400), (1499, 1499), (1500, 1500), (9000, 1500),
      // Before RFC 1191 routers said nothing; and below 552 a sender lets them split.
      (0, 1500), (1, 552), (551, 552), (553, 553),
    ] as [(UInt16, UInt16)])
  func fromOutside(mtu: UInt16, largest: UInt16) throws {
    var gate = try Self.connected(client: Self.mss(1460), server: Self.mss(1460))
    let quoted = Self.tcp((Self.outside, 5000, Self.server, 443), Self.ack)
    let error = Self.tooBig(quoted, mtu: mtu, from: [203, 0, 113, 77], to: Self.outside)
    #expect(try Self.limit(&gate, error, from: .outside) == .max)
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == largest)
    #expect(try Self.limit(&gate, Self.tcp(Self.back, Self.ack), from: .outside) == 1500)
    // A larger one later raises nothing.
    let later = Self.tooBig(quoted, mtu: 1480, from: [203, 0, 113, 77], to: Self.outside)
    _ = try Self.limit(&gate, later, from: .outside)
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == min(largest, 1480))
  }

  @Test("IE4 a 3/4 from an inside router lowers what goes in, and nothing else")
  func fromInside() throws {
    var gate = try Self.connected(client: Self.mss(1460), server: Self.mss(1460))
    let quoted = Self.tcp((Self.server, 443, Self.client, 5000), Self.ack)
    let error = Self.tooBig(quoted, mtu: 1300, from: [192, 168, 1, 9], to: Self.server)
    #expect(try Self.limit(&gate, error, from: .inside, host: 9) == .max)
    #expect(try Self.limit(&gate, Self.tcp(Self.back, Self.ack), from: .outside) == 1300)
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == 1500)
  }

  @Test("IE15 a 3/4 that does not pass lowers nothing, nor does another error")
  func ignored() throws {
    var gate = try Self.connected(client: Self.mss(1460), server: Self.mss(1460))
    let foreign = Self.tcp((Self.outside, 5000, Self.server, 444), Self.ack)
    gate.receive(
      Self.frame(Self.tooBig(foreign, mtu: 600, from: [203, 0, 113, 77], to: Self.outside), from: .outside),
      from: .outside)
    #expect(gate.takeSent() == [])
    #expect(gate.counters.drops(.icmpErrorUnmatched) == 1)
    // 3/1 with the same bytes where an MTU would stand.
    let quoted = Self.tcp((Self.outside, 5000, Self.server, 443), Self.ack)
    let other = PacketBuilder(
      [203, 0, 113, 77], Self.outside, .icmp(type: 3, code: 1, rest: 600, data: quoted)
    ).bytes
    #expect(try Self.limit(&gate, other, from: .outside) == .max)
    #expect(try Self.limit(&gate, Self.tcp(Self.out, Self.ack), from: .inside) == 1500)
  }

  @Test("HP6 between inside hosts both announcements and a 3/4 count")
  func hairpin() throws {
    var gate = Gate {
      $0.table.forwards = [
        PortForward(
          .tcp, public: Endpoint(Gate.publicAddress, 8080), private: Endpoint(IPv4Address(192, 168, 1, 3), 80)
        )
      ]
    }
    let there: Ends = (Self.client, 5000, Self.outside, 8080)
    let here: Ends = ([192, 168, 1, 3], 80, Self.outside, 5000)
    _ = try Self.limit(&gate, Self.tcp(there, Self.syn, options: Self.mss(1220)), from: .inside)
    _ = try Self.limit(
      &gate, Self.tcp(here, Self.syn | Self.ack, options: Self.mss(1320)), from: .inside, host: 3)
    #expect(try Self.limit(&gate, Self.tcp(there, Self.ack), from: .inside) == 1360)
    #expect(try Self.limit(&gate, Self.tcp(here, Self.ack), from: .inside, host: 3) == 1260)
    // About a packet of the client's, as the receiver's router saw it.
    let quoted = Self.tcp((Self.outside, 5000, [192, 168, 1, 3], 80), Self.ack)
    let error = Self.tooBig(quoted, mtu: 1300, from: [192, 168, 1, 9], to: Self.outside)
    _ = try Self.limit(&gate, error, from: .inside, host: 9)
    #expect(try Self.limit(&gate, Self.tcp(there, Self.ack), from: .inside) == 1300)
    #expect(try Self.limit(&gate, Self.tcp(here, Self.ack), from: .inside, host: 3) == 1260)
  }
}
