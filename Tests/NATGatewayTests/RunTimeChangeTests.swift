import NATConfiguration
import NATEngine
import NATMemory
import NATWire
import Testing

@testable import NATComposition
@testable import NATGateway
@testable import NATTable

/// Statics, pool and rules that change while the gateway works.
@Suite struct RunTimeChangeTests {
  private static let forward =
    "static: [{ protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.10:80 }]"
  private static let web = Endpoint(IPv4Address(192, 168, 1, 10), 80)
  private static let public8080 = Endpoint(IPv4Address(203, 0, 113, 5), 8080)

  private static func reasons(_ ended: EndedSessions) -> [String] {
    ended.listed.map { "\($0.transport) \($0.private) \($0.public) \($0.remote) \($0.reason.name)" }
  }

  // MARK: Operators

  @Test("SH4 SH6 a session that is ended by its tuple is made anew by the next outbound packet; others stay")
  func end() throws {
    var town = try Town()
    town.send(from: Town.c1, to: Town.s1)
    town.send(from: Town.c1, to: Town.s2)
    town.send(from: Town.c2, to: Town.s1)
    var filter = SessionFilter()
    filter.private = .init(IPv4Network(Town.c1.address, prefixLength: 32), port: Town.c1.port)
    filter.remote = .init(IPv4Network(Town.s1.address, prefixLength: 32))
    let ended = town.perform(EndSessions(filter)).job.ended
    #expect(Self.reasons(ended) == ["udp 192.168.1.2:5000 203.0.113.5:5000 198.51.100.7:80 operator"])
    #expect(ended.sessions == 1 && ended.bindings == 0)
    #expect(town.send(from: Town.s1, to: Town.x, .outside) == [])
    #expect(town.send(from: Town.s2, to: Town.x, .outside).count == 1)
    #expect(town.send(from: Town.c1, to: Town.s1).count == 1)
    #expect(town.send(from: Town.s1, to: Town.x, .outside).count == 1)
    #expect(town.faults() == [])
  }

  @Test("SH5 clear all: statics and their sessions survive, ports rest for their host")
  func clear() throws {
    var town = try Town(Self.forward)
    town.send(from: Town.c1, to: Town.s1)
    town.send(.tcp, from: Town.s1, to: Self.public8080, .outside)
    let ended = town.perform(EndSessions(SessionFilter())).job.ended
    #expect(ended.sessions == 1 && ended.bindings == 1)
    #expect(town.listing() == ["tcp static 192.168.1.10:80 203.0.113.5:8080 198.51.100.7:80"])
    // The port rests: its own host has it again at once, another does not.
    let other = Endpoint(Town.c2.address, Town.c1.port)
    #expect(town.send(from: other, to: Town.s1)[0].source.port != Town.c1.port)
    #expect(town.send(from: Town.c1, to: Town.s1)[0].source == Town.x)
    #expect(town.faults() == [])
  }

  @Test(
    "SH4 PF8 a binding with many sessions that only remotes used ends in short steps with its last other one")
  func endLastUsed() throws {
    var town = try Town("nat: { filtering: endpoint-independent }")
    town.send(from: Town.c1, to: Town.s1)
    for port in 1...5000 as ClosedRange<UInt16> {
      town.send(from: Endpoint(Town.s2.address, port), to: Town.x, .outside)
    }
    var filter = SessionFilter()
    filter.remote = .init(IPv4Network(Town.s1.address, prefixLength: 32))
    var passed = 0
    let done = town.perform(EndSessions(filter)) { town in
      passed += town.send(from: Endpoint(Town.s2.address, 1), to: Town.x, .outside).count
    }
    #expect(done.job.ended.sessions == 5001 && done.job.ended.bindings == 1)
    // 5001 sessions, at most 512 a step; no packet finds the binding from the first step on.
    #expect(done.steps > 10 && passed == 0)
    #expect(town.listing() == [])
    #expect(town.send(from: Town.c1, to: Town.s1).map(\.source) == [Town.x])
    #expect(town.faults() == [])
  }

  // MARK: Statics

  @Test(
    "ST-8 a static over a live dynamic port wins: the binding ends and its sessions are listed; nobody shares the port"
  )
  func overDynamic() throws {
    var town = try Town()
    let holder = Endpoint(Town.c2.address, 8080)
    town.send(.tcp, from: holder, to: Town.s1)
    town.send(.tcp, from: holder, to: Town.s2)
    let (ended, _) = try town.reload(Self.forward)
    #expect(
      Set(Self.reasons(ended)) == [
        "tcp 192.168.1.3:8080 203.0.113.5:8080 198.51.100.7:80 static-mapping-added",
        "tcp 192.168.1.3:8080 203.0.113.5:8080 198.51.100.8:80 static-mapping-added",
      ])
    #expect(ended.sessions == 2 && ended.bindings == 1)
    #expect(
      town.send(.tcp, from: Town.s1, to: Self.public8080, .outside).map(\.destination) == [Self.web])
    // The host that had it gets another one.
    let sent = town.send(.tcp, from: holder, to: Town.s1)
    #expect(sent.count == 1 && sent[0].source.port != 8080)
    #expect(town.faults() == [])
  }

  @Test(
    "ST-8 a static for a private endpoint that has a dynamic binding: the binding ends, one endpoint is seen as one"
  )
  func overPrivate() throws {
    var town = try Town()
    town.send(.tcp, from: Self.web, to: Town.s1)
    let (ended, _) = try town.reload(Self.forward)
    #expect(ended.sessions == 1)
    #expect(town.send(.tcp, from: Self.web, to: Town.s1).map(\.source) == [Self.public8080])
    #expect(town.faults() == [])
  }

  @Test(
    "ST-8 a static for a private endpoint that never stops sending is added all the same, within a few steps")
  func overBusyPrivate() throws {
    var town = try Town()
    town.send(.tcp, from: Self.web, to: Town.s1)
    var steps = 0
    let (ended, _) = try town.reload(Self.forward) { town in
      steps += 1
      precondition(steps < 20, "the addition does not come to an end")
      town.send(.tcp, from: Self.web, to: Town.s1)
    }
    #expect(ended.sessions >= 1)
    #expect(town.send(.tcp, from: Self.web, to: Town.s1).map(\.source) == [Self.public8080])
    #expect(town.faults() == [])
  }

  @Test("ST-10 ST-12 a removed static ends its sessions, its port is the pool's at once and does not rest")
  func removed() throws {
    var town = try Town(Self.forward + "\nnat: { pool: [{ address: 203.0.113.5, ports: 8080 }] }")
    town.send(.tcp, from: Town.s1, to: Self.public8080, .outside)
    #expect(town.send(.tcp, from: Town.c1, to: Town.s1) != [] || town.listing().count == 1)
    let (ended, _) = try town.reload("nat: { pool: [{ address: 203.0.113.5, ports: 8080 }] }")
    #expect(
      Self.reasons(ended) == ["tcp 192.168.1.10:80 203.0.113.5:8080 198.51.100.7:80 static-mapping-removed"])
    #expect(town.listing() == [])
    #expect(town.send(.tcp, from: Town.s1, to: Self.public8080, .outside) == [])
    #expect(town.send(.tcp, from: Town.c1, to: Town.s1).map(\.source) == [Self.public8080])
    #expect(town.faults() == [])
  }

  @Test("ST-4 the most specific static wins; deleting it exposes the wider one, adding it hides that again")
  func specific() throws {
    let wide = "{ protocol: all, public: 203.0.113.7, private: 192.168.1.20 }"
    let narrow = "{ protocol: tcp, public: 203.0.113.7:80, private: 192.168.1.10:80 }"
    let target = Endpoint(IPv4Address(203, 0, 113, 7), 80)
    let host = Endpoint(IPv4Address(192, 168, 1, 20), 80)
    var town = try Town("static: [\(wide), \(narrow)]")
    // The 1:1 host's own port 80 sends, while the forward has the way in.
    #expect(town.send(.tcp, from: host, to: Town.s2).map(\.source) == [target])
    #expect(town.send(.tcp, from: Town.s1, to: target, .outside).map(\.destination) == [Self.web])
    let ended = try town.reload("static: [\(wide)]").ended
    #expect(ended.sessions == 1)
    #expect(town.send(.tcp, from: Town.s1, to: target, .outside).map(\.destination) == [host])
    #expect(town.send(.tcp, 0x12, from: Town.s2, to: target, .outside).map(\.destination) == [host])
    #expect(town.faults() == [])
    let again = try town.reload("static: [\(wide), \(narrow)]").ended
    #expect(again.sessions == 2 && again.listed.allSatisfy { $0.reason == .staticMappingAdded })
    #expect(town.send(.tcp, from: Town.s1, to: target, .outside).map(\.destination) == [Self.web])
    #expect(town.faults() == [])
  }

  @Test("ST-4 forwards of one private endpoint come and go: the first left leads out")
  func chain() throws {
    func entry(_ port: Int) -> String {
      "{ protocol: udp, public: 203.0.113.5:\(port), private: 192.168.1.10:53 }"
    }
    let all = "{ protocol: all, public: 203.0.113.7, private: 192.168.1.10 }"
    let host = Endpoint(IPv4Address(192, 168, 1, 10), 53)
    var town = try Town("static: [\(entry(1000)), \(entry(1001)), \(entry(1002)), \(all)]")
    func out(_ town: inout Town, _ remote: UInt8) -> [UInt16] {
      town.send(from: host, to: Endpoint(IPv4Address(198, 51, 100, remote), 9)).map(\.source.port)
    }
    #expect(out(&town, 1) == [1000])
    try town.reload("static: [\(entry(1001)), \(entry(1002)), \(all)]")
    #expect(out(&town, 2) == [1001])
    try town.reload("static: [\(entry(1001)), \(all)]")
    #expect(out(&town, 3) == [1001])
    try town.reload("static: [\(all)]")
    #expect(out(&town, 4) == [53])
    try town.reload("static: [\(entry(1003)), \(all)]")
    #expect(out(&town, 5) == [1003])
    #expect(town.faults() == [])
  }

  @Test(
    "ST-1 ST-8 a 1:1 mapping added at run time ends the dynamic bindings of its host, and serves both ways")
  func oneToOne() throws {
    var town = try Town()
    let host = Town.c1.address
    for remote in 1...20 as ClosedRange<UInt8> {
      town.send(
        from: Endpoint(host, 5000 + UInt16(remote % 4)), to: Endpoint(IPv4Address(198, 51, 100, remote), 9))
    }
    town.send(from: Town.c2, to: Town.s1)
    let text = "static: [{ protocol: all, public: 203.0.113.7, private: 192.168.1.2 }]"
    let (ended, _) = try town.reload(text)
    #expect(ended.sessions == 20 && ended.bindings == 4)
    #expect(town.listing().count == 1)
    let address = IPv4Address(203, 0, 113, 7)
    #expect(town.send(from: Town.c1, to: Town.s1).map(\.source) == [Endpoint(address, 5000)])
    #expect(
      town.send(from: Town.s2, to: Endpoint(address, 77), .outside).map(\.destination) == [Endpoint(host, 77)]
    )
    #expect(town.faults() == [])
    let gone = try town.reload("").ended
    #expect(gone.sessions == 2 && gone.listed.allSatisfy { $0.reason == .staticMappingRemoved })
    #expect(town.send(from: Town.s2, to: Endpoint(address, 77), .outside) == [])
    #expect(town.send(from: Town.c1, to: Town.s1).map(\.source) == [Town.x])
    #expect(town.faults() == [])
  }

  @Test(
    "ST-13 ARP is answered for a static's address from the moment it is added to its removal, outside only")
  func arp() throws {
    let address = IPv4Address(203, 0, 113, 7)
    var town = try Town()
    #expect(town.frame(Town.request(for: address, .outside), .outside) == [])
    let (_, sent) = try town.reload("static: [{ protocol: all, public: 203.0.113.7, private: 192.168.1.2 }]")
    #expect(
      sent == [
        .init(side: .outside, source: Endpoint(address, 0), destination: Endpoint(address, 0), isARP: true)
      ])
    #expect(town.frame(Town.request(for: address, .outside), .outside).map(\.isARP) == [true])
    #expect(town.frame(Town.request(for: address, .inside), .inside) == [])
    try town.reload("static: [{ protocol: udp, public: 203.0.113.7:53, private: 192.168.1.2:53 }]")
    #expect(town.frame(Town.request(for: address, .outside), .outside).map(\.isARP) == [true])
    try town.reload("")
    #expect(town.frame(Town.request(for: address, .outside), .outside) == [])
  }

  @Test("ST-14 ten thousand statics are added and removed beside traffic, in short steps")
  func many() throws {
    var town = try Town()
    var mappings: [GatewayChange.Operation] = []
    for index in 0..<10_000 as Range<UInt32> {
      mappings.append(
        .addForward(
          PortForward(
            .tcp, public: Endpoint(IPv4Address(0xC612_0000 + index / 100), UInt16(1 + index % 100)),
            private: Endpoint(IPv4Address(192, 168, 1, UInt8(2 + index % 200)), UInt16(1 + index / 200)))))
    }
    var passed = 0
    let done = town.perform(GatewayChange(mappings)) { town in
      passed += town.send(from: Town.c1, to: Town.s1).count
    }
    #expect(done.job.refused == 0 && done.steps > 300 && passed == done.steps - 1)
    #expect(town.listing().count == 10_001)
    let last = Endpoint(IPv4Address(0xC612_0000 + 99), 100)
    #expect(town.send(.tcp, from: Town.s1, to: last, .outside).map(\.destination.port) == [50])
    let removals = mappings.compactMap { operation -> GatewayChange.Operation? in
      guard case .addForward(let forward) = operation else { return nil }
      return .removeForward(forward, .staticMappingRemoved)
    }
    #expect(town.perform(GatewayChange(removals)).job.ended.sessions == 1)
    #expect(town.listing().count == 1)
    #expect(town.faults() == [])
  }

  // MARK: The pool

  @Test("RC1 EX1 no pool address: drop and counter; an address that is added works at once")
  func addressAdded() throws {
    var town = try Town("nat: { pool: [] }")
    #expect(town.send(from: Town.c1, to: Town.s1).map(\.side) == [.inside])
    #expect(town.counters.drops(.portsExhausted) == 1)
    try town.reload("nat: { pool: [{ address: 203.0.113.8, ports: 1024-65535 }] }")
    let address = IPv4Address(203, 0, 113, 8)
    #expect(town.send(from: Town.c1, to: Town.s1).map(\.source) == [Endpoint(address, 5000)])
    #expect(town.send(from: Town.s1, to: Endpoint(address, 5000), .outside).map(\.destination) == [Town.c1])
    #expect(town.frame(Town.request(for: address, .outside), .outside).map(\.isARP) == [true])
    #expect(town.faults() == [])
  }

  @Test("RC1 an address that is removed takes its sessions with it, and no later packet uses it")
  func addressRemoved() throws {
    let both =
      "nat: { pool: [{ address: 203.0.113.8, ports: 1024-65535 }, { address: 203.0.113.9, ports: 1024-65535 }] }"
    let one = "nat: { pool: [{ address: 203.0.113.9, ports: 1024-65535 }] }"
    let gone = IPv4Address(203, 0, 113, 8)
    var town = try Town(both)
    for host in 2...9 as ClosedRange<UInt8> {
      town.send(from: Endpoint(IPv4Address(192, 168, 1, host), 5000), to: Town.s1)
    }
    let before = town.listing().filter { $0.contains(" 203.0.113.8:") }
    #expect(before.count == 4)
    let (ended, _) = try town.reload(one)
    #expect(
      ended.sessions == 4
        && ended.listed.allSatisfy { $0.reason == .poolAddressRemoved && $0.public.address == gone })
    #expect(town.listing().count == 4)
    for host in 2...9 as ClosedRange<UInt8> {
      let sent = town.send(from: Endpoint(IPv4Address(192, 168, 1, host), 5000), to: Town.s1)
      #expect(sent.map(\.source.address) == [IPv4Address(203, 0, 113, 9)])
    }
    #expect(town.send(from: Town.s1, to: Endpoint(gone, 5000), .outside) == [])
    #expect(town.frame(Town.request(for: gone, .outside), .outside) == [])
    // The place serves another address.
    try town.reload(
      "nat: { pool: [{ address: 203.0.113.10, ports: 1024-65535 }, { address: 203.0.113.9, ports: 1024-65535 }] }"
    )
    let sent = town.send(from: Endpoint(IPv4Address(192, 168, 1, 30), 5000), to: Town.s1)
    #expect(sent.map(\.source) == [Endpoint(IPv4Address(203, 0, 113, 10), 5000)])
    #expect(town.faults() == [])
  }

  @Test("RC1 PA12 a port that rests on an address which is removed rests on none that takes its place")
  func restingRemoved() throws {
    func resting(_ town: borrowing Town) -> [Int] {
      var resting: [Int] = []
      town.gateway.translator.shard.poolUse { if $0.transport == .udp { resting.append($0.held) } }
      return resting
    }
    var town = try Town("nat: { pool: [{ address: 203.0.113.8, ports: 1024-65535 }] }")
    town.send(from: Town.c1, to: Town.s1)
    _ = town.perform(EndSessions(SessionFilter()))
    #expect(resting(town) == [1])
    try town.reload("nat: { pool: [{ address: 203.0.113.9, ports: 1024-65535 }] }")
    #expect(resting(town) == [0])
    let other = Endpoint(IPv4Address(192, 168, 1, 30), Town.c1.port)
    let sent = town.send(from: other, to: Town.s1)
    #expect(sent.map(\.source) == [Endpoint(IPv4Address(203, 0, 113, 9), Town.c1.port)])
    // Nothing is left that would become free once more.
    town.wait(seconds: 121)
    #expect(town.listing().count == 1 && resting(town) == [0])
    #expect(town.faults() == [])
  }

  @Test("RC1 an address with many sessions is removed in short steps, beside traffic of its own hosts")
  func busyAddressRemoved() throws {
    var town = try Town("nat: { pool: [{ address: 203.0.113.8, ports: 1024-65535 }] }")
    for index in 0..<3000 {
      town.send(
        from: Endpoint(IPv4Address(192, 168, 1, UInt8(2 + index % 50)), UInt16(2000 + index / 50)),
        to: Town.s1)
    }
    var sources: Set<IPv4Address> = []
    var steps = 0
    let (ended, _) = try town.reload("nat: { pool: [{ address: 203.0.113.9, ports: 1024-65535 }] }") { town in
      steps += 1
      for host in 2...51 as ClosedRange<UInt8> {
        let sent = town.send(from: Endpoint(IPv4Address(192, 168, 1, host), 2000), to: Town.s2)
        sources.formUnion(sent.filter { $0.side == .outside }.map(\.source.address))
      }
    }
    #expect(ended.sessions >= 3000 && steps > 25)
    #expect(sources.isSubset(of: [IPv4Address(203, 0, 113, 8), IPv4Address(203, 0, 113, 9)]))
    #expect(town.listing().allSatisfy { !$0.contains("203.0.113.8") })
    #expect(town.send(from: Town.c1, to: Town.s1).map(\.source.address) == [IPv4Address(203, 0, 113, 9)])
    #expect(town.faults() == [])
  }

  @Test("RC1 a frame that waits for its next hop is dropped when its public address has gone meanwhile")
  func waitingFrames() throws {
    var town = try Town("nat: { pool: [{ address: 203.0.113.8, ports: 1024-65535 }] }") {
      $0.asksForNextHops = true
    }
    #expect(town.send(from: Town.c1, to: Town.s1).map(\.isARP) == [true])
    try town.reload("nat: { pool: [] }")
    let router = Town.request(for: IPv4Address(203, 0, 113, 5), .outside)
    #expect(town.frame(router, .outside).map(\.isARP) == [true])
    #expect(town.counters.drops(.noBinding) == 1)
    #expect(town.faults() == [])
  }

  @Test("RC1 later fragments of a datagram whose public address has gone are dropped")
  func fragments() throws {
    var town = try Town("nat: { pool: [{ address: 203.0.113.8, ports: 1024-65535 }] }")
    func fragment(_ field: UInt16) -> [UInt8] {
      var bytes = Town.packet(.udp, 0, from: Town.c1, to: Town.s1, .inside)
      bytes[20] = UInt8(field >> 8)
      bytes[21] = UInt8(truncatingIfNeeded: field)
      // The header had DF alone there.
      var sum =
        UInt32(~(UInt16(bytes[24]) << 8 | UInt16(bytes[25]))) + UInt32(~UInt16(0x4000)) + UInt32(field)
      while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
      bytes[24] = UInt8(~UInt16(sum) >> 8)
      bytes[25] = UInt8(truncatingIfNeeded: ~UInt16(sum))
      return bytes
    }
    #expect(town.frame(fragment(0x2000), .inside).map(\.source.address) == [IPv4Address(203, 0, 113, 8)])
    #expect(town.frame(fragment(0x2001), .inside).map(\.source.address) == [IPv4Address(203, 0, 113, 8)])
    try town.reload("nat: { pool: [] }")
    #expect(town.frame(fragment(0x0002), .inside) == [])
    #expect(town.counters.drops(.fragmentOfDeadDatagram) == 1)
  }

  @Test(
    "PA17 the range changes while flows live: old ones keep their port, new ones obey, and freed ports do not come back"
  )
  func range() throws {
    func pool(_ ports: String) -> String {
      "nat: { pool: [{ address: 203.0.113.5, ports: \(ports) }], port-rest: 0s, port-choice: sequential, parity: false }"
    }
    var town = try Town(pool("1024-1025"))
    #expect(town.send(from: Town.c1, to: Town.s1)[0].source.port == 1024)
    try town.reload(pool("2000-2001"))
    #expect(town.send(from: Town.c1, to: Town.s1)[0].source.port == 1024)
    #expect(town.send(from: Town.c2, to: Town.s1)[0].source.port == 2000)
    #expect(
      town.send(from: Town.s1, to: Endpoint(Town.x.address, 1024), .outside).map(\.destination) == [Town.c1])
    _ = town.perform(EndSessions(SessionFilter()))
    #expect(town.send(from: Town.c1, to: Town.s1)[0].source.port == 2000)
    #expect(town.send(from: Town.c2, to: Town.s1)[0].source.port == 2001)
    #expect(town.send(from: Endpoint(Town.c2.address, 1), to: Town.s1).map(\.side) == [.inside])
    try town.reload(pool("1024-2001"))
    #expect(town.send(from: Endpoint(Town.c2.address, 1), to: Town.s1)[0].source.port == 1024)
    var use: [PoolUse] = []
    town.gateway.translator.shard.poolUse { use.append($0) }
    #expect(use.map(\.ports) == [978, 978, 65536] && use.map(\.inUse) == [0, 3, 0])
    #expect(town.faults() == [])
  }

  @Test("a pool address that is a static's too: the static stays, its sessions end where its place changes")
  func staticOnPool() throws {
    let forward = "static: [{ protocol: udp, public: 203.0.113.8:53, private: 192.168.1.10:53 }]"
    let target = Endpoint(IPv4Address(203, 0, 113, 8), 53)
    let pool = "\nnat: { pool: [{ address: 203.0.113.8, ports: 1-65535 }] }"
    var town = try Town(forward)
    #expect(town.send(from: Town.s1, to: target, .outside).count == 1)
    #expect(try town.reload(forward + pool).ended.listed.map(\.reason) == [.poolAddressAdded])
    #expect(town.send(from: Town.s1, to: target, .outside).count == 1)
    let other = Endpoint(Town.c1.address, 53)
    #expect(town.send(from: other, to: Town.s1)[0].source.port != 53)
    #expect(try town.reload(forward).ended.listed.map(\.reason).contains(.poolAddressRemoved))
    #expect(town.send(from: Town.s1, to: target, .outside).count == 1)
    #expect(town.faults() == [])
  }

  // MARK: Rules

  @Test("FIL10 filtering changes for bindings that live, and their public endpoints stay, RFC 4787 REQ-11")
  func filtering() throws {
    func filtering(_ name: String) -> String { "nat: { filtering: \(name) }" }
    var town = try Town(filtering("address-dependent"))
    town.send(from: Town.c1, to: Town.s1)
    #expect(town.send(from: Town.s2, to: Town.x, .outside) == [])
    try town.reload(filtering("endpoint-independent"))
    #expect(town.send(from: Town.s2, to: Town.x, .outside).count == 1)
    try town.reload(filtering("address-and-port-dependent"))
    #expect(town.send(from: Endpoint(Town.s1.address, 81), to: Town.x, .outside) == [])
    #expect(town.send(from: Town.s1, to: Town.x, .outside).count == 1)
    #expect(town.send(from: Town.c1, to: Town.s2)[0].source == Town.x)
  }

  @Test(
    "UT6 a lifetime that changes holds from the next packet that restarts the clock; the clock itself runs on"
  )
  func lifetimes() throws {
    func udp(_ seconds: Int) -> String { "nat: { lifetimes: { udp: \(seconds)s } }" }
    var town = try Town(udp(300))
    town.send(from: Town.c1, to: Town.s1)
    town.send(from: Town.c2, to: Town.s1)
    town.wait(seconds: 100)
    try town.reload(udp(30))
    // The clock of the one that says nothing runs on; the other's is short from its next packet on.
    town.send(from: Town.c2, to: Town.s1)
    town.wait(seconds: 31)
    #expect(town.listing().count == 1 && town.gateway.translator.shard.counts.sessions == 1)
    town.wait(seconds: 168)
    #expect(town.listing().count == 1)
    town.wait(seconds: 2)
    #expect(town.listing() == [])
    try town.reload(udp(3000))
    town.send(from: Town.c1, to: Town.s1)
    town.wait(seconds: 2999)
    #expect(town.listing().count == 1)
  }

  @Test(
    "UT6 a clock that a packet restarts between the change of a lifetime and the walk over the sessions is short"
  )
  func lifetimeDuringWalk() throws {
    var town = try Town("nat: { lifetimes: { udp: 300s } }")
    town.send(from: Town.c1, to: Town.s1)
    town.send(from: Town.c2, to: Town.s1)
    try town.reload("nat: { lifetimes: { udp: 30s } }") { $0.send(from: Town.c2, to: Town.s1) }
    town.wait(seconds: 31)
    #expect(town.gateway.translator.shard.counts.sessions == 1)
    #expect(town.faults() == [])
    // The other one's clock still runs on, until a packet makes it short.
    town.wait(seconds: 100)
    town.send(from: Town.c1, to: Town.s1)
    town.wait(seconds: 29)
    #expect(town.gateway.translator.shard.counts.sessions == 1)
    town.wait(seconds: 2)
    #expect(town.gateway.translator.shard.counts.sessions == 0)
    #expect(town.faults() == [])
  }

  @Test("UT6 TCP2 a transitory lifetime that becomes shorter ends new connections before old ones")
  func transitory() throws {
    var town = try Town("nat: { lifetimes: { tcp-transitory: 240s } }")
    town.send(.tcp, from: Town.c1, to: Town.s1)
    try town.reload("nat: { lifetimes: { tcp-transitory: 10s } }")
    town.send(.tcp, from: Town.c2, to: Town.s1)
    town.wait(seconds: 11)
    #expect(town.listing().count == 1 && town.listing()[0].contains("192.168.1.2"))
    town.send(.tcp, from: Town.c2, to: Town.s1)
    town.wait(seconds: 230)
    #expect(town.listing() == [])
  }

  @Test("UT6 the lifetime for a port holds for sessions made from then on")
  func portLifetime() throws {
    var town = try Town("nat: { lifetimes: { ports: { udp/80: 20s } } }")
    town.send(from: Town.c1, to: Town.s1)
    try town.reload("nat: { lifetimes: { ports: { udp/80: 50s } } }")
    town.send(from: Town.c1, to: Town.s2)
    town.wait(seconds: 21)
    #expect(town.listing().count == 1)
    town.wait(seconds: 30)
    #expect(town.listing() == [])
  }

  @Test(
    "RC9 limits raised within the reserve hold under traffic, no session is lost; beyond it they are refused by name"
  )
  func resize() throws {
    func limits(_ count: Int) -> String { "nat: { limits: { sessions: \(count), bindings: \(count) } }" }
    var town = try Town(limits(100))
    func passes(_ town: inout Town, _ number: Int) -> Bool {
      town.send(from: Endpoint(Town.c1.address, UInt16(2000 + number)), to: Town.s1).contains {
        $0.side == .outside
      }
    }
    #expect((0..<150).count { passes(&town, $0) } == 100)
    for size in [200, 1000, 5000] {
      // What lives is used all the while, and what is new finds room as soon as there is some.
      var lost = 0
      var number = size - 1
      try town.reload(limits(size)) { town in
        lost += (0..<100).count { !passes(&town, $0) }
        if passes(&town, number) { number -= 1 }
      }
      #expect(lost == 0)
      #expect((0..<size + 50).count { passes(&town, $0) } == size)
      #expect(town.gateway.translator.shard.counts.sessions == size)
    }
    #expect(town.counters.drops(.bindingLimit) >= 200 && town.faults() == [])
    func refusal(_ text: String) throws -> ChangePlan.Refusal? {
      let new = try Configuration.parse(Town.interfaces + text, file: "portico.yaml")
      return ChangePlan.refusal(from: town.configuration, to: new, town.table.capacity, usedLifetimes: [])
    }
    #expect(try refusal("nat: { limits: { sessions: 1048576, bindings: 262144 } }") == nil)
    #expect(try refusal("nat: { limits: { sessions: 1048577 } }")?.setting == "nat.limits.sessions")
    #expect(try refusal("nat: { limits: { bindings: 262145 } }")?.setting == "nat.limits.bindings")
  }

  @Test("LIM2 RC4 a rate that a reload sets, changes and takes back holds from the next session on")
  func rate() throws {
    var town = try Town()
    func burst(_ town: inout Town, _ first: UInt16) -> Int {
      (0..<50).count {
        town.send(from: Town.c1, to: Endpoint(Town.s1.address, first + $0)).contains { $0.side == .outside }
      }
    }
    func rate(_ text: String) -> String { "nat: { limits: { per-host: { sessions-per-second: \(text) } } }" }
    #expect(burst(&town, 1000) == 50)
    try town.reload(rate("10"))
    // Fifty packets, a millisecond apart.
    #expect(burst(&town, 2000) == 10)
    try town.reload(rate("1000"))
    #expect(burst(&town, 3000) == 50)
    town.wait(seconds: 1)
    try town.reload(rate("20"))
    #expect(burst(&town, 4000) == 20)
    try town.reload(rate("off"))
    #expect(burst(&town, 5000) == 50)
    #expect(town.counters.drops(.hostSessionRate) == 70)
  }

  @Test("LIM7 a limit below the present use ends nothing and lets nothing new in; raised, it does")
  func limits() throws {
    func limits(_ sessions: Int) -> String {
      "nat: { limits: { sessions: \(sessions), bindings: \(sessions) } }"
    }
    var town = try Town(limits(3))
    for port in 1...3 as ClosedRange<UInt16> { town.send(from: Endpoint(Town.c1.address, port), to: Town.s1) }
    try town.reload(limits(1))
    #expect(town.listing().count == 3)
    #expect(town.send(from: Endpoint(Town.c1.address, 1), to: Town.s1).map(\.side) == [.outside])
    #expect(town.send(from: Town.c2, to: Town.s1).map(\.side) == [.inside])
    try town.reload(limits(1000))
    for port in 1...900 as ClosedRange<UInt16> {
      town.send(from: Endpoint(Town.c2.address, port), to: Town.s1)
    }
    #expect(town.listing().count == 903)
    town.wait(seconds: 2)
    try town.reload("nat: { limits: { per-host: { sessions: 5 } } }")
    #expect(town.send(from: Town.c2, to: Town.s1).map(\.side) == [.inside])
    #expect(town.send(from: Endpoint(Town.c1.address, 9), to: Town.s1).map(\.side) == [.outside])
    #expect(town.faults() == [])
  }

  @Test("LIM7 above a lowered limit the sessions of a 1:1 mapping, and hairpinned ones, still pass")
  func limitsOfStatics() throws {
    func text(_ sessions: Int) -> String {
      "static: [{ protocol: all, public: 203.0.113.7, private: 192.168.1.10 }]\n"
        + "nat: { limits: { sessions: \(sessions) } }"
    }
    let target = Endpoint(IPv4Address(203, 0, 113, 7), 80)
    var town = try Town(text(10))
    #expect(town.send(from: Town.s1, to: target, .outside).count == 1)
    #expect(town.send(from: Town.c1, to: target).count == 1)
    try town.reload(text(1))
    #expect(town.send(from: Town.s1, to: target, .outside).count == 1)
    #expect(town.send(from: Town.c1, to: target).count == 1)
    #expect(town.send(from: Town.s2, to: target, .outside) == [])
    #expect(town.counters.drops(.sessionLimit) == 1 && town.faults() == [])
  }

  @Test("RC4 RC5 an inside network is left out and comes back: its hosts' bindings end meanwhile")
  func insideNetworks() throws {
    func networks(_ list: String) -> String {
      "routes: [{ network: 10.9.0.0/24, via: 192.168.1.254 }]\nnat: { inside-networks: [\(list)] }"
    }
    let all = networks("192.168.1.0/24, 10.9.0.0/24")
    let far = Endpoint(IPv4Address(10, 9, 0, 7), 4000)
    var town = try Town(all)
    town.send(from: far, to: Town.s1)
    town.send(from: Town.c1, to: Town.s1)
    let ended = try town.reload(networks("192.168.1.0/24")).ended
    #expect(ended.listed.map(\.reason) == [.insideNetworkRemoved] && town.listing().count == 1)
    #expect(town.send(from: far, to: Town.s1) == [])
    #expect(town.counters.drops(.sourceNotInside) == 1)
    try town.reload(all)
    #expect(town.send(from: far, to: Town.s1).count == 1)
    #expect(town.faults() == [])
  }

  @Test(
    "RC6 what a running gateway cannot change is refused by name, and so is more than its table has room for")
  func refused() throws {
    let town = try Town()
    func refusal(_ text: String) throws -> ChangePlan.Refusal? {
      let new = try Configuration.parse(Town.interfaces + text, file: "portico.yaml")
      return ChangePlan.refusal(from: town.configuration, to: new, town.table.capacity, usedLifetimes: [])
    }
    #expect(try refusal("workers: 2")?.setting == "workers")
    #expect(try refusal("guard: off")?.setting == "guard")
    #expect(try refusal("capture: { ring: 32MiB }")?.setting == "capture.ring")
    #expect(try refusal("nat: { evict: oldest-transitory }")?.setting == "nat.evict")
    #expect(try refusal("nat: { tcp: { window-tracking: true } }")?.setting == "nat.tcp.window-tracking")
    #expect(try refusal("nat: { fragments: { datagrams: 5 } }")?.setting == "nat.fragments.datagrams")
    #expect(try refusal("nat: { lifetimes: { fragment: 5s } }")?.setting == "nat.lifetimes.fragment")
    #expect(
      try refusal("nat: { limits: { sessions: 1572865 } }")
        == .init(setting: "nat.limits.sessions", expected: "at most 1572864, or a restart"))
    #expect(try refusal("nat: { limits: { sessions: 1572864, bindings: 393216 } }") == nil)
    #expect(try refusal("nat: { filtering: endpoint-independent }\nlog: { level: debug }") == nil)
  }

  // MARK: Everything at once

  struct Draw {
    var random: RandomSource
    mutating func below(_ bound: Int) -> Int { random.next(below: bound) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// A configuration out of few addresses and ports, so that everything meets everything.
    mutating func text() -> String {
      var pool: [String] = []
      for address in 5...8 where chance(50) {
        let low = 1024 + below(3) * 4
        pool.append("{ address: 203.0.113.\(address), ports: \(low)-\(low + 8 + below(8)) }")
      }
      var statics: [String] = []
      var claimed: Set<String> = []
      for _ in 0..<below(6) {
        let transport = ["tcp", "udp", "icmp"][below(3)]
        let end = "203.0.113.\(5 + below(6)):\(1024 + below(12))"
        guard claimed.insert("\(transport) \(end)").inserted else { continue }
        var terms = chance(30) ? ", direction: inbound" : ""
        if chance(30) { terms += ", remote: 198.51.100.\(["1", "2", "0/31", "0/30"][below(4)])" }
        if chance(15) { terms += ", once: true" }
        if chance(15) { terms += ", lifetime: \(1 + below(9))s" }
        statics.append(
          "{ protocol: \(transport), public: '\(end)', private: '192.168.1.\(2 + below(4)):\(1024 + below(4))'\(terms) }"
        )
      }
      var hosts = [2, 3, 4, 5]
      for address in 9...10 where chance(40) {
        let host = hosts.remove(at: below(hosts.count))
        statics.append("{ protocol: all, public: 203.0.113.\(address), private: 192.168.1.\(host) }")
      }
      let filtering = ["endpoint-independent", "address-dependent", "address-and-port-dependent"][below(3)]
      let choice = ["preserve", "random", "sequential"][below(3)]
      return """
        nat:
          pool: [\(pool.joined(separator: ", "))]
          filtering: \(filtering)
          port-choice: \(choice)
          pooling: \(chance(50) ? "paired" : "arbitrary")
          port-rest: \(below(3) * 5)s
          lifetimes: { udp: \(5 + below(30))s, tcp-transitory: \(5 + below(30))s, icmp: \(5 + below(30))s, ports: { udp/80: \(1 + below(9))s } }
          limits: { sessions: \(10 + below(90)), bindings: \(5 + below(40)) }
        static: [\(statics.joined(separator: ", "))]
        """
    }

    mutating func send(_ town: inout Town) {
      let transport = TransportProtocol(rawValue: UInt8(below(3))) ?? .udp
      let host = Endpoint(IPv4Address(192, 168, 1, UInt8(2 + below(4))), UInt16(1024 + below(6)))
      let remote = Endpoint(IPv4Address(198, 51, 100, UInt8(1 + below(4))), UInt16(80 + below(2)))
      let end = Endpoint(IPv4Address(203, 0, 113, UInt8(5 + below(6))), UInt16(1024 + below(16)))
      let flags: UInt8 = [0x02, 0x12, 0x10, 0x11, 0x04][below(5)]
      switch below(5) {
      case 0, 1: town.send(transport, flags, from: host, to: remote)
      case 2: town.send(transport, flags, from: remote, to: end, .outside)
      case 3: town.send(transport, flags, from: host, to: end)
      default: if chance(30) { town.wait(seconds: UInt64(below(8))) }
      }
    }
  }

  @Test(
    "RC1 RC4 PA1 ST-8 random configurations one after the other beside random traffic: nothing is ever shared or lost",
    arguments: 1...12)
  func everything(seed: UInt64) throws {
    var draw = Draw(random: RandomSource(seed: seed))
    var town = try Town(draw.text())
    for round in 0..<25 {
      for _ in 0..<60 { draw.send(&town) }
      let text = draw.text()
      let isBusy = draw.chance(50)
      town.wait(seconds: 0)
      let before = town.listing()
      let ended =
        try isBusy
        ? town.reload(text) { town in draw.send(&town) }.ended : town.reload(text).ended
      let place = "seed \(seed) round \(round)"
      #expect(town.faults() == [], "\(place)")
      try check(town, place)
      if !isBusy {
        // What is listed as ended is what has gone.
        let sessions = Set(before.filter { $0.split(separator: " ").count == 5 })
        let after = Set(town.listing())
        let gone = sessions.subtracting(after)
        let listed = Set(
          ended.listed.map { event in
            "\(event.transport) \(event.private) \(event.public) \(event.remote)"
          })
        #expect(
          listed.isSuperset(
            of: gone.map { $0.replacing(" dynamic", with: "").replacing(" static", with: "") }),
          "\(place)")
        #expect(listed.count == ended.sessions, "\(place)")
      }
    }
    town.wait(seconds: 1000)
    #expect(town.gateway.translator.shard.counts.sessions == 0)
    var use: [PoolUse] = []
    town.gateway.translator.shard.poolUse { use.append($0) }
    #expect(use.allSatisfy { $0.inUse == 0 && $0.held == 0 })
  }

  /// The table and the gateway against the configuration, looked at the slow way.
  private func check(_ town: borrowing Town, _ place: String) throws {
    var configuration = town.configuration
    // A forward that ends by itself may have done so.
    configuration.statics.removeAll { mapping in
      guard case .portForward(let transport, let outer, _, let terms) = mapping, terms.endsByItself else {
        return false
      }
      return town.gateway.translator.shard.findPortForward(transport, public: outer) == nil
    }
    // Our addresses are those of the configuration, no more and no fewer.
    var ours: Set<IPv4Address> = []
    var at = 0
    while let address = town.gateway.translator.publicAddress(from: &at) { ours.insert(address) }
    #expect(ours == Set(configuration.publicAddresses), "\(place)")
    let pool = Set(configuration.nat.pool.map(\.address))
    var forwards: Set<String> = []
    for case .portForward(let transport, let outer, let inner, _) in configuration.statics {
      forwards.insert("\(transport) static \(inner) \(outer)")
      #expect(town.gateway.translator.shard.findPortForward(transport, public: outer) != nil, "\(place)")
    }
    var inUse: [String: Int] = [:]
    var dynamic: Set<String> = []
    for line in town.listing() {
      let fields = line.split(separator: " ")
      let endpoint = try #require(fields[3].split(separator: ":").first)
      if fields[1] == "dynamic" {
        #expect(pool.contains { $0.description == endpoint }, "\(place): \(line)")
        if dynamic.insert("\(fields[0]) \(fields[3])").inserted {
          inUse["\(fields[0]) \(endpoint)", default: 0] += 1
        }
      }
    }
    let listed = Set(town.listing().map { $0.split(separator: " ").prefix(4).joined(separator: " ") })
    #expect(forwards.isSubset(of: listed), "\(place)")
    var addresses: [IPv4Address] = []
    town.gateway.translator.shard.poolUse { use in
      if use.transport == .tcp { addresses.append(use.address) }
      #expect(use.inUse == inUse["\(use.transport) \(use.address)"] ?? 0, "\(place)")
      let held = configuration.statics.count { mapping in
        guard case .portForward(use.transport, let outer, _, _) = mapping, outer.address == use.address else {
          return false
        }
        return use.transport == .icmp
          || configuration.nat.pool.contains {
            $0.address == use.address && $0.ports.contains { $0.contains(outer.port) }
          }
      }
      let offered =
        configuration.nat.pool.first { $0.address == use.address }?.ports.reduce(0) { $0 + $1.count } ?? 0
      #expect(use.ports == (use.transport == .icmp ? 65536 : offered) - held, "\(place)")
    }
    #expect(addresses == configuration.nat.pool.map(\.address), "\(place)")
  }
}
