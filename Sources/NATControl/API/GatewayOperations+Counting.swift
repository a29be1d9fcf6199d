extension GatewayOperations {
  /// - Complexity: one walk over the table for each page of 65,536 sessions.
  public func sessionCounts() async throws(ControlError) -> [SessionCount] {
    var counts: [SessionCount: Int] = [:]
    var cursor: String?
    repeat {
      let page = try await table(TableFilter(), after: cursor, limit: 65_536)
      for binding in page.bindings {
        for session in binding.sessions {
          counts[SessionCount(transport: binding.transport, state: session.state, count: 0), default: 0] += 1
        }
      }
      cursor = page.next
    } while cursor != nil
    return counts.map { SessionCount(transport: $0.transport, state: $0.state, count: $1) }
      .sorted { ($0.transport.rawValue, $0.state.rawValue) < ($1.transport.rawValue, $1.state.rawValue) }
  }
}
