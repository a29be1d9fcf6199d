import NATControl
import NATWire
import Testing

/// RFC 5508 section 4: ICMP errors about packets that were translated.
@Suite("IE ICMP errors")
struct ICMPErrorTests {
  private static let host: End = "192.168.1.2:5000"
  private static let remote: End = "142.250.195.100:9"
  private static let router = "198.51.100.254"

  /// A packet of 192.168.1.2 that left, and what it left as: TTL 63 outside, 50 where the error was made.
  struct Sent: CustomTestStringConvertible {
    var name: String
    var packet: Datagram
    var x: End

    var seen: Datagram { packet.sent(as: x).with { $0.timeToLive = 50 } }
    var known: Datagram { packet.with { $0.timeToLive = 50 } }
    var testDescription: String { name }
  }

  private static let udp = Sent(name: "UDP", packet: .udp(host, remote), x: Stage.x(50001))
  private static let tcp = Sent(name: "TCP", packet: .tcp(host, remote, .syn), x: Stage.x(50001))
  private static let echo = Sent(name: "echo", packet: .echo(Stage.c1, Stage.s1, 4711), x: Stage.x(0))

  /// A script in which the packet has left at 1 s, and an error is due to come.
  private func script(after sent: Sent, _ nat: [String: String] = [:]) throws -> Script {
    var script = try Script(nat)
    script.outbound(.s(1), sent.packet, as: sent.x)
    return script
  }

  /// An error comes from outside, and its inside host reads it.
  private func delivered(_ script: inout Script, _ time: Duration, _ error: Datagram, as read: Datagram) {
    script.receive(time, .outside, error)
    script.expect(time, .inside, read.with { $0.timeToLive = error.timeToLive - 1 })
  }

  // MARK: From outside

  @Test(
    "IE1 IE2 the peer's error reaches the host, which finds its own packet quoted, RFC 5508 REQ-4",
    arguments: [udp, tcp, echo])
  func fromPeer(sent: Sent) throws {
    var script = try script(after: sent)
    delivered(
      &script, .s(2), .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: sent.seen),
      as: .passingError(3, 3, from: Stage.s1, to: Stage.c1, quoting: sent.known))
    try script.check()
  }

  @Test(
    "IE3 an error of a router that is no peer is delivered, from that router, RFC 4787 REQ-12a",
    arguments: [udp, tcp, echo],
    ["endpoint-independent", "address-dependent", "address-and-port-dependent"])
  func fromRouter(sent: Sent, filtering: String) throws {
    var script = try script(after: sent, ["filtering": filtering])
    delivered(
      &script, .s(2),
      .passingError(11, 0, from: ICMPErrorTests.router, to: Stage.gateway, quoting: sent.seen),
      as: .passingError(11, 0, from: ICMPErrorTests.router, to: Stage.c1, quoting: sent.known))
    try script.check()
  }

  @Test("IE6 a quoted UDP checksum of zero stays zero, RFC 5508 REQ-3")
  func noChecksum() throws {
    let sent = Sent(
      name: "", packet: ICMPErrorTests.udp.packet.with { $0.payload = .udp([1, 2, 3], hasChecksum: false) },
      x: Stage.x(50001))
    var script = try script(after: sent)
    delivered(
      &script, .s(2), .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: sent.seen),
      as: .passingError(3, 3, from: Stage.s1, to: Stage.c1, quoting: sent.known))
    try script.check()
  }

  @Test(
    "IE7 a quote cut behind the ports is translated, and a checksum field beyond its end left alone, RFC 5508 REQ-3",
    arguments: [udp, tcp, echo], [4, 6, 7, 8, 9, 17, 18, 19, 20])
  func cut(sent: Sent, count: Int) throws {
    guard sent.name != "echo" || count >= 6 else { return }
    var script = try script(after: sent)
    let seen = Array(sent.seen.bytes.prefix(20 + count))
    var known = Array(sent.known.bytes.prefix(20 + count))
    // Half a checksum field is as one that is not there.
    let field = 20 + (sent.name == "UDP" ? 6 : 16)
    if known.count == field + 1 { known[field] = seen[field] }
    delivered(
      &script, .s(2), .passingError(3, 1, from: Stage.s1, to: Stage.gateway, data: seen),
      as: .passingError(3, 1, from: Stage.s1, to: Stage.c1, data: known))
    try script.check()
  }

  @Test("IE7 where the checksum field would be, but behind the quoted packet's own end, nothing is changed")
  func behindTheQuote() throws {
    // A total length of 28 bytes: what follows is padding, though TCP's checksum field would lie in it.
    var script = try script(after: ICMPErrorTests.tcp)
    func error(_ quoted: Datagram, to: String) -> Datagram {
      let short = quoted.with {
        $0.payload = .other(protocolNumber: 6, Array(quoted.bytes[20..<28]))
      }
      return .passingError(
        3, 1, from: Stage.s1, to: to, quoting: short, tail: [UInt8](repeating: 0xEE, count: 20))
    }
    delivered(
      &script, .s(2), error(ICMPErrorTests.tcp.seen, to: Stage.gateway),
      as: error(ICMPErrorTests.tcp.known, to: Stage.c1))
    try script.check()
  }

  @Test(
    "IE8 a quote without its ports, or a query's without its identifier, is dropped, RFC 5508 REQ-3",
    arguments: [(udp, 0...3), (tcp, 0...3), (echo, 0...5)] as [(Sent, ClosedRange<Int>)])
  func cutShort(sent: Sent, counts: ClosedRange<Int>) throws {
    var script = try script(after: sent)
    for count in counts {
      script.dropped(
        .s(2), .outside,
        .passingError(3, 1, from: Stage.s1, to: Stage.gateway, quoting: sent.seen, count: 20 + count),
        "icmpErrorUnmatched")
    }
    // The IPv4 header itself is cut, or there is no quote at all.
    for count in [0, 1, 12, 19] {
      script.dropped(
        .s(3), .outside,
        .passingError(3, 1, from: Stage.s1, to: Stage.gateway, quoting: sent.seen, count: count),
        "icmpErrorUnmatched")
    }
    try script.check()
  }

  @Test(
    "IE9 options in the quoted header are passed over; cut within them, the error is dropped, RFC 5508 REQ-3b"
  )
  func options() throws {
    let longest: [UInt8] = [7, 39, 4] + [UInt8](repeating: 0, count: 36) + [0]
    for options in [longest, [1, 1, 1, 0]] {
      let quoted: (Datagram) -> Datagram = { $0.with { $0.options = options } }
      var script = try script(after: ICMPErrorTests.udp)
      delivered(
        &script, .s(2),
        .passingError(12, 0, from: Stage.s1, to: Stage.gateway, quoting: quoted(ICMPErrorTests.udp.seen)),
        as: .passingError(12, 0, from: Stage.s1, to: Stage.c1, quoting: quoted(ICMPErrorTests.udp.known)))
      for count in [20, 21, 19 + options.count, 20 + options.count, 23 + options.count] {
        script.dropped(
          .s(3), .outside,
          .passingError(
            12, 0, from: Stage.s1, to: Stage.gateway, quoting: quoted(ICMPErrorTests.udp.seen), count: count),
          "icmpErrorUnmatched")
      }
      try script.check()
    }
  }

  @Test("IE10 a wrong header checksum in the quote: dropped, RFC 5508 REQ-3a", arguments: [udp, tcp, echo])
  func quotedHeader(sent: Sent) throws {
    var script = try script(after: sent)
    script.dropped(
      .s(2), .outside,
      .passingError(
        3, 3, from: Stage.s1, to: Stage.gateway, quoting: sent.seen.with { $0.headerError = 1 }),
      "icmpErrorUnmatched")
    try script.check()
  }

  @Test("IE11 a wrong ICMP checksum: dropped, from either side, RFC 5508 REQ-3")
  func checksum() throws {
    var script = try script(after: ICMPErrorTests.udp)
    let error = Datagram.passingError(
      3, 3, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorTests.udp.seen)
    script.dropped(.s(2), .outside, error.with { $0.error = 1 }, "badICMPChecksum")
    let answer = Datagram.udp(ICMPErrorTests.remote, Stage.x(50001))
    script.inbound(.s(3), answer, to: ICMPErrorTests.host)
    let outbound = Datagram.passingError(
      3, 3, from: Stage.c1, to: Stage.s1, quoting: answer.delivered(to: ICMPErrorTests.host))
    script.dropped(.s(4), .inside, outbound.with { $0.error = 0x8000 }, "badICMPChecksum")
    try script.check()
  }

  @Test("IE12 a wrong transport checksum in the quote: passes, and stays wrong by as much, RFC 5508 REQ-3c")
  func quotedChecksum() throws {
    for sent in [ICMPErrorTests.udp, ICMPErrorTests.tcp, ICMPErrorTests.echo] {
      var script = try script(after: sent)
      let wrong: (inout Datagram) -> Void = { $0.error = 0x1234 }
      delivered(
        &script, .s(2),
        .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: sent.seen.with(wrong)),
        as: .passingError(3, 3, from: Stage.s1, to: Stage.c1, quoting: sent.known.with(wrong)))
      try script.check()
    }
  }

  @Test("IE13 an RFC 4884 extension (MPLS labels) is kept, and the checksum covers it, RFC 5508 REQ-3d")
  func extensions() throws {
    // The quote is 128 bytes, filled up with zeros; its length stands in 32-bit words in the sixth byte.
    let labels: [UInt8] =
      [0x20, 0, 0xF0, 0xC5, 0, 12, 1, 1] + [0x00, 0x3E, 0x81, 0x01] + [0x00, 0x01, 0x11, 0x40]
    for sent in [ICMPErrorTests.udp, ICMPErrorTests.tcp] {
      var script = try script(after: sent)
      let tail = [UInt8](repeating: 0, count: 128 - sent.packet.length) + labels
      delivered(
        &script, .s(2),
        .passingError(
          11, 0, rest: 32 << 16, from: ICMPErrorTests.router, to: Stage.gateway, quoting: sent.seen,
          tail: tail),
        as: .passingError(
          11, 0, rest: 32 << 16, from: ICMPErrorTests.router, to: Stage.c1, quoting: sent.known, tail: tail))
      try script.check()
    }
  }

  @Test(
    "IE13 IE7 a quote that its RFC 4884 length ends before the checksum field: what follows is left alone")
  func endedByItsLength() throws {
    // Seven words: 28 bytes, so only the first eight of the TCP header belong to the quote.
    var script = try script(after: ICMPErrorTests.tcp)
    func error(_ quoted: Datagram, to: String) -> Datagram {
      .passingError(
        11, 0, rest: 7 << 16, from: Stage.s1, to: to, quoting: quoted, count: 28,
        tail: [UInt8](repeating: 0x5A, count: 24))
    }
    delivered(
      &script, .s(2), error(ICMPErrorTests.tcp.seen, to: Stage.gateway),
      as: error(ICMPErrorTests.tcp.known, to: Stage.c1))
    // Six words: no ports belong to it.
    script.dropped(
      .s(3), .outside,
      .passingError(
        11, 0, rest: 5 << 16, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorTests.tcp.seen),
      "icmpErrorUnmatched")
    try script.check()
  }

  @Test("IE14 an error to another address than the quote's source: dropped, RFC 5508 REQ-4")
  func otherReceiver() throws {
    var script = try script(
      after: ICMPErrorTests.udp,
      [
        "pool":
          "[{ address: 203.0.113.5, ports: 50001-60000 }, { address: 203.0.113.6, ports: 50001-60000 }]"
      ])
    script.dropped(
      .s(2), .outside,
      .passingError(3, 3, from: Stage.s1, to: "203.0.113.6", quoting: ICMPErrorTests.udp.seen),
      "icmpErrorUnmatched")
    script.dropped(
      .s(3), .outside,
      .passingError(3, 3, from: Stage.s1, to: "203.0.113.77", quoting: ICMPErrorTests.udp.seen), "noBinding")
    try script.check()
  }

  @Test("IE15 an error about a packet that no session sent: dropped without an answer, RFC 5508 REQ-4")
  func withoutSession() throws {
    var script = try script(after: ICMPErrorTests.udp, ["filtering": "endpoint-independent"])
    let strangers: [Datagram] = [
      .udp(Stage.x(50002), ICMPErrorTests.remote),  // no binding
      .udp(Stage.x(50001), "151.101.65.69:9"),  // a binding, and no session
      .udp(Stage.x(50001), "142.250.195.100:10"), .tcp(Stage.x(50001), ICMPErrorTests.remote, .syn),
      .echo(Stage.gateway, Stage.s1, 50001),
      Datagram(
        source: Stage.x(0), destination: ICMPErrorTests.remote,
        payload: .other(protocolNumber: 47, [1, 2, 3, 4, 5, 6, 7, 8])),
    ]
    for packet in strangers {
      script.dropped(
        .s(2), .outside, .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: packet),
        "icmpErrorUnmatched")
      let reversed = packet.with {
        $0.source = ICMPErrorTests.remote
        $0.destination = ICMPErrorTests.host
      }
      if case .udp = packet.payload { continue }
      script.dropped(
        .s(3), .inside, .passingError(3, 3, from: Stage.c1, to: Stage.s1, quoting: reversed),
        "icmpErrorUnmatched")
    }
    // After its end the session is none.
    script.dropped(
      .s(302), .outside,
      .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorTests.udp.seen),
      "icmpErrorUnmatched")
    try script.check(sessions: [])
  }

  @Test(
    "IE16 types 3, 11 and 12 pass with every code, 4 and 5 do not, RFC 5508 REQ-10",
    arguments: [
      (3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (3, 9), (3, 10), (3, 13), (11, 0), (11, 1), (12, 0), (12, 1),
      (12, 2), (4, 0), (5, 0), (5, 1),
    ] as [(UInt8, UInt8)])
  func types(type: UInt8, code: UInt8) throws {
    var script = try script(after: ICMPErrorTests.udp)
    let rest: UInt32 = type == 3 && code == 4 ? 1400 : type == 12 ? 0x1400_0000 : 0
    let error = Datagram.passingError(
      type, code, rest: rest, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorTests.udp.seen)
    let answer = Datagram.udp(ICMPErrorTests.remote, Stage.x(50001))
    script.inbound(.s(2), answer, to: ICMPErrorTests.host)
    let outbound = Datagram.passingError(
      type, code, rest: rest, from: Stage.c1, to: Stage.s1, quoting: answer.delivered(to: ICMPErrorTests.host)
    )
    if type == 4 || type == 5 {
      script.dropped(.s(3), .outside, error, "icmpTypeNotTranslated")
      script.dropped(.s(4), .inside, outbound, "icmpTypeNotTranslated")
    } else {
      delivered(
        &script, .s(3), error,
        as: .passingError(
          type, code, rest: rest, from: Stage.s1, to: Stage.c1, quoting: ICMPErrorTests.udp.known))
      script.receive(.s(4), .inside, outbound)
      script.expect(
        .s(4), .outside,
        .passingError(
          type, code, rest: rest, from: Stage.gateway, to: Stage.s1,
          quoting: answer.with { $0.timeToLive = 63 }
        ).with { $0.timeToLive = 63 })
    }
    try script.check()
  }

  @Test(
    "IE16 FW4 an error is never answered with an error: TTL, no route, an error about an error, RFC 5508 REQ-9"
  )
  func neverAboutAnError() throws {
    var script = try script(after: ICMPErrorTests.udp)
    let error = Datagram.passingError(
      3, 3, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorTests.udp.seen)
    script.dropped(.s(2), .outside, error.with { $0.timeToLive = 1 }, "ttlExceeded")
    script.dropped(
      .s(3), .outside, .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: error),
      "icmpErrorUnmatched")
    let outcome = try script.check()
    #expect(outcome.stats.events.icmpErrorsSuppressed == 0)
  }

  @Test(
    "IE17 an error ends no session, restarts none and counts on none, RFC 5508 REQ-6, RFC 4787 REQ-12, RFC 5382 REQ-10"
  )
  func untouched() throws {
    var script = try Script(["inbound-refresh": "true"])
    script.outbound(.s(1), ICMPErrorTests.udp.packet, as: Stage.x(50001))
    script.outbound(.s(1), ICMPErrorTests.tcp.packet, as: Stage.x(50001))
    script.inbound(.s(1.1), .udp(ICMPErrorTests.remote, Stage.x(50001)), to: ICMPErrorTests.host)
    for sent in [ICMPErrorTests.udp, ICMPErrorTests.tcp] {
      for (time, type, code) in [(2.0, UInt8(3), UInt8(3)), (200, 3, 1), (220, 11, 0)] {
        delivered(
          &script, .s(time), .passingError(type, code, from: Stage.s1, to: Stage.gateway, quoting: sent.seen),
          as: .passingError(type, code, from: Stage.s1, to: Stage.c1, quoting: sent.known))
      }
      let back = Datagram.udp(ICMPErrorTests.remote, ICMPErrorTests.host)
      script.receive(.s(230), .inside, .passingError(3, 3, from: Stage.c1, to: Stage.s1, quoting: back))
      script.expect(
        .s(230), .outside,
        .passingError(
          3, 3, from: Stage.gateway, to: Stage.s1, quoting: .udp(ICMPErrorTests.remote, Stage.x(50001))
        )
        .with { $0.timeToLive = 63 })
    }
    var first = script
    first.dropped(.s(240), .outside, .udp("151.101.65.69:9", Stage.x(50009)), "noBinding")
    try first.check(sessions: [
      "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 syn-sent idle 239 expires 1 out 1/40 in 0/0",
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 active idle 238.9 expires 61.1 out 1/36 in 1/36",
    ])
    script.dropped(
      .s(301.1) + .nanosecond, .outside, .udp(ICMPErrorTests.remote, Stage.x(50001)), "noBinding")
    try script.check(sessions: [])
  }

  // MARK: From inside

  /// The pool lies beside the outside address, so that the two can be told apart.
  private static let pool = ["pool": "[{ address: 203.0.113.7, ports: 50001-60000 }]"]

  @Test(
    "IE4 the host's own error leaves from the binding's public address, RFC 5508 REQ-5", arguments: [3, 11])
  func fromHost(type: UInt8) throws {
    let x = End("203.0.113.7", 50001)
    for isTCP in [true, false] {
      func packet(_ source: End, _ destination: End, _ flags: SegmentFlags) -> Datagram {
        isTCP ? .tcp(source, destination, flags) : .udp(source, destination)
      }
      var script = try Script(ICMPErrorTests.pool)
      script.outbound(.s(1), packet(ICMPErrorTests.host, ICMPErrorTests.remote, .syn), as: x)
      let inbound = packet(ICMPErrorTests.remote, x, [.syn, .ack])
      script.inbound(.s(2), inbound, to: ICMPErrorTests.host)
      script.receive(
        .s(3), .inside,
        .passingError(
          type, 0, from: Stage.c1, to: Stage.s1, quoting: inbound.delivered(to: ICMPErrorTests.host)))
      script.expect(
        .s(3), .outside,
        .passingError(
          type, 0, from: "203.0.113.7", to: Stage.s1, quoting: inbound.with { $0.timeToLive = 63 }
        )
        .with { $0.timeToLive = 63 })
      try script.check()
    }
  }

  @Test("IE4 of a query's reply, and over a 1:1 mapping and a port forward")
  func fromOtherHosts() throws {
    var script = try Script(
      ICMPErrorTests.pool,
      more: [
        "static:", "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.3 }",
        "  - { protocol: udp, public: 203.0.113.8:53, private: 192.168.1.4:5353 }",
      ])
    script.outbound(.s(1), .echo(Stage.c1, Stage.s1, 4711), as: End("203.0.113.7", 0))
    let cases: [(packet: Datagram, host: End)] = [
      (.echoReply(Stage.s1, "203.0.113.7", 0), End(Stage.c1, 4711)),
      (.udp(ICMPErrorTests.remote, "203.0.113.9:53"), "192.168.1.3:53"),
      (.udp(ICMPErrorTests.remote, "203.0.113.8:53"), "192.168.1.4:5353"),
    ]
    for (packet, host) in cases {
      script.inbound(.s(2), packet, to: host)
      script.receive(
        .s(3), .inside,
        .passingError(3, 3, from: host.address, to: Stage.s1, quoting: packet.delivered(to: host)))
      script.expect(
        .s(3), .outside,
        .passingError(
          3, 3, from: packet.destination.address, to: Stage.s1, quoting: packet.with { $0.timeToLive = 63 }
        ).with { $0.timeToLive = 63 })
    }
    try script.check()
  }

  @Test(
    "IE5 an inside router's error leaves from the outside address, a 1:1 host's from its own, RFC 5508 REQ-5c"
  )
  func fromInsideRouter() throws {
    var script = try Script(
      ICMPErrorTests.pool,
      more: ["static:", "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.3 }"])
    let x = End("203.0.113.7", 50001)
    script.outbound(.s(1), .udp(ICMPErrorTests.host, ICMPErrorTests.remote), as: x)
    let inbound = Datagram.udp(ICMPErrorTests.remote, x)
    script.inbound(.s(2), inbound, to: ICMPErrorTests.host)
    for (sender, seen) in [(Stage.c3, Stage.gateway), (Stage.c2, "203.0.113.9")] {
      script.receive(
        .s(3), .inside,
        .passingError(11, 0, from: sender, to: Stage.s1, quoting: inbound.delivered(to: ICMPErrorTests.host)))
      script.expect(
        .s(3), .outside,
        .passingError(11, 0, from: seen, to: Stage.s1, quoting: inbound.with { $0.timeToLive = 63 })
          .with { $0.timeToLive = 63 })
    }
    try script.check()
  }

  @Test(
    "IE18 an inside host's error or RST about what came unasked keeps no binding alive, RFC 7857 section 7")
  func provoked() throws {
    var script = try Script(["filtering": "endpoint-independent"])
    let stranger: End = "151.101.65.69:9"
    script.outbound(.s(1), ICMPErrorTests.udp.packet, as: Stage.x(50001))
    script.outbound(.s(1), ICMPErrorTests.tcp.packet, as: Stage.x(50001))
    // UDP that came unasked, and the host's error about it.
    let unasked = Datagram.udp(stranger, Stage.x(50001))
    script.inbound(.s(200), unasked, to: ICMPErrorTests.host)
    script.receive(
      .s(201), .inside,
      .passingError(3, 3, from: Stage.c1, to: Stage.s2, quoting: unasked.delivered(to: ICMPErrorTests.host)))
    script.expect(
      .s(201), .outside,
      .passingError(3, 3, from: Stage.gateway, to: Stage.s2, quoting: unasked.with { $0.timeToLive = 63 })
        .with { $0.timeToLive = 63 })
    // A connection that came unasked, and the host's RST.
    script.inbound(.s(202), .tcp(stranger, Stage.x(50001), .syn), to: ICMPErrorTests.host)
    script.outbound(.s(203), .tcp(ICMPErrorTests.host, stranger, [.rst, .ack]), as: Stage.x(50001))
    // The bindings end with the sessions that the host used, at 241 s and 301 s.
    script.inbound(.s(241), .tcp(stranger, Stage.x(50001), .syn), to: ICMPErrorTests.host)
    script.dropped(.s(241) + .nanosecond, .outside, .tcp(stranger, Stage.x(50001), .syn), "noBinding")
    script.inbound(.s(301), unasked, to: ICMPErrorTests.host)
    script.dropped(.s(301) + .nanosecond, .outside, unasked, "noBinding")
    try script.check(sessions: [])
  }

  @Test(
    "FR14 3/4 of a router down the path reaches the sender with its MTU, and smaller packets pass, RFC 1191")
  func pathMTU() throws {
    func segment(_ count: Int) -> Datagram {
      var segment = Datagram.Segment(flags: [.psh, .ack])
      segment.data = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
      return Datagram(source: ICMPErrorTests.host, destination: ICMPErrorTests.remote, payload: .tcp(segment))
    }
    var script = try script(after: ICMPErrorTests.tcp)
    script.inbound(
      .s(1.1), .tcp(ICMPErrorTests.remote, Stage.x(50001), [.syn, .ack]), to: ICMPErrorTests.host)
    script.outbound(.s(2), segment(1460), as: Stage.x(50001))
    // As a router does it that quotes eight bytes more than the header.
    let seen = segment(1460).sent(as: Stage.x(50001))
    delivered(
      &script, .s(3),
      .passingError(
        3, 4, rest: 1280, from: ICMPErrorTests.router, to: Stage.gateway, quoting: seen, count: 28),
      as: .passingError(
        3, 4, rest: 1280, from: ICMPErrorTests.router, to: Stage.c1,
        quoting: segment(1460).with { $0.timeToLive = 63 }, count: 28))
    script.outbound(.s(4), segment(1240), as: Stage.x(50001))
    script.outbound(.s(5), segment(220), as: Stage.x(50001))
    script.inbound(.s(6), .tcp(ICMPErrorTests.remote, Stage.x(50001), .ack), to: ICMPErrorTests.host)
    try script.check()
  }
}
