import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 4787 REQ-3 and REQ-4, RFC 6888 REQ-8: which public port a binding gets.
@Suite("PA port choice")
struct PortChoiceTests {
  private static let everyPort = [
    "pool": "[{ address: 203.0.113.5, ports: 1-65535 }]", "port-choice": "preserve", "parity": "true",
  ]
  private static let seeds: [UInt64] = [1, 2, 3, 0xFFFF_FFFF_FFFF_FFFF]
  private static let remote = End(Stage.s1, 9)

  /// UDP packets of many private endpoints to one remote.
  private func packets(_ sources: [End]) -> [Datagram] { sources.map { .udp($0, PortChoiceTests.remote) } }

  @Test(
    "PA2 the private port is kept where it is free",
    arguments: [UInt16(1), 500, 1023, 1024, 1025, 40000, 65535])
  func preserved(port: UInt16) throws {
    let sources = [End(Stage.c1, port)]
    #expect(try Script.publicEnds(PortChoiceTests.everyPort, packets(sources)).ends == [Stage.x(port)])
  }

  @Test(
    "PA3 PA4 in conflict another port of the same class and parity, RFC 4787 REQ-3a, REQ-4, RFC 7857 section 8",
    arguments: [UInt16(1), 2, 500, 501, 1022, 1023, 1024, 1025, 30000, 30001, 65534, 65535], seeds)
  func conflict(port: UInt16, seed: UInt64) throws {
    let hosts = (2..<22).map { End("192.168.1.\($0)", port) }
    let ends = try Script.publicEnds(PortChoiceTests.everyPort, packets(hosts), seed: seed).ends.compactMap {
      $0
    }
    #expect(ends.count == hosts.count && Set(ends).count == hosts.count)
    #expect(ends.first == Stage.x(port))
    for end in ends {
      #expect(end.port & 1 == port & 1, "\(end) for \(port), seed \(seed)")
      #expect((end.port < 1024) == (port < 1024), "\(end) for \(port), seed \(seed)")
      #expect(end.port != 0)
    }
  }

  @Test(
    "PA3 PA4 used up: first the parity is given up, then the class, then the packet refused", arguments: seeds
  )
  func givenUp(seed: UInt64) throws {
    // Well-known: 1000 to 1003; others: 2000 to 2003.
    let keys = [
      "pool": "[{ address: 203.0.113.5, ports: '1000-1003,2000-2003' }]", "port-choice": "preserve",
      "parity": "true",
    ]
    let hosts = (2..<11).map { End("192.168.1.\($0)", 1000) }
    let (ends, outcome) = try Script.publicEnds(keys, packets(hosts), seed: seed)
    let ports = ends.map { $0?.port }
    #expect(ports[0] == 1000)
    #expect(ports[1] == 1002)
    #expect(Set(ports[2...3]) == [1001, 1003])
    #expect(Set(ports[4...7]) == [2000, 2001, 2002, 2003])
    #expect(ports[8] == nil)
    #expect(outcome.stats.drops["portsExhausted"] == 1)
  }

  @Test("PA4 without parity, and in sequence: the lowest of the class, then the lowest of all")
  func sequence() throws {
    let keys = [
      "pool": "[{ address: 203.0.113.5, ports: '1000-1001,2000-2003' }]", "port-choice": "sequential",
    ]
    let sources: [End] = [
      "192.168.1.2:3001", "192.168.1.3:3001", "192.168.1.4:7", "192.168.1.5:7", "192.168.1.6:8",
      "192.168.1.7:3001",
    ]
    var (ends, _) = try Script.publicEnds(keys.merging(["parity": "false"]) { $1 }, packets(sources))
    #expect(ends.map { $0?.port } == [2000, 2001, 1000, 1001, 2002, 2003])
    (ends, _) = try Script.publicEnds(keys.merging(["parity": "true"]) { $1 }, packets(sources))
    // 3001 is odd: 2001, 2003; 7: 1001, then 1000 without its parity; 8: no well-known port is left, so 2000.
    #expect(ends.map { $0?.port } == [2001, 2003, 1001, 1000, 2000, 2002])
  }

  @Test("PA5 source ports 0, 1, 1023, 1024 and 65535 get a permitted port, and replies come back")
  func edges() throws {
    var script = try Script()
    for (index, port) in [UInt16(0), 1, 1023, 1024, 65535].enumerated() {
      let host = End(Stage.c1, port)
      let x = Stage.x(UInt16(50001 + index))
      let time = Duration.s(Double(index + 1))
      script.outbound(time, .udp(host, "142.250.195.100:9"), as: x)
      script.inbound(time + .milliseconds(1), .udp("142.250.195.100:9", x), to: host)
      script.outbound(time + .milliseconds(2), .tcp(host, "142.250.195.100:9", .syn), as: x)
      script.inbound(time + .milliseconds(3), .tcp("142.250.195.100:9", x, [.syn, .ack]), to: host)
    }
    try script.check()
  }

  @Test("PA5 source port 0 where every port is in the pool: never public port 0", arguments: seeds)
  func portZero(seed: UInt64) throws {
    let ends = try Script.publicEnds(PortChoiceTests.everyPort, packets([End(Stage.c1, 0)]), seed: seed).ends
    let port = try #require(ends[0]?.port)
    #expect(port != 0 && port < 1024 && port & 1 == 0)
  }

  @Test(
    "PA6 PA15 ports stay in the configured ranges; a query's identifier has nothing to do with them",
    arguments: seeds)
  func ranges(seed: UInt64) throws {
    let keys = [
      "pool": "[{ address: 203.0.113.5, ports: '1024-1029,1040-1049' }]", "port-choice": "random",
      "parity": "true",
    ]
    let hosts = (2..<18).map { End("192.168.1.\($0)", UInt16(30000 + $0)) }
    let (ends, outcome) = try Script.publicEnds(keys, packets(hosts), seed: seed)
    #expect(Set(ends.map { $0?.port }) == Set((1024...1029).map { $0 } + (1040...1049).map { $0 }))
    #expect(outcome.stats.pool.map(\.ports) == [16, 16, 65536])
    let echoes = (0..<40).map { Datagram.echo("192.168.1.\(2 + $0)", Stage.s1, UInt16($0 * 1600)) }
    let identifiers = try Script.publicEnds(keys, echoes, seed: seed).ends.compactMap { $0?.port }
    #expect(identifiers.count == 40 && Set(identifiers).count == 40)
    #expect(identifiers.contains { !(1024...1049).contains($0) })
  }

  @Test(
    "PA7 every port of the pool is used exactly once, the rest is refused, each sender told once a second")
  func exhausted() throws {
    // Two hosts of 16384 ports at most would not fill a whole pool; five do.
    let sources = (0..<64768).map { End("192.168.1.\(2 + $0 / 16000)", UInt16(1500 + $0 % 16000)) }
    let keys = [
      "pool": "[{ address: 203.0.113.5, ports: 1024-65535 }]", "port-choice": "preserve", "parity": "true",
    ]
    let lasting = keys.merging(["lifetimes": "{ udp: 600s }"]) { $1 }
    let (ends, outcome) = try Script.publicEnds(
      lasting,
      flood: Datagram.udp("192.168.1.2:1", PortChoiceTests.remote).with {
        $0.payload = .udp([1], hasChecksum: false)
      },
      from: sources)
    let ports = ends.compactMap { $0?.port }
    #expect(ports.count == 64512)
    #expect(Set(ports) == Set(1024...65535))
    #expect(ends[64512...].allSatisfy { $0 == nil })
    #expect(outcome.stats.drops["portsExhausted"] == 256)
    #expect(outcome.stats.pool.first { $0.transport == .udp }?.inUse == 64512)
  }

  @Test(
    "PA7 EX2 EX3 no port is left: 3/13 to the sender, once a second; live bindings go on, RFC 6888 REQ-11")
  func answered() throws {
    var script = try Script(["pool": "[{ address: 203.0.113.5, ports: 50001-50002 }]"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:9"), as: Stage.x(50001))
    script.outbound(.s(1.1), .udp("192.168.1.3:5000", "142.250.195.100:9"), as: Stage.x(50002))
    let packet = Datagram.udp("192.168.1.2:5001", "142.250.195.100:9")
    for (time, isAnswered) in [(2.0, true), (2.5, false), (2.999, false), (3.001, true)] {
      script.dropped(.s(time), .inside, packet, "portsExhausted")
      if isAnswered { script.expect(.s(time), .inside, .error(3, 13, from: "192.168.1.1", about: packet)) }
    }
    script.outbound(.s(4), .udp("192.168.1.2:5000", "142.250.195.100:9"), as: Stage.x(50001))
    script.inbound(.s(5), .udp("142.250.195.100:9", Stage.x(50002)), to: "192.168.1.3:5000")
    try script.check()
  }

  @Test(
    "PA8 pools of one and of two ports", arguments: [1, 2], ["preserve", "random", "sequential"])
  func tiny(count: Int, choice: String) throws {
    for parity in ["true", "false"] {
      let keys = [
        "pool": "[{ address: 203.0.113.5, ports: '5000-\(5000 + count - 1)' }]", "port-choice": choice,
        "parity": parity,
      ]
      let sources = (2..<7).map { End("192.168.1.\($0)", UInt16(6001)) }
      let (ends, outcome) = try Script.publicEnds(keys, packets(sources))
      #expect(Set(ends[0..<count].map { $0?.port }) == Set((0..<count).map { UInt16(5000 + $0) }))
      #expect(ends[count...].allSatisfy { $0 == nil })
      #expect(outcome.stats.drops["portsExhausted"] == UInt64(5 - count))
    }
  }

  @Test("PA11 a released port rests 120 s for others, not for its host, for all protocols, RFC 6888 REQ-8")
  func rest() throws {
    var script = try Script([
      "pool": "[{ address: 203.0.113.5, ports: 50001-50002 }]", "exhaustion": "silent",
    ])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:9"), as: Stage.x(50001))
    script.outbound(.s(100), .udp("192.168.1.3:5000", "142.250.195.100:9"), as: Stage.x(50002))
    // 50001 is released at 301 s. Until 421 s it is its host's alone.
    let other = Datagram.udp("192.168.1.4:5000", "142.250.195.100:9")
    script.dropped(.s(302), .inside, other, "portsExhausted")
    script.outbound(.s(350), .udp("192.168.1.3:5000", "142.250.195.100:9"), as: Stage.x(50002))
    script.dropped(.s(421) - .nanosecond, .inside, other, "portsExhausted")
    script.outbound(.s(421), other, as: Stage.x(50001))
    try script.check()
  }

  @Test("PA11 the same host has its resting port at once; resting ports count")
  func ownRest() throws {
    var script = try Script([
      "pool": "[{ address: 203.0.113.5, ports: 50001-50002 }]", "exhaustion": "silent",
    ])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:9"), as: Stage.x(50001))
    script.outbound(.s(302), .udp("192.168.1.2:5999", "142.250.195.100:9"), as: Stage.x(50001))
    script.outbound(.s(303), .udp("192.168.1.3:5000", "142.250.195.100:9"), as: Stage.x(50002))
    script.dropped(.s(303), .inside, .udp("192.168.1.4:5000", "142.250.195.100:9"), "portsExhausted")
    // Released at 602 s and 603 s.
    script.dropped(.s(604), .inside, .udp("192.168.1.4:5000", "142.250.195.100:9"), "portsExhausted")
    let outcome = try script.check(sessions: [])
    #expect(outcome.stats.pool.first { $0.transport == .udp }?.resting == 2)
    #expect(outcome.stats.pool.first { $0.transport == .udp }?.inUse == 0)
  }

  @Test(
    "PA11 a resting port is not another host's that would preserve it; its own host has it again",
    arguments: [("udp", 300.0), ("tcp", 240), ("icmp", 60)])
  func restPreserved(transport: String, lifetime: Double) throws {
    func packet(_ host: String) -> Datagram {
      switch transport {
      case "tcp": .tcp(End(host, 50100), "142.250.195.100:9", .syn)
      case "icmp": .echo(host, Stage.s1, 50100)
      default: .udp(End(host, 50100), "142.250.195.100:9")
      }
    }
    var script = try Script(["port-choice": "preserve"])
    script.receive(.s(1), .inside, packet(Stage.c1))
    script.receive(.s(lifetime + 2), .inside, packet(Stage.c2))
    script.receive(.s(lifetime + 3), .inside, packet(Stage.c1))
    let ports = try script.run().outside.map { Script.source(of: $0.bytes).port }
    #expect(ports.count == 3 && ports[0] == 50100 && ports[1] != 50100 && ports[2] == 50100)
  }

  @Test("PA11 port-rest: 0s lets anyone have a released port at once")
  func noRest() throws {
    var script = try Script(["pool": "[{ address: 203.0.113.5, ports: 50001-50001 }]", "port-rest": "0s"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:9"), as: Stage.x(50001))
    script.outbound(.s(301) + .nanosecond, .udp("192.168.1.3:5000", "142.250.195.100:9"), as: Stage.x(50001))
    try script.check()
  }

  @Test(
    "PA12 ports come back after their rest over many rounds, none is lost",
    arguments: ["preserve", "random", "sequential"])
  func rounds(choice: String) throws {
    var script = try Script([
      "pool": "[{ address: 203.0.113.5, ports: 50001-50016 }]", "port-choice": choice, "exhaustion": "silent",
      "lifetimes": "{ udp: 120s }",
    ])
    var accepted = 0
    for round in 0..<50 {
      // Another sixteen hosts each time, when the ports of the last ones have rested.
      for host in 0..<17 {
        script.receive(
          .s(Double(round) * 240.001 + 1), .inside,
          .udp(End("192.168.1.\(10 + round % 2 * 100 + host)", UInt16(7000 + round)), "142.250.195.100:9"))
      }
      accepted += 16
    }
    let outcome = try script.run()
    #expect(outcome.outside.count == accepted)
    #expect(outcome.stats.drops["portsExhausted"] == 50)
  }
}

extension Datagram {
  /// An ICMP error that the gateway writes itself: 576 bytes at most.
  static func error(_ type: UInt8, _ code: UInt8, rest: UInt32 = 0, from: String, about packet: Datagram)
    -> Datagram
  {
    var error = Datagram(
      source: End(from, 0), destination: End(packet.source.address, 0),
      payload: .icmp(type: type, code: code, rest: rest, data: Array(packet.bytes.prefix(548))))
    error.typeOfService = 0xC0
    error.identification = 0
    return error
  }
}
