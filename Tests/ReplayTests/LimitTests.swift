import NATControl
import NATWire
import Testing

/// RFC 6888 REQ-4, REQ-5 and REQ-11, RFC 5508 REQ-8: limits and exhaustion.
@Suite("EX LIM exhaustion and limits")
struct LimitTests {
  private static let remote: End = "142.250.195.100:9"
  private static let other: End = "151.101.65.69:9"
  private static let two = "[{ address: 203.0.113.5, ports: 50001-50002 }]"

  // MARK: Ports

  @Test(
    "EX1 EX7 a pool without an address refuses and counts, whatever the choice; statics go on",
    arguments: ["preserve", "random", "sequential"], ["paired", "arbitrary"])
  func noPool(choice: String, pooling: String) throws {
    for parity in ["true", "false"] {
      var script = try Script(
        ["pool": "[]", "port-choice": choice, "pooling": pooling, "parity": parity],
        more: ["static:", "  - { protocol: all, public: 203.0.113.6, private: 192.168.1.3 }"])
      for (index, packet) in [
        Datagram.udp("192.168.1.2:5000", LimitTests.remote),
        .tcp("192.168.1.2:5000", LimitTests.remote, .syn),
        .echo(Stage.c1, Stage.s1, 5),
      ].enumerated() {
        script.dropped(.s(Double(index * 2 + 1)), .inside, packet, "portsExhausted")
        script.expect(
          .s(Double(index * 2 + 1)), .inside, .error(3, 13, from: "192.168.1.1", about: packet))
      }
      script.outbound(.s(9), .udp("192.168.1.3:5000", LimitTests.remote), as: "203.0.113.6:5000")
      script.inbound(.s(10), .udp(LimitTests.remote, "203.0.113.6:5000"), to: "192.168.1.3:5000")
      let outcome = try script.check()
      #expect(outcome.stats.pool.isEmpty && outcome.stats.events.bindingsCreated == 0)
    }
  }

  @Test(
    "EX3 the sender is told as configured: 3/13 (RFC 5508 REQ-8), 3/1 (RFC 6888 REQ-11), nothing",
    arguments: [("prohibited", UInt8(13)), ("host-unreachable", 1), ("silent", nil)])
  func answer(exhaustion: String, code: UInt8?) throws {
    var script = try Script(["pool": LimitTests.two, "exhaustion": exhaustion])
    for (index, port) in [UInt16(50001), 50002].enumerated() {
      let source = End(Stage.c1, UInt16(5000 + index))
      script.outbound(.s(1), .udp(source, LimitTests.remote), as: Stage.x(port))
      script.outbound(.s(1), .tcp(source, LimitTests.remote, .syn), as: Stage.x(port))
    }
    // The quote is the packet as it came, up to 576 bytes of error in all.
    for (index, packet) in [
      Datagram.udp("192.168.1.3:5000", LimitTests.remote),
      .udp("192.168.1.3:5000", LimitTests.remote, String(repeating: "long", count: 300)),
      .tcp("192.168.1.3:5000", LimitTests.remote, .syn),
    ].enumerated() {
      let time = Duration.s(Double(10 + 2 * index))
      script.dropped(time, .inside, packet, "portsExhausted")
      if let code { script.expect(time, .inside, .error(3, code, from: "192.168.1.1", about: packet)) }
    }
    try script.check()
  }

  @Test("EX4 a host is told once in any second, all causes together; each host has its own")
  func oncePerSecond() throws {
    var script = try Script([
      "pool": LimitTests.two, "limits": "{ per-host: { ports: 1, sessions: 2 } }",
    ])
    func refused(_ time: Double, _ packet: Datagram, _ reason: String, isTold: Bool) {
      script.dropped(.s(time), .inside, packet, reason)
      if isTold { script.expect(.s(time), .inside, .error(3, 13, from: "192.168.1.1", about: packet)) }
    }
    script.outbound(.s(1), .udp("192.168.1.2:5000", LimitTests.remote), as: Stage.x(50001))
    script.outbound(.s(2), .udp("192.168.1.2:5000", LimitTests.other), as: Stage.x(50001))
    script.outbound(.s(3), .udp("192.168.1.3:5000", LimitTests.remote), as: Stage.x(50002))
    refused(4, .udp("192.168.1.2:5001", LimitTests.remote), "hostPortLimit", isTold: true)
    refused(4.1, .udp("192.168.1.2:5000", "198.51.100.7:9"), "hostSessionLimit", isTold: false)
    refused(4.2, .tcp("192.168.1.2:5000", LimitTests.remote, .syn), "hostPortLimit", isTold: false)
    refused(4.3, .udp("192.168.1.4:5000", LimitTests.remote), "portsExhausted", isTold: true)
    refused(4.999, .udp("192.168.1.2:5001", LimitTests.remote), "hostPortLimit", isTold: false)
    // At the end of the second, counted from the last answer.
    refused(5, .udp("192.168.1.2:5000", "198.51.100.7:9"), "hostSessionLimit", isTold: true)
    refused(5.2, .udp("192.168.1.4:5000", LimitTests.remote), "portsExhausted", isTold: false)
    refused(5.3, .udp("192.168.1.4:5000", LimitTests.remote), "portsExhausted", isTold: true)
    refused(5.999, .udp("192.168.1.2:5001", LimitTests.remote), "hostPortLimit", isTold: false)
    let outcome = try script.check()
    #expect(outcome.stats.events.icmpErrorsSuppressed == 0)
  }

  @Test("EX4 an answer takes from the side's budget, and its second begins also when that is empty")
  func budget() throws {
    var script = try Script(["pool": LimitTests.two, "icmp-errors-per-second": "1"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", LimitTests.remote), as: Stage.x(50001))
    script.outbound(.s(2), .udp("192.168.1.2:5001", LimitTests.remote), as: Stage.x(50002))
    let third = Datagram.udp("192.168.1.3:5000", LimitTests.remote)
    let fourth = Datagram.udp("192.168.1.4:5000", LimitTests.remote)
    script.dropped(.s(3), .inside, third, "portsExhausted")
    script.expect(.s(3), .inside, .error(3, 13, from: "192.168.1.1", about: third))
    script.dropped(.s(3.5), .inside, fourth, "portsExhausted")  // due, and held back
    script.dropped(.s(4.2), .inside, fourth, "portsExhausted")  // the budget would do, but none is due
    script.dropped(.s(4.5), .inside, fourth, "portsExhausted")
    script.expect(.s(4.5), .inside, .error(3, 13, from: "192.168.1.1", about: fourth))
    let outcome = try script.check()
    #expect(outcome.stats.events.icmpErrorsSuppressed == 1)
  }

  @Test(
    "EX5 LIM5 no binding or session that lives ends to make room, not even a half-open one, RFC 6888 REQ-11")
  func nothingIsEvicted() throws {
    var script = try Script(["pool": LimitTests.two, "exhaustion": "silent"])
    script.outbound(.s(1), .tcp("192.168.1.2:5000", LimitTests.remote, .syn), as: Stage.x(50001))
    script.outbound(.s(2), .tcp("192.168.1.2:5001", LimitTests.remote, .syn), as: Stage.x(50002))
    script.inbound(.s(2.1), .tcp(LimitTests.remote, Stage.x(50002), [.rst, .ack]), to: "192.168.1.2:5001")
    for second in 3..<200 {
      script.dropped(
        .s(Double(second)), .inside, .tcp(End(Stage.c2, UInt16(second)), LimitTests.remote, .syn),
        "portsExhausted")
    }
    script.inbound(.s(200), .tcp(LimitTests.remote, Stage.x(50001), [.syn, .ack]), to: "192.168.1.2:5000")
    try script.check(sessions: [
      "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 established idle 0 expires 7440 out 1/40 in 1/40",
      "tcp 192.168.1.2:5001 203.0.113.5:50002 142.250.195.100:9 reset idle 197.9 expires 42.1 out 1/40 in 1/40",
    ])
  }

  @Test("EX6 ports of one protocol that are used up leave those of the others, RFC 6888 REQ-11")
  func otherProtocols() throws {
    var script = try Script(["pool": LimitTests.two, "exhaustion": "silent"])
    for index in 0..<2 {
      let source = End(Stage.c1, UInt16(5000 + index))
      script.outbound(.s(1), .udp(source, LimitTests.remote), as: Stage.x(UInt16(50001 + index)))
    }
    script.dropped(.s(2), .inside, .udp("192.168.1.3:5000", LimitTests.remote), "portsExhausted")
    script.outbound(.s(3), .tcp("192.168.1.3:5000", LimitTests.remote, .syn), as: Stage.x(50001))
    script.outbound(.s(4), .tcp("192.168.1.3:5001", LimitTests.remote, .syn), as: Stage.x(50002))
    script.dropped(.s(5), .inside, .tcp("192.168.1.3:5002", LimitTests.remote, .syn), "portsExhausted")
    for identifier in 0..<4 {
      script.outbound(
        .s(6), .echo(Stage.c3, Stage.s1, UInt16(900 + identifier)), as: Stage.x(UInt16(identifier)))
    }
    try script.check()
  }

  // MARK: Limits

  @Test("LIM1 a host has as many dynamic bindings as its limit, all protocols together, RFC 6888 REQ-4")
  func portsPerHost() throws {
    var script = try Script(["limits": "{ per-host: { ports: 3 } }", "exhaustion": "silent"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", LimitTests.remote), as: Stage.x(50001))
    script.outbound(.s(2), .tcp("192.168.1.2:5000", LimitTests.remote, .syn), as: Stage.x(50001))
    script.outbound(.s(3), .echo(Stage.c1, Stage.s1, 7), as: Stage.x(0))
    script.dropped(.s(4), .inside, .udp("192.168.1.2:5001", LimitTests.remote), "hostPortLimit")
    script.dropped(.s(5), .inside, .echo(Stage.c1, Stage.s1, 8), "hostPortLimit")
    // Its bindings go on, towards other remotes too; other hosts are not affected.
    script.outbound(.s(6), .udp("192.168.1.2:5000", LimitTests.other), as: Stage.x(50001))
    script.outbound(.s(7), .udp("192.168.1.3:5000", LimitTests.remote), as: Stage.x(50002))
    // The query's binding ends at 63 s.
    script.dropped(.s(63), .inside, .udp("192.168.1.2:5001", LimitTests.remote), "hostPortLimit")
    script.outbound(.s(63) + .nanosecond, .udp("192.168.1.2:5001", LimitTests.remote), as: Stage.x(50003))
    try script.check()
  }

  @Test("LIM2 a host has as many sessions as its limit, whoever made them, RFC 6888 REQ-5")
  func sessionsPerHost() throws {
    var script = try Script(
      ["limits": "{ per-host: { sessions: 3 } }", "filtering": "endpoint-independent"],
      more: ["static:", "  - { protocol: udp, public: 203.0.113.5:53, private: 192.168.1.2:53 }"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", LimitTests.remote), as: Stage.x(50001))
    script.inbound(.s(2), .udp(LimitTests.other, Stage.x(50001)), to: "192.168.1.2:5000")
    script.inbound(.s(3), .udp(LimitTests.other, Stage.x(53)), to: "192.168.1.2:53")
    let fourth = Datagram.udp("192.168.1.2:5000", "198.51.100.7:9")
    script.dropped(.s(4), .inside, fourth, "hostSessionLimit")
    script.expect(.s(4), .inside, .error(3, 13, from: "192.168.1.1", about: fourth))
    // Outside senders get no ICMP error.
    script.dropped(.s(6), .outside, .udp("198.51.100.7:9", Stage.x(50001)), "hostSessionLimit")
    script.dropped(.s(8), .outside, .udp("198.51.100.7:9", Stage.x(53)), "hostSessionLimit")
    script.outbound(.s(9), .udp("192.168.1.3:5000", LimitTests.remote), as: Stage.x(50002))
    script.inbound(.s(10), .udp(LimitTests.remote, Stage.x(50001)), to: "192.168.1.2:5000")
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 4)
  }

  @Test(
    "LIM2 a host makes so many sessions a second, in bursts of one second's worth; others go on, RFC 6888 REQ-5"
  )
  func rate() throws {
    var script = try Script(
      ["limits": "{ per-host: { sessions-per-second: 4 } }"],
      more: ["static:", "  - { protocol: udp, public: '203.0.113.5:53', private: '192.168.1.4:53' }"])
    func remote(_ port: Int) -> End { End(Stage.s1, UInt16(port)) }
    func passes(_ time: Duration, _ port: Int) {
      script.outbound(time, .udp("192.168.1.2:5000", remote(port)), as: Stage.x(50001))
    }
    func refused(_ time: Duration, _ port: Int, isTold: Bool = false) {
      let packet = Datagram.udp("192.168.1.2:5000", remote(port))
      script.dropped(time, .inside, packet, "hostSessionRate")
      if isTold { script.expect(time, .inside, .error(3, 13, from: "192.168.1.1", about: packet)) }
    }
    for port in 1...4 { passes(.s(1), port) }
    refused(.s(1), 5, isTold: true)
    script.outbound(.s(1), .udp("192.168.1.3:5000", remote(1)), as: Stage.x(50002))
    // A quarter of a second allows one new session; packets of sessions need none.
    refused(.s(1.25) - .nanosecond, 5)
    passes(.s(1.25), 5)
    refused(.s(1.25), 6)
    for port in 1...5 { passes(.s(1.3), port) }
    passes(.s(1.75), 6)
    passes(.s(1.75), 7)
    refused(.s(1.75), 8)
    // However long it waits, it saves up no more than one second's worth.
    for port in 11...14 { passes(.s(9), port) }
    refused(.s(9), 15, isTold: true)
    // Sessions from outside count too, and their senders get no ICMP error.
    for port in 1...4 { script.inbound(.s(20), .udp(remote(port), Stage.x(53)), to: "192.168.1.4:53") }
    script.dropped(.s(20), .outside, .udp(remote(5), Stage.x(53)), "hostSessionRate")
    script.inbound(.s(20.25), .udp(remote(5), Stage.x(53)), to: "192.168.1.4:53")
    let outcome = try script.check()
    #expect(outcome.stats.events.sessionsCreated == 17)
  }

  @Test("LIM2 a packet that makes two sessions of one host passes a rate of one where the second is full")
  func rateOfTwo() throws {
    var script = try Script(
      ["limits": "{ per-host: { sessions-per-second: 1 } }"],
      more: ["static:", "  - { protocol: udp, public: '203.0.113.5:53', private: '192.168.1.2:53' }"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", LimitTests.remote), as: Stage.x(50001))
    let own = Datagram.udp("192.168.1.2:5000", Stage.x(53))
    script.dropped(.s(1.5), .inside, own, "hostSessionRate")
    script.expect(.s(1.5), .inside, .error(3, 13, from: "192.168.1.1", about: own))
    script.hairpin(.s(2), own, from: Stage.x(50001), to: "192.168.1.2:53")
    // Two seconds' worth is gone.
    script.dropped(
      .s(4) - .nanosecond, .inside, .udp("192.168.1.2:5000", LimitTests.other), "hostSessionRate")
    script.expect(
      .s(4) - .nanosecond, .inside,
      .error(3, 13, from: "192.168.1.1", about: .udp("192.168.1.2:5000", LimitTests.other)))
    script.outbound(.s(4), .udp("192.168.1.2:5000", LimitTests.other), as: Stage.x(50001))
    try script.check()
  }

  @Test("LIM3 limits of the whole table, each with its counter; what lives goes on, RFC 6888 REQ-5")
  func wholeTable() throws {
    var script = try Script([
      "limits": "{ bindings: 2, sessions: 3 }", "filtering": "endpoint-independent",
    ])
    script.outbound(.s(1), .udp("192.168.1.2:5000", LimitTests.remote), as: Stage.x(50001))
    script.outbound(.s(2), .udp("192.168.1.3:5000", LimitTests.remote), as: Stage.x(50002))
    let third = Datagram.udp("192.168.1.4:5000", LimitTests.remote)
    script.dropped(.s(3), .inside, third, "bindingLimit")
    script.expect(.s(3), .inside, .error(3, 13, from: "192.168.1.1", about: third))
    script.outbound(.s(4), .udp("192.168.1.3:5000", LimitTests.other), as: Stage.x(50002))
    let fourth = Datagram.udp("192.168.1.2:5000", LimitTests.other)
    script.dropped(.s(5), .inside, fourth, "sessionLimit")
    script.expect(.s(5), .inside, .error(3, 13, from: "192.168.1.1", about: fourth))
    script.dropped(.s(6), .outside, .udp(LimitTests.other, Stage.x(50001)), "sessionLimit")
    script.inbound(.s(7), .udp(LimitTests.remote, Stage.x(50001)), to: "192.168.1.2:5000")
    let outcome = try script.check()
    #expect(outcome.stats.bindings == 2 && outcome.stats.sessions == 3)
  }

  @Test("LIM3 the table's limits are asked before those of the host, and these before the pool")
  func order() throws {
    func refused(_ nat: [String: String], _ remote: End, _ port: UInt16, _ reason: String) throws {
      var script = try Script(
        nat.merging(["pool": "[{ address: 203.0.113.5, ports: 50001-50001 }]", "exhaustion": "silent"]) { $1 }
      )
      script.outbound(.s(1), .udp("192.168.1.2:5000", LimitTests.remote), as: Stage.x(50001))
      script.dropped(.s(2), .inside, .udp(End(Stage.c1, port), remote), reason)
      try script.check()
    }
    let all = "{ bindings: 1, sessions: 1, per-host: { ports: 1, sessions: 1 } }"
    try refused(["limits": all], LimitTests.other, 5001, "bindingLimit")
    try refused(["limits": all], LimitTests.other, 5000, "sessionLimit")
    try refused(
      ["limits": "{ sessions: 1, per-host: { ports: 1, sessions: 1 } }"], LimitTests.other, 5001,
      "sessionLimit")
    try refused(
      ["limits": "{ per-host: { ports: 1, sessions: 1 } }"], LimitTests.other, 5001, "hostPortLimit")
    try refused(["limits": "{ per-host: { sessions: 1 } }"], LimitTests.other, 5001, "hostSessionLimit")
    try refused([:], LimitTests.other, 5001, "portsExhausted")
  }

  @Test("LIM4 a table full of sessions that have ended takes new ones at once")
  func recycled() throws {
    let nat = ["limits": "{ bindings: 200, sessions: 200 }", "exhaustion": "silent", "port-rest": "0s"]
    var script = try Script(nat)
    for index in 0..<200 {
      script.outbound(
        .s(1), .udp(End(Stage.c1, UInt16(5000 + index)), LimitTests.remote),
        as: Stage.x(UInt16(50001 + index)))
    }
    script.dropped(.s(301), .inside, .udp("192.168.1.3:5000", LimitTests.remote), "bindingLimit")
    for index in 0..<200 {
      script.outbound(
        .s(301) + .nanosecond, .udp(End(Stage.c2, UInt16(5000 + index)), LimitTests.remote),
        as: Stage.x(UInt16(50001 + index)))
    }
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 200 && outcome.stats.events.sessionsExpired == 200)
  }

  @Test("LIM6 a flood of SYNs from one host is held at its limit; others still connect, RFC 6888 REQ-5")
  func flood() throws {
    var script = try Script([
      "limits": "{ sessions: 1000, per-host: { sessions: 64 } }", "exhaustion": "silent",
    ])
    let flood = (0..<2000).map { Datagram.tcp("192.168.1.2:5000", End("198.51.100.7", UInt16($0 + 1)), .syn) }
    for (index, packet) in flood.enumerated() {
      let time = Duration.milliseconds(index + 1)
      if index < 64 {
        script.outbound(time, packet, as: Stage.x(50001))
      } else {
        script.dropped(time, .inside, packet, "hostSessionLimit")
      }
    }
    script.outbound(.s(3), .tcp("192.168.1.3:5000", LimitTests.remote, .syn), as: Stage.x(50002))
    script.inbound(.s(3.1), .tcp(LimitTests.remote, Stage.x(50002), [.syn, .ack]), to: "192.168.1.3:5000")
    // Its half-open connections end after 240 s, and it may open others.
    script.outbound(.s(241), .tcp("192.168.1.2:5000", "198.51.100.7:3000", .syn), as: Stage.x(50001))
    let outcome = try script.check()
    #expect(outcome.stats.events.sessionsCreated == 66)
  }
}
