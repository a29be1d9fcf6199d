import NATMemory
import NATWire
import TestSupport
import Testing

@testable import NATTable

/// The queues behind `evict: oldest-transitory`.
@Suite("LIM5 eviction") struct EvictionTests {
  @Test("the queue of each host is an array's, whatever is taken out of it")
  func againstArrays() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    let (hosts, sessions) = (4, 40)
    let bytes = HostQueues.byteCounts(hosts: hosts, sessions: sessions)
    let memory = (MappedMemory(byteCount: bytes.queues), MappedMemory(byteCount: bytes.links))
    let queues = HostQueues(queues: memory.0, hosts: hosts, links: memory.1, sessions: sessions)
    var expected = [[UInt32]](repeating: [], count: hosts)
    for _ in 0..<20_000 {
      let session = UInt32(random.below(sessions))
      if let host = expected.firstIndex(where: { $0.contains(session) }) {
        queues.remove(SessionIndex(session), from: UInt32(host))
        expected[host].removeAll { $0 == session }
        // Taking it out again changes nothing.
        if random.percent(20) { queues.remove(SessionIndex(session), from: UInt32(host)) }
      } else {
        let host = random.below(hosts)
        queues.append(SessionIndex(session), to: UInt32(host))
        expected[host].append(session)
      }
      for host in 0..<hosts {
        var found: [UInt32] = []
        var at = queues.first(of: UInt32(host))
        while let session = at {
          found.append(session.rawValue)
          at = queues.session(after: session)
        }
        guard found == expected[host] else {
          Issue.record("seed \(seed): \(found) instead of \(expected[host])")
          return
        }
      }
    }
  }

  private let nothing = Shard.Kept(bindings: (nil, nil), sessions: (nil, nil))
  private let now = Instant(nanoseconds: 1_000_000_000)

  /// A shard in which one binding of `host` has `count` half-open sessions, and then another has one.
  private func shard(_ host: IPv4Address, crowd count: Int) throws -> Shard {
    var settings = TableSettings(pool: [PoolAddress(IPv4Address(203, 0, 113, 5), ports: [50001...50010])])
    settings.evictsOldestTransitory = true
    settings.sessionLimit = 100
    settings.bindingLimit = 10
    var random = RandomSource(seed: 1)
    let table = TranslationTable(settings, random: &random)
    var shard = table.makeShard(worker: 0)
    for (port, sessions) in [(UInt16(1), count), (2, 1)] {
      let chosen = shard.choosePublic(.tcp, for: Endpoint(host, port), &random)
      let binding = try #require(chosen)
      _ = shard.insertBinding(binding, for: Endpoint(host, port), at: now)
      for number in 0..<sessions {
        let remote = Endpoint(IPv4Address(198, 51, 100, 7), UInt16(1 + number))
        let made = shard.insertSession(
          binding, remote: remote, state: .opened(by: .inside), flags: .insideUsed, opener: 80, at: now)
        _ = try #require(made)
      }
    }
    return shard
  }

  @Test(
    "LIM5 thirty-two are looked at, of the table and of a host, so a crowd costs no more",
    arguments: [(31, true), (32, false)])
  func reach(crowd: Int, isFound: Bool) throws {
    let host = IPv4Address(192, 168, 1, 2)
    for shortage in [Shard.Shortage.bindings, .bindingsOfHost(host), .ports(.tcp, of: host)] {
      var shard = try shard(host, crowd: crowd)
      let before = shard.counts.dynamicBindings
      let isEvicted = shard.evict(for: shortage, keeping: nothing, at: now)
      #expect(isEvicted == isFound)
      let after = shard.counts.dynamicBindings
      #expect(after == before - (isFound ? 1 : 0))
    }
  }

  @Test("LIM5 a session that has left the transitory clock is in no queue")
  func left() throws {
    let host = IPv4Address(192, 168, 1, 2)
    var shard = try shard(host, crowd: 1)
    var at = shard.wheel.firstQueued
    while let record = at {
      at = shard.wheel.queued(after: record)
      shard.track(SessionIndex(record), [.syn, .ack], from: .outside, at: now, resetIsFinal: false)
    }
    for shortage in [Shard.Shortage.sessions, .sessionsOfHost(host), .bindings, .bindingsOfHost(host)] {
      let isEvicted = shard.evict(for: shortage, keeping: nothing, at: now)
      #expect(!isEvicted)
    }
  }
}
