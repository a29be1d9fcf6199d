import NATMemory
import NATWire
import Testing

@testable import NATTable

/// What a restored table does in order, where the snapshot has another one.
@Suite struct RestoringOrderTests: SmallTables {
  private static let second: UInt64 = 1_000_000_000
  private static let server = Endpoint(IPv4Address(198, 51, 100, 7), 80)
  private static let addresses = [IPv4Address(203, 0, 113, 5), IPv4Address(203, 0, 113, 6)]

  private func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: seconds * Self.second) }

  private func host(_ number: UInt8, _ port: UInt16 = 50001) -> Endpoint {
    Endpoint(IPv4Address(192, 168, 1, number), port)
  }

  private func makeTable(_ change: (inout TableSettings) -> Void = { _ in }) -> TranslationTable {
    makeTable(Self.addresses, change)
  }

  private func hosts(of shard: borrowing Shard, _ transport: TransportProtocol) -> [UInt8] {
    (2...9).filter { shard.findBinding(transport, private: host($0)) != nil }
  }

  /// Connections in the records 3, 2, 4, that were opened in the order 4, 2, 3.
  private func transitory(_ change: (inout TableSettings) -> Void = { _ in }) throws -> TableSnapshot {
    let table = makeTable(change)
    var shard = table.makeShard(worker: 0)
    // Each end leaves its record to the next session.
    let first = try open(&shard, .udp, from: host(8), to: Self.server, at: at(1))
    let second = try open(&shard, .udp, from: host(9), to: Self.server, at: at(1))
    try open(&shard, .tcp, from: host(4), to: Self.server, at: at(10))
    shard.end(second, at: at(11))
    try open(&shard, .tcp, from: host(2), to: Self.server, at: at(20))
    shard.end(first, at: at(21))
    try open(&shard, .tcp, from: host(3), to: Self.server, at: at(30))
    return try TableSnapshot(words(of: shard, at: at(31)))
  }

  @Test("RC8 TCP2 restored connections on the transitory clock end each at its time, whatever place they had")
  func transitory() throws {
    let saved = try transitory { _ in }
    let again = makeTable()
    var copy = again.makeShard(worker: 0)
    let restored = copy.restore(saved, offset: 0, at: at(31)) { _ in true }
    #expect(restored.sessions == 3)
    // A transitory connection lives for 240 s.
    for (seconds, left): (UInt64, [UInt8]) in [
      (250, [2, 3, 4]), (251, [2, 3]), (261, [3]), (270, [3]), (271, []),
    ] {
      copy.advance(to: at(seconds))
      #expect(hosts(of: copy, .tcp) == left, "after \(seconds) s")
    }
  }

  @Test("RC8 LIM5 of restored connections the one that has been transitory for longest makes room")
  func evicted() throws {
    func evicts(_ settings: inout TableSettings) { settings.evictsOldestTransitory = true }
    let saved = try transitory(evicts)
    let again = makeTable(evicts)
    var copy = again.makeShard(worker: 0)
    _ = copy.restore(saved, offset: 0, at: at(31)) { _ in true }
    for left: [UInt8] in [[2, 3], [3], []] {
      let isEvicted = copy.evict(
        for: .sessions, keeping: Shard.Kept(bindings: (nil, nil), sessions: (nil, nil)), at: at(32))
      #expect(isEvicted && hosts(of: copy, .tcp) == left)
    }
  }

  @Test("RC8 PA12 restored ports become free each at its time, RFC 6888 REQ-8")
  func resting() throws {
    let table = makeTable()
    var shard = table.makeShard(worker: 0)
    var sessions: [SessionIndex] = []
    for number in 2...4 as ClosedRange<UInt8> {
      sessions.append(try open(&shard, .udp, from: host(number), to: Self.server, at: at(1)))
    }
    // The ports of the pool are saved in their own order.
    for (place, seconds) in [(2, 10), (0, 20), (1, 30)] as [(Int, UInt64)] {
      shard.end(sessions[place], at: at(seconds))
    }
    let saved = try TableSnapshot(words(of: shard, at: at(31)))
    let again = makeTable()
    var copy = again.makeShard(worker: 0)
    let restored = copy.restore(saved, offset: 0, at: at(31)) { _ in true }
    #expect(restored.heldPorts == 3)
    for (seconds, left): (UInt64, Int) in [
      (129, 3), (130, 2), (139, 2), (140, 1), (149, 1), (150, 0),
    ] {
      copy.advance(to: at(seconds))
      var resting = 0
      copy.poolUse { resting += $0.held }
      #expect(resting == left, "after \(seconds) s")
    }
  }

  @Test(
    "RC8 MAP7 new hosts are spread over the pool by where restored hosts count, not by what was restored first"
  )
  func poolAddress() throws {
    func bind(_ shard: inout Shard, _ endpoint: Endpoint, poolAddress: Int) throws -> SessionIndex {
      let binding = shard.bindings.direct(poolAddress: poolAddress, .udp, port: endpoint.port)
      let isMade = shard.insertBinding(binding, for: endpoint, at: at(1))
      #expect(isMade)
      let made = shard.insertSession(
        binding, remote: Self.server, state: .active, flags: .insideUsed, opener: 80, at: at(1))
      return try #require(made)
    }
    func makeTable() -> TranslationTable { self.makeTable { $0.policy.paired = false } }
    let table = makeTable()
    var shard = table.makeShard(worker: 0)
    // The host counts at the first address; its session there has the second record, that on the other address the first.
    let passing = try bind(&shard, host(9), poolAddress: 0)
    _ = try bind(&shard, host(2, 50002), poolAddress: 0)
    shard.end(passing, at: at(2))
    _ = try bind(&shard, host(2, 50003), poolAddress: 1)
    let saved = try TableSnapshot(words(of: shard, at: at(2)))
    let again = makeTable()
    var copy = again.makeShard(worker: 0)
    let restored = copy.restore(saved, offset: 0, at: at(2)) { _ in true }
    #expect(restored.sessions == 2)
    var random = RandomSource(seed: 3)
    for (number, address) in [(5, 1), (6, 0), (7, 1)] as [(UInt8, Int)] {
      let chosen = copy.choosePublic(.udp, for: host(number, 1000), &random)
      let binding = try #require(chosen)
      let isMade = copy.insertBinding(binding, for: host(number, 1000), at: at(3))
      #expect(isMade)
      #expect(copy.bindings.publicEndpoint(of: binding).address == Self.addresses[address], "host \(number)")
    }
  }
}
