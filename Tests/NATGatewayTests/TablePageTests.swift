import NATEngine
import NATGateway
import NATMemory
import NATWire
import Testing

@testable import NATComposition
@testable import NATControl
@testable import NATTable

/// The table by pages, while it changes.
@Suite struct TablePageTests {
  private static func pages(
    _ town: borrowing Town, _ filter: SessionFilter = SessionFilter(), limit: Int
  ) throws -> [TableDocument] {
    let reader = try #require(TableReader(town.table))
    var pages: [TableDocument] = []
    var cursor: String?
    repeat {
      let page = try #require(
        Self.page(reader, filter, after: cursor, limit: limit, at: town.gateway.clock))
      pages.append(page)
      cursor = page.next
    } while cursor != nil
    return pages
  }

  private static func page(
    _ reader: TableReader, _ filter: SessionFilter, after cursor: String?, limit: Int, at now: Instant
  ) -> TableDocument? {
    guard var page = TablePage(filter, after: cursor, limit: limit, at: now) else { return nil }
    var place: TableReader.Cursor? = TableReader.Cursor()
    while let from = place { place = reader.read(from: from, limit: 100) { page.add($0) } }
    return page.document(reader, started: now)
  }

  private static func lines(_ pages: [TableDocument]) -> [String] {
    pages.flatMap { $0.bindings.flatMap { Town.lines($0) } }
  }

  private static let statics = """
    static:
      - { protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.10:80 }
      - { protocol: udp, public: 203.0.113.6:53, private: 192.168.1.10:53 }
      - { protocol: all, public: 203.0.113.7, private: 192.168.1.20 }
    """

  private static func crowd(_ statics: String = statics) throws -> Town {
    var town = try Town(statics)
    var random = RandomSource(seed: 3)
    for _ in 0..<400 {
      let host = IPv4Address(192, 168, 1, UInt8(2 + random.next(below: 20)))
      let remote = IPv4Address(198, 51, 100, UInt8(1 + random.next(below: 200)))
      town.send(
        TransportProtocol(rawValue: UInt8(random.next(below: 3))) ?? .udp,
        from: Endpoint(host, UInt16(1000 + random.next(below: 5))), to: Endpoint(remote, 443))
    }
    town.send(.tcp, from: Town.s1, to: Endpoint(IPv4Address(203, 0, 113, 5), 8080), .outside)
    return town
  }

  @Test(
    "SH1 SH7 pages of any size put together are the table of a replay, nothing twice",
    arguments: [1, 2, 7, 100, 5000])
  func together(limit: Int) throws {
    let town = try Self.crowd()
    let pages = try Self.pages(town, limit: limit)
    #expect(Self.lines(pages) == town.listing())
    #expect(pages.dropLast().allSatisfy { Self.lines([$0]).count == limit })
    #expect(Self.lines(pages).count == Set(Self.lines(pages)).count)
    #expect(town.listing().count > 300)
  }

  @Test("SH1 filters by host, protocol, state, tuple and kind select what a look at every line does")
  func filters() throws {
    let town = try Self.crowd()
    var filters: [(TableFilter, (String) -> Bool)] = []
    var filter = TableFilter()
    filter.transport = .tcp
    filters.append((filter, { $0.hasPrefix("tcp") }))
    filter.state = .synSent
    filters.append((filter, { $0.hasPrefix("tcp") && $0.split(separator: " ").count == 5 }))
    filter = TableFilter()
    filter.kind = .static
    filters.append((filter, { $0.contains(" static ") }))
    filter = TableFilter()
    filter.privateEndpoint = EndpointPattern(network: IPv4Address(192, 168, 1, 4).rawValue)
    filters.append((filter, { $0.contains(" 192.168.1.4:") }))
    filter.privateEndpoint?.port = 1001
    filters.append((filter, { $0.contains(" 192.168.1.4:1001 ") }))
    filter = TableFilter()
    filter.publicEndpoint = EndpointPattern(network: IPv4Address(203, 0, 113, 7).rawValue)
    filters.append((filter, { $0.contains(" 203.0.113.7:") }))
    filter = TableFilter()
    filter.remote = EndpointPattern(network: IPv4Address(198, 51, 100, 0).rawValue, prefixLength: 28)
    filters.append(
      (
        filter,
        { line in
          let fields = line.split(separator: " ")
          guard fields.count == 5 else { return false }
          return (0..<16).contains(Int(fields[4].split(separator: ":")[0].split(separator: ".")[3]) ?? 99)
        }
      ))
    for (filter, isMeant) in filters {
      let lines = Self.lines(try Self.pages(town, SessionFilter(filter), limit: 13))
      #expect(lines == town.listing().filter(isMeant), "\(filter)")
      #expect(!lines.isEmpty, "\(filter)")
    }
  }

  @Test("SH2 what each host has is the sum of the lines of the table")
  func hosts() throws {
    let town = try Self.crowd()
    let reader = try #require(TableReader(town.table))
    func tally(limit: Int) -> HostsDocument {
      var tally = HostTally()
      var place: TableReader.Cursor? = TableReader.Cursor()
      while let from = place {
        place = reader.read(from: from, limit: 100) { tally.add($0, at: town.gateway.clock) }
      }
      return tally.document(reader, limit: limit)
    }
    let bindings = try Self.pages(town, limit: 1 << 20).flatMap(\.bindings)
    let addresses = Set(bindings.map(\.privateEndpoint.address))
    let all = tally(limit: .max)
    #expect(all.total == addresses.count && all.hosts.count == addresses.count && addresses.count >= 20)
    for address in addresses {
      let own = bindings.filter { $0.privateEndpoint.address == address }
      let sessions = own.flatMap(\.sessions)
      let right = HostsDocument.Host(
        address: address, dynamicBindings: own.count { $0.kind == .dynamic },
        staticBindings: own.count { $0.kind == .static }, sessions: sessions.count,
        packetsOut: sessions.reduce(0) { $0 + $1.packetsOut },
        bytesOut: sessions.reduce(0) { $0 + $1.bytesOut },
        packetsIn: sessions.reduce(0) { $0 + $1.packetsIn }, bytesIn: sessions.reduce(0) { $0 + $1.bytesIn })
      #expect(all.hosts.first { $0.address == address } == right)
    }
    // 192.168.1.9 comes before 192.168.1.10.
    for (host, next) in zip(all.hosts, all.hosts.dropFirst()) {
      let (a, b) = (IPv4Address(host.address)?.rawValue ?? 0, IPv4Address(next.address)?.rawValue ?? 0)
      #expect((next.sessions, a) < (host.sessions, b))
    }
    #expect(tally(limit: 3).hosts == Array(all.hosts.prefix(3)) && tally(limit: 3).total == all.total)
  }

  @Test("SH7 an entry that lives through a walk over all pages is on exactly one, whatever comes and goes")
  func whileItChanges() throws {
    var town = try Self.crowd()
    // Few ports and many remotes: what stays is among what comes and goes.
    for remote in 1...100 as ClosedRange<UInt8> {
      town.send(from: Town.c1, to: Endpoint(IPv4Address(198, 51, 100, remote), 9))
    }
    let stay = Set(town.listing())
    let reader = try #require(TableReader(town.table))
    var random = RandomSource(seed: 4)
    var seen: [String] = []
    var cursor: String?
    repeat {
      let page = try #require(
        Self.page(reader, SessionFilter(), after: cursor, limit: 10, at: town.gateway.clock))
      seen += Self.lines([page])
      cursor = page.next
      for _ in 0..<20 {
        // Another remote address range: these go.
        let remote = IPv4Address(198, 18, UInt8(random.next(below: 4)), UInt8(1 + random.next(below: 200)))
        town.send(from: random.next(below: 2) == 0 ? Town.c1 : Town.c2, to: Endpoint(remote, 9))
      }
      var passing = SessionFilter()
      passing.remote = .init(
        IPv4Network(IPv4Address(198, 18, UInt8(random.next(below: 4)), 0), prefixLength: 24))
      _ = town.perform(EndSessions(passing))
    } while cursor != nil
    #expect(seen.count == Set(seen).count)
    #expect(stay.subtracting(seen).isEmpty)
    #expect(zip(seen, seen.dropFirst()).allSatisfy { $0 != $1 })
    #expect(town.faults() == [])
  }

  @Test("SH1 a session that is due and has not been ended yet is not shown")
  func due() throws {
    var town = try Town()
    town.send(from: Town.c1, to: Town.s1)
    let reader = try #require(TableReader(town.table))
    let due = Instant(nanoseconds: town.now + 300_000_000_000)
    #expect(Self.page(reader, SessionFilter(), after: nil, limit: 9, at: due)?.bindings.count == 1)
    let later = due.advanced(by: 1)
    #expect(Self.page(reader, SessionFilter(), after: nil, limit: 9, at: later)?.bindings.count == 0)
  }

  @Test(
    "a cursor that no page gave is refused",
    arguments: ["", "1", String(repeating: "g", count: 37), "9" + String(repeating: "0", count: 36)])
  func cursors(text: String) {
    #expect(TablePage(SessionFilter(), after: text, limit: 1, at: Instant(nanoseconds: 0)) == nil)
  }

  @Test("SH1 SH4 PF8 a million sessions: pages in bounded memory, their end in short steps")
  func million() throws {
    let count = 1_000_000
    var town = try Town { $0.table.sessionLimit = count }
    let now = town.gateway.clock
    var random = RandomSource(seed: 5)
    for host in 0..<16 as Range<UInt8> {
      let client = Endpoint(IPv4Address(192, 168, 1, 2 + host), 5000)
      let chosen = town.gateway.translator.shard.choosePublic(.udp, for: client, &random)
      let binding = try #require(chosen)
      let isMade = town.gateway.translator.shard.insertBinding(binding, for: client, at: now)
      #expect(isMade)
      for index in 0..<count / 16 {
        let remote = Endpoint(IPv4Address(0x0B00_0000 + UInt32(index)), 53)
        let made = town.gateway.translator.shard.insertSession(
          binding, remote: remote, state: .active, flags: .insideUsed, opener: 53, at: now)
        if made == nil { Issue.record("no room for session \(index) of host \(host)") }
      }
    }
    var page = try #require(TablePage(SessionFilter(), after: nil, limit: 1000, at: now))
    let reader = try #require(TableReader(town.table))
    let clock = ContinuousClock()
    var began = clock.now
    var place: TableReader.Cursor? = TableReader.Cursor()
    while let from = place { place = reader.read(from: from, limit: TableReader.chunk) { page.add($0) } }
    let first = page.document(reader, started: now)
    print("a page of 1,000,000 sessions: \(clock.now - began)")
    #expect(Self.lines([first]).count == 1000 && first.next != nil)
    var longest = Duration.zero
    began = clock.now
    let begun = began
    let done = town.perform(EndSessions(SessionFilter())) { _ in
      longest = max(longest, clock.now - began)
      began = clock.now
    }
    print("the end of 1,000,000 sessions: \(clock.now - begun), \(done.steps) steps, the longest \(longest)")
    #expect(done.job.ended.sessions == count && done.job.ended.bindings == 16)
    #expect(done.job.ended.listed.count == EndedSessions.mostListed)
    #expect(done.steps > 1000)
    #expect(town.listing() == [])
  }
}
