import NATMemory
import NATWire
import TestSupport
import Testing

@testable import NATTable

/// A table as words, and what becomes of words that are not as they were.
@Suite struct SnapshotTests: SmallTables {
  private static let pool = IPv4Address(203, 0, 113, 5)
  private static let second = Instant(nanoseconds: 1_000_000_000)
  private let client = Endpoint(IPv4Address(192, 168, 1, 2), 1234)
  private let server = Endpoint(IPv4Address(198, 51, 100, 7), 80)

  private func makeTable(_ change: (inout TableSettings) -> Void = { _ in }) -> TranslationTable {
    makeTable([SnapshotTests.pool], change)
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
      #expect(restored.sessions == 4 && restored.bindings == 4 && restored.heldPorts == 2)
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
        copy.poolUse { count += $0.transport == .udp ? $0.held : 0 }
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
      #expect(restored.sessions == sessions && restored.heldPorts == resting, "after \(passed) s")
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
    let forward = restored {
      $0.forwards = [
        PortForward(
          .udp, public: Endpoint(SnapshotTests.pool, 50002), private: Endpoint(IPv4Address(192, 168, 1, 9), 1)
        )
      ]
    }
    #expect(forward.notAllowed == 1 && forward.sessions == 3)
    let oneToOne = restored {
      $0.oneToOne = [
        OneToOneMapping(public: IPv4Address(203, 0, 113, 7), private: IPv4Address(192, 168, 1, 2))
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

  @Test(
    "PA17 a pool that a restart made narrower: what lives keeps its port, as over a reload, but for ports of the kernel's"
  )
  func narrowedPool() throws {
    let table = makeTable()
    var shard = table.makeShard(worker: 0)
    let now = try filled(&shard)
    let snapshot = try TableSnapshot(words(of: shard, at: now))
    // 50001 to 50003 UDP and 50001 TCP; 50004 and 50005 rest.
    for (shared, kept, resting) in [(nil, 4, 2), (SnapshotTests.pool, 2, 1)] as [(IPv4Address?, Int, Int)] {
      let narrow = makeTable { $0.pool[0].ports = [50002...50004] }
      var copy = narrow.makeShard(worker: 0)
      let restored = copy.restore(snapshot, offset: 0, at: now, shared: shared) { _ in true }
      #expect(restored.sessions == kept && restored.notAllowed == 4 - kept)
      #expect(restored.heldPorts == resting)
      // Ports that are not offered come to nobody when they are free again.
      copy.advance(to: now.advanced(by: 10_000_000_000_000))
      #expect(copy.counts.sessions == 0 && copy.counts.dynamicBindings == 0)
      copy.advance(to: now.advanced(by: 20_000_000_000_000))
      var free: [UInt16] = []
      for host in 10..<20 as Range<UInt8> {
        let endpoint = Endpoint(IPv4Address(192, 168, 1, host), 1000)
        var random = RandomSource(seed: 3)
        guard let binding = copy.choosePublic(.udp, for: endpoint, &random) else { break }
        let isMade = copy.insertBinding(binding, for: endpoint, at: now.advanced(by: 20_000_000_000_000))
        #expect(isMade)
        free.append(copy.bindings.publicEndpoint(of: binding).port)
      }
      #expect(free == [50002, 50003, 50004])
    }
  }

  @Test(
    "UT6 a session that is restored under a shorter lifetime ends by that, from its next packet on, and its port rests from then"
  )
  func shorterLifetime() throws {
    let table = makeTable()
    var shard = table.makeShard(worker: 0)
    let start = SnapshotTests.second
    try open(&shard, from: client, to: server, at: start)
    let snapshot = try TableSnapshot(words(of: shard, at: start))
    let again = makeTable { $0.lifetimes.udp = 20_000_000_000 }
    var copy = again.makeShard(worker: 0)
    _ = copy.restore(snapshot, offset: 0, at: start) { _ in true }
    let known = copy.findBinding(.udp, private: client)
    let binding = try #require(known)
    let first = copy.firstSession(of: binding)
    let session = try #require(first)
    // As it was set, until a packet comes.
    #expect(copy.sessions.expires(session) == start.advanced(by: 300_000_000_000))
    copy.restart(session, at: start.advanced(by: 1_000_000_000))
    let due = start.advanced(by: 21_000_000_000)
    copy.advance(to: due)
    #expect(copy.counts.sessions == 1)
    copy.advance(to: Instant(nanoseconds: due.nanoseconds + 1))
    #expect(copy.counts.sessions == 0 && copy.bindings.kind(of: binding) == .held)
    #expect(copy.bindings.instant(of: binding) == due.advanced(by: 120_000_000_000))
  }

  @Test("a session over a forward comes back as far as the forward's terms allow it; a one-shot has one")
  func portForwardTerms() throws {
    let place = Endpoint(SnapshotTests.pool, 50001)
    func settings(_ change: (inout PortForwardTerms) -> Void) -> (inout TableSettings) -> Void {
      var terms = PortForwardTerms()
      change(&terms)
      return { [client] in $0.forwards = [PortForward(.udp, public: place, private: client, terms: terms)] }
    }
    let table = makeTable(settings { _ in })
    var shard = table.makeShard(worker: 0)
    let start = SnapshotTests.second
    let forward = shard.findPortForward(.udp, public: place)
    let binding = try #require(forward)
    let others = (7...9 as ClosedRange<UInt8>).map { Endpoint(IPv4Address(198, 51, 100, $0), 80) }
    for remote in others {
      let made = shard.insertSession(
        binding, remote: remote, state: .active, flags: [], opener: remote.port, at: start)
      #expect(made != nil)
    }
    let snapshot = try TableSnapshot(words(of: shard, at: start))
    func restored(_ change: (inout PortForwardTerms) -> Void) -> (RestoredTable, forwards: Int) {
      let table = makeTable(settings(change))
      var shard = table.makeShard(worker: 0)
      shard.startLifetimes(at: start)
      let restored = shard.restore(snapshot, offset: 0, at: start) { _ in true }
      shard.advance(to: start.advanced(by: 301_000_000_000))
      return (restored, shard.portForwardCount)
    }
    let all = restored { _ in }
    #expect(all.0.sessions == 3 && all.forwards == 1)
    let one = restored { $0.remotes = IPv4Network(others[1].address, prefixLength: 32) }
    #expect(one.0.sessions == 1 && one.0.notAllowed == 2 && one.forwards == 1)
    let port = restored { $0.remotePort = 81 }
    #expect(port.0.sessions == 0 && port.0.notAllowed == 3)
    // It ends with its session.
    let once = restored { $0.isOneShot = true }
    #expect(once.0.sessions == 1 && once.0.notAllowed == 2 && once.forwards == 0)
  }

  @Test(
    "a binding whose host's session ended while the table was saved in steps does not live again by what others sent"
  )
  func orphans() throws {
    let table = makeTable()
    var shard = table.makeShard(worker: 0)
    let start = SnapshotTests.second
    let first = try open(&shard, from: client, to: server, at: start)
    let known = shard.findBinding(.udp, private: client)
    let binding = try #require(known)
    func session(_ last: UInt8, _ flags: SessionFlags) throws -> SessionIndex {
      let made = shard.insertSession(
        binding, remote: Endpoint(IPv4Address(198, 51, 100, last), 80), state: .active, flags: flags,
        opener: 80,
        at: start)
      return try #require(made)
    }
    _ = try session(8, [])
    let own = try session(9, .insideUsed)
    shard.end(first, at: start)
    // The record of the one that only its remote used has been saved when its host's own ends.
    var walk = SavingWalk()
    var saved: [UInt64] = []
    while walk.counts.sessions == 0 { shard.save(&walk, limit: 1, into: &saved) }
    shard.end(own, at: start.advanced(by: 1_000_000_000))
    #expect(shard.counts.dynamicBindings == 0)
    while !walk.isAtEnd { shard.save(&walk, limit: 1, into: &saved) }
    #expect(walk.counts.sessions == 1)
    let header = SnapshotHeader(clock: start, unixNanoseconds: 1, started: start)
    let snapshot = try TableSnapshot(sealed(header, saved, walk.counts))
    let again = makeTable()
    var copy = again.makeShard(worker: 0)
    let restored = copy.restore(snapshot, offset: 0, at: start.advanced(by: 2_000_000_000)) { _ in true }
    #expect(restored.sessions == 0 && restored.bindings == 0 && restored.contradicting == 1)
    #expect(restored.heldPorts == 1 && copy.bindings.kind(of: binding) == .held)
  }

  /// A snapshot of words, with the checksum that is theirs.
  private func sealed(_ header: SnapshotHeader, _ body: [UInt64], _ counts: SnapshotCounts) -> [UInt64] {
    var words: [UInt64] = []
    header.append(to: &words)
    words += body
    TableSnapshot.appendCounts(counts, to: &words)
    return sealed(words)
  }

  private func sealed(_ words: [UInt64]) -> [UInt64] {
    var checksum = Checksum64()
    checksum.add(words[...])
    return words + [checksum.value]
  }

  @Test("counts that cannot be, under a checksum that is right, are refused, and nothing overflows")
  func wrongCounts() throws {
    let table = makeTable { $0.tracksWindows = true }
    var shard = table.makeShard(worker: 0)
    let whole = words(of: shard, at: try filled(&shard))
    for place in 2...5 {
      for count: UInt64 in [
        0, 1, 1 << 16, 1 << 31, 1 << 32, 1 << 48, 1 << 60, 1 << 63, .max, .max / 16, .max / 16 + 1,
      ] where count != whole[whole.count - place] {
        var other = whole
        other[whole.count - place] = count
        #expect(throws: SnapshotFault.length, "\(count)") { try TableSnapshot(sealed(other.dropLast())) }
        // The ends alone say so, before there is memory for what is between them.
        #expect(throws: SnapshotFault.length, "\(count)") {
          try TableSnapshot.check(
            first: Array(other.prefix(10)), last: Array(other.suffix(5)), count: other.count)
        }
      }
    }
    try TableSnapshot.check(
      first: Array(whole.prefix(10)), last: Array(whole.suffix(5)), count: whole.count)
    // As many words as no memory has.
    #expect(throws: SnapshotFault.length) {
      try TableSnapshot.check(first: Array(whole.prefix(10)), last: Array(whole.suffix(5)), count: .max)
    }
  }

  @Test(
    "a session in a state that no connection comes to, of no protocol, or of no binding, is left out, the rest comes back"
  )
  func impossible() throws {
    let table = makeTable()
    var shard = table.makeShard(worker: 0)
    let now = SnapshotTests.second
    try open(&shard, .tcp, from: client, to: server, at: now)
    try open(&shard, .udp, from: client, to: server, at: now)
    let whole = words(of: shard, at: now)
    // The first session's third word: remote port:16, protocol:8, kind:8, state:8, flags:8, lifetime:8, 0:8.
    func restored(_ change: (inout UInt64) -> Void) throws -> RestoredTable {
      var other = Array(whole.dropLast())
      change(&other[12])
      let again = makeTable()
      var copy = again.makeShard(worker: 0)
      return copy.restore(try TableSnapshot(sealed(other)), offset: 0, at: now) { _ in true }
    }
    var possible: [UInt64] = []
    for state in 0..<256 as Range<UInt64> {
      let result = try restored { $0 = $0 & ~(0xFF << 24) | state << 24 }
      #expect(result.sessions + result.contradicting == 2)
      if result.sessions == 2 { possible.append(state) }
    }
    // SYN of inside, outside, both; established; FIN of inside, outside; closed, and a SYN of either since; reset, the
    // same, and all three where it had been established.
    #expect(
      possible == [0x11, 0x12, 0x13, 0x20, 0x31, 0x32, 0x40, 0x41, 0x42, 0x50, 0x51, 0x52, 0x54, 0x55, 0x56])
    for transport in [0, 2, 3, 255] as [UInt64] {
      let result = try restored { $0 = $0 & ~(0xFF << 40) | transport << 40 }
      #expect(result.contradicting == 1 && result.sessions == 1, "protocol \(transport)")
    }
    for kind in 0..<256 as Range<UInt64> where kind != 3 {
      let result = try restored { $0 = $0 & ~(0xFF << 32) | kind << 32 }
      // There is no forward and no 1:1 mapping.
      #expect(result.sessions == 1 && result.contradicting + result.notAllowed == 1, "kind \(kind)")
    }
    for flags in [4, 8, 255] as [UInt64] {
      #expect(try restored { $0 = $0 & ~(0xFF << 16) | flags << 16 }.contradicting == 1)
    }
  }

  @Test(
    "any word of a snapshot may be anything, under a checksum that is right: the table that comes of it is whole"
  )
  func nonsense() throws {
    let seed = UInt64.random(in: 0..<1 << 32)
    print("seed \(seed)")
    var random = RandomSource(seed: seed)
    let table = makeTable { $0.tracksWindows = true }
    var shard = table.makeShard(worker: 0)
    let now = try filled(&shard)
    let whole = Array(words(of: shard, at: now).dropLast())
    let extremes: [UInt64] = [0, 1, .max, .max - 1, 1 << 63, 1 << 32, 0xFFFF_FFFF]
    for round in 0..<3000 {
      var other = whole
      for _ in 0...random.next(below: 3) {
        let place = 2 + random.next(below: whole.count - 6)
        other[place] =
          switch random.next(below: 3) {
          case 0: extremes[random.next(below: extremes.count)]
          case 1: other[2 + random.next(below: whole.count - 6)]
          default: other[place] ^ 1 << UInt64(random.next(below: 64))
          }
      }
      guard let snapshot = try? TableSnapshot(sealed(other)) else { continue }
      let again = makeTable { $0.tracksWindows = round % 2 == 0 }
      var copy = again.makeShard(worker: 0)
      let (offset, _) = snapshot.header.offset(toClock: now, unixNanoseconds: 1, boot: (0, 0))
      let restored = copy.restore(snapshot, offset: round % 3 == 0 ? offset : 0, at: now) { _ in true }
      #expect(restored.sessions == copy.counts.sessions && restored.sessions <= snapshot.counts.sessions)
      #expect(try listed(again).count == copy.counts.sessions)
      // All that ends leaves its port to others, ten minutes later at the latest.
      for record in 0..<copy.freshSessions {
        let session = SessionIndex(UInt32(record))
        if copy.sessions.state(of: session).phase != .free { copy.end(session, at: now) }
      }
      copy.advance(to: now.advanced(by: 600_000_000_000))
      #expect(copy.counts.sessions == 0 && copy.counts.dynamicBindings == 0, "seed \(seed), round \(round)")
      var held = 0
      copy.poolUse { held += $0.inUse + $0.held }
      #expect(held == 0, "seed \(seed), round \(round)")
    }
  }

  @Test("what lives in the table already goes before what a snapshot says that comes later")
  func later() throws {
    let table = makeTable()
    var shard = table.makeShard(worker: 0)
    let now = try filled(&shard)
    let snapshot = try TableSnapshot(words(of: shard, at: now))
    let again = makeTable()
    var copy = again.makeShard(worker: 0)
    // The second host has the first one's port now, and a port that rests for another.
    let second = Endpoint(IPv4Address(192, 168, 1, 3), 1000)
    try open(&copy, from: second, to: server, at: now)
    try open(&copy, from: second, to: Endpoint(server.address, 81), at: now)
    let restored = copy.restore(snapshot, offset: 0, at: now) { _ in true }
    // Lost: the first host's UDP, whose port is another's; the second host's own, which has another port by now.
    #expect(restored.sessions == 2 && restored.contradicting == 2 && restored.heldPorts == 2)
    #expect(copy.counts.sessions == 4 && copy.counts.dynamicBindings == 3)
    #expect(try listed(again).count == 4)
  }
}
