import NATWire
import Testing

@testable import NATTable

/// A table as words, and what becomes of words that are not as they were.
@Suite struct SnapshotTests {
  private static let pool = IPv4Address(203, 0, 113, 5)
  private static let second = Instant(nanoseconds: 1_000_000_000)
  private let client = Endpoint(IPv4Address(192, 168, 1, 2), 1234)
  private let server = Endpoint(IPv4Address(198, 51, 100, 7), 80)

  private func makeTable(_ change: (inout TableSettings) -> Void = { _ in }) -> TranslationTable {
    var settings = TableSettings(pool: [PoolAddress(SnapshotTests.pool, ports: [50001...50010])])
    settings.policy.portChoice = .sequential
    settings.policy.parity = false
    change(&settings)
    var random = RandomSource(seed: 1)
    return TranslationTable(settings, random: &random)
  }

  /// Opens a session from a port of a host.
  @discardableResult
  private func open(
    _ shard: inout Shard, _ transport: TransportProtocol = .udp, from host: Endpoint, to remote: Endpoint,
    at now: Instant
  ) throws -> SessionIndex {
    var random = RandomSource(seed: 2)
    let known = shard.findBinding(transport, private: host)
    let chosen = known ?? shard.choosePublic(transport, for: host, &random)
    let binding = try #require(chosen)
    if known == nil {
      let isMade = shard.insertBinding(binding, for: host, at: now)
      #expect(isMade)
    }
    let made = shard.insertSession(
      binding, remote: remote, state: transport == .tcp ? .opened(by: .inside) : .active, flags: .insideUsed,
      opener: remote.port, at: now)
    return try #require(made)
  }

  private func words(
    of shard: borrowing Shard, at clock: Instant, limit: Int = .max,
    _ change: (inout SnapshotHeader) -> Void = { _ in }
  ) -> [UInt64] {
    var header = SnapshotHeader(
      clock: clock, unixNanoseconds: 1_700_000_000_000_000_000, started: SnapshotTests.second)
    header.tracksWindows = shard.savesWindows
    change(&header)
    var words: [UInt64] = []
    header.append(to: &words)
    var walk = SavingWalk()
    while !walk.isAtEnd { shard.save(&walk, limit: limit, into: &words) }
    TableSnapshot.appendCounts(walk.counts, to: &words)
    var checksum = Checksum64()
    checksum.add(words[...])
    return words + [checksum.value]
  }

  /// Three hosts' sessions, and two ports that rest.
  private func filled(_ shard: inout Shard) throws -> Instant {
    let start = SnapshotTests.second
    for host in 2...6 as ClosedRange<UInt8> {
      try open(&shard, from: Endpoint(IPv4Address(192, 168, 1, host), 1000), to: server, at: start)
    }
    try open(&shard, .tcp, from: client, to: server, at: start)
    for host in 5...6 as ClosedRange<UInt8> {
      let found = shard.findBinding(.udp, private: Endpoint(IPv4Address(192, 168, 1, host), 1000))
      let session = shard.firstSession(of: try #require(found))
      shard.end(try #require(session), at: start.advanced(by: 2_000_000_000))
    }
    return start.advanced(by: 3_000_000_000)
  }

  @Test("the checksum is CRC-64/XZ")
  func checksum() {
    // The check value of the catalogue is that of "123456789", which is no whole word: these are the catalogue's
    // algorithm, bit by bit.
    func slow(_ bytes: [UInt8]) -> UInt64 {
      ~bytes.reduce(UInt64.max) { remainder, byte in
        (0..<8).reduce(remainder ^ UInt64(byte)) { at, _ in
          at >> 1 ^ (at & 1 == 0 ? 0 : 0xC96C_5795_D787_0F42)
        }
      }
    }
    #expect(slow(Array("123456789".utf8)) == 0x995D_C9BB_DF19_39FA)
    let bytes = (0..<64).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
    let words = stride(from: 0, to: bytes.count, by: 8).map { at in
      (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    }
    var checksum = Checksum64()
    checksum.add(words[..<3])
    checksum.add(words[3...])
    #expect(checksum.value == slow(bytes))
  }

  @Test("a snapshot that is cut off anywhere, or in which a bit is not as it was, is refused")
  func damage() throws {
    let table = makeTable { $0.tracksWindows = true }
    var shard = table.makeShard(worker: 0)
    let words = words(of: shard, at: try filled(&shard))
    _ = try TableSnapshot(words)
    for count in 0..<words.count {
      #expect(throws: SnapshotFault.self, "\(count) words") { try TableSnapshot(Array(words[..<count])) }
    }
    #expect(throws: SnapshotFault.length) { try TableSnapshot(words + [0]) }
    for place in words.indices {
      for bit in 0..<64 as Range<UInt64> {
        var other = words
        other[place] ^= 1 << bit
        #expect(throws: SnapshotFault.self, "bit \(bit) of word \(place)") { try TableSnapshot(other) }
      }
    }
  }

  @Test("another kind of file, another byte order and another version are told apart")
  func foreign() throws {
    let table = makeTable()
    let shard = table.makeShard(worker: 0)
    let words = words(of: shard, at: SnapshotTests.second)
    #expect(throws: SnapshotFault.foreign) { try TableSnapshot([1, 2, 3]) }
    #expect(throws: SnapshotFault.byteOrder) { try TableSnapshot(words.map(\.byteSwapped)) }
    var later = words
    later[1] += 1 << 32
    #expect(throws: SnapshotFault.version(2)) { try TableSnapshot(later) }
    #expect(throws: SnapshotFault.length) { try TableSnapshot([]) }
  }

  /// What a table lists, for a comparison.
  private func listed(_ table: TranslationTable) throws -> [String] {
    let reader = try #require(TableReader(table))
    var lines: [String] = []
    var cursor: TableReader.Cursor? = TableReader.Cursor()
    while let from = cursor {
      cursor = reader.read(from: from, limit: .max) { session in
        lines.append(
          "\(session.transport) \(session.kind) \(session.private) \(session.public) \(session.remote) "
            + "\(session.bindingCreated.nanoseconds) \(session.state) \(session.flags.rawValue) "
            + "\(session.expires.nanoseconds) \(session.lastPacket.nanoseconds) \(session.counters)")
      }
    }
    return lines.sorted()
  }

  @Test(
    "RC8 a restored table lists the same, in whatever steps it was saved, and its ports rest on, RFC 6888 REQ-8"
  )
  func restored() throws {
    for limit in [1, 2, 7, .max] {
      let table = makeTable()
      var shard = table.makeShard(worker: 0)
      let now = try filled(&shard)
      let snapshot = try TableSnapshot(words(of: shard, at: now, limit: limit))
      #expect(snapshot.counts.sessions == 4 && snapshot.counts.ports == 2)
      let again = makeTable()
      var copy = again.makeShard(worker: 0)
      let restored = copy.restore(snapshot, offset: 0, at: now) { _ in true }
      #expect(restored.sessions == 4 && restored.bindings == 4 && restored.restingPorts == 2)
      #expect(try listed(again) == listed(table))
      // 50001 to 50005 in the order in which the hosts came; 50004 and 50005 rest until 2 s + 120 s after the start.
      let other = Endpoint(IPv4Address(192, 168, 1, 9), 1000)
      try open(&copy, from: other, to: server, at: now)
      let chosen = copy.findBinding(.udp, private: other)
      #expect(chosen.map { copy.bindings.publicEndpoint(of: $0).port } == 50006)
      // The host itself may have its own.
      let own = Endpoint(IPv4Address(192, 168, 1, 6), 1001)
      try open(&copy, from: own, to: server, at: now)
      let kept = copy.findBinding(.udp, private: own)
      #expect(kept.map { copy.bindings.publicEndpoint(of: $0).port } == 50005)
      func resting() -> Int {
        var count = 0
        copy.poolUse { count += $0.transport == .udp ? $0.resting : 0 }
        return count
      }
      let end = SnapshotTests.second.advanced(by: 122_000_000_000)
      copy.advance(to: Instant(nanoseconds: end.nanoseconds - 1))
      #expect(resting() == 1)
      copy.advance(to: end)
      #expect(resting() == 0)
    }
  }

  @Test("RC8 what falls due while nothing runs ends at its own time, and its port rests from then on")
  func whileDown() throws {
    let table = makeTable { $0.policy.portRest = 10_000_000_000 }
    var shard = table.makeShard(worker: 0)
    let start = SnapshotTests.second
    try open(&shard, from: client, to: server, at: start)
    let snapshot = try TableSnapshot(words(of: shard, at: start.advanced(by: 1)))
    for (passed, sessions, resting): (UInt64, Int, Int) in [
      (300, 1, 0), (301, 0, 1), (309, 0, 1), (310, 0, 0), (100_000, 0, 0),
    ] {
      let again = makeTable { $0.policy.portRest = 10_000_000_000 }
      var copy = again.makeShard(worker: 0)
      let restored = copy.restore(
        snapshot, offset: 0, at: start.advanced(by: passed * 1_000_000_000)
      ) { _ in true }
      #expect(restored.sessions == sessions && restored.restingPorts == resting, "after \(passed) s")
      #expect(restored.expired == 1 - sessions)
      #expect(restored.isEmpty == (sessions + resting == 0))
    }
  }

  @Test("what the configuration does not allow any more is not restored, and counted")
  func notAllowed() throws {
    let table = makeTable()
    var shard = table.makeShard(worker: 0)
    let now = try filled(&shard)
    let snapshot = try TableSnapshot(words(of: shard, at: now))
    func restored(
      isInside: (IPv4Address) -> Bool = { _ in true }, _ change: (inout TableSettings) -> Void
    ) -> RestoredTable {
      let table = makeTable(change)
      var shard = table.makeShard(worker: 0)
      return shard.restore(snapshot, offset: 0, at: now, isInside: isInside)
    }
    let elsewhere = restored { $0.pool[0].address = IPv4Address(203, 0, 113, 6) }
    #expect(elsewhere.notAllowed == 4 && elsewhere.isEmpty)
    // 50001 to 50003 UDP and 50001 TCP; 50004 and 50005 rest.
    let ports = restored { $0.pool[0].ports = [50002...50004] }
    #expect(ports.notAllowed == 2 && ports.sessions == 2 && ports.restingPorts == 1)
    let forward = restored {
      $0.forwards = [
        StaticForward(
          .udp, public: Endpoint(SnapshotTests.pool, 50002), private: Endpoint(IPv4Address(192, 168, 1, 9), 1)
        )
      ]
    }
    #expect(forward.notAllowed == 1 && forward.sessions == 3)
    let oneToOne = restored {
      $0.oneToOne = [
        StaticAddress(public: IPv4Address(203, 0, 113, 7), private: IPv4Address(192, 168, 1, 2))
      ]
    }
    #expect(oneToOne.notAllowed == 2 && oneToOne.sessions == 2)
    let outsider = restored(isInside: { $0 != IPv4Address(192, 168, 1, 3) }) { _ in }
    #expect(outsider.notAllowed == 1 && outsider.sessions == 3)
    let limited = restored { $0.sessionLimit = 3 }
    #expect(limited.withoutRoom == 1 && limited.sessions == 3)
    let bindings = restored { $0.bindingLimit = 1 }
    #expect(bindings.withoutRoom == 3 && bindings.bindings == 1)
  }

  @Test("the windows of a connection and the sizes of its packets come back as they were")
  func windows() throws {
    let table = makeTable { $0.tracksWindows = true }
    var shard = table.makeShard(worker: 0)
    let session = try open(&shard, .tcp, from: client, to: server, at: SnapshotTests.second)
    var windows = ConnectionWindows()
    windows.inside = .init(end: 1, limit: .max, window: 3, scale: 14)
    windows.outside = .init(end: 0x8000_0000, limit: 5, window: 6, scale: 7)
    windows.opening = .init(first: 8, end: 9, window: 65535, scale: 15, sender: .outside)
    windows.hasBegun = true
    shard.windows?[Int(session.rawValue)] = windows
    shard.announceLargestPacket(1400, of: session, to: .inside)
    shard.announceLargestPacket(9000, of: session, to: .outside)
    let large = shard.sessions.largestPacket(of: session, to: .outside)
    let snapshot = try TableSnapshot(words(of: shard, at: SnapshotTests.second))
    for tracks in [true, false] {
      let again = makeTable { $0.tracksWindows = tracks }
      var copy = again.makeShard(worker: 0)
      _ = copy.restore(snapshot, offset: 0, at: SnapshotTests.second) { _ in true }
      let found = copy.findBinding(.tcp, private: client)
      let restored = copy.firstSession(of: try #require(found))
      let index = try #require(restored)
      if tracks { #expect(copy.windows?[Int(index.rawValue)] == windows) }
      #expect(copy.sessions.largestPacket(of: index, to: .inside) == 1400)
      #expect(copy.sessions.largestPacket(of: index, to: .outside) == large)
    }
  }

  @Test(
    "a lifetime of a port is kept where a port still has it, else the session goes on by the protocol's own")
  func lifetimes() throws {
    let table = makeTable { $0.lifetimes.udpPorts = [80: 20_000_000_000, 53: 10_000_000_000] }
    var shard = table.makeShard(worker: 0)
    try open(&shard, from: client, to: server, at: SnapshotTests.second)
    let snapshot = try TableSnapshot(words(of: shard, at: SnapshotTests.second))
    for (ports, expected): ([UInt16: UInt64], UInt64) in [
      ([7: 20_000_000_000], 20_000_000_000), ([:], 300_000_000_000),
    ] {
      let again = makeTable { $0.lifetimes.udpPorts = ports }
      var copy = again.makeShard(worker: 0)
      _ = copy.restore(snapshot, offset: 0, at: SnapshotTests.second) { _ in true }
      let found = copy.findBinding(.udp, private: client)
      let index = copy.firstSession(of: try #require(found))
      let session = try #require(index)
      #expect(copy.sessions.expires(session) == SnapshotTests.second.advanced(by: 20_000_000_000))
      copy.restart(session, at: SnapshotTests.second)
      #expect(copy.sessions.expires(session) == SnapshotTests.second.advanced(by: expected))
    }
  }

  @Test(
    "the time between two clocks: one start of the machine, another one, and a world's clock that went back")
  func clocks() {
    var header = SnapshotHeader(
      clock: Instant(nanoseconds: 500), unixNanoseconds: 10_000, started: Instant(nanoseconds: 100))
    header.boot = (1, 2)
    // The clock goes on, whatever became of the world's.
    let same = header.offset(toClock: Instant(nanoseconds: 700), unixNanoseconds: 9_000, boot: (1, 2))
    #expect(same.nanoseconds == 0 && !same.clockWentBack)
    // Another start 300 ns ago; 2,000 ns have passed: 500 was 2,000 before 300.
    let other = header.offset(toClock: Instant(nanoseconds: 300), unixNanoseconds: 12_000, boot: (3, 4))
    #expect(other.nanoseconds == 300 - 2_000 - 500 && !other.clockWentBack)
    let back = header.offset(toClock: Instant(nanoseconds: 300), unixNanoseconds: 9_999, boot: (3, 4))
    #expect(back.nanoseconds == -200 && back.clockWentBack)
    header.boot = (0, 0)
    let unknown = header.offset(toClock: Instant(nanoseconds: 700), unixNanoseconds: 10_050, boot: (0, 0))
    #expect(unknown.nanoseconds == 150)
    #expect(Instant(nanoseconds: 5).shifted(by: -7) == Instant(nanoseconds: 0))
    #expect(Instant.never.shifted(by: -7) == .never)
  }
}
