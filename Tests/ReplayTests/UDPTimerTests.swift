import NATControl
import NATWire
import Testing

/// RFC 4787 section 4.3.
@Suite("UT UDP timers")
struct UDPTimerTests {
  private static let remote: End = "142.250.195.100:9"
  private static let other: End = "151.101.65.69:9"
  private static let host: End = "192.168.1.2:5000"
  private static let out = Datagram.udp(host, remote)
  private static let back = Datagram.udp(remote, Stage.x(50001))

  @Test("UT1 a session lives 300 s to the nanosecond, RFC 4787 REQ-5", arguments: [true, false])
  func lifetime(isInTime: Bool) throws {
    var script = try Script()
    script.outbound(.s(1), UDPTimerTests.out, as: Stage.x(50001))
    script.inbound(.s(121), UDPTimerTests.back, to: UDPTimerTests.host)
    if isInTime {
      script.inbound(.s(301), UDPTimerTests.back, to: UDPTimerTests.host)
    } else {
      script.dropped(.s(301) + .nanosecond, .outside, UDPTimerTests.back, "noBinding")
    }
    let outcome = try script.check()
    #expect(outcome.stats.sessions == (isInTime ? 1 : 0))
    #expect(outcome.stats.events.sessionsExpired == (isInTime ? 0 : 1))
  }

  @Test("UT2 an outbound packet restarts the clock, at its last instant too, RFC 4787 REQ-6")
  func refresh() throws {
    var script = try Script()
    for time in [1.0, 200, 500, 800] { script.outbound(.s(time), UDPTimerTests.out, as: Stage.x(50001)) }
    script.inbound(.s(1100), UDPTimerTests.back, to: UDPTimerTests.host)
    script.dropped(.s(1100) + .nanosecond, .outside, UDPTimerTests.back, "noBinding")
    try script.check()
  }

  @Test(
    "UT3 D5 inbound packets restart it unless inbound-refresh is off, RFC 4787 REQ-6a, RFC 6888 REQ-7",
    arguments: [
      ("peers", true), ("all", true), ("true", true), ("off", false), ("false", false),
    ])
  func inboundRefresh(value: String, isOn: Bool) throws {
    var script = try Script(["inbound-refresh": value])
    script.outbound(.s(1), UDPTimerTests.out, as: Stage.x(50001))
    script.inbound(.s(300), UDPTimerTests.back, to: UDPTimerTests.host)
    if isOn {
      script.inbound(.s(600), UDPTimerTests.back, to: UDPTimerTests.host)
      script.dropped(.s(900) + .nanosecond, .outside, UDPTimerTests.back, "noBinding")
    } else {
      script.dropped(.s(600), .outside, UDPTimerTests.back, "noBinding")
      script.dropped(.s(900), .outside, UDPTimerTests.back, "noBinding")
    }
    try script.check()
  }

  @Test(
    "D5 a session that remotes alone used is restarted by all, not by peers; then the host's first packet changes that",
    arguments: ["peers", "all", "off"])
  func inboundAlone(value: String) throws {
    var script = try Script([
      "filtering": "endpoint-independent", "inbound-refresh": value,
      "lifetimes": "{ udp: 100s, ports: { udp/7: 900s } }",
    ])
    // The binding lives by the session with port 7.
    script.outbound(.s(1), .udp(UDPTimerTests.host, "198.51.100.9:7"), as: Stage.x(50001))
    let stranger: End = "198.51.100.10:9"
    let back = Datagram.udp(stranger, Stage.x(50001))
    script.inbound(.s(10), back, to: UDPTimerTests.host)
    script.inbound(.s(60), back, to: UDPTimerTests.host)
    // Seen as sessions that were made: another one if the first has ended at 110 s.
    script.inbound(.s(150), back, to: UDPTimerTests.host)
    script.outbound(.s(151), .udp(UDPTimerTests.host, stranger), as: Stage.x(50001))
    script.inbound(.s(240), back, to: UDPTimerTests.host)
    script.inbound(.s(330), back, to: UDPTimerTests.host)
    let outcome = try script.check()
    let made = ["peers": 3, "all": 2, "off": 4]
    #expect(try outcome.stats.events.sessionsCreated == #require(made[value]))
  }

  @Test("UT4 after the end inbound packets are dropped, and the next outbound one makes a new binding")
  func afterEnd() throws {
    var script = try Script()
    script.outbound(.s(1), UDPTimerTests.out, as: Stage.x(50001))
    script.dropped(.s(302), .outside, UDPTimerTests.back, "noBinding")
    script.outbound(.s(303), .udp("192.168.1.3:5000", UDPTimerTests.remote), as: Stage.x(50002))
    script.outbound(.s(422), .udp("192.168.1.4:5000", UDPTimerTests.remote), as: Stage.x(50001))
    script.outbound(.s(423), UDPTimerTests.out, as: Stage.x(50003))
    script.inbound(.s(424), .udp(UDPTimerTests.remote, Stage.x(50003)), to: UDPTimerTests.host)
    let outcome = try script.check()
    #expect(outcome.stats.events.bindingsCreated == 4)
  }

  @Test("UT5 a binding lives as long as its last session, RFC 4787 REQ-1")
  func lastSession() throws {
    var script = try Script()
    script.outbound(.s(1), UDPTimerTests.out, as: Stage.x(50001))
    script.outbound(.s(200), .udp(UDPTimerTests.host, UDPTimerTests.other), as: Stage.x(50001))
    // The first session has ended, and its entry in the filter with it.
    script.dropped(.s(302), .outside, UDPTimerTests.back, "filtered")
    script.inbound(.s(303), .udp(UDPTimerTests.other, Stage.x(50001)), to: UDPTimerTests.host)
    script.outbound(.s(304), UDPTimerTests.out, as: Stage.x(50001))
    script.dropped(.s(501), .outside, .udp(UDPTimerTests.other, Stage.x(50001)), "filtered")
    try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 active idle 197 expires 103 out 1/36 in 0/0"
    ])
  }

  @Test(
    "UT6 lifetimes are configured, each of its protocol, RFC 4787 REQ-5b, REQ-5c",
    arguments: [("udp: 400s", 400, 60), ("icmp: 90s", 300, 90), ("udp: 2m, icmp: 1h", 120, 3600)])
  func configured(lifetimes: String, udp: Int, icmp: Int) throws {
    for isLate in [false, true] {
      var script = try Script(["lifetimes": "{ \(lifetimes) }"])
      script.outbound(.s(1), UDPTimerTests.out, as: Stage.x(50001))
      script.outbound(.s(1), .echo(Stage.c1, Stage.s1, 42), as: Stage.x(0))
      let reply = Datagram.echoReply(Stage.s1, Stage.gateway, 0)
      let late = isLate ? Duration.nanosecond : .zero
      if isLate {
        script.dropped(.seconds(udp + 1) + late, .outside, UDPTimerTests.back, "noBinding")
        script.dropped(.seconds(icmp + 1) + late, .outside, reply, "noBinding")
      } else {
        script.inbound(.seconds(udp + 1), UDPTimerTests.back, to: UDPTimerTests.host)
        script.inbound(.seconds(icmp + 1), reply, to: "192.168.1.2:42")
      }
      try script.check()
    }
  }

  @Test("UT7 a dropped packet restarts nothing: TTL, header checksum, filter, RFC 4787 REQ-6")
  func dropped() throws {
    var script = try Script([
      "filtering": "address-and-port-dependent", "inbound-refresh": "true", "icmp-errors-per-second": "0",
    ])
    script.outbound(.s(1), UDPTimerTests.out, as: Stage.x(50001))
    script.dropped(.s(100), .inside, UDPTimerTests.out.with { $0.timeToLive = 1 }, "ttlExceeded")
    script.dropped(.s(101), .inside, UDPTimerTests.out.with { $0.timeToLive = 0 }, "ttlExceeded")
    script.dropped(.s(102), .inside, UDPTimerTests.out.with { $0.headerError = 1 }, "badIPv4Checksum")
    script.dropped(.s(103), .outside, UDPTimerTests.back.with { $0.timeToLive = 1 }, "ttlExceeded")
    script.dropped(.s(104), .outside, UDPTimerTests.back.with { $0.headerError = 1 }, "badIPv4Checksum")
    script.dropped(.s(105), .outside, .udp("142.250.195.100:8", Stage.x(50001)), "filtered")
    script.dropped(.s(106), .inside, .udp(UDPTimerTests.host, "142.250.195.100:0"), "portZero")
    script.dropped(.s(301) + .nanosecond, .outside, UDPTimerTests.back, "noBinding")
    let outcome = try script.check(sessions: [])
    #expect(outcome.stats.events.icmpErrorsSuppressed == 3)
  }

  @Test("UT8 a lifetime for a destination port, of the packet that made the session, RFC 4787 REQ-5a")
  func perPort() throws {
    var script = try Script(["lifetimes": "{ ports: { udp/53: 120s } }", "filtering": "endpoint-independent"])
    script.outbound(.s(1), .udp(UDPTimerTests.host, "142.250.195.100:53"), as: Stage.x(50001))
    script.outbound(.s(2), .udp(UDPTimerTests.host, "142.250.195.100:54"), as: Stage.x(50001))
    script.outbound(.s(3), .udp("192.168.1.3:53", "142.250.195.100:55"), as: Stage.x(50002))
    // From a remote port 53, over another binding: the destination port counts, here 50001.
    script.inbound(.s(4), .udp("151.101.65.69:53", Stage.x(50001)), to: UDPTimerTests.host)
    script.inbound(.s(121), .udp("142.250.195.100:53", Stage.x(50001)), to: UDPTimerTests.host)
    script.inbound(.s(122), .udp("142.250.195.100:53", Stage.x(50001)), to: UDPTimerTests.host)
    try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:53 active idle 0 expires 300 out 0/0 in 1/36",
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:54 active idle 120 expires 180 out 1/36 in 0/0",
      "udp 192.168.1.2:5000 203.0.113.5:50001 151.101.65.69:53 active idle 118 expires 182 out 0/0 in 1/36",
      "udp 192.168.1.3:53 203.0.113.5:50002 142.250.195.100:55 active idle 119 expires 181 out 1/36 in 0/0",
    ])
  }

  @Test("UT8 over a forward the lifetime is that of the port before translation")
  func perPortOfForward() throws {
    var script = try Script(
      ["lifetimes": "{ ports: { udp/8053: 150s, udp/53: 120s } }"],
      more: ["static:", "  - { protocol: udp, public: \"203.0.113.5:8053\", private: \"192.168.1.2:53\" }"])
    script.inbound(.s(1), .udp("142.250.195.100:9", Stage.x(8053)), to: "192.168.1.2:53")
    script.hairpin(
      .s(2), .udp("192.168.1.3:5000", Stage.x(8053)), from: Stage.x(50001), to: "192.168.1.2:53")
    try script.check(sessions: [
      "udp static 192.168.1.2:53 203.0.113.5:8053 142.250.195.100:9 active idle 1 expires 149 out 0/0 in 1/36",
      "udp static 192.168.1.2:53 203.0.113.5:8053 203.0.113.5:50001 active idle 0 expires 150 out 0/0 in 1/36 hairpin",
      "udp 192.168.1.3:5000 203.0.113.5:50001 203.0.113.5:8053 active idle 0 expires 150 out 1/36 in 0/0 hairpin",
    ])
  }

  @Test("an earlier stamp counts, and is written, as the clock")
  func backwards() throws {
    var script = try Script()
    script.allowsEarlierStamps = true
    script.outbound(.s(100), UDPTimerTests.out, as: Stage.x(50001))
    script.receive(.s(50), .inside, UDPTimerTests.out)
    script.expect(.s(100), .outside, UDPTimerTests.out.sent(as: Stage.x(50001)))
    script.inbound(.s(400), UDPTimerTests.back, to: UDPTimerTests.host)
    script.dropped(.s(400) + .nanosecond, .outside, UDPTimerTests.back, "noBinding")
    try script.check()
  }
}
