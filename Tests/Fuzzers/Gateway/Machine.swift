import FuzzerSupport
import NATComposition
import NATConfiguration
import NATControl
import NATEngine
import NATGateway
import NATMemory
import NATTable
import NATWire

/// A frame for the gateway.
struct Received {
  var bytes: [UInt8]
  var wireLength: Int
  var side: Side
  var link: LinkLayer
  var nanoseconds: UInt64
}

/// What happens to the gateway.
enum Event {
  case frame(Received)
  /// A live gateway has nothing to do.
  case idle(nanoseconds: UInt64)
  case announce(nanoseconds: UInt64)
  /// Another configuration, at once or with steps before each of the next events.
  case change(Change, isWhole: Bool, nanoseconds: UInt64)
  case end(SessionFilter, nanoseconds: UInt64)
  case machineAddresses([IPv4Address], nanoseconds: UInt64)
  /// A snapshot is begun; before each of the next events it goes on by a step.
  case save(limit: Int, nanoseconds: UInt64)
  /// A snapshot, begun before or made now, becomes another gateway that goes on.
  case restore(Restoration, nanoseconds: UInt64)

  var nanoseconds: UInt64 {
    switch self {
    case .frame(let frame): frame.nanoseconds
    case .idle(let nanoseconds), .announce(let nanoseconds), .change(_, _, let nanoseconds),
      .end(_, let nanoseconds), .machineAddresses(_, let nanoseconds), .save(_, let nanoseconds),
      .restore(_, let nanoseconds):
      nanoseconds
    }
  }
}

/// A frame that left.
struct Sent: Equatable {
  var side: Side
  var nanoseconds: UInt64
  var bytes: [UInt8]
  /// The place in its batch of the frame that was translated where it stood.
  var inPlace: Int?

  static func == (a: Sent, b: Sent) -> Bool {
    a.side == b.side && a.nanoseconds == b.nanoseconds && a.bytes == b.bytes
  }
}

/// Memory that all runs use, one after the other.
struct Buffers: ~Copyable {
  var batch = FrameBatch(maximumFrameLength: 70_000)
  var outbox = Outbox()
}

/// A gateway at work, with who steers it.
struct Machine: ~Copyable {
  var gateway: Gateway
  private var table: TranslationTable
  private let store = CounterStore()
  let setting: Setting
  /// As the file has it, with what changed since.
  var written: Configuration
  var host: Configuration.Machine
  /// The same with the host's addresses in it.
  var live: Configuration
  /// What the gateway goes by; while one gives way to another, both.
  private(set) var inForce: [GatewaySettings] { didSet { version += 1 } }
  private(set) var version = 0
  var changing: GatewayChange?
  var saving: Saving?
  /// Lifetimes that ports have had.
  var lifetimes: Set<UInt64>
  /// A snapshot holds what another configuration may refuse.
  var hasChanged = false
  private var generation: UInt64 = 1

  init(_ setting: Setting) {
    self.setting = setting
    written = setting.configuration
    host = setting.host
    live = written.resolved(host).configuration
    lifetimes = Set(written.nat.lifetimes.ports.map(\.nanoseconds))
    let settings = setting.gateway(live)
    inForce = [settings]
    var random = RandomSource(seed: generation)
    table = TranslationTable(settings.table, random: &random)
    gateway = Gateway(settings, table: table, worker: 0, counters: store.counters, random: random)
  }

  var counters: Counters { store.counters }
  var capacity: TableCapacity { table.capacity }

  /// Another gateway in the place of this one: with what is in force, and other keys.
  mutating func startAgain() {
    generation += 1
    let settings = setting.gateway(live)
    inForce.append(settings)
    var random = RandomSource(seed: generation)
    table = TranslationTable(settings.table, random: &random)
    gateway = Gateway(settings, table: table, worker: 0, counters: store.counters, random: random)
  }

  /// What `live` says now is in force too, until the change in hand is done.
  mutating func noteSettings() { inForce.append(setting.gateway(live)) }

  /// Puts an event in alone.
  mutating func receive(_ event: Event, _ buffers: inout Buffers) -> [Sent] {
    var sent: [Sent] = []
    receive([event][...], &buffers, &sent)
    return sent
  }

  /// Puts events in, the frames in batches as large as there are frames in a row and the batch has room for.
  mutating func receive(_ events: ArraySlice<Event>, _ buffers: inout Buffers, _ sent: inout [Sent]) {
    for event in events {
      if changing == nil, inForce.count > 1 { inForce.removeFirst(inForce.count - 1) }
      if changing != nil || saving != nil {
        process(&buffers, &sent)
        step(at: Instant(nanoseconds: event.nanoseconds), &buffers, &sent)
      }
      switch event {
      case .frame(let frame):
        if !buffers.batch.hasRoom(for: frame.bytes.count) { process(&buffers, &sent) }
        // Safety: the batch copies the bytes.
        unsafe frame.bytes.withUnsafeBytes {
          unsafe buffers.batch.append(
            $0, wireLength: frame.wireLength, at: Instant(nanoseconds: frame.nanoseconds),
            from: InterfaceIndex(frame.side), link: frame.link)
        }
      case .idle(let nanoseconds):
        process(&buffers, &sent)
        gateway.advance(to: Instant(nanoseconds: nanoseconds), into: &buffers.outbox)
        collect(&buffers, &sent)
      case .announce(let nanoseconds):
        process(&buffers, &sent)
        var next: Int? = 0
        while let place = next {
          next = gateway.announce(
            from: place, at: Instant(nanoseconds: nanoseconds), into: &buffers.outbox)
          collect(&buffers, &sent)
        }
      case .change, .end, .machineAddresses, .save, .restore:
        process(&buffers, &sent)
        operate(event, at: Instant(nanoseconds: event.nanoseconds), &buffers, &sent)
      }
    }
    process(&buffers, &sent)
  }

  /// One step of a job; what it sends leaves.
  /// - Returns: whether it is done.
  mutating func step(
    _ job: inout some GatewayJob, at now: Instant, _ buffers: inout Buffers, _ sent: inout [Sent]
  ) -> Bool {
    let isDone = job.step(&gateway, into: &buffers.outbox, at: now)
    collect(&buffers, &sent)
    return isDone
  }

  private mutating func process(_ buffers: inout Buffers, _ sent: inout [Sent]) {
    while buffers.batch.processed < buffers.batch.count {
      gateway.process(&buffers.batch, into: &buffers.outbox)
      collect(&buffers, &sent)
    }
    buffers.batch.removeAll()
  }

  private mutating func collect(_ buffers: inout Buffers, _ sent: inout [Sent]) {
    for index in 0..<buffers.outbox.count {
      let entry = buffers.outbox[index]
      // Safety: copied before the outbox and the batch are cleared.
      let bytes = unsafe Array(entry.frame.unsafeBytes)
      sent.append(
        Sent(
          side: entry.side, nanoseconds: entry.instant.nanoseconds, bytes: bytes,
          inPlace: place(of: entry.frame, in: buffers.batch)))
    }
    buffers.outbox.removeAll()
  }

  private func place(of frame: Frame, in batch: borrowing FrameBatch) -> Int? {
    // Safety: addresses are only compared.
    guard let base = unsafe frame.unsafeBytes.baseAddress else { return nil }
    for index in 0..<batch.count {
      let entry = batch[index].frame
      guard let start = unsafe entry.unsafeBytes.baseAddress else { continue }
      let distance = unsafe base - start
      if distance >= -FrameBatch.headroom, distance <= entry.count { return index }
    }
    return nil
  }

  /// What is wrong with the table, for people.
  var faults: [String] { TableAudit(reader, gateway.translator.shard, at: gateway.clock).faults }

  var reader: TableReader {
    guard let reader = TableReader(table) else { fatalError("nobody else reads") }
    return reader
  }

  var tableDocument: TableDocument {
    TableDocument(reader, started: gateway.started ?? gateway.clock, at: gateway.clock)
  }

  var statsDocument: StatsDocument { StatsDocument(gateway) }
}
