import NATControl
import NATWire
import TestSupport
import Testing

/// `evict: oldest-transitory`: without room, the TCP session ends that has been half open, closed or reset the longest.
@Suite("LIM5 eviction")
struct EvictionTests {
  private func script(_ nat: [String: String], more: [String] = []) throws -> Script {
    try Script(
      nat.merging(["evict": "oldest-transitory", "exhaustion": "silent"]) { own, _ in own }, more: more)
  }

  private let server: End = "142.250.195.100:80"

  private func syn(_ source: End, _ destination: End? = nil) -> Datagram {
    .tcp(source, destination ?? server, .syn)
  }

  /// A connection from SYN to SYN-ACK.
  private func connect(_ script: inout Script, _ time: Double, _ source: End, as port: UInt16) {
    script.outbound(.s(time), syn(source), as: Stage.x(port))
    script.inbound(.s(time), .tcp(server, Stage.x(port), [.syn, .ack]), to: source)
  }

  @Test("LIM5 the oldest half-open connection makes room for a session of anybody's")
  func oldestHalfOpen() throws {
    var script = try script(["limits": "{ sessions: 2 }"])
    script.outbound(.s(1), syn("192.168.1.2:1"), as: Stage.x(50001))
    script.outbound(.s(2), syn("192.168.1.3:1"), as: Stage.x(50002))
    // A repeated SYN restarts nothing.
    script.outbound(.s(3), syn("192.168.1.2:1"), as: Stage.x(50001))
    script.outbound(.s(4), .udp("192.168.1.4:1", "142.250.195.100:53"), as: Stage.x(50001))
    script.dropped(.s(5), .outside, .tcp(server, Stage.x(50001), [.syn, .ack]), "noBinding")
    script.inbound(.s(6), .tcp(server, Stage.x(50002), [.syn, .ack]), to: "192.168.1.3:1")
    let outcome = try script.check()
    #expect(outcome.stats.events.sessionsExpired == 1)
  }

  @Test("LIM5 an established or half-closed connection, and UDP, never make room: the sender is refused")
  func neverEstablished() throws {
    var script = try script(["limits": "{ sessions: 3 }", "exhaustion": "prohibited"])
    connect(&script, 1, "192.168.1.2:1", as: 50001)
    connect(&script, 2, "192.168.1.2:2", as: 50002)
    script.outbound(.s(2), .tcp("192.168.1.2:2", server, [.fin, .ack]), as: Stage.x(50002))
    script.outbound(.s(3), .udp("192.168.1.2:1", "142.250.195.100:53"), as: Stage.x(50001))
    let refused = syn("192.168.1.3:1")
    script.dropped(.s(4), .inside, refused, "sessionLimit")
    script.expect(
      .s(4), .inside,
      Datagram(
        source: "192.168.1.1:0", destination: "192.168.1.3:0",
        payload: .icmp(type: 3, code: 13, rest: 0, data: refused.bytes), typeOfService: 0xC0,
        identification: 0))
    script.outbound(.s(5), .tcp("192.168.1.2:1", server, [.ack], "data"), as: Stage.x(50001))
    let outcome = try script.check()
    #expect(outcome.stats.events.sessionsExpired == 0)
  }

  @Test("LIM5 the time since it became transitory counts, not its age", arguments: [SegmentFlags.rst, .fin])
  func sinceTransitory(ending: SegmentFlags) throws {
    var script = try script(["limits": "{ sessions: 2 }"])
    connect(&script, 1, "192.168.1.2:1", as: 50001)
    script.outbound(.s(2), syn("192.168.1.3:1"), as: Stage.x(50002))
    script.outbound(.s(3), .tcp("192.168.1.2:1", server, ending), as: Stage.x(50001))
    if ending == .fin {
      script.inbound(.s(3), .tcp(server, Stage.x(50001), [.fin, .ack]), to: "192.168.1.2:1")
    }
    script.outbound(.s(4), syn("192.168.1.4:1"), as: Stage.x(50003))
    // The session of the SYN at 2 s is evicted; the connection of 1 s has its last ACK.
    script.inbound(.s(5), .tcp(server, Stage.x(50001), [.ack]), to: "192.168.1.2:1")
    script.dropped(.s(6), .outside, .tcp(server, Stage.x(50002), [.syn, .ack]), "noBinding")
    try script.check()
  }

  @Test("LIM5 at its own limit of sessions a host makes room with its own, older ones of others stay")
  func ownSessions() throws {
    var script = try script(["limits": "{ per-host: { sessions: 2 } }"])
    script.outbound(.s(1), syn("192.168.1.3:1"), as: Stage.x(50001))
    script.outbound(.s(2), syn("192.168.1.2:1"), as: Stage.x(50002))
    script.outbound(.s(3), syn("192.168.1.2:2"), as: Stage.x(50003))
    script.outbound(.s(4), syn("192.168.1.2:3"), as: Stage.x(50002))
    let state = "142.250.195.100:80 syn-sent idle"
    try script.check(sessions: [
      "tcp 192.168.1.2:2 203.0.113.5:50003 \(state) 1 expires 239 out 1/40 in 0/0",
      "tcp 192.168.1.2:3 203.0.113.5:50002 \(state) 0 expires 240 out 1/40 in 0/0",
      "tcp 192.168.1.3:1 203.0.113.5:50001 \(state) 3 expires 237 out 1/40 in 0/0",
    ])
  }

  @Test(
    "LIM5 for a binding the session must be its last one",
    arguments: ["{ bindings: 2 }", "{ per-host: { ports: 2 } }"])
  func lastOfBinding(limits: String) throws {
    var script = try script(["limits": limits])
    // Two sessions over the first binding, so the second goes although it is younger.
    script.outbound(.s(1), syn("192.168.1.2:1"), as: Stage.x(50001))
    script.outbound(.s(2), syn("192.168.1.2:1", "151.101.65.69:80"), as: Stage.x(50001))
    script.outbound(.s(3), syn("192.168.1.2:2"), as: Stage.x(50002))
    script.outbound(.s(4), syn("192.168.1.2:3"), as: Stage.x(50002))
    // With one of its sessions established, neither session of the first binding is evicted.
    script.inbound(.s(5), .tcp(server, Stage.x(50001), [.syn, .ack]), to: "192.168.1.2:1")
    script.inbound(.s(5), .tcp(server, Stage.x(50002), [.syn, .ack]), to: "192.168.1.2:3")
    script.dropped(
      .s(6), .inside, syn("192.168.1.2:4"), limits.contains("bind") ? "bindingLimit" : "hostPortLimit")
    let outcome = try script.check()
    #expect(outcome.stats.events.sessionsExpired == 1)
  }

  @Test("LIM5 PA11 a port that rests is of use to its own host alone")
  func ownPort() throws {
    var script = try script(["pool": "[{ address: 203.0.113.5, ports: 50001-50002 }]"])
    script.outbound(.s(1), syn("192.168.1.3:1"), as: Stage.x(50001))
    script.outbound(.s(2), syn("192.168.1.2:1"), as: Stage.x(50002))
    script.dropped(.s(3), .inside, syn("192.168.1.4:1"), "portsExhausted")
    script.outbound(.s(4), syn("192.168.1.2:2"), as: Stage.x(50002))
    script.inbound(.s(5), .tcp(server, Stage.x(50001), [.syn, .ack]), to: "192.168.1.3:1")
    try script.check()
  }

  @Test("LIM5 where ports do not rest, any host's port will do")
  func anyPort() throws {
    var script = try script([
      "pool": "[{ address: 203.0.113.5, ports: 50001-50002 }]", "port-rest": "0s",
    ])
    script.outbound(.s(1), syn("192.168.1.3:1"), as: Stage.x(50001))
    script.outbound(.s(2), syn("192.168.1.2:1"), as: Stage.x(50002))
    script.outbound(.s(3), syn("192.168.1.4:1"), as: Stage.x(50001))
    // A port of the same host is taken before older ports of other hosts.
    script.outbound(.s(4), syn("192.168.1.4:2"), as: Stage.x(50001))
    script.inbound(.s(5), .tcp(server, Stage.x(50002), [.syn, .ack]), to: "192.168.1.2:1")
    try script.check()
  }

  @Test("LIM5 EX6 no TCP session ends for a UDP port")
  func otherProtocol() throws {
    var script = try script(["pool": "[{ address: 203.0.113.5, ports: 50001-50001 }]", "port-rest": "0s"])
    let resolver: End = "142.250.195.100:53"
    script.outbound(.s(1), syn("192.168.1.2:1"), as: Stage.x(50001))
    script.outbound(.s(2), .udp("192.168.1.2:1", resolver), as: Stage.x(50001))
    script.dropped(.s(3), .inside, .udp("192.168.1.2:2", resolver), "portsExhausted")
    let outcome = try script.check()
    #expect(outcome.stats.events.sessionsExpired == 0)
  }

  @Test("LIM5 a packet from outside over a static mapping finds room in the same way")
  func inbound() throws {
    var script = try script(
      ["limits": "{ sessions: 1 }"],
      more: ["static:", "  - { protocol: tcp, public: \"203.0.113.5:80\", private: \"192.168.1.3:8080\" }"])
    script.outbound(.s(1), syn("192.168.1.2:1"), as: Stage.x(50001))
    script.inbound(.s(2), .tcp("198.51.100.7:4000", Stage.x(80), .syn), to: "192.168.1.3:8080")
    script.dropped(.s(3), .outside, .tcp(server, Stage.x(50001), [.syn, .ack]), "noBinding")
    try script.check()
  }

  @Test("LIM5 HP2 what a hairpinned packet travels over stays")
  func kept() throws {
    var script = try script(["limits": "{ sessions: 3 }"])
    // C2's binding hangs on one half-open session, and is the oldest.
    script.outbound(.s(1), syn("192.168.1.3:1"), as: Stage.x(50001))
    script.outbound(.s(2), syn("192.168.1.4:1"), as: Stage.x(50002))
    script.receive(.s(3), .inside, syn("192.168.1.2:1", Stage.x(50001)))
    script.expect(
      .s(3), .inside, Datagram.tcp(Stage.x(50003), "192.168.1.3:1", .syn).with { $0.timeToLive -= 1 })
    script.dropped(.s(4), .outside, .tcp(server, Stage.x(50002), [.syn, .ack]), "noBinding")
    script.inbound(.s(5), .tcp(server, Stage.x(50001), [.syn, .ack]), to: "192.168.1.3:1")
    try script.check()
  }
}
