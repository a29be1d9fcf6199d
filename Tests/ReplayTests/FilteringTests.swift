import NATControl
import NATWire
import Testing

/// RFC 4787 section 5 and RFC 5382 REQ-3: who may send to a binding.
@Suite("FIL filtering")
struct FilteringTests {
  enum Sender: CaseIterable { case sameEndpoint, sameAddress, stranger }

  /// The whole table of the three kinds: what passes from whom.
  static let cases: [(filtering: String, sender: Sender, passes: Bool)] = [
    ("endpoint-independent", .sameEndpoint, true), ("endpoint-independent", .sameAddress, true),
    ("endpoint-independent", .stranger, true), ("address-dependent", .sameEndpoint, true),
    ("address-dependent", .sameAddress, true), ("address-dependent", .stranger, false),
    ("address-and-port-dependent", .sameEndpoint, true), ("address-and-port-dependent", .sameAddress, false),
    ("address-and-port-dependent", .stranger, false),
  ]

  private func sender(_ sender: Sender) -> End {
    switch sender {
    case .sameEndpoint: End(Stage.s1, 3478)
    case .sameAddress: End(Stage.s1, 3479)
    case .stranger: End(Stage.s2, 3478)
    }
  }

  @Test("FIL1 FIL2 FIL3 UDP, RFC 4787 REQ-8", arguments: cases)
  func udp(filtering: String, from: Sender, passes: Bool) throws {
    var script = try Script(["filtering": filtering])
    script.outbound(.s(1), .udp("192.168.1.2:5000", End(Stage.s1, 3478)), as: Stage.x(50001))
    let packet = Datagram.udp(sender(from), Stage.x(50001), "answer")
    if passes {
      script.inbound(.s(2), packet, to: "192.168.1.2:5000")
    } else {
      script.dropped(.s(2), .outside, packet, "filtered")
    }
    let outcome = try script.check()
    #expect(outcome.stats.sessions == (passes && from != .sameEndpoint ? 2 : 1))
    #expect(outcome.stats.bindings == 1)
  }

  @Test("FIL1 FIL2 FIL3 TCP, RFC 5382 REQ-3: a SYN from outside over a live binding", arguments: cases)
  func tcp(filtering: String, from: Sender, passes: Bool) throws {
    var script = try Script([
      "filtering": "{ tcp: \(filtering), udp: address-dependent, icmp: address-dependent }"
    ])
    script.outbound(.s(1), .tcp("192.168.1.2:5000", End(Stage.s1, 3478), .syn), as: Stage.x(50001))
    let packet = Datagram.tcp(sender(from), Stage.x(50001), .syn)
    if passes {
      script.inbound(.s(2), packet, to: "192.168.1.2:5000")
    } else {
      script.dropped(.s(2), .outside, packet, "filtered")
    }
    let outcome = try script.check()
    #expect(outcome.stats.sessions == (passes && from != .sameEndpoint ? 2 : 1))
  }

  @Test(
    "FIL1 FIL2 FIL3 ICMP: an echo reply and a query from outside; addresses only",
    arguments: cases.filter { $0.sender != .sameAddress })
  func icmp(filtering: String, from: Sender, passes: Bool) throws {
    var script = try Script(["filtering": filtering])
    script.outbound(.s(1), .echo(Stage.c1, Stage.s1, 42), as: Stage.x(0))
    for (time, type) in [(2.0, UInt8(0)), (3, 13)] {
      let packet = Datagram.query(type, sender(from).address, Stage.gateway, 0)
      if passes {
        script.inbound(.s(time), packet, to: "192.168.1.2:42")
      } else {
        script.dropped(.s(time), .outside, packet, "filtered")
      }
    }
    try script.check()
  }

  @Test("FIL2 the filter is open for an address while one of the sessions with it lives, and no longer")
  func lastSession() throws {
    var script = try Script(["filtering": "address-dependent"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:3478"), as: Stage.x(50001))
    script.outbound(.s(100), .udp("192.168.1.2:5000", "142.250.195.100:3479"), as: Stage.x(50001))
    script.outbound(.s(200), .udp("192.168.1.2:5000", "151.101.65.69:3478"), as: Stage.x(50001))
    script.inbound(.s(350), .udp("142.250.195.100:3480", Stage.x(50001)), to: "192.168.1.2:5000")
    script.inbound(.s(400), .udp("142.250.195.100:3481", Stage.x(50001)), to: "192.168.1.2:5000")
    script.dropped(
      .s(400) + .nanosecond, .outside, .udp("142.250.195.100:3482", Stage.x(50001)), "filtered")
    script.inbound(.s(401), .udp("151.101.65.69:3479", Stage.x(50001)), to: "192.168.1.2:5000")
    try script.check()
  }

  @Test("FIL3 FIL6 MAP1 address-and-port-dependent filtering leaves the mapping endpoint-independent")
  func mappingStays() throws {
    var script = try Script(["filtering": "address-and-port-dependent"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:3478"), as: Stage.x(50001))
    script.dropped(.s(2), .outside, .udp("151.101.65.69:3478", Stage.x(50001)), "filtered")
    script.outbound(.s(3), .udp("192.168.1.2:5000", "151.101.65.69:3478"), as: Stage.x(50001))
    script.inbound(.s(4), .udp("151.101.65.69:3478", Stage.x(50001)), to: "192.168.1.2:5000")
    script.outbound(.s(5), .udp("192.168.1.2:5000", "142.250.195.100:3479"), as: Stage.x(50001))
    try script.check()
  }

  @Test("FIL1 filtering is set for each protocol, RFC 4787 REQ-8a, RFC 5382 REQ-3b")
  func byProtocol() throws {
    var script = try Script([
      "filtering": "{ udp: endpoint-independent, tcp: address-and-port-dependent, icmp: address-dependent }"
    ])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:3478"), as: Stage.x(50001))
    script.outbound(.s(1.1), .tcp("192.168.1.2:5000", "142.250.195.100:80", .syn), as: Stage.x(50001))
    script.outbound(.s(1.2), .echo(Stage.c1, Stage.s1, 42), as: Stage.x(0))
    script.inbound(.s(2), .udp("151.101.65.69:9", Stage.x(50001)), to: "192.168.1.2:5000")
    script.dropped(.s(2.1), .outside, .tcp("142.250.195.100:81", Stage.x(50001), .syn), "filtered")
    script.dropped(.s(2.2), .outside, .echoReply(Stage.s2, Stage.gateway, 0), "filtered")
    try script.check()
  }

  @Test("FIL4 a packet to an unmapped port is dropped, makes nothing and is counted")
  func unmapped() throws {
    var script = try Script(["filtering": "endpoint-independent"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:3478"), as: Stage.x(50001))
    script.dropped(.s(2), .outside, .udp("142.250.195.100:3478", Stage.x(50002)), "noBinding")
    script.dropped(.s(3), .outside, .tcp("142.250.195.100:3478", Stage.x(50002), .syn), "noBinding")
    script.dropped(.s(4), .outside, .echoReply(Stage.s1, Stage.gateway, 50001), "noBinding")
    try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:3478 active idle 3 expires 297 out 1/36 in 0/0"
    ])
  }

  @Test("FIL5 a TCP packet to a port that is mapped for UDP alone is dropped, RFC 7857 section 6")
  func otherProtocol() throws {
    var script = try Script(["filtering": "endpoint-independent"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:3478"), as: Stage.x(50001))
    script.dropped(.s(2), .outside, .tcp("142.250.195.100:3478", Stage.x(50001), .syn), "noBinding")
    script.dropped(.s(3), .outside, .tcp("142.250.195.100:3478", Stage.x(50001), .ack), "noBinding")
    try script.check()
  }

  @Test(
    "FIL8 from outside to none of our addresses: dropped, or passed to an inside host if its sender is exempt"
  )
  func notInThePool() throws {
    var script = try Script(["filtering": "endpoint-independent", "exempt": "[172.16.0.0/12]"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:3478"), as: Stage.x(50001))
    script.dropped(.s(2), .outside, .udp("142.250.195.100:3478", "192.168.1.2:5000"), "noBinding")
    script.dropped(.s(3), .outside, .udp("142.250.195.100:3478", "203.0.113.77:50001"), "noBinding")
    script.dropped(.s(4), .outside, .udp("142.250.195.100:3478", "8.8.8.8:53"), "noBinding")
    script.inbound(.s(5), .udp("172.16.0.9:3478", "192.168.1.2:5000"), to: "192.168.1.2:5000")
    script.dropped(.s(6), .outside, .udp("172.16.0.9:3478", "8.8.8.8:53"), "noBinding")
    script.dropped(.s(7), .outside, .udp("142.250.195.100:3478", Stage.x(50002)), "noBinding")
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 1)
  }

  @Test("FIL7 an inside or own address as source outside is dropped, RFC 2827")
  func spoofed() throws {
    var script = try Script(["filtering": "endpoint-independent"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:3478"), as: Stage.x(50001))
    script.dropped(.s(2), .outside, .udp("192.168.1.3:5000", Stage.x(50001)), "sourceInside")
    script.dropped(.s(3), .outside, .udp("203.0.113.5:7", Stage.x(50001)), "invalidSource")
    script.dropped(.s(4), .outside, .udp("192.168.1.1:7", Stage.x(50001)), "invalidSource")
    script.dropped(.s(5), .inside, .udp("10.0.0.1:7", "142.250.195.100:3478"), "sourceNotInside")
    try script.check()
  }

  @Test(
    "FIL11 TCP without SYN under endpoint-independent filtering is dropped, RFC 5382 REQ-3",
    arguments: [SegmentFlags.ack, [.psh, .ack], [.fin, .ack], [.syn, .ack], .rst])
  func withoutSYN(flags: SegmentFlags) throws {
    var script = try Script(["filtering": "endpoint-independent"])
    script.outbound(.s(1), .tcp("192.168.1.2:5000", "142.250.195.100:80", .syn), as: Stage.x(50001))
    script.dropped(.s(2), .outside, .tcp("151.101.65.69:80", Stage.x(50001), flags), "noSession")
    try script.check()
  }
}
