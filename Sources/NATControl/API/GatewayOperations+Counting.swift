extension GatewayOperations {
  /// - Complexity: one walk over the table for each page of 65,536 sessions.
  public func sessionCounts() async throws(ControlError) -> [SessionCount] {
    var tally = SessionTally()
    var cursor: String?
    repeat {
      let page = try await table(TableFilter(), after: cursor, limit: 65_536)
      for binding in page.bindings {
        for session in binding.sessions { tally.add(binding.transport, session.state) }
      }
      cursor = page.next
    } while cursor != nil
    return tally.counts
  }
}

/// Counts sessions by protocol and state.
public struct SessionTally: Sendable {
  /// The keys have the count 0.
  private var numbers: [SessionCount: Int] = [:]

  public init() {}

  public mutating func add(_ transport: TransportName, _ state: SessionDocument.State) {
    numbers[SessionCount(transport: transport, state: state, count: 0), default: 0] += 1
  }

  /// Sorted by protocol, then by state. Pairs without sessions are missing.
  public var counts: [SessionCount] {
    numbers.map { SessionCount(transport: $0.transport, state: $0.state, count: $1) }
      .sorted { ($0.transport.rawValue, $0.state.rawValue) < ($1.transport.rawValue, $1.state.rawValue) }
  }
}
