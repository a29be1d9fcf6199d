import NATControl
import Synchronization

/// A gateway that answers what it was given, and keeps what it was asked.
final class StandIn: GatewayOperations {
  struct Facts: Sendable {
    var bindings: [BindingDocument] = [Examples.binding]
    var asked: [String] = []
    var filters: [TableFilter] = []
    var pages = 0
    /// Thrown by the page of that number and by all changes.
    var failingPage: Int?
    var error: ControlError?
    var subscribers: [AsyncStream<EventDocument>.Continuation] = []
    var ended = 0
    /// Why no packets are forwarded.
    var reasons: [String] = []
  }

  let facts = Mutex(Facts())

  func note(_ what: String) throws(ControlError) {
    let error = facts.withLock { facts in
      facts.asked.append(what)
      return facts.error
    }
    if let error { throw error }
  }

  func status() async throws(ControlError) -> StatusDocument {
    try note("status")
    return Examples.status
  }

  func stats() async throws(ControlError) -> StatsDocument {
    try note("stats")
    return Examples.stats
  }

  /// The cursor is the number of sessions that were listed.
  func table(
    _ filter: TableFilter, after cursor: String?, limit: Int
  ) async throws(ControlError) -> TableDocument {
    try note("table")
    let (bindings, page, failing) = facts.withLock { facts in
      facts.filters.append(filter)
      facts.pages += 1
      return (facts.bindings, facts.pages, facts.failingPage)
    }
    if page == failing {
      throw ControlError(status: 500, reason: "broken", "the page is broken; another would be right")
    }
    guard let start = cursor.map({ Int($0) }) ?? 0 else {
      throw ControlError(
        status: 400, reason: "bad-cursor", "no cursor of a page; it would be the next of the page before")
    }
    var (document, position) = (TableDocument(bindings: []), 0)
    for var binding in bindings where filter.transport == nil || binding.transport == filter.transport {
      let count = max(1, binding.sessions.count)
      defer { position += count }
      guard position + count > start else { continue }
      guard position < start + limit else {
        document.next = "\(start + limit)"
        break
      }
      let (from, to) = (max(0, start - position), min(count, start + limit - position))
      if !binding.sessions.isEmpty { binding.sessions = Array(binding.sessions[from..<to]) }
      document.bindings.append(binding)
      if to < count {
        document.next = "\(start + limit)"
        break
      }
    }
    return document
  }

  /// Of one host, whatever the table holds.
  func hosts(limit: Int) async throws(ControlError) -> HostsDocument {
    try note("hosts")
    return Examples.hosts
  }

  func end(_ filter: TableFilter) async throws(ControlError) -> EndedDocument {
    try note("end")
    facts.withLock { $0.filters.append(filter) }
    return Examples.ended
  }

  func statics() async throws(ControlError) -> StaticsDocument {
    try note("statics")
    return StaticsDocument(statics: [Examples.mapping])
  }

  func addStatic(_ entry: StaticDocument) async throws(ControlError) -> StaticChangeDocument {
    try note("add \(entry.protocolName) \(entry.publicEndpoint) \(entry.privateEndpoint)")
    return StaticChangeDocument(mapping: entry, ended: EndedDocument())
  }

  func removeStatic(protocol: String, public: String) async throws(ControlError) -> StaticChangeDocument {
    try note("remove \(`protocol`) \(`public`)")
    return StaticChangeDocument(mapping: Examples.mapping, ended: Examples.endedMapping)
  }

  func explain(_ question: ExplainRequest) async throws(ControlError) -> ExplainDocument {
    try note("explain")
    return Examples.explanation
  }

  func configuration() async throws(ControlError) -> ConfigurationDocument {
    try note("config")
    return Examples.configuration
  }

  func reload() async throws(ControlError) -> ReloadDocument {
    try note("reload")
    return Examples.reload
  }

  func snapshot() async throws(ControlError) -> SnapshotDocument {
    try note("snapshot")
    return Examples.snapshot
  }

  func recording() async throws(ControlError) -> RecordDocument {
    try note("recording")
    return Examples.recording
  }

  func record(_ request: RecordRequest) async throws(ControlError) -> RecordDocument {
    try note("record \(request.action.rawValue)")
    var document = Examples.recording
    document.directory = request.directory
    return document
  }

  func events() async throws(ControlError) -> AsyncStream<EventDocument> {
    try note("events")
    let (stream, continuation) = AsyncStream<EventDocument>.makeStream(bufferingPolicy: .bufferingNewest(64))
    continuation.onTermination = { [weak self] _ in self?.facts.withLock { $0.ended += 1 } }
    facts.withLock { $0.subscribers.append(continuation) }
    return stream
  }

  func happen(_ event: EventDocument) {
    for subscriber in facts.withLock({ $0.subscribers }) { subscriber.yield(event) }
  }
}
