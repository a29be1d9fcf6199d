import NATControl
import NATWire
import TestSupport
import Testing

/// Traffic that is not translated, and the ICMP errors of a router.
@Suite("FW forwarding")
struct ForwardingTests {
  private static let host: End = "192.168.1.2:5000"
  private static let remote: End = "142.250.195.100:9"
  private static let branch: End = "172.16.0.9:9"

  private static func passed(_ packet: Datagram) -> Datagram { packet.with { $0.timeToLive -= 1 } }

  /// One packet of each kind between two stations.
  private static func everyKind(_ a: End, _ b: End) -> [Datagram] {
    [
      .udp(a, b), .tcp(a, b, .syn), .tcp(a, b, .ack, "data"), .tcp(a, b, .rst),
      .echo(a.address, b.address, 7),
      .echoReply(a.address, b.address, 7),
      .passingError(3, 3, from: a.address, to: b.address, quoting: .udp(b, a)),
      .passingError(5, 0, from: a.address, to: b.address, quoting: .udp(b, a)),
      Datagram(source: a, destination: b, payload: .other(protocolNumber: 47, [0, 0, 8, 0, 1, 2, 3, 4])),
      Datagram(source: a, destination: b, payload: .other(protocolNumber: 132, Array(0..<24))),
    ]
  }

  /// A script in which 10.9.0.0/24 lies behind 192.168.1.3.
  private func script(_ nat: [String: String] = [:]) throws -> Script {
    try Script(nat, more: ["routes:", "  - { network: 10.9.0.0/24, via: 192.168.1.3 }"])
  }

  @Test(
    "FW1 FW2 to exempt destinations and back: every protocol, unchanged but TTL and MAC, no state, RFC 6888 REQ-6"
  )
  func exempt() throws {
    for exempt in ["[172.16.0.0/12]", "[0.0.0.0/0]"] {
      var script = try Script(["exempt": exempt])
      for (index, packet) in ForwardingTests.everyKind(ForwardingTests.host, ForwardingTests.branch)
        .enumerated()
      {
        let time = Duration.s(Double(1 + index))
        let back = ForwardingTests.everyKind(ForwardingTests.branch, ForwardingTests.host)[index]
        for change in [{ _ in }, { $0.flagsAndOffset = 0 }, { $0.typeOfService = 0xB9 }]
          as [(inout Datagram) -> Void]
        {
          script.receive(time, .inside, packet.with(change))
          script.expect(time, .outside, ForwardingTests.passed(packet.with(change)))
          script.receive(time, .outside, back.with(change))
          script.expect(time, .inside, ForwardingTests.passed(back.with(change)))
        }
      }
      try script.check(sessions: [])
    }
  }

  @Test("FW2 the same host is translated to everybody else, and exempt networks reach inside hosts alone")
  func exemptAlone() throws {
    var script = try Script(["exempt": "[172.16.0.0/12]", "filtering": "endpoint-independent"])
    script.outbound(.s(1), .udp(ForwardingTests.host, ForwardingTests.remote), as: Stage.x(50001))
    script.outbound(.s(2), .udp(ForwardingTests.host, "172.32.0.1:9"), as: Stage.x(50001))
    // From an exempt network to a public endpoint: treated as from any remote.
    script.inbound(.s(3), .udp(ForwardingTests.branch, Stage.x(50001)), to: ForwardingTests.host)
    // No MSS clamp; MTU and TTL as for a router.
    let syn = Datagram(
      source: ForwardingTests.host, destination: ForwardingTests.branch,
      payload: .tcp(Datagram.Segment(flags: .syn, options: [2, 4, 0x23, 0])))
    script.receive(.s(4), .inside, syn)
    script.expect(.s(4), .outside, ForwardingTests.passed(syn))
    let tired = Datagram.udp(ForwardingTests.host, ForwardingTests.branch).with { $0.timeToLive = 1 }
    script.dropped(.s(5), .inside, tired, "ttlExceeded")
    script.expect(.s(5), .inside, .error(11, 0, from: "192.168.1.1", about: tired))
    // Malformed packets and spoofed sources are dropped here too.
    script.dropped(
      .s(6), .inside, .tcp(ForwardingTests.host, ForwardingTests.branch, [.syn, .fin]), "badTCPFlags")
    script.dropped(.s(7), .inside, .udp(ForwardingTests.host, "172.16.0.9:0"), "portZero")
    script.dropped(.s(8), .inside, .udp("10.0.0.1:9", ForwardingTests.branch), "sourceNotInside")
    try script.check()
  }

  @Test(
    "FW2 an error of a router on the way to an exempt destination reaches the host, if its quote may pass")
  func errorAboutExempt() throws {
    var script = try Script(["exempt": "[172.16.0.0/12]"])
    let packet = Datagram.udp(ForwardingTests.host, ForwardingTests.branch)
    let error = Datagram.passingError(
      11, 0, from: "198.51.100.254", to: Stage.c1, quoting: packet.with { $0.timeToLive = 0 })
    script.receive(.s(1), .outside, error)
    script.expect(.s(1), .inside, ForwardingTests.passed(error))
    // D4: the quoted header checksum is not asked.
    let stale = Datagram.passingError(
      11, 0, from: "198.51.100.254", to: Stage.c1, quoting: packet.with { $0.headerError = 1 })
    script.receive(.s(1), .outside, stale)
    script.expect(.s(1), .inside, ForwardingTests.passed(stale))
    for quote in [
      Datagram.udp(ForwardingTests.host, ForwardingTests.remote),
      .udp("192.168.1.3:5000", ForwardingTests.branch),
    ] {
      script.dropped(
        .s(2), .outside, .passingError(11, 0, from: "198.51.100.254", to: Stage.c1, quoting: quote),
        "noBinding")
    }
    try script.check()
  }

  @Test("FW5 MAP12 between inside networks: every protocol, unchanged but TTL and MAC, no state")
  func insideToInside() throws {
    var script = try script()
    let far: End = "10.9.0.7:6000"
    let router = Link.mac(of: Stage.c2)
    for (index, packet) in ForwardingTests.everyKind(ForwardingTests.host, far).enumerated() {
      let time = Duration.s(Double(1 + index))
      script.receive(time, .inside, packet)
      script.expect(
        time, .inside, Link.frame(router, Link.gatewayInside, ForwardingTests.passed(packet).bytes))
      let back = ForwardingTests.everyKind(far, ForwardingTests.host)[index]
      script.receive(time, .inside, Link.frame(Link.gatewayInside, router, back.bytes))
      script.expect(time, .inside, ForwardingTests.passed(back))
    }
    // Between two stations of the inside network that ask the gateway, too.
    let near = Datagram.udp(ForwardingTests.host, "192.168.1.4:9")
    script.receive(.s(20), .inside, near)
    script.expect(.s(20), .inside, ForwardingTests.passed(near))
    try script.check(sessions: [])
  }

  @Test("MAP12 several inside networks share one pool, each host with a binding of its own")
  func sharedPool() throws {
    var script = try script()
    let router = Link.mac(of: Stage.c2)
    let far = Datagram.udp("10.9.0.7:5000", ForwardingTests.remote)
    script.outbound(.s(1), .udp(ForwardingTests.host, ForwardingTests.remote), as: Stage.x(50001))
    script.receive(.s(2), .inside, Link.frame(Link.gatewayInside, router, far.bytes))
    script.expect(.s(2), .outside, far.sent(as: Stage.x(50002)))
    let answer = Datagram.udp(ForwardingTests.remote, Stage.x(50002))
    script.receive(.s(3), .outside, answer)
    script.expect(
      .s(3), .inside, Link.frame(router, Link.gatewayInside, answer.delivered(to: "10.9.0.7:5000").bytes))
    script.inbound(.s(4), .udp(ForwardingTests.remote, Stage.x(50001)), to: ForwardingTests.host)
    try script.check()
  }

  @Test(
    "FW10 no route: 3/0 to the sender, for what is translated and what is not, and nothing is made, RFC 1812 section 5.2.7.1"
  )
  func noRoute() throws {
    // Without a gateway only the outside network can be reached.
    var script = try Script(["exempt": "[172.16.0.0/12]"], hasGateway: false)
    for (time, packet) in [
      (1.0, Datagram.udp(ForwardingTests.host, ForwardingTests.remote)),
      (2, .tcp(ForwardingTests.host, ForwardingTests.remote, .syn)), (3, .echo(Stage.c1, Stage.s1, 7)),
      (4, .udp(ForwardingTests.host, ForwardingTests.branch)),
    ] {
      script.dropped(.s(time), .inside, packet, "noRoute")
      script.expect(.s(time), .inside, .error(3, 0, from: "192.168.1.1", about: packet))
    }
    // The route is asked before the TTL.
    let tired = Datagram.udp(ForwardingTests.host, ForwardingTests.remote).with { $0.timeToLive = 1 }
    script.dropped(.s(5), .inside, tired, "noRoute")
    script.expect(.s(5), .inside, .error(3, 0, from: "192.168.1.1", about: tired))
    let near = Datagram.udp(ForwardingTests.host, "203.0.113.77:9")
    script.receive(.s(6), .inside, near)
    script.expect(
      .s(6), .outside,
      Link.frame(Link.outsidePlaceholder, Link.gatewayOutside, near.sent(as: Stage.x(50001)).bytes))
    // A request from an address without a route gets no answer and counts as no drop.
    script.receive(.s(7), .outside, .echo(Stage.s1, Stage.gateway, 7))
    try script.check()
  }
}
