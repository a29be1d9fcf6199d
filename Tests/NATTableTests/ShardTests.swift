import NATMemory
import NATWire
import Testing

@testable import NATTable

/// Corners of a shard that random operations reach seldom.
@Suite struct ShardTests {
  private func makeTable(
    sessionLimit: Int = 10, _ change: (inout TableSettings) -> Void = { _ in }
  ) -> TranslationTable {
    var settings = TableSettings(pool: [PoolAddress(IPv4Address(203, 0, 113, 5), ports: [50001...50010])])
    settings.policy.portChoice = .sequential
    settings.bindingLimit = 10
    settings.sessionLimit = sessionLimit
    change(&settings)
    var random = RandomSource(seed: 1)
    return TranslationTable(settings, random: &random)
  }

  private let client = Endpoint(IPv4Address(192, 168, 1, 2), 1234)
  private let server = Endpoint(IPv4Address(198, 51, 100, 7), 80)

  @Test("a binding has 32 bytes, a session 64; a port space knows its pool place and protocol")
  func records() {
    #expect(BindingStore.wordsPerBinding * 8 == 32 && SessionStore.wordsPerSession * 8 == 64)
    #expect(MemoryLayout<TimerWheel.Link>.stride == 8 && MemoryLayout<TableEvent>.stride == 40)
    var next = 0
    for place in 0..<3 {
      for transport in TransportProtocol.allCases {
        let space = PortSpace(poolPlace: place, transport)
        #expect(space.rawValue == next && space.poolPlace == place && space.transport == transport)
        let last = space.binding(.max)
        #expect(PortSpace(of: last) == space && last.poolPort == .max)
        next += 1
      }
    }
    #expect(
      next == PortSpace.count(poolAddresses: 3) && next * PortSpace.ports == 3 * PortSpace.portsPerAddress)
  }

  @Test("TCP24 a port's lifetime below the transitory one counts from the moment of establishment")
  func shorterThanTransitory() throws {
    let table = makeTable { $0.lifetimes.tcpPorts = [80: 10_000_000_000] }
    var shard = table.makeShard(worker: 0)
    var random = RandomSource(seed: 2)
    let start = Instant(nanoseconds: 1_000_000_000)
    let chosen = shard.choosePublic(.tcp, for: client, &random)
    let binding = try #require(chosen)
    let isMade = shard.insertBinding(binding, for: client, at: start)
    #expect(isMade)
    let made = shard.insertSession(
      binding, remote: server, state: .opened(by: .inside), flags: .insideUsed, opener: 80, at: start)
    let session = try #require(made)
    shard.track(session, [.syn, .ack], from: .outside, at: start, resetIsFinal: false)
    shard.advance(to: start.advanced(by: 10_000_000_000))
    var counts = shard.counts
    #expect(counts.sessions == 1)
    shard.advance(to: start.advanced(by: 10_000_000_001))
    counts = shard.counts
    #expect(counts.sessions == 0 && counts.dynamicBindings == 0)
  }

  @Test("ST-14 ports of 1:1 mappings leave the places of forwards free, however many are scanned")
  func placesOfForwards() throws {
    let table = makeTable(sessionLimit: 100_000) {
      $0.reserve.oneToOne = 1
      $0.reserve.forwards = 2
    }
    var shard = table.makeShard(worker: 0)
    let now = Instant(nanoseconds: 1)
    let mapping = OneToOneMapping(public: IPv4Address(203, 0, 113, 9), private: IPv4Address(192, 168, 1, 9))
    let isAdded = shard.addOneToOne(mapping)
    #expect(isAdded)
    var made = 0
    for transport in [TransportProtocol.tcp, .udp] {
      for port in 1...40_000 as ClosedRange<UInt16> {
        if shard.insertOneToOne(transport, mapping, port: port, at: now) != nil { made += 1 }
      }
    }
    #expect(made == 65_536)
    // 192.168.1.2:80 and :81 by an address that is not in the pool: two have places, a third has none.
    for (port, hasPlace) in [(80, true), (81, true), (82, false)] as [(UInt16, Bool)] {
      let forward = PortForward(
        .tcp, public: Endpoint(IPv4Address(203, 0, 113, 10), port), private: Endpoint(client.address, port))
      let isAdded = shard.addPortForward(forward, at: now)
      #expect(isAdded == hasPlace)
    }
  }

  @Test("LIM8 a table as large as a configuration may ask for, with its reserve, has places for all of it")
  func largest() {
    var settings = TableSettings(
      pool: (0..<1024).map { PoolAddress(IPv4Address(0xC612_0000 + $0), ports: [1024...1024]) })
    settings.bindingLimit = 1 << 26
    settings.sessionLimit = 1 << 26
    settings.oneToOne = [
      OneToOneMapping(public: IPv4Address(203, 0, 113, 9), private: IPv4Address(192, 168, 1, 9))
    ]
    settings.reserve = .live(settings)
    var random = RandomSource(seed: 1)
    let table = TranslationTable(settings, random: &random)
    #expect(table.capacity.poolAddresses == 1024 && table.capacity.sessions == 1 << 26)
    #expect(table.capacity.forwards == 16_384 && table.capacity.oneToOne == 16_385)
  }

  /// While a reader stands in the table, ended records wait for it, and may run out before the limit is reached.
  @Test("a 1:1 binding whose first session found no room is taken back")
  func unusedOneToOne() throws {
    let mapping = OneToOneMapping(public: IPv4Address(203, 0, 113, 9), private: IPv4Address(192, 168, 1, 9))
    let table = makeTable(sessionLimit: 1) { $0.oneToOne = [mapping] }
    var shard = table.makeShard(worker: 0)
    let now = Instant(nanoseconds: 1)
    let reader = try #require(TableReader(table))
    // The reader's closure runs inside an epoch: nothing that ends meanwhile can be used again.
    let inserted = shard.insertOneToOne(.udp, mapping, port: 1, at: now)
    let first = try #require(inserted)
    let session = shard.insertSession(first, remote: server, state: .active, flags: [], opener: 80, at: now)
    var live = try #require(session)
    var refusals = 0
    _ = reader.read(from: TableReader.Cursor(), limit: 1) { _ in
      for port in 2...200 as ClosedRange<UInt16> {
        if refusals == 0 { shard.end(live, at: now) }
        guard let binding = shard.insertOneToOne(.udp, mapping, port: port, at: now) else { break }
        let made = shard.insertSession(
          binding, remote: server, state: .active, flags: [], opener: 80, at: now)
        guard let made else {
          shard.endUnused(binding, at: now)
          refusals += 1
          break
        }
        live = made
      }
    }
    #expect(refusals == 1)
    let counts = shard.counts
    #expect(counts.sessions == 0)
    #expect(counts.oneToOneBindings == 0)
  }
}
