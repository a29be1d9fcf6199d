import NATComposition
import NATConfiguration
import NATControl
import NATEngine
import NATGateway
import NATMemory
import NATTable
import NATWire
import ReferenceNAT
import TestSupport

/// The engine as a replay runs it, fed with frames from memory.
struct EngineRun: ~Copyable {
  private var configuration: Configuration
  var gateway: Gateway
  let counterStore = CounterStore()
  private let table: TranslationTable
  private var batch = FrameBatch(maximumFrameLength: 70_000)
  var outbox = Outbox()

  /// - Parameter isPrefetched: whether batches are prefetched, as they are over a large table.
  init(_ configuration: Configuration, seed: UInt64, isPrefetched: Bool = false) {
    self.configuration = configuration
    var settings = GatewaySettings(configuration)
    settings.table.reserve = .live(settings.table)
    if isPrefetched { settings.sessionsWorthPrefetching = 0 }
    var random = RandomSource(seed: seed)
    table = TranslationTable(settings.table, random: &random)
    gateway = Gateway(settings, table: table, worker: 0, counters: counterStore.counters, random: random)
  }

  /// Puts frames in as one batch, or several where one has no room for them.
  /// - Returns: what left.
  mutating func receive(_ inputs: ArraySlice<Input>) -> [ReferenceFrame] {
    var sent: [ReferenceFrame] = []
    for input in inputs {
      if !batch.hasRoom(for: input.bytes.count) { process(&sent) }
      // Safety: the batch copies the bytes.
      unsafe input.bytes.withUnsafeBytes {
        unsafe batch.append(
          $0, wireLength: input.wireLength, at: Instant(nanoseconds: input.stamp),
          from: InterfaceIndex(input.side),
          link: input.isEthernet ? .ethernet : .rawIP)
      }
    }
    process(&sent)
    return sent
  }

  private mutating func process(_ sent: inout [ReferenceFrame]) {
    while batch.processed < batch.count {
      gateway.process(&batch, into: &outbox)
      collect(&sent)
    }
    batch.removeAll()
  }

  private mutating func collect(_ sent: inout [ReferenceFrame]) {
    for index in 0..<outbox.count {
      let entry = outbox[index]
      sent.append(
        ReferenceFrame(
          side: entry.side == .inside ? .inside : .outside, nanoseconds: entry.instant.nanoseconds,
          bytes: (0..<entry.frame.count).map { entry.frame.uint8(at: $0) }))
    }
    outbox.removeAll()
  }

  /// Lets time pass.
  /// - Returns: what left.
  mutating func advance(to stamp: UInt64) -> [ReferenceFrame] {
    var sent: [ReferenceFrame] = []
    gateway.advance(to: Instant(nanoseconds: stamp), into: &outbox)
    collect(&sent)
    return sent
  }

  /// Comes to another configuration, as a reload of the daemon does.
  /// - Returns: what left.
  mutating func reload(_ new: Configuration, at stamp: UInt64) -> [ReferenceFrame] {
    var sent = advance(to: stamp)
    let now = Instant(nanoseconds: stamp)
    var old = configuration
    old.statics.removeAll { hasEnded($0) }
    let refusal = ChangePlan.refusal(from: old, to: new, table.capacity, usedLifetimes: [])
    precondition(refusal == nil, "\(String(describing: refusal))")
    var change = GatewayChange(ChangePlan(from: old, to: new).operations)
    while !change.step(&gateway, into: &outbox, at: now) { collect(&sent) }
    collect(&sent)
    precondition(change.refused == 0, "the table has room for everything")
    configuration = new
    return sent
  }

  /// Whether a port forward has ended by itself.
  private func hasEnded(_ mapping: Configuration.StaticMapping) -> Bool {
    guard case .portForward(let transport, let publicEndpoint, _, let terms) = mapping, terms.endsByItself
    else { return false }
    return gateway.translator.shard.findPortForward(transport, public: publicEndpoint) == nil
  }

  /// The table as it stands.
  mutating func snapshot() throws -> TableSnapshot {
    var job = SaveTable(limit: .max)
    _ = job.step(&gateway, into: &outbox, at: gateway.clock)
    var header = SnapshotHeader(
      clock: job.clock, unixNanoseconds: job.clock.nanoseconds, started: gateway.started ?? job.clock)
    header.tracksWindows = job.tracksWindows
    header.random = gateway.translator.random
    var words: [UInt64] = []
    header.append(to: &words)
    words += job.words
    TableSnapshot.appendCounts(job.walk.counts, to: &words)
    var checksum = Checksum64()
    checksum.add(words[...])
    return try TableSnapshot(words + [checksum.value])
  }

  /// Takes over a table, before the first frame.
  mutating func restore(_ snapshot: TableSnapshot) -> RestoredTable {
    gateway.restore(snapshot, offset: 0, at: snapshot.header.clock, repeatsChoice: true)
  }

  /// The table, as lines that can be compared.
  var tableReport: [String] {
    guard let reader = TableReader(table) else { preconditionFailure("nobody else reads") }
    return lines(of: TableDocument(reader, started: gateway.started ?? gateway.clock, at: gateway.clock))
      + lines(of: StatsDocument(gateway)).filter { $0.hasPrefix("pool ") }
  }

  /// Table and counters, as lines that can be compared.
  var report: [String] {
    guard let reader = TableReader(table) else { preconditionFailure("nobody else reads") }
    let audit = TableAudit(reader, gateway.translator.shard, at: gateway.clock)
    precondition(audit.faults.isEmpty, audit.faults.joined(separator: "\n"))
    return lines(
      of: TableDocument(reader, started: gateway.started ?? gateway.clock, at: gateway.clock))
      + lines(of: StatsDocument(gateway))
  }
}
