import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 4787 REQ-1 to REQ-3, RFC 6888 REQ-2: pools of several addresses; no shared public endpoints.
@Suite("MAP PA pools")
struct PoolTests {
  private static let choices = ["preserve", "random", "sequential"]
  private static let remote: End = "142.250.195.100:9"

  private static func pool(_ entries: (address: String, ports: String)...) -> String {
    "[" + entries.map { "{ address: \($0.address), ports: '\($0.ports)' }" }.joined(separator: ", ") + "]"
  }

  private static func second(_ port: UInt16) -> End { End("203.0.113.6", port) }

  // MARK: Which address

  @Test("MAP5 UDP, TCP and queries of one host share one pool address, RFC 4787 REQ-2, RFC 6888 REQ-2")
  func paired() throws {
    var script = try Script([
      "pool": PoolTests.pool(("203.0.113.5", "50001-60000"), ("203.0.113.6", "50001-60000"))
    ])
    // The first host gets the first address, the second host the other one. Each stays with it, whatever comes.
    for (index, remote) in (["142.250.195.100:9", "151.101.65.69:9", "198.51.100.7:443"] as [End])
      .enumerated()
    {
      let time = Double(index * 10)
      let port = UInt16(50001 + index)
      let source = UInt16(5000 + index)
      script.outbound(.s(time + 1), .udp(End(Stage.c1, source), remote), as: Stage.x(port))
      script.outbound(.s(time + 2), .udp(End(Stage.c2, source), remote), as: PoolTests.second(port))
      script.outbound(.s(time + 3), .tcp(End(Stage.c2, source), remote, .syn), as: PoolTests.second(port))
      script.outbound(.s(time + 4), .tcp(End(Stage.c1, source), remote, .syn), as: Stage.x(port))
      script.outbound(
        .s(time + 5), .echo(Stage.c1, remote.address, source), as: Stage.x(UInt16(index)))
      script.outbound(
        .s(time + 6), .echo(Stage.c2, remote.address, source), as: PoolTests.second(UInt16(index)))
    }
    try script.check()
  }

  @Test("MAP6 paired: no port at the host's address is a refusal, though another address has some")
  func pairedRefuses() throws {
    var script = try Script([
      "pool": PoolTests.pool(("203.0.113.5", "50001-50002"), ("203.0.113.6", "50001-50003"))
    ])
    script.outbound(.s(1), .udp("192.168.1.2:5000", PoolTests.remote), as: Stage.x(50001))
    script.outbound(.s(2), .udp("192.168.1.2:5001", PoolTests.remote), as: Stage.x(50002))
    let third = Datagram.udp("192.168.1.2:5002", PoolTests.remote)
    script.dropped(.s(3), .inside, third, "portsExhausted")
    script.expect(.s(3), .inside, .error(3, 13, from: "192.168.1.1", about: third))
    script.outbound(.s(4), .tcp("192.168.1.2:5002", PoolTests.remote, .syn), as: Stage.x(50001))
    // A new host gets an address with free ports, though both addresses have one host each.
    script.outbound(.s(5), .udp("192.168.1.3:5000", PoolTests.remote), as: PoolTests.second(50001))
    script.outbound(.s(6), .udp("192.168.1.4:5000", PoolTests.remote), as: PoolTests.second(50002))
    try script.check()
  }

  @Test("MAP6 arbitrary: every binding goes to the address of the fewest hosts that has a port")
  func arbitrary() throws {
    var script = try Script([
      "pool": PoolTests.pool(("203.0.113.5", "50001-50002"), ("203.0.113.6", "50001-50003")),
      "pooling": "arbitrary", "exhaustion": "silent",
    ])
    // The host counts at the first address, where its first binding was made.
    let ends = [
      Stage.x(50001), PoolTests.second(50001), PoolTests.second(50002), PoolTests.second(50003),
      Stage.x(50002),
    ]
    for (index, end) in ends.enumerated() {
      script.outbound(
        .s(Double(index + 1)), .udp(End(Stage.c1, UInt16(5000 + index)), PoolTests.remote), as: end)
    }
    script.dropped(.s(9), .inside, .udp("192.168.1.2:5009", PoolTests.remote), "portsExhausted")
    try script.check()
  }

  @Test("MAP7 hosts spread evenly: each new one goes to the address of the fewest, RFC 4787 REQ-2")
  func spread() throws {
    let addresses = ["203.0.113.5", "203.0.113.6", "203.0.113.7"]
    var script = try Script([
      "pool": "[" + addresses.map { "{ address: \($0), ports: 50001-60000 }" }.joined(separator: ", ") + "]"
    ])
    let hosts = (0..<12).map { "192.168.1.\(20 + $0)" }
    for (index, host) in hosts.enumerated() {
      let end = End(addresses[index % 3], UInt16(50001 + index / 3))
      script.outbound(.s(Double(index + 1)), .udp(End(host, 5000), PoolTests.remote), as: end)
    }
    // Two hosts of the second address end at 302 s and 305 s; the others live on, and new ones fill the gap.
    for (index, host) in hosts.enumerated() where index != 1 && index != 4 {
      let end = End(addresses[index % 3], UInt16(50001 + index / 3))
      script.outbound(.s(Double(250 + index)), .udp(End(host, 5000), PoolTests.remote), as: end)
    }
    for (index, host) in [Stage.c1, Stage.c2].enumerated() {
      let end = End(addresses[1], UInt16(50005 + index))
      script.outbound(.s(Double(306 + index)), .udp(End(host, 5000), PoolTests.remote), as: end)
    }
    script.outbound(.s(310), .udp("192.168.1.4:5000", PoolTests.remote), as: End(addresses[0], 50005))
    try script.check()
  }

  @Test(
    "MAP8 with 90 % of the ports taken a private endpoint still has one public endpoint, RFC 4787 REQ-11",
    arguments: choices)
  func underLoad(choice: String) throws {
    let remotes: [End] = ["142.250.195.100:3478", "142.250.195.100:3479", "151.101.65.69:3478"]
    let others = (0..<900).map {
      Datagram.udp(End("192.168.1.\(10 + $0 % 90)", UInt16(50001 + $0)), remotes[0])
    }
    let own = remotes.map { Datagram.udp("192.168.1.2:50001", $0) }
    let (ends, outcome) = try Script.publicEnds(
      [
        "pool": PoolTests.pool(("203.0.113.5", "50001-51000")), "port-choice": choice, "parity": "true",
        "filtering": "address-and-port-dependent",
      ], others + own + own)
    let taken = Set(ends[..<900])
    #expect(taken.count == 900 && !taken.contains(nil))
    #expect(Set(ends[900...]).count == 1 && ends[900] != nil && !taken.contains(ends[900]))
    #expect(outcome.stats.sessions == 903 && outcome.stats.bindings == 901)
  }

  // MARK: What two hosts never share

  @Test(
    "PA1 two private endpoints never share address, port and protocol, RFC 4787 REQ-3", arguments: choices)
  func unique(choice: String) throws {
    let remotes: [End] = ["142.250.195.100:9", "142.250.195.100:10", "151.101.65.69:9"]
    // All hosts use the same thirty ports; every endpoint sends three times.
    let packets = (0..<5400).map { index -> Datagram in
      let host = "192.168.1.\(2 + index % 60)"
      let port = UInt16(50001 + index / 60 % 30)
      return switch index % 3 {
      case 0: .udp(End(host, port), remotes[index / 1800])
      case 1: .tcp(End(host, port), remotes[index / 1800], .syn)
      default: .echo(host, remotes[index / 1800].address, port)
      }
    }
    let (ends, outcome) = try Script.publicEnds(
      [
        "pool": PoolTests.pool(("203.0.113.5", "50001-51000"), ("203.0.113.6", "50001-51000")),
        "port-choice": choice, "parity": "true",
      ], packets)
    var publicEnds: [[End: End]] = [[:], [:], [:]]
    var privateEnds: [[End: End]] = [[:], [:], [:]]
    for (index, (packet, end)) in zip(packets, ends).enumerated() {
      let end = try #require(end)
      let known = publicEnds[index % 3].updateValue(end, forKey: packet.source)
      #expect(known == nil || known == end, "one endpoint, one public endpoint")
      let owner = privateEnds[index % 3].updateValue(packet.source, forKey: end)
      #expect(owner == nil || owner == packet.source, "one public endpoint, one endpoint")
    }
    #expect(publicEnds.map(\.count) == [600, 600, 600])
    #expect(outcome.stats.bindings == 1800)
  }

  @Test("PA10 FIL9 a forward's port goes to no inside host, though one asks for it", arguments: choices)
  func forwardsPort(choice: String) throws {
    let statics = [
      "static:", "  - { protocol: tcp, public: 203.0.113.5:50002, private: 192.168.1.5:80 }",
      "  - { protocol: icmp, public: 203.0.113.5:1, private: 192.168.1.5:7 }",
    ]
    // Twenty hosts use up the pool, all of them from the forward's own port and identifier.
    var script = try Script(
      [
        "pool": PoolTests.pool(("203.0.113.5", "50001-50004")), "port-choice": choice, "exhaustion": "silent",
      ], more: statics)
    for host in 20..<40 {
      let time = Duration.milliseconds(host)
      script.receive(time, .inside, .tcp(End("192.168.1.\(host)", 50002), PoolTests.remote, .syn))
      script.receive(time, .inside, .echo("192.168.1.\(host)", Stage.s1, 1))
    }
    // Packets from outside to the port forward reach its host.
    let visitor = Datagram.tcp("198.51.100.7:33", Stage.x(50002), .syn)
    script.receive(.s(1), .outside, visitor)
    let outcome = try script.run()
    let sources = outcome.outside.map { ($0.bytes[23], Script.source(of: $0.bytes).port) }
    #expect(Set(sources.filter { $0.0 == 6 }.map(\.1)) == [50001, 50003, 50004])
    #expect(sources.count { $0.0 == 6 } == 3)
    #expect(sources.count { $0.0 == 1 } == 20 && !sources.contains { $0 == (1, 1) })
    #expect(outcome.inside.map { Array($0.bytes[14...]) } == [visitor.delivered(to: "192.168.1.5:80").bytes])
    #expect(outcome.stats.drops["portsExhausted"] == 17)
  }

  @Test("PA16 a port changes only where its endpoint collides: not for other protocols or addresses")
  func onlyOnCollision() throws {
    let packets: [Datagram] = [
      .udp("192.168.1.2:50100", PoolTests.remote), .udp("192.168.1.3:50100", PoolTests.remote),
      .udp("192.168.1.4:50100", PoolTests.remote), .tcp("192.168.1.4:50100", PoolTests.remote, .syn),
      .udp("192.168.1.4:50102", PoolTests.remote), .echo(Stage.c3, Stage.s1, 50100),
    ]
    let ends = try Script.publicEnds(
      [
        "pool": PoolTests.pool(("203.0.113.5", "50001-60000"), ("203.0.113.6", "50001-60000")),
        "port-choice": "preserve", "parity": "true",
      ], packets
    ).ends
    // The third host shares the first one's address: there 50100 is taken for UDP, and for nothing else.
    #expect(ends[0] == Stage.x(50100) && ends[1] == PoolTests.second(50100))
    let third = try #require(ends[2])
    #expect(third.address == Stage.gateway && third.port != 50100 && third.port % 2 == 0)
    #expect(ends[3] == Stage.x(50100) && ends[4] == Stage.x(50102) && ends[5] == Stage.x(50100))
  }

  @Test("PA13 random ports: the same seed gives the same, the last ones say nothing of the next, RFC 6056")
  func unpredictable() throws {
    let packets = (0..<200).map { Datagram.udp(End("192.168.1.\(20 + $0)", 5000), PoolTests.remote) }
    func ports(seed: UInt64) throws -> [Int] {
      try Script.publicEnds(
        ["pool": PoolTests.pool(("203.0.113.5", "1024-65535")), "port-choice": "random"], packets, seed: seed
      ).ends.map { Int($0?.port ?? 0) }
    }
    let first = try ports(seed: 1)
    #expect(try ports(seed: 1) == first)
    let others = try [2, 3, 4].map { try ports(seed: $0) }
    for ports in [first] + others {
      // No step between ports repeats too often, and neither direction prevails.
      let steps = zip(ports, ports.dropFirst()).map { $1 - $0 }
      #expect(Set(steps).count > 190)
      #expect((60...140).contains(steps.count { $0 > 0 }))
    }
    for other in others { #expect(zip(first, other).count { $0 == $1 } < 5) }
  }
}
