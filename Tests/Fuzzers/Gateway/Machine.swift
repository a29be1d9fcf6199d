import FuzzerSupport
import NATComposition
import NATControl
import NATEngine
import NATGateway
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

/// A gateway at work.
struct Machine: ~Copyable {
  private(set) var gateway: Gateway
  private let table: TranslationTable
  private let store = CounterStore()

  init(_ settings: GatewaySettings) {
    var random = RandomSource(seed: 1)
    table = TranslationTable(settings.table, random: &random)
    gateway = Gateway(settings, table: table, worker: 0, counters: store.counters, random: random)
  }

  var counters: Counters { store.counters }

  /// Puts an event in alone.
  mutating func receive(_ event: Event, _ buffers: inout Buffers) -> [Sent] {
    var sent: [Sent] = []
    receive([event][...], &buffers, &sent)
    return sent
  }

  /// Puts events in, the frames in batches as large as there are frames in a row and the batch has room for.
  mutating func receive(_ events: ArraySlice<Event>, _ buffers: inout Buffers, _ sent: inout [Sent]) {
    for event in events {
      switch event {
      case .frame(let frame):
        if !buffers.batch.hasRoom(for: frame.bytes.count) { process(&buffers, &sent) }
        // Safety: the batch copies the bytes.
        unsafe frame.bytes.withUnsafeBytes {
          unsafe buffers.batch.append(
            $0, wireLength: frame.wireLength, at: Instant(nanoseconds: frame.nanoseconds), from: frame.side,
            link: frame.link)
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
      }
    }
    process(&buffers, &sent)
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
  var faults: [String] {
    guard let reader = TableReader(table) else { return ["nobody else reads"] }
    return TableAudit(reader, gateway.translator.shard, at: gateway.clock).faults
  }

  var tableDocument: TableDocument {
    guard let reader = TableReader(table) else { fatalError("nobody else reads") }
    return TableDocument(reader, started: gateway.started ?? gateway.clock, at: gateway.clock)
  }

  var statsDocument: StatsDocument { StatsDocument(gateway) }
}
