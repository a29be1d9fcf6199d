import NATControl
import NATWire
import Testing

/// RFC 4787 REQ-14a: bounds on fragments; fragments of queries, static mappings and hairpinning.
@Suite("FR bounds and ways")
struct FragmentWayTests {
  // MARK: Refusals and bounds

  @Test("FR3 a first fragment that is refused takes with it all that waited, and all that comes")
  func refused() throws {
    let stranger = Datagram.long("151.101.65.69:9", FragmentStage.x, 4000)
    var script = try FragmentStage.script()
    script.receive(.s(2), .outside, stranger.fragments(FragmentStage.lengths)[2])
    script.receive(.s(3), .outside, stranger.fragments(FragmentStage.lengths)[0])
    script.expectDrop("filtered")
    script.expectDrop(FragmentStage.dead)
    script.dropped(.s(4), .outside, stranger.fragments(FragmentStage.lengths)[1], FragmentStage.dead)
    script.dropped(.s(5), .outside, stranger.fragments(FragmentStage.lengths)[0], FragmentStage.dead)
    try script.check()
  }

  @Test(
    "FR3 FW4 TTL 1 on the first fragment: 11/0 and the datagram is dead; on a later one: that one alone, unanswered"
  )
  func timeToLive() throws {
    var script = try FragmentStage.script()
    let tired: (inout Datagram) -> Void = { $0.timeToLive = 1 }
    let fragments = FragmentStage.out.fragments(FragmentStage.lengths)
    let seen = FragmentStage.out.sent(as: FragmentStage.x).fragments(FragmentStage.lengths)
    script.receive(.s(2), .inside, fragments[0])
    script.expect(.s(2), .outside, seen[0])
    script.dropped(.s(3), .inside, fragments[1].with(tired), "ttlExceeded")
    script.receive(.s(4), .inside, fragments[2])
    script.expect(.s(4), .outside, seen[2])
    let other = FragmentStage.out.identified(99).fragments(FragmentStage.lengths)
    let first = other[0].with(tired)
    script.dropped(.s(5), .inside, first, "ttlExceeded")
    script.expect(.s(5), .inside, .error(11, 0, from: "192.168.1.1", about: first))
    script.dropped(.s(6), .inside, other[1], FragmentStage.dead)
    try script.check()
  }

  @Test("EX8 FR9 the number of datagrams is bounded when one is opened, RFC 4787 REQ-14a")
  func datagramLimit() throws {
    var script = try FragmentStage.script(["fragments": "{ datagrams: 2, memory: 1MiB }"])
    func fragments(_ identification: UInt16) -> [Datagram] {
      FragmentStage.out.identified(identification).fragments(FragmentStage.lengths)
    }
    func seen(_ identification: UInt16) -> [Datagram] {
      FragmentStage.out.sent(as: FragmentStage.x).identified(identification).fragments(FragmentStage.lengths)
    }
    script.receive(.s(2), .inside, fragments(10)[0])
    script.expect(.s(2), .outside, seen(10)[0])
    script.receive(.s(3), .inside, fragments(11)[1])
    script.dropped(.s(4), .inside, fragments(12)[0], "fragmentDatagramLimit")
    script.dropped(
      .s(4), .outside, FragmentStage.back.fragments(FragmentStage.lengths)[2], "fragmentDatagramLimit")
    // Open datagrams go on; a complete one makes room.
    script.receive(.s(5), .inside, fragments(10)[1])
    script.expect(.s(5), .outside, seen(10)[1])
    script.receive(.s(6), .inside, fragments(10)[2])
    script.expect(.s(6), .outside, seen(10)[2])
    script.receive(.s(7), .inside, fragments(12)[0])
    script.expect(.s(7), .outside, seen(12)[0])
    // Whole packets need none.
    script.outbound(.s(8), .udp(FragmentStage.host, FragmentStage.remote), as: FragmentStage.x)
    script.receive(.s(9), .inside, fragments(11)[0])
    script.expect(.s(9), .outside, seen(11)[0])
    script.expect(.s(9), .outside, seen(11)[1])
    try script.check()
  }

  @Test(
    "FR9 a fragment from outside for an address that is not public is dropped at once and opens no datagram")
  func stray() throws {
    var script = try FragmentStage.script(["fragments": "{ datagrams: 1, memory: 1MiB }"])
    let stray = Datagram.long(FragmentStage.remote, "203.0.113.77:9", 4000).fragments(FragmentStage.lengths)
    let toHost = Datagram.long(FragmentStage.remote, FragmentStage.host, 4000)
      .fragments(FragmentStage.lengths)
    for fragment in stray.reversed() + toHost { script.dropped(.s(2), .outside, fragment, "noBinding") }
    // The one datagram that may be open is still free.
    script.outbound(.s(3), FragmentStage.out, FragmentStage.lengths, as: FragmentStage.x)
    try script.check()
  }

  @Test(
    "EX8 FR9 what waits is bounded by IPv4 total lengths; what need not wait is never refused, RFC 4787 REQ-14a"
  )
  func memoryLimit() throws {
    // 43 fragments of 1,500 bytes and one of 1,036 are 64 KiB exactly.
    var script = try FragmentStage.script(["fragments": "{ datagrams: 4096, memory: 64KiB }"])
    func later(_ identification: UInt16, _ count: Int) -> Datagram {
      FragmentStage.out.identified(identification).fragment(
        1480, [UInt8](repeating: 7, count: count), isLast: false)
    }
    for index in 0..<43 { script.receive(.s(2), .inside, later(UInt16(100 + index), 1480)) }
    script.dropped(.s(3), .inside, later(200, 1024), "fragmentMemoryLimit")
    script.receive(.s(3), .inside, later(201, 1016))
    script.dropped(.s(4), .inside, later(202, 8), "fragmentMemoryLimit")
    script.outbound(.s(5), FragmentStage.out, FragmentStage.lengths, as: FragmentStage.x)
    // The refused fragment opened its datagram; it may come again once the first fragment is there.
    let again = FragmentStage.out.identified(200).fragments(FragmentStage.lengths)
    let seen = FragmentStage.out.sent(as: FragmentStage.x).identified(200).fragments(FragmentStage.lengths)
    for index in 0..<3 {
      script.receive(.s(6), .inside, again[index])
      script.expect(.s(6), .outside, seen[index])
    }
    // What leaves makes room: 1,500 bytes.
    script.receive(.s(7), .inside, FragmentStage.out.identified(100).fragments(FragmentStage.lengths)[0])
    script.expect(
      .s(7), .outside,
      FragmentStage.out.sent(as: FragmentStage.x).identified(100).fragments(FragmentStage.lengths)[0])
    script.expect(
      .s(7), .outside,
      later(100, 1480).with {
        $0.source = FragmentStage.x
        $0.timeToLive = 63
      })
    script.receive(.s(8), .inside, later(203, 1480))
    script.dropped(.s(9), .inside, later(204, 8), "fragmentMemoryLimit")
    script.dropped(.s(40), .outside, .udp(FragmentStage.remote, Stage.x(59999)), "noBinding")
    script.expectDrop("fragmentTimeout", 44)
    try script.check()
  }

  @Test("IE16 a fragment that opens an ICMP error is dropped, from both sides")
  func fragmentedError() throws {
    var script = try FragmentStage.script()
    let error = Datagram.passingError(
      3, 3, from: Stage.s1, to: Stage.gateway, quoting: .long(FragmentStage.x, FragmentStage.remote, 1000)
    ).with { $0.flagsAndOffset = 0 }
    script.dropped(.s(2), .outside, error.fragments([512])[0], "fragmentedICMPError")
    let own = error.with {
      $0.source = FragmentStage.host
      $0.destination = FragmentStage.remote
    }
    script.dropped(.s(3), .inside, own.fragments([512])[0], "fragmentedICMPError")
    try script.check()
  }

  // MARK: Queries and other ways

  @Test(
    "IQ11 echo requests and replies of 1,400, 4,500 and 5,000 bytes pass intact, RFC 4787 REQ-14",
    arguments: [1400, 4500, 5000])
  func echo(count: Int) throws {
    var script = try Script()
    let request = FragmentStage.ping(8, Stage.c1, Stage.s1, 4711, count)
    let reply = FragmentStage.ping(0, Stage.s1, Stage.gateway, 0, count)
    let lengths = [Int](repeating: 1480, count: (count + 7) / 1480)
    for order in [Array(0...lengths.count), Array((0...lengths.count).reversed())] {
      let time = Duration.s(order.first == 0 ? 1 : 10)
      if lengths.isEmpty {
        script.outbound(time, request, as: Stage.x(0))
        script.inbound(time + .seconds(1), reply, to: End(Stage.c1, 4711))
      } else {
        script.outbound(time, request, lengths, as: Stage.x(0), inOrder: order)
        script.inbound(time + .seconds(1), reply, lengths, to: End(Stage.c1, 4711), inOrder: order)
      }
    }
    try script.check()
  }

  @Test("IQ6 a fragmented echo request to the gateway is not answered, and its datagram is dead")
  func echoToGateway() throws {
    var script = try Script()
    let request = FragmentStage.ping(8, Stage.s1, Stage.gateway, 1, 3000).fragments(FragmentStage.lengths)
    script.dropped(.s(1), .outside, request[0], "toGateway")
    script.dropped(.s(2), .outside, request[1], FragmentStage.dead)
    let own = FragmentStage.ping(8, Stage.c1, Stage.gateway, 1, 3000).fragments(FragmentStage.lengths)
    script.receive(.s(3), .inside, own[2])
    script.dropped(.s(4), .inside, own[0], "toGateway")
    script.expectDrop(FragmentStage.dead)
    for fragment in FragmentStage.ping(8, Stage.c1, "192.168.1.1", 1, 3000).fragments(FragmentStage.lengths) {
      script.dropped(.s(5), .inside, fragment, "toGateway")
    }
    try script.check()
  }

  @Test(
    "HP7 a datagram in fragments from inside host to inside host, in any order, counted once, RFC 4787 REQ-9, REQ-14"
  )
  func hairpin() throws {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
      var script = try FragmentStage.script()
      let packet = Datagram.long("192.168.1.3:6000", FragmentStage.x, 4000)
      script.pass(
        .s(2), from: .inside, to: .inside, packet.fragments(FragmentStage.lengths),
        as: packet.hairpinned(from: Stage.x(50002), to: FragmentStage.host).fragments(FragmentStage.lengths),
        inOrder: order)
      let answer = Datagram.long(FragmentStage.host, Stage.x(50002), 3000)
      script.pass(
        .s(3), from: .inside, to: .inside, answer.fragments(FragmentStage.lengths),
        as: answer.hairpinned(from: FragmentStage.x, to: "192.168.1.3:6000").fragments(FragmentStage.lengths),
        inOrder: order)
      let outcome = try script.check()
      #expect(outcome.stats.events.hairpins == 2)
    }
  }

  @Test("FR12 fragments over port forwards and 1:1 mappings, from either side, in any order")
  func statics() throws {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
      var script = try Script(
        more: [
          "static:", "  - { protocol: udp, public: 203.0.113.5:53, private: 192.168.1.3:5353 }",
          "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.4 }",
        ])
      for (time, x, host) in [
        (1.0, Stage.x(53), End("192.168.1.3:5353")), (3, End("203.0.113.9", 9), End("192.168.1.4:9")),
      ] {
        script.inbound(
          .s(time), .long(FragmentStage.remote, x, 4000), FragmentStage.lengths, to: host, inOrder: order)
        script.outbound(
          .s(time + 1), .long(host, FragmentStage.remote, 4000), FragmentStage.lengths, as: x, inOrder: order)
      }
      try script.check()
    }
  }

  @Test("FW3 FR12 fragments of exempt traffic and between inside networks pass one by one, none is held")
  func untranslated() throws {
    var script = try Script(["exempt": "[172.16.0.0/12]"])
    let ways: [(Side, Side, Datagram)] = [
      (.inside, .outside, .long(FragmentStage.host, "172.16.0.9:9", 4000)),
      (.outside, .inside, .long("172.16.0.9:9", FragmentStage.host, 4000)),
      (.inside, .inside, .long(FragmentStage.host, "192.168.1.3:9", 4000)),
    ]
    for (place, (side, other, packet)) in ways.enumerated() {
      // Stateless: even the same fragment twice.
      for index in [2, 1, 1, 0] {
        let fragment = packet.fragments(FragmentStage.lengths)[index]
        script.receive(.seconds(1 + place), side, fragment)
        script.expect(.seconds(1 + place), other, fragment.with { $0.timeToLive = 63 })
      }
    }
    try script.check(sessions: [])
  }
}
