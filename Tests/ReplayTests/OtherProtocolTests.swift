import NATControl
import NATWire
import TestSupport
import Testing

/// Other transport protocols: translated by address alone, over 1:1 mappings.
@Suite("FW7 other transport protocols")
struct OtherProtocolTests {
  /// The 1:1 addresses of `Stage.c2` and `Stage.c3`.
  private let mapped = (c2: "203.0.113.6", c3: "203.0.113.7")

  private func script(_ nat: [String: String] = [:], mtu: String = "") throws -> Script {
    try Script(
      nat, interfaces: ("", mtu),
      more: [
        "static:", "  - { protocol: all, public: 203.0.113.6, private: 192.168.1.3 }",
        "  - { protocol: all, public: 203.0.113.7, private: 192.168.1.4 }",
      ])
  }

  /// How a protocol's payload looks between two addresses.
  struct Kind: CustomTestStringConvertible {
    let name: String
    let number: UInt8
    let payload: @Sendable (_ source: String, _ destination: String) -> [UInt8]

    func packet(_ source: String, _ destination: String) -> Datagram {
      Datagram(
        source: End(source, 0), destination: End(destination, 0),
        payload: .other(protocolNumber: number, payload(source, destination)))
    }

    var testDescription: String { name }
  }

  /// A payload with a checksum at 6 that covers the pseudo-header and the first `covered` bytes.
  private static func summed(
    _ number: UInt8, _ source: String, _ destination: String, _ payload: [UInt8], covered: Int
  ) -> [UInt8] {
    let pseudoHeader = InternetChecksum.pseudoHeader(
      source: source.octets, destination: destination.octets, protocolNumber: number,
      length: payload.count)
    let sum = InternetChecksum.of(pseudoHeader + payload.prefix(covered))
    var payload = payload
    payload.replaceSubrange(6..<8, with: big(number == 136 && sum == 0 ? 0xFFFF : sum))
    return payload
  }

  static let kinds = [
    Kind(name: "GRE", number: 47) { _, _ in [0, 0, 8, 0] + [UInt8](repeating: 0x45, count: 33) },
    Kind(name: "ESP", number: 50) { _, _ in [0, 0, 1, 0, 0, 0, 0, 9] + [UInt8](repeating: 0xAB, count: 32) },
    // The checksum of SCTP is a CRC32c over the packet alone, so it stays (RFC 9260 appendix A).
    Kind(name: "SCTP", number: 132) { _, _ in [0x0B, 0x59, 0, 80, 1, 2, 3, 4, 9, 8, 7, 6, 1, 0, 0, 4] },
    // RFC 4340 section 5.1, and section 9.1 for the sum.
    Kind(name: "DCCP", number: 33) {
      let header: [UInt8] = [0x0B, 0x59, 0, 80, 4, 0, 0, 0, 4, 0, 0, 1, 0, 0, 0, 9]
      return summed(33, $0, $1, header + [1, 2, 3], covered: header.count + 3)
    },
    // RFC 3828 section 3.1: the sum covers the header alone.
    Kind(name: "UDP-Lite", number: 136) {
      summed(136, $0, $1, [0x0B, 0x59, 0, 80, 0, 8, 0, 0] + [9, 9, 9], covered: 8)
    },
    Kind(name: "one without a name", number: 253) { _, _ in [] },
    Kind(name: "UDP-Lite too short for its sum", number: 136) { _, _ in [0x0B, 0x59, 0, 80, 0, 8, 7] },
  ]

  private func hop(_ packet: Datagram) -> Datagram { packet.with { $0.timeToLive -= 1 } }

  @Test("FW7 ST-1 CS9 over a 1:1 mapping both ways, either side first, without a session", arguments: kinds)
  func bothWays(kind: Kind) throws {
    var script = try script()
    script.receive(.s(1), .inside, kind.packet(Stage.c2, Stage.s1))
    script.expect(.s(1), .outside, hop(kind.packet(mapped.c2, Stage.s1)))
    script.receive(.s(2), .outside, kind.packet(Stage.s1, mapped.c3))
    script.expect(.s(2), .inside, hop(kind.packet(Stage.s1, Stage.c3)))
    let outcome = try script.check(sessions: [])
    #expect(outcome.stats.events.sessionsCreated == 0)
  }

  @Test("HP8 hairpinned between two 1:1 hosts", arguments: kinds)
  func hairpinned(kind: Kind) throws {
    var script = try script()
    script.receive(.s(1), .inside, kind.packet(Stage.c2, mapped.c3))
    script.expect(.s(1), .inside, hop(kind.packet(mapped.c2, Stage.c3)))
    let outcome = try script.check(sessions: [])
    #expect(outcome.stats.events.hairpins == 0)
  }

  @Test("FW7 without a 1:1 mapping on every side of it that is inside: dropped", arguments: kinds)
  func dropped(kind: Kind) throws {
    var script = try script()
    script.dropped(.s(1), .inside, kind.packet(Stage.c1, Stage.s1), "unknownProtocol")
    script.dropped(.s(2), .outside, kind.packet(Stage.s1, Stage.gateway), "unknownProtocol")
    script.dropped(.s(3), .inside, kind.packet(Stage.c1, mapped.c3), "unknownProtocol")
    script.dropped(.s(4), .inside, kind.packet(Stage.c2, Stage.gateway), "unknownProtocol")
    try script.check()
  }

  @Test("HP8 with hairpin off none comes from inside to a public address")
  func hairpinOff() throws {
    var script = try script(["hairpin": "false"])
    script.dropped(.s(1), .inside, Self.kinds[0].packet(Stage.c2, mapped.c3), "hairpinDisabled")
    try script.check()
  }

  @Test("CS9 a UDP-Lite checksum that comes out as zero is written as all ones, RFC 3828 section 3.1")
  func zeroSum() throws {
    // The last two covered bytes are chosen so that the sum is zero behind the gateway.
    let coverage: UInt16 = 10
    func packet(_ source: String, _ filler: UInt16) -> Datagram {
      let payload = [0x0B, 0x59, 0, 80] + big(coverage) + [0, 0] + big(filler)
      return Datagram(
        source: End(source, 0), destination: End(Stage.s1, 0),
        payload: .other(
          protocolNumber: 136, Self.summed(136, source, Stage.s1, payload, covered: Int(coverage))))
    }
    func field(_ packet: Datagram) -> [UInt8] { Array(packet.bytes[26..<28]) }
    let filler = try #require((1...UInt16.max).first { field(packet(mapped.c2, $0)) == [0xFF, 0xFF] })
    try #require(field(packet(Stage.c2, filler)) != [0xFF, 0xFF])
    var script = try script()
    script.receive(.s(1), .inside, packet(Stage.c2, filler))
    script.expect(.s(1), .outside, hop(packet(mapped.c2, filler)))
    try script.check()
  }

  @Test("CS9 IE7 the sum in a quote is carried as well, where it lies inside the quote")
  func quoted() throws {
    var script = try script()
    for (second, kind) in Self.kinds.enumerated() {
      func error(_ target: String, _ packet: Datagram) -> Datagram {
        Datagram(
          source: End(Stage.s1, 0), destination: End(target, 0),
          payload: .icmp(type: 3, code: 2, rest: 0, data: Array(packet.bytes.prefix(28))))
      }
      script.receive(
        .s(Double(second + 1)), .outside, error(mapped.c2, kind.packet(mapped.c2, Stage.s1)))
      script.expect(
        .s(Double(second + 1)), .inside, hop(error(Stage.c2, kind.packet(Stage.c2, Stage.s1))))
    }
    try script.check()
  }

  @Test("FW4 FR11 TTL and MTU are asked, and the sender is told about the packet as it came")
  func refused() throws {
    var script = try script(mtu: ", mtu: 600")
    let gre = Self.kinds[0]
    func answer(_ type: UInt8, _ code: UInt8, _ rest: UInt32, _ packet: Datagram) -> Datagram {
      Datagram(
        source: "192.168.1.1:0", destination: End(Stage.c2, 0),
        payload: .icmp(type: type, code: code, rest: rest, data: Array(packet.bytes.prefix(548))),
        typeOfService: 0xC0, identification: 0)
    }
    let late = gre.packet(Stage.c2, Stage.s1).with { $0.timeToLive = 1 }
    script.dropped(.s(1), .inside, late, "ttlExceeded")
    script.expect(.s(1), .inside, answer(11, 0, 0, late))
    let large = gre.packet(Stage.c2, Stage.s1).with {
      $0.payload = .other(protocolNumber: 47, [UInt8](repeating: 7, count: 581))
    }
    script.dropped(.s(2), .inside, large, "packetTooBig")
    script.expect(.s(2), .inside, answer(3, 4, 600, large))
    try script.check()
  }

  @Test("FW7 FR12 a datagram in fragments: the sum stands in the first one alone", arguments: kinds.prefix(5))
  func fragments(kind: Kind) throws {
    func fragment(_ source: String, _ field: UInt16, _ bytes: (([UInt8]) -> [UInt8])) -> Datagram {
      let whole = kind.payload(source, Stage.s1)
      return Datagram(
        source: End(source, 0), destination: End(Stage.s1, 0),
        payload: .other(protocolNumber: kind.number, bytes(whole)), flagsAndOffset: field)
    }
    let first = { fragment($0, 0x2000) { Array($0.prefix(8)) } }
    let later = { fragment($0, 1) { Array($0.dropFirst(8)) } }
    var script = try script()
    script.receive(.s(1), .inside, later(Stage.c2))
    script.receive(.s(2), .inside, first(Stage.c2))
    script.expect(.s(2), .outside, hop(first(mapped.c2)))
    script.expect(.s(2), .outside, hop(later(mapped.c2)))
    try script.check()
  }
}
