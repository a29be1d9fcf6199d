import ReferenceNAT
import TestSupport
import Testing

struct MappingTests {
  private let one = ReferenceEndpoint(Host.one, 5000)
  private let two = ReferenceEndpoint(Host.two, 5000)
  private let server = ReferenceEndpoint(Host.server, 53)

  private func publicPort(_ nat: ReferenceNAT, _ end: ReferenceEndpoint) -> UInt16? {
    nat.table().first { $0.privateEnd == end }?.publicEnd.port
  }

  @Test("one endpoint has one public endpoint towards everybody, MAP1 MAP8")
  func endpointIndependent() {
    var nat = ReferenceNAT(.plain)
    for remote in [server, .init(Host.server, 54), .init(Host.otherServer, 53)] {
      nat.give(Build.udp(one, remote), on: .inside)
    }
    #expect(nat.table().count == 1 && nat.table()[0].sessions.count == 3)
  }

  struct Choice: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let choice: ReferenceSettings.PortChoice
    var parity = true
    let ports: [ClosedRange<UInt16>]
    let first: UInt16
    let second: UInt16
    let expected: [UInt16?]
  }

  @Test(
    "port preference: preserve; same class and parity; same class; any, PA2 PA3 PA4 PA5 PA8",
    arguments: [
      Choice(
        testDescription: "kept, then the lowest of class and parity", choice: .preserve,
        ports: [1...65535], first: 5000, second: 5000, expected: [5000, 1024]),
      Choice(
        testDescription: "odd stays odd, low stays low", choice: .preserve, ports: [2...65535], first: 7,
        second: 7, expected: [7, 3]),
      Choice(
        testDescription: "no parity left: same class", choice: .preserve, ports: [2000...2000, 3001...3001],
        first: 2000, second: 2000, expected: [2000, 3001]),
      Choice(
        testDescription: "a class that the range leaves out is given up", choice: .preserve,
        ports: [2000...2001], first: 1000, second: 1001, expected: [2000, 2001]),
      Choice(
        testDescription: "none left is refused", choice: .preserve, ports: [2000...2000], first: 2000,
        second: 2000, expected: [2000, nil]),
      Choice(
        testDescription: "sequential does not preserve", choice: .sequential, ports: [2000...2999],
        first: 2500, second: 2501, expected: [2000, 2001]),
      Choice(
        testDescription: "sequential without parity", choice: .sequential, parity: false,
        ports: [2000...2999], first: 2501, second: 2501, expected: [2000, 2001]),
      Choice(
        testDescription: "random does not preserve", choice: .random, ports: [2000...2999], first: 2500,
        second: 2500, expected: [2000, 2002]),
    ])
  func preference(_ example: Choice) {
    var nat = ReferenceNAT(
      .plain.with {
        $0.poolAsked = [.init(Host.publicAddress, example.ports)]
        $0.portChoice = example.choice
        $0.parity = example.parity
      })
    let first = ReferenceEndpoint(Host.one, example.first)
    let other = ReferenceEndpoint(Host.two, example.second)
    nat.give(Build.udp(first, server), on: .inside)
    nat.give(Build.udp(other, server), on: .inside)
    #expect([publicPort(nat, first), publicPort(nat, other)] == example.expected)
  }

  @Test("identifiers of queries run from 0 to 65535 whatever the pool's ports, IQ2 IQ8 PA6")
  func identifiers() {
    var nat = ReferenceNAT(.plain.with { $0.poolAsked = [.init(Host.publicAddress, [50000...50001])] })
    for host in [Host.one, Host.two] {
      nat.give(Build.icmp(host, Host.server, 8, identifier: 65535), on: .inside)
    }
    #expect(nat.table().map(\.publicEnd.port) == [65535, 0])
    #expect(nat.table().allSatisfy { $0.sessions.map(\.remote) == [.init(Host.server, 0)] })
    let left = nat.give(Build.icmp(Host.server, Host.publicAddress, 0, identifier: 0), on: .outside)
    #expect(left.map { Array($0.bytes[14...].dropFirst(16).prefix(4)) } == [[192, 168, 1, 3]])
  }

  @Test("a released port rests for another host from its due time, and not for the same host, PA11 PA12")
  func rest() {
    let settings = ReferenceSettings.plain.with {
      $0.poolAsked = [.init(Host.publicAddress, [5000...5000])]
    }
    for (host, instant, isGiven) in [
      (two, 301 * second, false), (one, 301 * second, true), (two, 420 * second - 1, false),
      (two, 420 * second, true), (two, 300 * second, false),
    ] {
      var nat = ReferenceNAT(settings)
      nat.give(Build.udp(one, server), on: .inside)
      nat.give(Build.udp(host, server), on: .inside, at: instant)
      #expect((publicPort(nat, host) != nil) == isGiven, "\(host) at \(instant)")
    }
  }

  @Test("a session lives at its exact due time and has ended a nanosecond later, UT1 UT4")
  func exactExpiry() {
    for (instant, drops) in [(300 * second, [:]), (300 * second + 1, ["noBinding": 1])] {
      var nat = ReferenceNAT(.plain)
      nat.give(Build.udp(one, server), on: .inside)
      nat.give(Build.udp(server, .init(Host.publicAddress, 5000)), on: .outside, at: instant)
      #expect(nat.counted.mapValues { Int($0) } == drops)
    }
  }

  @Test(
    "UDP is refreshed by outbound packets, by inbound ones where asked, UT2 UT3 D5",
    arguments: [ReferenceSettings.InboundRefresh.off, .peers, .all])
  func refresh(inbound: ReferenceSettings.InboundRefresh) {
    var nat = ReferenceNAT(.plain.with { $0.inboundRefresh = inbound })
    nat.give(Build.udp(one, server), on: .inside)
    nat.give(Build.udp(server, .init(Host.publicAddress, 5000)), on: .outside, at: 100 * second)
    let session = nat.table()[0].sessions[0]
    #expect(session.idle == 0 && session.expiresIn == (inbound == .off ? 200 : 300) * second)
  }

  @Test("the clock never goes back")
  func clock() {
    var nat = ReferenceNAT(.plain)
    nat.give(Build.udp(one, server), on: .inside, at: 50 * second)
    let left = nat.give(Build.udp(one, server), on: .inside, at: 20 * second)
    #expect(left.map(\.nanoseconds) == [50 * second])
    #expect(nat.stats().uptimeNanoseconds == 0)
  }

  @Test("hosts spread over the pool and stay with one address; arbitrary takes the next, MAP5 MAP6 MAP7")
  func pooling() {
    for (pooling, expected) in [
      (ReferenceSettings.Pooling.paired, ["203.0.113.5", "203.0.113.9", "none"]),
      (.arbitrary, ["203.0.113.5", "203.0.113.9", "203.0.113.9"]),
    ] {
      var nat = ReferenceNAT(
        .plain.with {
          $0.pooling = pooling
          $0.poolAsked = [.init("203.0.113.5", [5000...5000]), .init("203.0.113.9", [5000...5001])]
        })
      let third = ReferenceEndpoint(Host.one, 5001)
      for end in [one, two, third] { nat.give(Build.udp(end, server), on: .inside) }
      let addresses = [one, two, third].map { end in
        nat.table().first { $0.privateEnd == end }.map { "\($0.publicEnd.address)" } ?? "none"
      }
      #expect(addresses == expected)
    }
  }

  struct Filter: Sendable {
    let filtering: ReferenceSettings.Filtering
    let otherPort: Bool
    let otherHost: Bool
  }

  @Test(
    "filtering, FIL1 FIL2 FIL3",
    arguments: [
      Filter(filtering: .endpointIndependent, otherPort: true, otherHost: true),
      Filter(filtering: .addressDependent, otherPort: true, otherHost: false),
      Filter(filtering: .addressAndPortDependent, otherPort: false, otherHost: false),
    ])
  func filtering(_ example: Filter) {
    let target = ReferenceEndpoint(Host.publicAddress, 5000)
    var nat = ReferenceNAT(.plain.with { $0.filtering[.udp] = example.filtering })
    nat.give(Build.udp(one, server), on: .inside)
    #expect(nat.give(Build.udp(server, target), on: .outside).count == 1)
    #expect(
      (nat.give(Build.udp(.init(Host.server, 99), target), on: .outside).count == 1) == example.otherPort)
    #expect(
      (nat.give(Build.udp(.init(Host.otherServer, 53), target), on: .outside).count == 1) == example.otherHost
    )
    nat.give(Build.udp(server, .init(Host.publicAddress, 5001)), on: .outside)
    #expect(nat.counted["noBinding"] == 1 && nat.table()[0].sessions.allSatisfy { $0.packetsOut <= 1 })
  }

  @Test("what only the remote used keeps no binding and opens no filter until the inside host answers")
  func remoteOnly() {
    let target = ReferenceEndpoint(Host.publicAddress, 5000)
    let stranger = ReferenceEndpoint(Host.otherServer, 1)
    for answers in [false, true] {
      var nat = ReferenceNAT(.plain.with { $0.filtering[.udp] = .endpointIndependent })
      nat.give(Build.udp(one, server), on: .inside)
      nat.give(Build.udp(stranger, target), on: .outside, at: 200 * second)
      if answers { nat.give(Build.udp(one, stranger), on: .inside, at: 200 * second) }
      nat.give(Build.udp(stranger, target), on: .outside, at: 301 * second)
      #expect(nat.table().count == (answers ? 1 : 0))
      #expect(nat.stats().events.sessionsExpired == (answers ? 1 : 2))
    }
  }

  @Test("limits refuse all that a packet would make, LIM1 LIM2 LIM3")
  func limits() {
    let cases: [(String, (inout ReferenceSettings) -> Void)] = [
      ("bindingLimit", { $0.limits.bindings = 1 }), ("sessionLimit", { $0.limits.sessions = 1 }),
      ("hostPortLimit", { $0.limits.hostPorts = 1 }), ("hostSessionLimit", { $0.limits.hostSessions = 1 }),
    ]
    for (reason, change) in cases {
      var nat = ReferenceNAT(ReferenceSettings.plain.with(change))
      nat.give(Build.udp(one, server), on: .inside)
      let left = nat.give(Build.udp(.init(Host.one, 5001), server), on: .inside)
      #expect(left.map { $0.bytes[34...35] } == [[3, 13]])
      #expect(nat.counted == [reason: 1] && nat.table().count == 1)
    }
  }

  @Test("the oldest transitory session makes room where asked, LIM5")
  func eviction() {
    var nat = ReferenceNAT(
      .plain.with {
        $0.limits.sessions = 1
        $0.evict = .oldestTransitory
      })
    nat.give(Build.tcp(one, server, Flag.syn), on: .inside)
    nat.give(Build.udp(two, server), on: .inside)
    #expect(nat.counted.isEmpty && nat.table().map(\.flow) == [.udp])
    nat.give(Build.tcp(one, server, Flag.syn), on: .inside)
    #expect(nat.counted == ["sessionLimit": 1])
  }

  @Test("a UDP port is not to be had by ending TCP sessions, LIM5")
  func evictionInVain() {
    var nat = ReferenceNAT(
      .plain.with {
        $0.poolAsked = [.init("203.0.113.5", [50001...50001])]
        $0.evict = .oldestTransitory
      })
    nat.give(Build.udp(one, server), on: .inside)
    nat.give(Build.tcp(one, server, Flag.syn), on: .inside)
    nat.give(Build.udp(.init(Host.one, 5001), server), on: .inside)
    #expect(nat.counted == ["portsExhausted": 1] && nat.table().count == 2)
    nat.give(Build.tcp(.init(Host.one, 5001), server, Flag.syn), on: .inside)
    #expect(nat.counted == ["portsExhausted": 1] && nat.table().map(\.privateEnd.port) == [5001, 5000])
  }
}
