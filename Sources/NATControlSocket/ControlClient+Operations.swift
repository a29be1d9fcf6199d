public import NATControl

/// The gateway as the daemon at the other end has it.
extension ControlClient: GatewayOperations {
  public func status() async throws(ControlError) -> StatusDocument { try await document(.get, "/v1/status") }

  public func stats() async throws(ControlError) -> StatsDocument { try await document(.get, "/v1/stats") }

  public func table(
    _ filter: TableFilter, after cursor: String?, limit: Int
  ) async throws(ControlError) -> TableDocument {
    try await document(
      .get, "/v1/table",
      filter.parameters + [("limit", "\(limit)")] + (cursor.map { [("cursor", $0)] } ?? []))
  }

  public func hosts(limit: Int) async throws(ControlError) -> HostsDocument {
    try await document(.get, "/v1/hosts", [("limit", "\(limit)")])
  }

  public func end(_ filter: TableFilter) async throws(ControlError) -> EndedDocument {
    try await document(.delete, "/v1/table", filter.isEmpty ? [("all", "true")] : filter.parameters)
  }

  public func statics() async throws(ControlError) -> StaticsDocument {
    try await document(.get, "/v1/static")
  }

  public func addStatic(_ entry: StaticDocument) async throws(ControlError) -> StaticChangeDocument {
    try await document(.post, "/v1/static", body: try JSONBody.encoded(entry))
  }

  public func removeStatic(
    protocol: String, public: String
  ) async throws(ControlError) -> StaticChangeDocument {
    try await document(.delete, "/v1/static", [("protocol", `protocol`), ("public", `public`)])
  }

  public func explain(_ question: ExplainRequest) async throws(ControlError) -> ExplainDocument {
    try await document(.post, "/v1/explain", body: try JSONBody.encoded(question))
  }

  public func configuration() async throws(ControlError) -> ConfigurationDocument {
    try await document(.get, "/v1/config")
  }

  public func reload() async throws(ControlError) -> ReloadDocument {
    try await document(.post, "/v1/reload")
  }

  public func snapshot() async throws(ControlError) -> SnapshotDocument {
    try await document(.post, "/v1/snapshot")
  }

  public func recording() async throws(ControlError) -> RecordDocument {
    try await document(.get, "/v1/record")
  }

  public func record(_ request: RecordRequest) async throws(ControlError) -> RecordDocument {
    try await document(.post, "/v1/record", body: try JSONBody.encoded(request))
  }

  /// Ends when the daemon does.
  public func events() async throws(ControlError) -> AsyncStream<EventDocument> {
    let (events, continuation) = AsyncStream<EventDocument>.makeStream()
    let task = Task {
      var lines = JSONLines<EventDocument>()
      try? await stream(.get, "/v1/events", isPatient: true) { piece in
        for event in try lines.next(piece) { continuation.yield(event) }
      }
      continuation.finish()
    }
    continuation.onTermination = { _ in task.cancel() }
    return events
  }

  private func document<Document: Decodable>(
    _ method: Method, _ path: String, _ parameters: [(name: String, value: String)] = [], body: [UInt8] = []
  ) async throws(ControlError) -> Document {
    try JSONBody.document(try await answer(method, path, parameters, body: body))
  }
}
