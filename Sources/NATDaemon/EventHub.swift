import NATComposition
import NATControl
import NATEngine
import NATGateway
import NATMemory
import NATTable
import NATWire

/// Hands the events of a gateway on to whoever listens. The worker notes them only meanwhile.
///
/// A listener that does not keep up loses events, as all do when more happens than the worker's queue holds; each hears
/// how many.
actor EventHub {
  private struct Listener {
    let stream: AsyncStream<EventDocument>.Continuation
    var lost: UInt64 = 0
  }

  private let mailbox: Mailbox
  private let store: CounterStore
  private let table: TranslationTable
  private var counters: Counters { store.counters }
  private var ring: EventRing { table.events(worker: 0) }
  private var listeners: [Int: Listener] = [:]
  private var nextNumber = 0
  private var pump: Task<Void, Never>?
  private var seenLost: UInt64 = 0
  private var refusals: [DropReason: Int] = [:]

  /// Events that wait for a listener at most.
  private static let depth = 8192
  private static let interval = Duration.milliseconds(50)
  /// What refuses packets, looked at once a second: a flood of them is one event.
  private static let limits: [DropReason] = [
    .bindingLimit, .sessionLimit, .hostPortLimit, .hostSessionLimit, .hostSessionRate,
    .portsExhausted,
  ]

  init(_ mailbox: Mailbox, _ table: TranslationTable, _ store: CounterStore) {
    self.mailbox = mailbox
    self.store = store
    self.table = table
  }

  /// What happens from now on.
  func listen() async -> AsyncStream<EventDocument> {
    let number = nextNumber
    nextNumber += 1
    let (stream, continuation) = AsyncStream<EventDocument>.makeStream(
      bufferingPolicy: .bufferingOldest(EventHub.depth))
    continuation.onTermination = { [weak self] _ in
      Task { await self?.remove(number) }
    }
    listeners[number] = Listener(stream: continuation)
    if pump == nil {
      for reason in EventHub.limits { refusals[reason] = counters.drops(reason) }
      pump = Task { await run() }
    }
    // Whoever listens hears of everything that happens after this call.
    _ = await mailbox.perform(NoteEvents(true))
    return stream
  }

  /// Tells all listeners something that did not happen on a worker.
  func tell(_ event: EventDocument) {
    // Behind what happened on the worker before it.
    if pump != nil { drain() }
    tellNow(event)
  }

  private func tellNow(_ event: EventDocument) {
    for number in listeners.keys { tell(event, number) }
  }

  private func remove(_ number: Int) { listeners[number] = nil }

  private func run() async {
    var rounds = 0
    while !listeners.isEmpty, !Task.isCancelled {
      drain()
      rounds += 1
      if rounds % 20 == 0 { lookAtLimits() }
      try? await Task.sleep(for: EventHub.interval)
    }
    pump = nil
    _ = await mailbox.perform(NoteEvents(false))
    if listeners.isEmpty {
      while ring.read() != nil {}
    } else {
      // Somebody came meanwhile, whose wish may have reached the worker before the one above.
      if pump == nil { pump = Task { await run() } }
      _ = await mailbox.perform(NoteEvents(true))
    }
  }

  private func drain() {
    let epoch = LiveClock.unixNanoseconds &- LiveClock.now.nanoseconds
    // Bounded, so that a storm does not keep the hub from its other work.
    for _ in 0..<1 << 16 {
      guard let event = ring.read() else { break }
      tellNow(EventDocument(event, epoch: epoch))
    }
    let lost = ring.lostCount
    if lost > seenLost {
      tellNow(EventDocument(unixNanoseconds: LiveClock.unixNanoseconds, kind: .lost, count: lost - seenLost))
      seenLost = lost
    }
  }

  private func lookAtLimits() {
    for reason in EventHub.limits {
      let count = counters.drops(reason)
      let seen = refusals.updateValue(count, forKey: reason) ?? count
      guard count > seen else { continue }
      tellNow(
        EventDocument(
          unixNanoseconds: LiveClock.unixNanoseconds, kind: reason == .portsExhausted ? .exhaustion : .limit,
          reason: reason.name, count: UInt64(count - seen)))
    }
  }

  private func tell(_ event: EventDocument, _ number: Int) {
    guard var listener = listeners[number] else { return }
    if listener.lost > 0 {
      let lost = EventDocument(
        unixNanoseconds: event.unixNanoseconds, kind: .lost, count: listener.lost)
      if case .enqueued = listener.stream.yield(lost) { listener.lost = 0 }
    }
    if listener.lost > 0 {
      listener.lost += 1
    } else if case .dropped = listener.stream.yield(event) {
      listener.lost += 1
    }
    listeners[number] = listener
  }
}
