import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 5508 section 4: ICMP errors about packets that were translated.
@Suite("IE ICMP errors")
struct ICMPErrorTests {
  @Test(
    "IE1 IE2 the peer's error reaches the host, which finds its own packet quoted, RFC 5508 REQ-4",
    arguments: [ICMPErrorStage.udp, ICMPErrorStage.tcp, ICMPErrorStage.echo])
  func fromPeer(sent: ICMPErrorStage.Sent) throws {
    var script = try ICMPErrorStage.script(after: sent)
    script.delivered(
      .s(2), .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: sent.seen),
      as: .passingError(3, 3, from: Stage.s1, to: Stage.c1, quoting: sent.known))
    try script.check()
  }

  @Test(
    "IE3 an error of a router that is no peer is delivered, from that router, RFC 4787 REQ-12a",
    arguments: [ICMPErrorStage.udp, ICMPErrorStage.tcp, ICMPErrorStage.echo],
    ["endpoint-independent", "address-dependent", "address-and-port-dependent"])
  func fromRouter(sent: ICMPErrorStage.Sent, filtering: String) throws {
    var script = try ICMPErrorStage.script(after: sent, ["filtering": filtering])
    script.delivered(
      .s(2),
      .passingError(11, 0, from: ICMPErrorStage.router, to: Stage.gateway, quoting: sent.seen),
      as: .passingError(11, 0, from: ICMPErrorStage.router, to: Stage.c1, quoting: sent.known))
    try script.check()
  }

  @Test("IE6 a quoted UDP checksum of zero stays zero, RFC 5508 REQ-3")
  func noChecksum() throws {
    let sent = ICMPErrorStage.Sent(
      name: "", packet: ICMPErrorStage.udp.packet.with { $0.payload = .udp([1, 2, 3], hasChecksum: false) },
      x: Stage.x(50001))
    var script = try ICMPErrorStage.script(after: sent)
    script.delivered(
      .s(2), .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: sent.seen),
      as: .passingError(3, 3, from: Stage.s1, to: Stage.c1, quoting: sent.known))
    try script.check()
  }

  @Test(
    "IE7 a quote cut behind the ports is translated, and a checksum field beyond its end left alone, RFC 5508 REQ-3",
    arguments: [ICMPErrorStage.udp, ICMPErrorStage.tcp, ICMPErrorStage.echo], [4, 6, 7, 8, 9, 17, 18, 19, 20])
  func cut(sent: ICMPErrorStage.Sent, count: Int) throws {
    guard sent.name != "echo" || count >= 6 else { return }
    var script = try ICMPErrorStage.script(after: sent)
    let seen = Array(sent.seen.bytes.prefix(20 + count))
    var known = Array(sent.known.bytes.prefix(20 + count))
    // Half a checksum field is as one that is not there.
    let field = 20 + (sent.name == "UDP" ? 6 : 16)
    if known.count == field + 1 { known[field] = seen[field] }
    script.delivered(
      .s(2), .passingError(3, 1, from: Stage.s1, to: Stage.gateway, data: seen),
      as: .passingError(3, 1, from: Stage.s1, to: Stage.c1, data: known))
    try script.check()
  }

  @Test("IE7 where the checksum field would be, but behind the quoted packet's own end, nothing is changed")
  func behindTheQuote() throws {
    // A total length of 28 bytes: what follows is padding, though TCP's checksum field would lie in it.
    var script = try ICMPErrorStage.script(after: ICMPErrorStage.tcp)
    func error(_ quoted: Datagram, to: String) -> Datagram {
      let short = quoted.with {
        $0.payload = .other(protocolNumber: 6, Array(quoted.bytes[20..<28]))
      }
      return .passingError(
        3, 1, from: Stage.s1, to: to, quoting: short, tail: [UInt8](repeating: 0xEE, count: 20))
    }
    script.delivered(
      .s(2), error(ICMPErrorStage.tcp.seen, to: Stage.gateway),
      as: error(ICMPErrorStage.tcp.known, to: Stage.c1))
    try script.check()
  }

  @Test(
    "IE8 a quote without its ports, or a query's without its identifier, is dropped, RFC 5508 REQ-3",
    arguments: [(ICMPErrorStage.udp, 0...3), (ICMPErrorStage.tcp, 0...3), (ICMPErrorStage.echo, 0...5)]
      as [(ICMPErrorStage.Sent, ClosedRange<Int>)])
  func cutShort(sent: ICMPErrorStage.Sent, counts: ClosedRange<Int>) throws {
    var script = try ICMPErrorStage.script(after: sent)
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
      var script = try ICMPErrorStage.script(after: ICMPErrorStage.udp)
      script.delivered(
        .s(2),
        .passingError(12, 0, from: Stage.s1, to: Stage.gateway, quoting: quoted(ICMPErrorStage.udp.seen)),
        as: .passingError(12, 0, from: Stage.s1, to: Stage.c1, quoting: quoted(ICMPErrorStage.udp.known)))
      for count in [20, 21, 19 + options.count, 20 + options.count, 23 + options.count] {
        script.dropped(
          .s(3), .outside,
          .passingError(
            12, 0, from: Stage.s1, to: Stage.gateway, quoting: quoted(ICMPErrorStage.udp.seen), count: count),
          "icmpErrorUnmatched")
      }
      try script.check()
    }
  }

  @Test(
    "D4 IE10 a wrong header checksum in the quote: passes, and stays wrong by as much",
    arguments: [ICMPErrorStage.udp, ICMPErrorStage.tcp, ICMPErrorStage.echo], [1, 0x0100, 0x8000] as [UInt16])
  func quotedHeader(sent: ICMPErrorStage.Sent, error: UInt16) throws {
    var script = try ICMPErrorStage.script(after: sent)
    let wrong: (inout Datagram) -> Void = { $0.headerError = error }
    script.delivered(
      .s(2),
      .passingError(11, 0, from: ICMPErrorStage.router, to: Stage.gateway, quoting: sent.seen.with(wrong)),
      as: .passingError(11, 0, from: ICMPErrorStage.router, to: Stage.c1, quoting: sent.known.with(wrong)))
    try script.check()
  }

  @Test("D4 the same from the inside, where the quoted destination changes")
  func quotedHeaderOutbound() throws {
    var script = try ICMPErrorStage.script(after: ICMPErrorStage.udp)
    let answer = Datagram.udp(ICMPErrorStage.remote, Stage.x(50001))
    let wrong: (inout Datagram) -> Void = { $0.headerError = 0x0100 }
    script.inbound(.s(2), answer, to: ICMPErrorStage.host)
    let quoted = answer.delivered(to: ICMPErrorStage.host).with(wrong)
    script.receive(.s(3), .inside, .passingError(3, 3, from: Stage.c1, to: Stage.s1, quoting: quoted))
    script.expect(
      .s(3), .outside,
      .passingError(
        3, 3, from: Stage.gateway, to: Stage.s1,
        quoting: answer.with {
          $0.timeToLive -= 1
          wrong(&$0)
        }
      ).with { $0.timeToLive -= 1 })
    try script.check()
  }

  @Test("IE11 a wrong ICMP checksum: dropped, from either side, RFC 5508 REQ-3")
  func checksum() throws {
    var script = try ICMPErrorStage.script(after: ICMPErrorStage.udp)
    let error = Datagram.passingError(
      3, 3, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorStage.udp.seen)
    script.dropped(.s(2), .outside, error.with { $0.error = 1 }, "badICMPChecksum")
    let answer = Datagram.udp(ICMPErrorStage.remote, Stage.x(50001))
    script.inbound(.s(3), answer, to: ICMPErrorStage.host)
    let outbound = Datagram.passingError(
      3, 3, from: Stage.c1, to: Stage.s1, quoting: answer.delivered(to: ICMPErrorStage.host))
    script.dropped(.s(4), .inside, outbound.with { $0.error = 0x8000 }, "badICMPChecksum")
    try script.check()
  }

  @Test("IE12 a wrong transport checksum in the quote: passes, and stays wrong by as much, RFC 5508 REQ-3c")
  func quotedChecksum() throws {
    for sent in [ICMPErrorStage.udp, ICMPErrorStage.tcp, ICMPErrorStage.echo] {
      var script = try ICMPErrorStage.script(after: sent)
      let wrong: (inout Datagram) -> Void = { $0.error = 0x1234 }
      script.delivered(
        .s(2),
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
    for sent in [ICMPErrorStage.udp, ICMPErrorStage.tcp] {
      var script = try ICMPErrorStage.script(after: sent)
      let tail = [UInt8](repeating: 0, count: 128 - sent.packet.length) + labels
      script.delivered(
        .s(2),
        .passingError(
          11, 0, rest: 32 << 16, from: ICMPErrorStage.router, to: Stage.gateway, quoting: sent.seen,
          tail: tail),
        as: .passingError(
          11, 0, rest: 32 << 16, from: ICMPErrorStage.router, to: Stage.c1, quoting: sent.known, tail: tail))
      try script.check()
    }
  }

  @Test(
    "IE13 IE7 a quote that its RFC 4884 length ends before the checksum field: what follows is left alone")
  func endedByItsLength() throws {
    // Seven words: 28 bytes, so only the first eight of the TCP header belong to the quote.
    var script = try ICMPErrorStage.script(after: ICMPErrorStage.tcp)
    func error(_ quoted: Datagram, to: String) -> Datagram {
      .passingError(
        11, 0, rest: 7 << 16, from: Stage.s1, to: to, quoting: quoted, count: 28,
        tail: [UInt8](repeating: 0x5A, count: 24))
    }
    script.delivered(
      .s(2), error(ICMPErrorStage.tcp.seen, to: Stage.gateway),
      as: error(ICMPErrorStage.tcp.known, to: Stage.c1))
    // Six words: no ports belong to it.
    script.dropped(
      .s(3), .outside,
      .passingError(
        11, 0, rest: 5 << 16, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorStage.tcp.seen),
      "icmpErrorUnmatched")
    try script.check()
  }

  @Test("IE14 an error to another address than the quote's source: dropped, RFC 5508 REQ-4")
  func otherReceiver() throws {
    var script = try ICMPErrorStage.script(
      after: ICMPErrorStage.udp,
      [
        "pool":
          "[{ address: 203.0.113.5, ports: 50001-60000 }, { address: 203.0.113.6, ports: 50001-60000 }]"
      ])
    // The same public port of the other address is another host's, towards the same remote.
    script.outbound(
      .s(1.5), .udp("192.168.1.3:5000", ICMPErrorStage.remote), as: End("203.0.113.6", 50001))
    script.dropped(
      .s(2), .outside,
      .passingError(3, 3, from: Stage.s1, to: "203.0.113.6", quoting: ICMPErrorStage.udp.seen),
      "icmpErrorUnmatched")
    script.dropped(
      .s(3), .outside,
      .passingError(3, 3, from: Stage.s1, to: "203.0.113.77", quoting: ICMPErrorStage.udp.seen), "noBinding")
    try script.check()
  }

  @Test("IE14 an error to one 1:1 address about what another one sent: dropped, RFC 5508 REQ-4")
  func otherOneToOne() throws {
    var script = try Script(more: [
      "static:", "  - { protocol: all, public: 203.0.113.8, private: 192.168.1.2 }",
      "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.3 }",
    ])
    let x: End = "203.0.113.8:5000"
    script.outbound(.s(1), ICMPErrorStage.udp.packet, as: x)
    let seen = ICMPErrorStage.udp.packet.sent(as: x)
    script.dropped(
      .s(2), .outside, .passingError(3, 3, from: Stage.s1, to: "203.0.113.9", quoting: seen),
      "icmpErrorUnmatched")
    script.delivered(
      .s(3), .passingError(3, 3, from: Stage.s1, to: "203.0.113.8", quoting: seen),
      as: .passingError(
        3, 3, from: Stage.s1, to: Stage.c1, quoting: ICMPErrorStage.udp.packet.with { $0.timeToLive = 63 }))
    try script.check()
  }

  @Test("IE15 an error about a packet that no session sent: dropped without an answer, RFC 5508 REQ-4")
  func withoutSession() throws {
    var script = try ICMPErrorStage.script(after: ICMPErrorStage.udp, ["filtering": "endpoint-independent"])
    let strangers: [Datagram] = [
      .udp(Stage.x(50002), ICMPErrorStage.remote),  // no binding
      .udp(Stage.x(50001), "151.101.65.69:9"),  // a binding, and no session
      .udp(Stage.x(50001), "142.250.195.100:10"), .tcp(Stage.x(50001), ICMPErrorStage.remote, .syn),
      .echo(Stage.gateway, Stage.s1, 50001),
      Datagram(
        source: Stage.x(0), destination: ICMPErrorStage.remote,
        payload: .other(protocolNumber: 47, [1, 2, 3, 4, 5, 6, 7, 8])),
    ]
    for packet in strangers {
      script.dropped(
        .s(2), .outside, .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: packet),
        "icmpErrorUnmatched")
      let reversed = packet.with {
        $0.source = ICMPErrorStage.remote
        $0.destination = ICMPErrorStage.host
      }
      if case .udp = packet.payload { continue }
      script.dropped(
        .s(3), .inside, .passingError(3, 3, from: Stage.c1, to: Stage.s1, quoting: reversed),
        "icmpErrorUnmatched")
    }
    // After its end the session no longer exists.
    script.dropped(
      .s(302), .outside,
      .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: ICMPErrorStage.udp.seen),
      "icmpErrorUnmatched")
    try script.check(sessions: [])
  }
}
