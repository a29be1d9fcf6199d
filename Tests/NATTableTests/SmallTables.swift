import NATMemory
import NATWire
import Testing

@testable import NATTable

/// Suites about small tables that are saved and restored.
protocol SmallTables {}

extension SmallTables {
  /// A table with ten ports on each address of the pool, in order.
  func makeTable(
    _ pool: [IPv4Address], _ change: (inout TableSettings) -> Void = { _ in }
  ) -> TranslationTable {
    var settings = TableSettings(pool: pool.map { PoolAddress($0, ports: [50001...50010]) })
    settings.policy.portChoice = .sequential
    settings.policy.parity = false
    change(&settings)
    var random = RandomSource(seed: 1)
    return TranslationTable(settings, random: &random)
  }

  /// Opens a session from a port of a host.
  @discardableResult
  func open(
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

  /// The words of a snapshot, which is taken in steps of so many records.
  func words(
    of shard: borrowing Shard, at clock: Instant, limit: Int = .max,
    _ change: (inout SnapshotHeader) -> Void = { _ in }
  ) -> [UInt64] {
    var header = SnapshotHeader(
      clock: clock, unixNanoseconds: 1_700_000_000_000_000_000,
      started: Instant(nanoseconds: 1_000_000_000))
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
}
