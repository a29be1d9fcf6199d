import NATMemory
import NATWire

/// The subscribers to the events of a shard. Without a subscriber, an event costs one comparison.
struct Subscribers: OptionSet {
  let rawValue: UInt8

  /// A command that lists the sessions that it ended.
  static let endings = Subscribers(rawValue: 1)
  /// A reader of the event ring.
  static let events = Subscribers(rawValue: 2)
}

extension Shard {
  /// Whether events are noted.
  public var isNotingEvents: Bool {
    get { subscribers.contains(.events) }
    set { if newValue { subscribers.insert(.events) } else { subscribers.remove(.events) } }
  }

  /// Begins to record ended sessions for ``takeEnded(_:)``.
  public mutating func noteEndings() { subscribers.insert(.endings) }

  /// Returns the sessions that ended since ``noteEndings()`` and stops recording.
  public mutating func takeEnded(_ body: (TableEvent) -> Void) {
    subscribers.remove(.endings)
    while let event = endedRing.read() { body(event) }
  }

  @inline(never)
  func noteEnd(of session: SessionIndex, at instant: Instant, because reason: EndReason) {
    var reason = reason
    if reason == .expired {
      switch sessions.state(of: session).phase {
      case .closed: reason = .closed
      case .reset: reason = .reset
      case .free, .synSent, .established, .halfClosed, .active: break
      }
    }
    let binding = sessions.binding(of: session)
    let event = event(.sessionEnded, binding, sessions.remote(of: session), at: instant, because: reason)
    if subscribers.contains(.endings) { endedRing.write(event) }
    if subscribers.contains(.events) { eventRing.write(event) }
  }

  @inline(never)
  func note(
    _ kind: TableEvent.Kind, _ binding: BindingIndex, _ remote: Endpoint = Endpoint(.any, 0),
    at instant: Instant, because reason: EndReason = .expired
  ) {
    eventRing.write(event(kind, binding, remote, at: instant, because: reason))
  }

  private func event(
    _ kind: TableEvent.Kind, _ binding: BindingIndex, _ remote: Endpoint, at instant: Instant,
    because reason: EndReason
  ) -> TableEvent {
    TableEvent(
      kind, reason, bindings.transport(of: binding), at: instant,
      private: bindings.privateEndpoint(of: binding), public: bindings.publicEndpoint(of: binding),
      remote: remote)
  }

  /// A new connection has reused the endpoints of a closed one: one session has ended, and one has been made.
  @inline(never)
  func noteReopening(of session: SessionIndex, at instant: Instant) {
    let binding = sessions.binding(of: session)
    let remote = sessions.remote(of: session)
    note(.sessionEnded, binding, remote, at: instant, because: .closed)
    note(.sessionCreated, binding, remote, at: instant)
  }
}
