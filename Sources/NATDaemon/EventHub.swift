import NATComposition
import NATControl
import NATEngine
import NATGateway
import NATMemory
import NATTable
import NATWire

/// Passes the events of a gateway to subscribers. The workers record events only while there are subscribers.
///
/// A slow subscriber loses events. If the queue of a worker overflows, all subscribers do. Each subscriber
/// gets the number of events that it has lost.
actor EventHub {
  private struct Subscriber {
    let stream: AsyncStream<EventDocument>.Continuation
    var lost: UInt64 = 0
  }

  private let workers: WorkerSet
  private let memory: GatewayMemory
  private var counters: Counters { memory.counters.counters }
  private var rings: [EventRing] { workers.members.map { memory.table.events(worker: $0.number) } }
  private var subscribers: [Int: Subscriber] = [:]
  private var nextNumber = 0
  private var pump: Task<Void, Never>?
  private var seenLost: UInt64 = 0
  private var refusals: [DropReason: Int] = [:]

  /// The most events that wait for a subscriber.
  private static let depth = 8192
  private static let interval = Duration.milliseconds(50)
  /// The drop reasons that make events. Their counters are read once a second, so that a flood makes one
  /// event.
  private static let limits: [DropReason] = [
    .bindingLimit, .sessionLimit, .hostPortLimit, .hostSessionLimit, .hostSessionRate, .portsExhausted,
  ]

  init(_ workers: WorkerSet, _ memory: GatewayMemory) {
    self.workers = workers
    self.memory = memory
  }

  /// The events from now on.
  func subscribe() async -> AsyncStream<EventDocument> {
    let number = nextNumber
    nextNumber += 1
    let (stream, continuation) = AsyncStream<EventDocument>.makeStream(
      bufferingPolicy: .bufferingOldest(EventHub.depth))
    continuation.onTermination = { [weak self] _ in
      Task { await self?.remove(number) }
    }
    subscribers[number] = Subscriber(stream: continuation)
    if pump == nil {
      for reason in EventHub.limits { refusals[reason] = counters.drops(reason) }
      pump = Task { await run() }
    }
    // From now on the workers record events for this subscriber.
    _ = await workers.perform(NoteEvents(true))
    return stream
  }

  /// Publishes an event that happened outside the workers, after the events that the workers already
  /// recorded.
  func publish(_ event: EventDocument) {
    if pump != nil { drain() }
    pass(event)
  }

  private func pass(_ event: EventDocument) {
    for number in subscribers.keys { pass(event, to: number) }
  }

  private func remove(_ number: Int) { subscribers[number] = nil }

  private func run() async {
    var rounds = 0
    while !subscribers.isEmpty, !Task.isCancelled {
      drain()
      rounds += 1
      if rounds % 20 == 0 { lookAtLimits() }
      try? await Task.sleep(for: EventHub.interval)
    }
    pump = nil
    _ = await workers.perform(NoteEvents(false))
    if subscribers.isEmpty {
      for ring in rings { while ring.read() != nil {} }
    } else {
      // A new subscriber came meanwhile. Its job may have reached the workers before the one above.
      if pump == nil { pump = Task { await run() } }
      _ = await workers.perform(NoteEvents(true))
    }
  }

  private func drain() {
    let epoch = LiveClock.unixNanoseconds &- LiveClock.now.nanoseconds
    for ring in rings {
      // Bounded, so that a storm of events does not keep the hub from other work.
      for _ in 0..<1 << 16 {
        guard let event = ring.read() else { break }
        pass(EventDocument(event, epoch: epoch))
      }
    }
    let lost = rings.reduce(0) { $0 + $1.lostCount }
    if lost > seenLost {
      pass(EventDocument(.lost, count: lost - seenLost))
      seenLost = lost
    }
  }

  private func lookAtLimits() {
    for reason in EventHub.limits {
      let count = counters.drops(reason)
      let seen = refusals.updateValue(count, forKey: reason) ?? count
      guard count > seen else { continue }
      var event = EventDocument(reason == .portsExhausted ? .exhaustion : .limit, count: UInt64(count - seen))
      event.reason = reason.name
      pass(event)
    }
  }

  private func pass(_ event: EventDocument, to number: Int) {
    guard var subscriber = subscribers[number] else { return }
    if subscriber.lost > 0 {
      let lost = EventDocument(
        unixNanoseconds: event.unixNanoseconds, kind: .lost, count: subscriber.lost)
      if case .enqueued = subscriber.stream.yield(lost) { subscriber.lost = 0 }
    }
    if subscriber.lost > 0 {
      subscriber.lost += 1
    } else if case .dropped = subscriber.stream.yield(event) {
      subscriber.lost += 1
    }
    subscribers[number] = subscriber
  }
}

extension EventDocument {
  /// An event that happens now.
  init(_ kind: Kind, count: UInt64? = nil) {
    self.init(unixNanoseconds: LiveClock.unixNanoseconds, kind: kind, count: count)
  }
}
