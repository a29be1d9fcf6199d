import Foundation
import NATMemory
import NATWire
import Synchronization
import TestSupport
import Testing

@testable import NATTable

/// Several writers, each of its own shard, and several readers of all of them. Bounded to about two seconds.
///
/// Remote endpoint, private endpoint and bytes are functions of each other, so an entry that mixes two sessions is
/// seen. Meant for `swift test --sanitize=thread --filter TableConcurrencyTests` too.
@Suite(.serialized) struct TableConcurrencyTests {
  static let workers = 3
  static let readers = 3
  static let steadyPerWorker = 300

  /// The remote endpoint that a private endpoint of a kind always talks to.
  static func remote(of private: Endpoint, isSteady: Bool) -> Endpoint {
    let mixed = (UInt64(`private`.address.rawValue) << 16 | UInt64(`private`.port)) &* 0x9E37_79B9_7F4A_7C15
    let base: UInt32 = isSteady ? 0x6400_0000 : 0x0800_0000
    return Endpoint(IPv4Address(base | UInt32(mixed >> 40)), UInt16(truncatingIfNeeded: mixed >> 16))
  }

  /// Bytes of each packet of a remote endpoint's session: large and odd, so that sums of two are told apart.
  static func packetBytes(_ remote: Endpoint) -> Int {
    Int(remote.address.rawValue & 0xFFFF) << 17 | Int(remote.port) << 1 | 1
  }

  /// What the threads share.
  final class Stage: Sendable {
    let table: TranslationTable
    let isOver = Atomic<Bool>(false)
    let made = Atomic<Int>(0)
    let listed = Atomic<Int>(0)
    let dumps = Atomic<Int>(0)
    let problems = Mutex<[String]>([])
    let ready = DispatchSemaphore(value: 0)
    let done = DispatchSemaphore(value: 0)

    init(portRest: UInt64) {
      var settings = TableSettings(pool: [
        PoolAddress(IPv4Address(203, 0, 113, 5), ports: [1024...65535]),
        PoolAddress(IPv4Address(203, 0, 113, 6), ports: [1024...65535]),
      ])
      settings.workers = workers
      settings.policy.portRest = portRest
      settings.bindingLimit = 6000
      settings.sessionLimit = 6000
      var random = RandomSource(seed: 11)
      table = TranslationTable(settings, random: &random)
    }

    func report(_ problem: String) { problems.withLock { if $0.count < 10 { $0.append(problem) } } }
  }

  /// Hosts that a worker owns.
  static func hosts(of worker: Int, _ table: TranslationTable, count: Int) -> [IPv4Address] {
    var hosts: [IPv4Address] = []
    var next = IPv4Address(10, 0, 0, 1)
    while hosts.count < count {
      if table.owner(of: next) == worker { hosts.append(next) }
      next = IPv4Address(next.rawValue + 1)
    }
    return hosts
  }

  static func write(_ stage: Stage, worker: Int, _ shard: inout Shard) {
    let hosts = hosts(of: worker, stage.table, count: 8)
    var random = Generator(seed: UInt64(worker) + 1)
    var ports = RandomSource(seed: UInt64(worker) + 100)
    var now = Instant(nanoseconds: 1)

    func make(_ shard: inout Shard, _ private: Endpoint, isSteady: Bool) -> SessionIndex? {
      guard shard.findBinding(.udp, private: `private`) == nil, shard.hasRoom(sessions: 1),
        let binding = shard.choosePublic(.udp, for: `private`, &ports),
        shard.insertBinding(binding, for: `private`, at: now)
      else { return nil }
      let remote = remote(of: `private`, isSteady: isSteady)
      let session = shard.insertSession(
        binding, remote: remote, state: .active, flags: [], opener: remote.port, at: now)
      guard let session else {
        shard.endUnused(binding, at: now)
        return nil
      }
      shard.markInsideUsed(session)
      return session
    }

    for number in 0..<steadyPerWorker {
      let `private` = Endpoint(hosts[number % hosts.count], UInt16(1000 + number))
      if make(&shard, `private`, isSteady: true) == nil { stage.report("no room for a steady session") }
    }
    stage.ready.signal()

    var live: [SessionIndex] = []
    while !stage.isOver.load(ordering: .relaxed) {
      now = now.advanced(by: 1000)
      shard.advance(to: now)
      // Sometimes nearly empty, sometimes nearly full.
      let wanted = random.below(1200)
      for _ in 0..<200 {
        if live.count < wanted {
          let `private` = Endpoint(random.pick(hosts), UInt16(20000 + random.below(2000)))
          guard let session = make(&shard, `private`, isSteady: false) else { continue }
          live.append(session)
          stage.made.wrappingAdd(1, ordering: .relaxed)
        } else if !live.isEmpty {
          let place = random.below(live.count)
          shard.end(live[place], at: now)
          live[place] = live[live.count - 1]
          live.removeLast()
        }
        if let session = live.last {
          let bytes = packetBytes(shard.sessions.remote(of: session))
          shard.countOut(session, bytes: bytes, at: now)
          shard.countIn(session, bytes: bytes, at: now)
          shard.restart(session, at: now)
        }
      }
      shard.reclaim()
    }
  }

  static func read(_ stage: Stage, limit: Int) {
    guard let reader = TableReader(stage.table) else { return stage.report("no place for a reader") }
    while !stage.isOver.load(ordering: .relaxed) {
      var steady = Set<Endpoint>()
      var cursor: TableReader.Cursor? = TableReader.Cursor()
      while let from = cursor {
        cursor = reader.read(from: from, limit: limit) { snapshot in
          stage.listed.wrappingAdd(1, ordering: .relaxed)
          let isSteady = snapshot.private.port < 2000
          if snapshot.remote != remote(of: snapshot.private, isSteady: isSteady) {
            stage.report("\(snapshot.private) with \(snapshot.remote)")
          }
          let bytes = UInt64(packetBytes(snapshot.remote))
          let counters = snapshot.counters
          // A packet may lie between the reading of its two counters, but never another session's.
          if counters.bytesOut % bytes != 0 || counters.bytesIn % bytes != 0 {
            stage.report("\(snapshot.private): \(counters) in packets of \(bytes)")
          }
          if snapshot.kind != .dynamic || snapshot.transport != .udp || snapshot.state != .active {
            stage.report("\(snapshot.private) is \(snapshot.kind) \(snapshot.transport)")
          }
          if isSteady, !steady.insert(snapshot.private).inserted {
            stage.report("\(snapshot.private) is listed twice")
          }
        }
      }
      if steady.count != workers * steadyPerWorker {
        stage.report("\(steady.count) steady sessions instead of \(workers * steadyPerWorker)")
      }
      stage.dumps.wrappingAdd(1, ordering: .relaxed)
    }
  }

  @Test(
    "SH7 a dump lists each session that lives through it exactly once, and never a mixture",
    arguments: [0, 20_000] as [UInt64])
  func dumpsAndWrites(portRest: UInt64) {
    let stage = Stage(portRest: portRest)
    for worker in 0..<Self.workers {
      // Shards are made before anybody writes: forwards of all of them enter one map of ports.
      let shard = Mutex(stage.table.makeShard(worker: worker))
      let box = Box(shard)
      Thread {
        box.shard.withLock { Self.write(stage, worker: worker, &$0) }
        stage.done.signal()
      }.start()
    }
    for _ in 0..<Self.workers { stage.ready.wait() }
    for limit in [10_000, 97, 5000].prefix(Self.readers) {
      Thread {
        Self.read(stage, limit: limit)
        stage.done.signal()
      }.start()
    }
    // Nothing is waited for but the time in which the threads race.
    _ = stage.ready.wait(timeout: .now() + 1)
    stage.isOver.store(true, ordering: .relaxed)
    for _ in 0..<Self.workers + Self.readers { stage.done.wait() }
    let problems = stage.problems.withLock { $0 }
    #expect(problems.isEmpty, "\(problems)")
    let (made, listed, dumps) = (
      stage.made.load(ordering: .relaxed), stage.listed.load(ordering: .relaxed),
      stage.dumps.load(ordering: .relaxed)
    )
    print("port rest \(portRest): \(made) sessions made, \(dumps) dumps, \(listed) entries read")
    #expect(made > 1000 && dumps >= Self.readers)
  }

  /// Carries a shard to its thread.
  final class Box: Sendable {
    let shard: Mutex<Shard>
    init(_ shard: consuming Mutex<Shard>) { self.shard = shard }
  }

  @Test("63 threads may read at once, and a place is free again when its reader goes")
  func places() {
    let stage = Stage(portRest: 0)
    var readers = (0..<Epochs.maximumReaders).compactMap { _ in TableReader(stage.table) }
    #expect(readers.count == 63)
    #expect(TableReader(stage.table) == nil)
    readers.removeLast()
    #expect(TableReader(stage.table) != nil)
  }

  @Test(
    "events come out of their ring in order and whole while a worker writes, and those without room are counted"
  )
  func events() {
    let memory = MappedMemory(byteCount: EventRing.byteCount(64))
    let ring = EventRing(memory: memory, capacity: 64)
    let written: UInt32 = 200_000
    @Sendable func event(_ number: UInt32) -> TableEvent {
      let endpoint = Endpoint(IPv4Address(number), UInt16(truncatingIfNeeded: number))
      return TableEvent(
        number & 1 == 0 ? .sessionCreated : .sessionEnded, .closed, .tcp,
        at: Instant(nanoseconds: UInt64(number)), private: endpoint, public: endpoint, remote: endpoint)
    }
    let writer = Writer { for number in 1...written { ring.write(event(number)) } }
    var (read, last, isWhole) = (0, UInt32(0), true)
    var isLast = false
    while !isLast {
      isLast = writer.isDone
      while let found = ring.read() {
        let number = UInt32(truncatingIfNeeded: found.instant.nanoseconds)
        if number <= last || found != event(number) { isWhole = false }
        last = number
        read += 1
      }
    }
    #expect(isWhole)
    #expect(read > 0 && read + Int(ring.lostCount) == Int(written))
    withExtendedLifetime(memory) {}
  }

  @Test(
    "a list of forwards that changes while it is read gives whole entries, and those that stay each once")
  func forwards() {
    let memory = MappedMemory(byteCount: PortForwardList.byteCount(256))
    let list = PortForwardList(memory: memory, capacity: 256)
    @Sendable func forward(_ number: UInt16) -> PortForward {
      PortForward(
        number & 1 == 0 ? .tcp : .udp, public: Endpoint(IPv4Address(203, 0, 113, 5), number),
        private: Endpoint(IPv4Address(0xC0A8_0100 | UInt32(number & 0xFF)), number ^ 0x5555))
    }
    // Every second one stays.
    for number in UInt16(1)...200 { list.add(forward(number)) }
    let writer = Writer {
      for round in UInt16(0)..<300 {
        for number in stride(from: UInt16(1), through: 199, by: 2) {
          list.remove(forward(number &+ round &* 1000))
          list.add(forward(number &+ (round + 1) &* 1000))
        }
      }
    }
    var (problems, walks) = (0, 0)
    while !writer.isDone {
      var seen: Set<UInt16> = []
      list.forEach { found in
        let number = found.public.port
        if found != forward(number) || !seen.insert(number).inserted { problems += 1 }
      }
      if !(UInt16(1)...100).allSatisfy({ seen.contains($0 * 2) }) { problems += 1 }
      walks += 1
    }
    #expect(problems == 0)
    #expect(walks > 0)
    withExtendedLifetime(memory) {}
  }

  /// A thread that writes, and whether it is done.
  private final class Writer: Sendable {
    private let state = State()

    private final class State: Sendable {
      let isDone = Atomic<Bool>(false)
    }

    var isDone: Bool { state.isDone.load(ordering: .acquiring) }

    init(_ body: @escaping @Sendable () -> Void) {
      let state = state
      Thread {
        body()
        state.isDone.store(true, ordering: .releasing)
      }.start()
    }
  }
}
