import NATControl
import NATWire
import Testing

/// Static mappings: port forwards and 1:1 mappings.
@Suite("ST static mappings")
struct StaticTests {
  private static let remote: End = "142.250.195.100:9"
  private static let other: End = "151.101.65.69:9"
  private static let oneToOne = "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.3 }"

  private static func forward(_ transport: String, _ public: String, _ private: String) -> String {
    "  - { protocol: \(transport), public: '\(`public`)', private: '\(`private`)' }"
  }

  @Test("ST-1 a 1:1 mapping: the first packet from inside, UDP, TCP and queries, every port as it is")
  func fromInside() throws {
    var script = try Script(more: ["static:", StaticTests.oneToOne])
    for (time, port) in [(1.0, UInt16(0)), (2, 1), (3, 1023), (4, 65535)] {
      let (host, x) = (End(Stage.c2, port), End("203.0.113.9", port))
      script.outbound(.s(time), .udp(host, StaticTests.remote), as: x)
      if port > 0 { script.inbound(.s(time), .udp(StaticTests.remote, x), to: host) }
      script.outbound(.s(time), .tcp(host, StaticTests.remote, .syn), as: x)
      if port > 0 { script.inbound(.s(time), .tcp(StaticTests.remote, x, [.syn, .ack]), to: host) }
      script.outbound(.s(time), .echo(Stage.c2, Stage.s1, port), as: x)
      script.inbound(.s(time), .echoReply(Stage.s1, "203.0.113.9", port), to: host)
    }
    // No mapping, so from the pool.
    script.outbound(.s(5), .udp("192.168.1.2:1023", StaticTests.remote), as: Stage.x(50001))
    let outcome = try script.check()
    #expect(outcome.stats.bindings == 13 && outcome.stats.events.bindingsCreated == 1)
  }

  @Test("ST-1 a 1:1 mapping: the first packet from outside, unfiltered, whatever the filter")
  func fromOutside() throws {
    var script = try Script(
      ["filtering": "address-and-port-dependent"], more: ["static:", StaticTests.oneToOne])
    let (host, x): (End, End) = ("192.168.1.3:80", "203.0.113.9:80")
    for (time, remote) in [(1.0, StaticTests.remote), (2, StaticTests.other)] {
      script.inbound(.s(time), .udp(remote, x), to: host)
      script.outbound(.s(time + 0.1), .udp(host, remote), as: x)
      script.inbound(.s(time + 0.2), .tcp(remote, x, .syn), to: host)
      script.outbound(.s(time + 0.3), .tcp(host, remote, [.syn, .ack]), as: x)
      script.inbound(.s(time + 0.4), .query(13, remote.address, x.address, 7), to: End(Stage.c2, 7))
      script.outbound(.s(time + 0.5), .query(14, Stage.c2, remote.address, 7), as: End("203.0.113.9", 7))
    }
    try script.check(sessions: [
      "icmp static 192.168.1.3:7 203.0.113.9:7 142.250.195.100:0 active idle 1 expires 59 out 1/40 in 1/40",
      "icmp static 192.168.1.3:7 203.0.113.9:7 151.101.65.69:0 active idle 0 expires 60 out 1/40 in 1/40",
      "tcp static 192.168.1.3:80 203.0.113.9:80 142.250.195.100:9 established idle 1.2 expires 7438.8 out 1/40 in 1/40",
      "tcp static 192.168.1.3:80 203.0.113.9:80 151.101.65.69:9 established idle 0.2 expires 7439.8 out 1/40 in 1/40",
      "udp static 192.168.1.3:80 203.0.113.9:80 142.250.195.100:9 active idle 1.4 expires 298.6 out 1/36 in 1/36",
      "udp static 192.168.1.3:80 203.0.113.9:80 151.101.65.69:9 active idle 0.4 expires 299.6 out 1/36 in 1/36",
    ])
  }

  @Test(
    "ST-2 a forward of TCP, of UDP, of a query's identifier; the same port of other protocols is not concerned"
  )
  func forwards() throws {
    var script = try Script(
      ["filtering": "endpoint-independent"],
      more: [
        "static:", StaticTests.forward("tcp", "203.0.113.5:8080", "192.168.1.3:80"),
        StaticTests.forward("udp", "203.0.113.5:5353", "192.168.1.3:53"),
        StaticTests.forward("icmp", "203.0.113.5:77", "192.168.1.3:7"),
        StaticTests.forward("tcp", "203.0.113.5:50001", "192.168.1.3:81"),
      ])
    script.inbound(.s(1), .tcp(StaticTests.remote, Stage.x(8080), .syn), to: "192.168.1.3:80")
    script.outbound(.s(1.1), .tcp("192.168.1.3:80", StaticTests.remote, [.syn, .ack]), as: Stage.x(8080))
    script.inbound(.s(2), .udp(StaticTests.remote, Stage.x(5353)), to: "192.168.1.3:53")
    script.outbound(.s(2.1), .udp("192.168.1.3:53", StaticTests.remote), as: Stage.x(5353))
    script.inbound(.s(3), .echo(Stage.s1, Stage.gateway, 77), to: End(Stage.c2, 7))
    script.outbound(.s(3.1), .echoReply(Stage.c2, Stage.s1, 7), as: Stage.x(77))
    script.dropped(.s(4), .outside, .udp(StaticTests.remote, Stage.x(8080)), "noBinding")
    script.dropped(.s(5), .outside, .tcp(StaticTests.remote, Stage.x(5353), .syn), "noBinding")
    // UDP port 50001 belongs to a host, TCP port 50001 to the port forward.
    script.outbound(.s(6), .udp("192.168.1.2:5000", StaticTests.remote), as: Stage.x(50001))
    script.inbound(.s(6.1), .tcp(StaticTests.other, Stage.x(50001), .syn), to: "192.168.1.3:81")
    script.inbound(.s(6.2), .udp(StaticTests.other, Stage.x(50001)), to: "192.168.1.2:5000")
    // Only a SYN opens a session, although there is no filter.
    script.dropped(.s(7), .outside, .tcp(StaticTests.other, Stage.x(8080), .ack), "noSession")
    // The host's other ports are not affected.
    script.outbound(.s(8), .tcp("192.168.1.3:82", StaticTests.remote, .syn), as: Stage.x(50002))
    try script.check()
  }

  @Test(
    "ST-2 a forward is always listed, with sessions or without; nothing of the outside keeps it from ending")
  func listed() throws {
    var script = try Script(
      more: ["static:", StaticTests.forward("udp", "203.0.113.5:5353", "192.168.1.3:53")])
    script.inbound(.s(1), .udp(StaticTests.remote, Stage.x(5353)), to: "192.168.1.3:53")
    script.inbound(.s(300), .udp(StaticTests.other, Stage.x(5353)), to: "192.168.1.3:53")
    var alive = script
    alive.inbound(.s(301), .udp(StaticTests.other, Stage.x(5353)), to: "192.168.1.3:53")
    try alive.check(sessions: [
      "udp static 192.168.1.3:53 203.0.113.5:5353 142.250.195.100:9 active idle 300 expires 0 out 0/0 in 1/36",
      "udp static 192.168.1.3:53 203.0.113.5:5353 151.101.65.69:9 active idle 0 expires 299 out 0/0 in 2/72",
    ])
    script.dropped(.s(601), .outside, .udp(StaticTests.other, Stage.x(5354)), "noBinding")
    let outcome = try script.check(sessions: ["udp static 192.168.1.3:53 203.0.113.5:5353"])
    #expect(outcome.stats.bindings == 1 && outcome.stats.events.sessionsExpired == 2)
  }

  @Test(
    "ST-2 of two forwards of one endpoint the one that has the session is taken, else the first in the file")
  func twoForwards() throws {
    var script = try Script(
      more: [
        "static:", StaticTests.forward("udp", "203.0.113.5:1001", "192.168.1.3:53"),
        StaticTests.forward("udp", "203.0.113.5:1000", "192.168.1.3:53"),
      ])
    script.inbound(.s(1), .udp(StaticTests.remote, Stage.x(1000)), to: "192.168.1.3:53")
    script.outbound(.s(2), .udp("192.168.1.3:53", StaticTests.remote), as: Stage.x(1000))
    script.outbound(.s(3), .udp("192.168.1.3:53", StaticTests.other), as: Stage.x(1001))
    script.inbound(.s(4), .udp(StaticTests.other, Stage.x(1000)), to: "192.168.1.3:53")
    try script.check()
  }

  @Test("ST-4 the forward within a 1:1 address takes its port, the 1:1 host has the rest")
  func mostSpecific() throws {
    var script = try Script(
      more: [
        "static:", StaticTests.oneToOne, StaticTests.forward("tcp", "203.0.113.9:80", "192.168.1.4:8080"),
      ])
    script.inbound(.s(1), .tcp(StaticTests.remote, "203.0.113.9:80", .syn), to: "192.168.1.4:8080")
    script.outbound(
      .s(1.1), .tcp("192.168.1.4:8080", StaticTests.remote, [.syn, .ack]), as: "203.0.113.9:80")
    script.inbound(.s(2), .tcp(StaticTests.remote, "203.0.113.9:81", .syn), to: "192.168.1.3:81")
    script.inbound(.s(3), .udp(StaticTests.remote, "203.0.113.9:80"), to: "192.168.1.3:80")
    // Other sessions of the host use the pool.
    script.outbound(.s(4), .tcp("192.168.1.4:4000", StaticTests.remote, .syn), as: Stage.x(50001))
    try script.check()
  }

  @Test(
    "ST-3 ST-5 ST-11 terms of forwards in a replay: direction, remote, one session, a lifetime from the first packet on"
  )
  func terms() throws {
    func forward(_ port: UInt16, _ terms: String) -> String {
      "  - { protocol: udp, public: '203.0.113.5:\(port)', private: '192.168.1.3:\(port)', \(terms) }"
    }
    func host(_ port: UInt16) -> End { End(Stage.c2, port) }
    var script = try Script(more: [
      "static:", forward(1001, "direction: inbound"), forward(1002, "remote: 142.250.195.100"),
      forward(1003, "remote: '142.250.195.100:9'"), forward(1004, "once: true"),
      forward(1005, "lifetime: 60s"),
    ])
    let (remote, other) = (StaticTests.remote, StaticTests.other)
    // Inbound: replies leave by the port forward, sessions that its host opens do not.
    script.inbound(.s(1), .udp(remote, Stage.x(1001)), to: host(1001))
    script.outbound(.s(1.1), .udp(host(1001), remote), as: Stage.x(1001))
    script.outbound(.s(1.2), .udp(host(1001), other), as: Stage.x(50001))
    script.inbound(.s(1.3), .udp(other, Stage.x(50001)), to: host(1001))
    // One remote, or one of its ports, both ways.
    script.inbound(.s(2), .udp(remote, Stage.x(1002)), to: host(1002))
    script.inbound(.s(2.1), .udp("142.250.195.100:10", Stage.x(1002)), to: host(1002))
    script.dropped(.s(2.2), .outside, .udp(other, Stage.x(1002)), "noBinding")
    script.outbound(.s(2.3), .udp(host(1002), other), as: Stage.x(50002))
    script.outbound(.s(2.4), .udp(host(1003), remote), as: Stage.x(1003))
    script.dropped(.s(2.5), .outside, .udp("142.250.195.100:10", Stage.x(1003)), "noBinding")
    script.outbound(.s(2.6), .udp(host(1003), "142.250.195.100:10"), as: Stage.x(50003))
    // One session, to its end 300 s after the host's last packet.
    script.outbound(.s(3), .udp(host(1004), remote), as: Stage.x(1004))
    script.dropped(.s(3.1), .outside, .udp(other, Stage.x(1004)), "noBinding")
    script.inbound(.s(3.2), .udp(remote, Stage.x(1004)), to: host(1004))
    // The first frame of the script is at 0 s.
    script.inbound(.s(59), .udp(remote, Stage.x(1005)), to: host(1005))
    script.inbound(.s(60), .udp(other, Stage.x(1005)), to: host(1005))
    script.dropped(.s(60) + .nanosecond, .outside, .udp(remote, Stage.x(1005)), "noBinding")
    script.outbound(.s(61), .udp(host(1005), remote), as: Stage.x(50004))
    script.inbound(.s(303), .udp(remote, Stage.x(1004)), to: host(1004))
    script.dropped(.s(303) + .nanosecond, .outside, .udp(remote, Stage.x(1004)), "noBinding")
    let outcome = try script.check()
    #expect(outcome.table.bindings.count { $0.kind == .static } == 3)
  }

  @Test("ST-12 statics count in no limit of bindings, need no pool and rest no port, RFC 6888 REQ-8")
  func unlimited() throws {
    var script = try Script(
      [
        "limits": "{ bindings: 1, per-host: { ports: 1 } }", "exhaustion": "silent",
        "pool": "[{ address: 203.0.113.5, ports: 50001-50001 }]", "lifetimes": "{ udp: 10s }",
      ],
      more: [
        "static:", StaticTests.oneToOne, StaticTests.forward("udp", "203.0.113.5:1000", "192.168.1.2:1000"),
        StaticTests.forward("udp", "203.0.113.5:1001", "192.168.1.2:1001"),
      ])
    script.outbound(.s(1), .udp("192.168.1.2:1000", StaticTests.remote), as: Stage.x(1000))
    script.outbound(.s(1), .udp("192.168.1.2:1001", StaticTests.remote), as: Stage.x(1001))
    for port in UInt16(1)...20 {
      script.outbound(.s(2), .udp(End(Stage.c2, port), StaticTests.remote), as: End("203.0.113.9", port))
    }
    // The limit is one dynamic binding, and there is still room for it.
    script.outbound(.s(3), .udp("192.168.1.2:5000", StaticTests.remote), as: Stage.x(50001))
    script.dropped(.s(4), .inside, .udp("192.168.1.4:5000", StaticTests.remote), "bindingLimit")
    script.outbound(.s(5), .udp(End(Stage.c2, 21), StaticTests.remote), as: "203.0.113.9:21")
    // Their sessions have ended; the port of a static mapping has no hold-down.
    script.inbound(.s(12.5), .udp(StaticTests.other, Stage.x(1000)), to: "192.168.1.2:1000")
    script.inbound(.s(12.5), .udp(StaticTests.other, "203.0.113.9:1"), to: "192.168.1.3:1")
    let outcome = try script.check()
    #expect(outcome.stats.events.bindingsCreated == 1)
    #expect(outcome.stats.pool.allSatisfy { $0.resting == 0 })
  }
}
