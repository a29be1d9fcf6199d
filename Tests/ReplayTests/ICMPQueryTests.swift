import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 5508 section 3.
@Suite("IQ ICMP queries")
struct ICMPQueryTests {
  @Test("IQ1 one public identifier towards every remote, replies restored, RFC 5508 REQ-1")
  func mapped() throws {
    var script = try Script()
    script.outbound(.s(1), .echo(Stage.c1, Stage.s1, 4711), as: Stage.x(0))
    script.inbound(.s(1.1), .echoReply(Stage.s1, Stage.gateway, 0), to: "192.168.1.2:4711")
    script.outbound(.s(2), .echo(Stage.c1, Stage.s2, 4711), as: Stage.x(0))
    script.inbound(.s(2.1), .echoReply(Stage.s2, Stage.gateway, 0), to: "192.168.1.2:4711")
    script.outbound(.s(3), .echo(Stage.c1, Stage.s1, 4712), as: Stage.x(1))
    try script.check(sessions: [
      "icmp 192.168.1.2:4711 203.0.113.5:0 142.250.195.100:0 active idle 1.9 expires 58 out 1/36 in 1/36",
      "icmp 192.168.1.2:4711 203.0.113.5:0 151.101.65.69:0 active idle 0.9 expires 59 out 1/36 in 1/36",
      "icmp 192.168.1.2:4712 203.0.113.5:1 142.250.195.100:0 active idle 0 expires 60 out 1/36 in 0/0",
    ])
  }

  @Test(
    "IQ2 two hosts with one identifier each get their own replies",
    arguments: ["sequential", "preserve", "random"])
  func sameIdentifier(choice: String) throws {
    let requests: [Datagram] = [.echo(Stage.c1, Stage.s1, 42), .echo(Stage.c2, Stage.s1, 42)]
    let ends = try Script.publicEnds(["port-choice": choice], requests).ends
    let (first, second) = (try #require(ends[0]), try #require(ends[1]))
    #expect(first != second)
    if choice == "preserve" { #expect(first.port == 42) }
    var script = try Script(["port-choice": choice])
    script.outbound(.milliseconds(1), requests[0], as: first)
    script.outbound(.milliseconds(2), requests[1], as: second)
    script.inbound(.s(1), .echoReply(Stage.s1, Stage.gateway, second.port), to: "192.168.1.3:42")
    script.inbound(.s(2), .echoReply(Stage.s1, Stage.gateway, first.port), to: "192.168.1.2:42")
    try script.check()
  }

  @Test("IQ3 a session lives 60 s from the last request, RFC 5508 REQ-2")
  func lifetime() throws {
    var script = try Script()
    script.outbound(.s(1), .echo(Stage.c1, Stage.s1, 42), as: Stage.x(0))
    script.outbound(.s(61), .echo(Stage.c1, Stage.s1, 42), as: Stage.x(0))
    script.inbound(.s(121), .echoReply(Stage.s1, Stage.gateway, 0), to: "192.168.1.2:42")
    script.dropped(.s(121) + .nanosecond, .outside, .echoReply(Stage.s1, Stage.gateway, 0), "noBinding")
    try script.check(sessions: [])
  }

  @Test("IQ4 an echo reply from outside without a binding makes nothing, RFC 5508 REQ-1")
  func replyWithoutBinding() throws {
    var script = try Script()
    script.dropped(.s(1), .outside, .echoReply(Stage.s1, Stage.gateway, 42), "noBinding")
    try script.check(sessions: [])
  }

  @Test("IQ5 a reply from inside without a request makes nothing", arguments: [UInt8(0), 14, 16, 18])
  func replyFromInside(type: UInt8) throws {
    var script = try Script()
    script.dropped(.s(1), .inside, .query(type, Stage.c1, Stage.s1, 42), "noSession")
    try script.check(sessions: [])
  }

  @Test("IQ6 echo requests to the gateway are answered from both sides, whatever the identifier")
  func gateway() throws {
    var script = try Script()
    script.outbound(.s(1), .echo(Stage.c1, Stage.s1, 42), as: Stage.x(0))
    for (time, side, asker, asked) in [
      (2.0, Side.inside, Stage.c1, "192.168.1.1"), (3, .inside, Stage.c1, Stage.gateway),
      (4, .outside, Stage.s1, Stage.gateway),
    ] {
      let request = Datagram.echo(asker, asked, 0).with {
        $0.typeOfService = 0x28
        $0.flagsAndOffset = 0
        $0.options = [1, 1, 1, 0]
      }
      script.receive(.s(time), side, request)
      script.expect(
        .s(time), side,
        .echoReply(asked, asker, 0).with {
          $0.typeOfService = 0x28
          $0.identification = 0
        })
      script.dropped(.s(time + 0.5), side, request.with { $0.error = 1 }, "badEchoChecksum")
    }
    script.dropped(.s(5), .outside, .echo(Stage.s1, "192.168.1.1", 1), "toGateway")
    script.dropped(.s(6), .inside, .udp("192.168.1.2:5", "192.168.1.1:53"), "toGateway")
    try script.check()
  }

  @Test(
    "IQ7 ST-1 an echo request to a 1:1 address reaches its host, which answers from there, RFC 5508 REQ-1")
  func oneToOne() throws {
    var script = try Script(
      more: ["static:", "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.3 }"])
    script.inbound(.s(1), .echo(Stage.s1, "203.0.113.9", 42), to: End(Stage.c2, 42))
    script.outbound(.s(2), .echoReply(Stage.c2, Stage.s1, 42), as: End("203.0.113.9", 42))
    // An unsolicited reply passes in neither direction.
    script.dropped(.s(3), .outside, .echoReply(Stage.s1, "203.0.113.9", 43), "noSession")
    script.dropped(.s(4), .inside, .echoReply(Stage.c2, Stage.s1, 43), "noSession")
    try script.check(sessions: [
      "icmp static 192.168.1.3:42 203.0.113.9:42 142.250.195.100:0 active idle 2 expires 58 out 1/36 in 1/36"
    ])
  }

  @Test("IQ8 identifiers 0 and 65535 pass and are kept where they are free")
  func extremes() throws {
    var script = try Script(["port-choice": "preserve"])
    for (time, identifier) in [(1.0, UInt16(0)), (2, 65535)] {
      script.outbound(.s(time), .echo(Stage.c1, Stage.s1, identifier), as: Stage.x(identifier))
      script.inbound(
        .s(time + 0.1), .echoReply(Stage.s1, Stage.gateway, identifier), to: End(Stage.c1, identifier))
    }
    try script.check()
  }

  @Test("IQ8 all 65536 identifiers are used, each once, and the next is refused, RFC 5508 REQ-8")
  func exhausted() throws {
    let sources = (0..<65540).map { End("192.168.1.\(2 + $0 / 16000)", UInt16(truncatingIfNeeded: $0 * 7)) }
    let (ends, outcome) = try Script.publicEnds(
      ["lifetimes": "{ icmp: 600s }"], flood: .echo(Stage.c1, Stage.s1, 1), from: sources)
    let identifiers = ends.compactMap { $0?.port }
    #expect(identifiers.count == 65536 && Set(identifiers).count == 65536)
    #expect(outcome.stats.drops["portsExhausted"] == 4)
  }

  @Test(
    "IQ9 timestamp, information and address mask requests have a binding as echo has",
    arguments: [UInt8(13), 15, 17])
  func otherQueries(type: UInt8) throws {
    var script = try Script()
    script.outbound(.s(1), .query(type, Stage.c1, Stage.s1, 42), as: Stage.x(0))
    script.inbound(.s(2), .query(type + 1, Stage.s1, Stage.gateway, 0), to: "192.168.1.2:42")
    // All kinds of query with the same identifier share a binding.
    script.outbound(.s(3), .echo(Stage.c1, Stage.s1, 42), as: Stage.x(0))
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 1)
  }

  @Test("IQ10 an Ethernet trailer is in no checksum and is not forwarded")
  func trailer() throws {
    var script = try Script()
    for (time, trailer) in [
      (1.0, [UInt8](repeating: 0xAA, count: 1)), (2, [1, 2, 3]), (3, [UInt8](repeating: 0xFF, count: 40)),
    ] {
      let packet = Datagram.echo(Stage.c1, Stage.s1, 42)
      script.receive(
        .s(time), .inside, Link.frame(Link.gatewayInside, Link.mac(of: Stage.c1), packet.bytes) + trailer)
      script.expect(.s(time), .outside, packet.sent(as: Stage.x(0)))
      let reply = Datagram.echoReply(Stage.s1, Stage.gateway, 0)
      script.receive(
        .s(time + 0.1), .outside, Link.frame(Link.gatewayOutside, Link.router, reply.bytes) + trailer)
      script.expect(.s(time + 0.1), .inside, reply.delivered(to: "192.168.1.2:42"))
      // The gateway's own answer, too.
      let ping = Datagram.echo(Stage.c1, "192.168.1.1", 1)
      script.receive(
        .s(time + 0.2), .inside, Link.frame(Link.gatewayInside, Link.mac(of: Stage.c1), ping.bytes) + trailer)
      script.expect(
        .s(time + 0.2), .inside, .echoReply("192.168.1.1", Stage.c1, 1).with { $0.identification = 0 })
    }
    try script.check()
  }

  @Test("IE2 IE7 a quoted message of zeros whose identifier stays keeps its checksum")
  func quotedZeros() throws {
    var script = try Script()
    script.outbound(.s(1), .echo(Stage.c1, Stage.s1, 0), as: Stage.x(0))
    let error = { (target: String, quoted: String) in
      // An echo reply of zeros: its checksum is all ones.
      var quote = Datagram(
        source: End(quoted, 0), destination: End(Stage.s1, 0),
        payload: .query(type: 0, sequence: 0, data: [])
      ).bytes
      quote.replaceSubrange(22..<24, with: [0xFF, 0xFF])
      return Datagram(
        source: End(Stage.s1, 0), destination: End(target, 0),
        payload: .icmp(type: 3, code: 3, rest: 0, data: quote))
    }
    script.receive(.s(2), .outside, error(Stage.gateway, Stage.gateway))
    script.expect(.s(2), .inside, error(Stage.c1, Stage.c1).with { $0.timeToLive -= 1 })
    try script.check()
  }
}
