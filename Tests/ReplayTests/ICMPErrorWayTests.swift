import NATControl
import NATWire
import Testing

/// RFC 5508 REQ-5, REQ-6, REQ-9, REQ-10: errors from inside, and their effect on sessions.
@Suite("IE ICMP errors, both ways")
struct ICMPErrorWayTests {
  @Test(
    "IE16 types 3, 11 and 12 pass with every code, 4 and 5 do not, RFC 5508 REQ-10",
    arguments: [
      (3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (3, 9), (3, 10), (3, 13), (11, 0), (11, 1), (12, 0), (12, 1),
      (12, 2), (4, 0), (5, 0), (5, 1),
    ] as [(UInt8, UInt8)])
  func types(type: UInt8, code: UInt8) throws {
    var script = try ICMPErrorStage.script(after: ICMPErrorStage.udp)
    let rest: UInt32 = type == 3 && code == 4 ? 1400 : type == 12 ? 0x1400_0000 : 0
    let error = Datagram.passingError(
      type, code, rest: rest, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorStage.udp.seen)
    let answer = Datagram.udp(ICMPErrorStage.remote, Stage.x(50001))
    script.inbound(.s(2), answer, to: ICMPErrorStage.host)
    let outbound = Datagram.passingError(
      type, code, rest: rest, from: Stage.c1, to: Stage.s1, quoting: answer.delivered(to: ICMPErrorStage.host)
    )
    if type == 4 || type == 5 {
      script.dropped(.s(3), .outside, error, "icmpTypeNotTranslated")
      script.dropped(.s(4), .inside, outbound, "icmpTypeNotTranslated")
    } else {
      script.delivered(
        .s(3), error,
        as: .passingError(
          type, code, rest: rest, from: Stage.s1, to: Stage.c1, quoting: ICMPErrorStage.udp.known))
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
    var script = try ICMPErrorStage.script(after: ICMPErrorStage.udp)
    let error = Datagram.passingError(
      3, 3, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorStage.udp.seen)
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
    script.outbound(.s(1), ICMPErrorStage.udp.packet, as: Stage.x(50001))
    script.outbound(.s(1), ICMPErrorStage.tcp.packet, as: Stage.x(50001))
    script.inbound(.s(1.1), .udp(ICMPErrorStage.remote, Stage.x(50001)), to: ICMPErrorStage.host)
    for sent in [ICMPErrorStage.udp, ICMPErrorStage.tcp] {
      for (time, type, code) in [(2.0, UInt8(3), UInt8(3)), (200, 3, 1), (220, 11, 0)] {
        script.delivered(
          .s(time), .passingError(type, code, from: Stage.s1, to: Stage.gateway, quoting: sent.seen),
          as: .passingError(type, code, from: Stage.s1, to: Stage.c1, quoting: sent.known))
      }
      let back = Datagram.udp(ICMPErrorStage.remote, ICMPErrorStage.host)
      script.receive(.s(230), .inside, .passingError(3, 3, from: Stage.c1, to: Stage.s1, quoting: back))
      script.expect(
        .s(230), .outside,
        .passingError(
          3, 3, from: Stage.gateway, to: Stage.s1, quoting: .udp(ICMPErrorStage.remote, Stage.x(50001))
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
      .s(301.1) + .nanosecond, .outside, .udp(ICMPErrorStage.remote, Stage.x(50001)), "noBinding")
    try script.check(sessions: [])
  }

  // MARK: From inside

  @Test(
    "IE4 the host's own error leaves from the binding's public address, RFC 5508 REQ-5", arguments: [3, 11])
  func fromHost(type: UInt8) throws {
    let x = End("203.0.113.7", 50001)
    for isTCP in [true, false] {
      func packet(_ source: End, _ destination: End, _ flags: SegmentFlags) -> Datagram {
        isTCP ? .tcp(source, destination, flags) : .udp(source, destination)
      }
      var script = try Script(ICMPErrorStage.pool)
      script.outbound(.s(1), packet(ICMPErrorStage.host, ICMPErrorStage.remote, .syn), as: x)
      let inbound = packet(ICMPErrorStage.remote, x, [.syn, .ack])
      script.inbound(.s(2), inbound, to: ICMPErrorStage.host)
      script.receive(
        .s(3), .inside,
        .passingError(
          type, 0, from: Stage.c1, to: Stage.s1, quoting: inbound.delivered(to: ICMPErrorStage.host)))
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
      ICMPErrorStage.pool,
      more: [
        "static:", "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.3 }",
        "  - { protocol: udp, public: 203.0.113.8:53, private: 192.168.1.4:5353 }",
      ])
    script.outbound(.s(1), .echo(Stage.c1, Stage.s1, 4711), as: End("203.0.113.7", 0))
    let cases: [(packet: Datagram, host: End)] = [
      (.echoReply(Stage.s1, "203.0.113.7", 0), End(Stage.c1, 4711)),
      (.udp(ICMPErrorStage.remote, "203.0.113.9:53"), "192.168.1.3:53"),
      (.udp(ICMPErrorStage.remote, "203.0.113.8:53"), "192.168.1.4:5353"),
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
      ICMPErrorStage.pool,
      more: ["static:", "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.3 }"])
    let x = End("203.0.113.7", 50001)
    script.outbound(.s(1), .udp(ICMPErrorStage.host, ICMPErrorStage.remote), as: x)
    let inbound = Datagram.udp(ICMPErrorStage.remote, x)
    script.inbound(.s(2), inbound, to: ICMPErrorStage.host)
    for (sender, seen) in [(Stage.c3, Stage.gateway), (Stage.c2, "203.0.113.9")] {
      script.receive(
        .s(3), .inside,
        .passingError(11, 0, from: sender, to: Stage.s1, quoting: inbound.delivered(to: ICMPErrorStage.host)))
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
    script.outbound(.s(1), ICMPErrorStage.udp.packet, as: Stage.x(50001))
    script.outbound(.s(1), ICMPErrorStage.tcp.packet, as: Stage.x(50001))
    // An unsolicited UDP packet, and the host's error about it.
    let unasked = Datagram.udp(stranger, Stage.x(50001))
    script.inbound(.s(200), unasked, to: ICMPErrorStage.host)
    script.receive(
      .s(201), .inside,
      .passingError(3, 3, from: Stage.c1, to: Stage.s2, quoting: unasked.delivered(to: ICMPErrorStage.host)))
    script.expect(
      .s(201), .outside,
      .passingError(3, 3, from: Stage.gateway, to: Stage.s2, quoting: unasked.with { $0.timeToLive = 63 })
        .with { $0.timeToLive = 63 })
    // An unsolicited connection, and the host's RST.
    script.inbound(.s(202), .tcp(stranger, Stage.x(50001), .syn), to: ICMPErrorStage.host)
    script.outbound(.s(203), .tcp(ICMPErrorStage.host, stranger, [.rst, .ack]), as: Stage.x(50001))
    // The bindings end with the sessions that the host used, at 241 s and 301 s.
    script.inbound(.s(241), .tcp(stranger, Stage.x(50001), .syn), to: ICMPErrorStage.host)
    script.dropped(.s(241) + .nanosecond, .outside, .tcp(stranger, Stage.x(50001), .syn), "noBinding")
    script.inbound(.s(301), unasked, to: ICMPErrorStage.host)
    script.dropped(.s(301) + .nanosecond, .outside, unasked, "noBinding")
    try script.check(sessions: [])
  }

  @Test(
    "FR14 3/4 of a router down the path reaches the sender with its MTU, and smaller packets pass, RFC 1191")
  func pathMTU() throws {
    func segment(_ count: Int) -> Datagram {
      var segment = Datagram.Segment(flags: [.psh, .ack])
      segment.data = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
      return Datagram(source: ICMPErrorStage.host, destination: ICMPErrorStage.remote, payload: .tcp(segment))
    }
    var script = try ICMPErrorStage.script(after: ICMPErrorStage.tcp)
    script.inbound(
      .s(1.1), .tcp(ICMPErrorStage.remote, Stage.x(50001), [.syn, .ack]), to: ICMPErrorStage.host)
    script.outbound(.s(2), segment(1460), as: Stage.x(50001))
    // As from a router that quotes the header and eight bytes.
    let seen = segment(1460).sent(as: Stage.x(50001))
    script.delivered(
      .s(3),
      .passingError(
        3, 4, rest: 1280, from: ICMPErrorStage.router, to: Stage.gateway, quoting: seen, count: 28),
      as: .passingError(
        3, 4, rest: 1280, from: ICMPErrorStage.router, to: Stage.c1,
        quoting: segment(1460).with { $0.timeToLive = 63 }, count: 28))
    script.outbound(.s(4), segment(1240), as: Stage.x(50001))
    script.outbound(.s(5), segment(220), as: Stage.x(50001))
    script.inbound(.s(6), .tcp(ICMPErrorStage.remote, Stage.x(50001), .ack), to: ICMPErrorStage.host)
    try script.check()
  }
}
