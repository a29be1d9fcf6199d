import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 4787 REQ-9, RFC 5382 REQ-8, RFC 5508 REQ-7: inside hosts that reach each other by public endpoints.
@Suite("HP hairpin")
struct HairpinTests {
  private static let server: End = "142.250.195.100:3478"
  private static let a: End = "192.168.1.2:5000"
  private static let b: End = "192.168.1.3:6000"
  /// Where 192.168.1.3 and 192.168.1.4 are known outside, as a whole.
  private static let oneToOne = [
    "static:", "  - { protocol: all, public: 203.0.113.8, private: 192.168.1.3 }",
    "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.4 }",
  ]
  private static let kinds = [
    "endpoint-independent", "address-dependent", "address-and-port-dependent",
  ]

  @Test(
    "HP1 UDP to another host's binding comes from the sender's public endpoint, RFC 4787 REQ-9a",
    arguments: kinds)
  func udp(filtering: String) throws {
    var script = try Script(["filtering": filtering])
    script.outbound(.s(1), .udp(HairpinTests.b, HairpinTests.server), as: Stage.x(50001))
    // No filter: the live binding is open to inside hosts.
    script.hairpin(.s(2), .udp(HairpinTests.a, Stage.x(50001)), from: Stage.x(50002), to: HairpinTests.b)
    script.hairpin(.s(3), .udp(HairpinTests.b, Stage.x(50002)), from: Stage.x(50001), to: HairpinTests.a)
    script.hairpin(.s(4), .udp(HairpinTests.a, Stage.x(50001)), from: Stage.x(50002), to: HairpinTests.b)
    try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50002 203.0.113.5:50001 active idle 0 expires 300 out 2/72 in 1/36 hairpin",
      "udp 192.168.1.3:6000 203.0.113.5:50001 142.250.195.100:3478 active idle 3 expires 297 out 1/36 in 0/0",
      "udp 192.168.1.3:6000 203.0.113.5:50001 203.0.113.5:50002 active idle 0 expires 299 out 1/36 in 2/72 hairpin",
    ])
  }

  @Test("HP2 TCP to another host's binding: handshake, data and close over both legs, RFC 5382 REQ-8")
  func tcp() throws {
    var script = try Script()
    script.outbound(.s(1), .tcp(HairpinTests.b, HairpinTests.server, .syn), as: Stage.x(50001))
    let exchange: [(isFromA: Bool, flags: SegmentFlags, text: String)] = [
      (true, .syn, ""), (false, [.syn, .ack], ""), (true, .ack, ""), (true, [.psh, .ack], "question"),
      (false, [.psh, .ack], "an odd answer"), (true, [.fin, .ack], ""), (false, [.fin, .ack], ""),
      (true, .ack, ""),
    ]
    for (index, step) in exchange.enumerated() {
      let time = Duration.s(Double(2 + index))
      if step.isFromA {
        script.hairpin(
          time, .tcp(HairpinTests.a, Stage.x(50001), step.flags, step.text), from: Stage.x(50002),
          to: HairpinTests.b)
      } else {
        script.hairpin(
          time, .tcp(HairpinTests.b, Stage.x(50002), step.flags, step.text), from: Stage.x(50001),
          to: HairpinTests.a)
      }
    }
    // Closed at 8 s, so transitory until 248 s.
    try script.check(sessions: [
      "tcp 192.168.1.2:5000 203.0.113.5:50002 203.0.113.5:50001 closed idle 0 expires 239 out 5/208 in 3/133 hairpin",
      "tcp 192.168.1.3:6000 203.0.113.5:50001 142.250.195.100:3478 syn-sent idle 8 expires 232 out 1/40 in 0/0",
      "tcp 192.168.1.3:6000 203.0.113.5:50001 203.0.113.5:50002 closed idle 0 expires 239 out 3/133 in 5/208 hairpin",
    ])
  }

  @Test(
    "HP2 only SYN opens a hairpinned connection, and its MSS is lowered",
    arguments: [SegmentFlags.ack, .rst, [.syn, .ack]])
  func opening(flags: SegmentFlags) throws {
    var script = try Script(["tcp": "{ loose: true }"])
    script.outbound(.s(1), .tcp(HairpinTests.b, HairpinTests.server, .syn), as: Stage.x(50001))
    script.dropped(.s(2), .inside, .tcp(HairpinTests.a, Stage.x(50001), flags), "noSession")
    func syn(_ source: End, _ destination: End, _ size: UInt16) -> Datagram {
      let segment = Datagram.Segment(flags: .syn, options: [2, 4] + big(size))
      return Datagram(source: source, destination: destination, payload: .tcp(segment))
    }
    script.receive(.s(3), .inside, syn(HairpinTests.a, Stage.x(50001), 9000))
    script.expect(.s(3), .inside, syn(Stage.x(50002), HairpinTests.b, 1460).with { $0.timeToLive = 63 })
    try script.check()
  }

  @Test(
    "HP2 where the receiver's session has ended, nothing but a SYN makes another, though the sender's lives")
  func receiverWithoutSession() throws {
    var script = try Script()
    let syn = Datagram.tcp(HairpinTests.b, HairpinTests.server, .syn)
    script.outbound(.s(1), syn, as: Stage.x(50001))
    script.hairpin(
      .s(2), .tcp(HairpinTests.a, Stage.x(50001), .syn), from: Stage.x(50002), to: HairpinTests.b)
    // The binding ends at 241 s, and with it the session that its host never used. The sender's lives to 242 s.
    script.outbound(.s(241.5), syn, as: Stage.x(50001))
    script.dropped(.s(241.6), .inside, .tcp(HairpinTests.a, Stage.x(50001), .ack), "noSession")
    script.hairpin(
      .s(241.7), .tcp(HairpinTests.a, Stage.x(50001), .syn), from: Stage.x(50002), to: HairpinTests.b)
    try script.check()
  }

  @Test("HP3 a query reaches a 1:1 host under the sender's translated identifier, and its reply comes back")
  func query() throws {
    var script = try Script(more: HairpinTests.oneToOne)
    // Another host has identifier 0.
    script.outbound(.s(1), .echo("192.168.1.5", Stage.s1, 77), as: Stage.x(0))
    for (time, type) in [(2.0, UInt8(8)), (4, 13)] {
      script.hairpin(
        .s(time), .query(type, Stage.c1, "203.0.113.8", 4711), from: Stage.x(1), to: End(Stage.c2, 1))
      let reply = type == 8 ? UInt8(0) : 14
      script.receive(.s(time + 1), .inside, .query(reply, Stage.c2, Stage.gateway, 1))
      script.expect(
        .s(time + 1), .inside,
        .query(reply, "203.0.113.8", Stage.c1, 4711).with { $0.timeToLive = 63 })
    }
    try script.check(sessions: [
      "icmp 192.168.1.2:4711 203.0.113.5:1 203.0.113.8:0 active idle 0 expires 59 out 2/76 in 2/76 hairpin",
      "icmp static 192.168.1.3:1 203.0.113.8:1 203.0.113.5:0 active idle 0 expires 60 out 2/76 in 2/76 hairpin",
      "icmp 192.168.1.5:77 203.0.113.5:0 142.250.195.100:0 active idle 4 expires 56 out 1/36 in 0/0",
    ])
  }

  @Test(
    "HP4 an echo request to a dynamic query binding's address is answered by the gateway, RFC 5508 REQ-7a")
  func echoToDynamic() throws {
    var script = try Script()
    script.outbound(.s(1), .echo(Stage.c2, Stage.s1, 42), as: Stage.x(0))
    script.receive(.s(2), .inside, .echo(Stage.c1, Stage.gateway, 0))
    script.expect(.s(2), .inside, .echoReply(Stage.gateway, Stage.c1, 0).with { $0.identification = 0 })
    // The gateway answers no other queries.
    script.dropped(.s(3), .inside, .query(13, Stage.c1, Stage.gateway, 0), "noBinding")
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 1 && outcome.stats.events.hairpins == 0)
  }

  @Test("HP5 an error about a hairpinned packet comes from outside and quotes what was sent, RFC 5508 REQ-7")
  func error() throws {
    var script = try Script(["pool": "[{ address: 203.0.113.7, ports: 50001-60000 }]"])
    let (xa, xb) = (End("203.0.113.7", 50002), End("203.0.113.7", 50001))
    script.outbound(.s(1), .udp(HairpinTests.b, HairpinTests.server), as: xb)
    let packet = Datagram.udp(HairpinTests.a, xb)
    script.hairpin(.s(2), packet, from: xa, to: HairpinTests.b)
    // The host itself: from its public address. Another inside station: from the outside address.
    for (time, sender, seen) in [(3.0, Stage.c2, "203.0.113.7"), (4, Stage.c3, Stage.gateway)] {
      script.receive(
        .s(time), .inside,
        .passingError(
          3, 3, from: sender, to: xa.address, quoting: packet.hairpinned(from: xa, to: HairpinTests.b)))
      script.expect(
        .s(time), .inside,
        .passingError(3, 3, from: seen, to: Stage.c1, quoting: packet.with { $0.timeToLive = 63 })
          .with { $0.timeToLive = 63 })
    }
    let outcome = try script.check()
    #expect(outcome.stats.events.hairpins == 1, "an error is none")
  }

  @Test("HP6 over 1:1 mappings: host to server, server to host, server to server, RFC 4787 REQ-9")
  func statics() throws {
    var script = try Script(more: HairpinTests.oneToOne)
    let (b, c): (End, End) = ("192.168.1.3:80", "192.168.1.4:80")
    let (xb, xc): (End, End) = ("203.0.113.8:80", "203.0.113.9:80")
    // Host to server and back.
    script.hairpin(.s(1), .udp(HairpinTests.a, xb), from: Stage.x(50001), to: b)
    script.hairpin(.s(2), .udp(b, Stage.x(50001)), from: xb, to: HairpinTests.a)
    // Server to a host's own binding, unfiltered.
    script.hairpin(.s(3), .udp(c, Stage.x(50001)), from: xc, to: HairpinTests.a)
    // Server to server and back.
    script.hairpin(.s(4), .tcp(c, xb, .syn), from: xc, to: b)
    script.hairpin(.s(5), .tcp(b, xc, [.syn, .ack]), from: xb, to: c)
    script.hairpin(.s(6), .tcp(c, xb, .ack), from: xc, to: b)
    try script.check(sessions: [
      "tcp static 192.168.1.3:80 203.0.113.8:80 203.0.113.9:80 established idle 0 expires 7440 out 1/40 in 2/80 hairpin",
      "tcp static 192.168.1.4:80 203.0.113.9:80 203.0.113.8:80 established idle 0 expires 7440 out 2/80 in 1/40 hairpin",
      "udp 192.168.1.2:5000 203.0.113.5:50001 203.0.113.8:80 active idle 4 expires 295 out 1/36 in 1/36 hairpin",
      "udp 192.168.1.2:5000 203.0.113.5:50001 203.0.113.9:80 active idle 3 expires 297 out 0/0 in 1/36 hairpin",
      "udp static 192.168.1.3:80 203.0.113.8:80 203.0.113.5:50001 active idle 4 expires 296 out 1/36 in 1/36 hairpin",
      "udp static 192.168.1.4:80 203.0.113.9:80 203.0.113.5:50001 active idle 3 expires 297 out 1/36 in 0/0 hairpin",
    ])
  }

  @Test("HP6 over a port forward, from a host and from the server itself")
  func forward() throws {
    var script = try Script(
      more: ["static:", "  - { protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.3:80 }"])
    script.hairpin(
      .s(1), .tcp(HairpinTests.a, Stage.x(8080), .syn), from: Stage.x(50001), to: "192.168.1.3:80")
    script.hairpin(
      .s(2), .tcp("192.168.1.3:80", Stage.x(50001), [.syn, .ack]), from: Stage.x(8080), to: HairpinTests.a)
    script.hairpin(
      .s(3), .tcp("192.168.1.3:4000", Stage.x(8080), .syn), from: Stage.x(50002), to: "192.168.1.3:80")
    try script.check()
  }

  @Test("HP9 a host that sends to its own endpoint gets its packet from there, once, RFC 4787 REQ-9")
  func itself() throws {
    var script = try Script()
    script.outbound(.s(1), .udp(HairpinTests.a, HairpinTests.server), as: Stage.x(50001))
    script.hairpin(.s(2), .udp(HairpinTests.a, Stage.x(50001)), from: Stage.x(50001), to: HairpinTests.a)
    script.hairpin(.s(3), .udp(HairpinTests.a, Stage.x(50001)), from: Stage.x(50001), to: HairpinTests.a)
    // A SYN is both sides' SYN.
    script.outbound(.s(4), .tcp(HairpinTests.a, HairpinTests.server, .syn), as: Stage.x(50001))
    script.hairpin(
      .s(5), .tcp(HairpinTests.a, Stage.x(50001), .syn), from: Stage.x(50001), to: HairpinTests.a)
    let outcome = try script.check(sessions: [
      "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:3478 syn-sent idle 1 expires 239 out 1/40 in 0/0",
      "tcp 192.168.1.2:5000 203.0.113.5:50001 203.0.113.5:50001 established idle 0 expires 7440 out 1/40 in 1/40 hairpin",
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:3478 active idle 4 expires 296 out 1/36 in 0/0",
      "udp 192.168.1.2:5000 203.0.113.5:50001 203.0.113.5:50001 active idle 2 expires 298 out 2/72 in 2/72 hairpin",
    ])
    #expect(outcome.stats.events.hairpins == 3)
  }

  @Test("HP11 to a public address where nothing is bound: dropped once, not sent outside, no state")
  func unbound() throws {
    var script = try Script(
      ["pool": "[{ address: 203.0.113.7, ports: 50001-60000 }]"], more: HairpinTests.oneToOne)
    for (index, address) in ["203.0.113.5", "203.0.113.7"].enumerated() {
      let time = Duration.s(Double(index + 1))
      script.dropped(time, .inside, .udp(HairpinTests.a, End(address, 50001)), "noBinding")
      script.dropped(time, .inside, .tcp(HairpinTests.a, End(address, 50001), .syn), "noBinding")
      script.dropped(time, .inside, .query(13, Stage.c1, address, 9), "noBinding")
    }
    try script.check(sessions: [])
  }

  @Test("HP11 with hairpin: false only echo requests to the gateway get an answer")
  func disabled() throws {
    var script = try Script(["hairpin": "false"], more: HairpinTests.oneToOne)
    script.outbound(.s(1), .udp(HairpinTests.b, HairpinTests.server), as: "203.0.113.8:6000")
    for packet in [
      Datagram.udp(HairpinTests.a, "203.0.113.8:6000"), .tcp(HairpinTests.a, "203.0.113.8:80", .syn),
      .echo(Stage.c1, "203.0.113.8", 5), .query(13, Stage.c1, Stage.gateway, 5),
    ] {
      script.dropped(.s(2), .inside, packet, "hairpinDisabled")
    }
    script.receive(.s(3), .inside, .echo(Stage.c1, Stage.gateway, 5))
    script.expect(.s(3), .inside, .echoReply(Stage.gateway, Stage.c1, 5).with { $0.identification = 0 })
    try script.check()
  }

  @Test("HP12 hairpins are counted, a datagram once, and their sessions flagged; others are not")
  func visible() throws {
    var script = try Script(more: HairpinTests.oneToOne)
    script.outbound(.s(1), .udp(HairpinTests.a, HairpinTests.server), as: Stage.x(50001))
    script.hairpin(.s(2), .udp(HairpinTests.a, "203.0.113.8:9"), from: Stage.x(50001), to: "192.168.1.3:9")
    script.hairpin(
      .s(3), .tcp(HairpinTests.a, "203.0.113.8:9", .syn), from: Stage.x(50001), to: "192.168.1.3:9")
    script.hairpin(.s(4), .echo(Stage.c1, "203.0.113.8", 9), from: Stage.x(0), to: End(Stage.c2, 0))
    script.dropped(.s(5), .inside, .udp(HairpinTests.a, Stage.x(50009)), "noBinding")
    let outcome = try script.check()
    #expect(outcome.stats.events.hairpins == 3)
    let flags = outcome.table.bindings.flatMap { $0.sessions.map(\.hairpin) }
    #expect(flags.count { $0 } == 6 && flags.count == 7)
  }
}

extension Script {
  /// An inside host's packet reaches another one, or itself, from its sender's public endpoint.
  mutating func hairpin(_ time: Duration, _ packet: Datagram, from public: End, to private: End) {
    receive(time, .inside, packet)
    expect(time, .inside, packet.hairpinned(from: `public`, to: `private`))
  }
}

extension Datagram {
  /// As it reaches an inside host from the sender's public endpoint.
  func hairpinned(from public: End, to private: End) -> Datagram {
    with {
      $0.timeToLive -= 1
      $0.source = `public`
      $0.destination = `private`
    }
  }
}
