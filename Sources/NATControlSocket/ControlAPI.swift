// NATControlSocket: the operations of NATControl over HTTP/1.1 on a Unix socket, both ends.
//
// `ControlAPI` declares the requests. `ControlServer` serves them: `RequestGate` limits each connection,
// `Routes` finds the route of a request. `ControlClient` is the other end:
//
//     let client = ControlClient(socketPath: "/run/portico/control.sock")
//     print(StatusText.render(try await client.status()))

public import NATControl

/// The requests of the control socket: one declaration each.
///
/// The server routes by them, the client asks by them, and a test compares them with the page ControlAPI. To
/// add a request: its document (NATControl), its operation (``GatewayOperations``, with a default that
/// refuses, and `GatewayControl`), its declaration here and in ``routes``, its command (portico), its section
/// of the page, and its test.
package enum ControlAPI {
  package static let status = ControlCall(.get, "/v1/status") { gateway throws(ControlError) in
    try await gateway.status()
  }

  package static let health = {
    var call = ControlCall(.get, "/v1/health") { gateway throws(ControlError) in try await gateway.health() }
    call.status = { $0.healthy ? 200 : 503 }
    call.otherStatuses = [503]
    call.isOnMetricsPort = true
    return call
  }()

  package static let stats = {
    var call = ControlCall(.get, "/v1/stats") { gateway throws(ControlError) in try await gateway.stats() }
    // The keys stand in the documented order, as in the files of a replay.
    call.encode = { stats in Array(stats.json.utf8) }
    return call
  }()

  static let table = ControlCall<TableRequest, TableDocument>(
    method: .get, path: "/v1/table", example: "/v1/table?limit=1",
    write: { input in .init(parameters: input.parameters) },
    read: { request throws(ControlError) in try TableRequest(&request) },
    carryOut: { gateway, input throws(ControlError) in
      try await gateway.table(input.filter, after: input.cursor, limit: input.limit ?? 1)
    })

  package static let end = ControlCall<TableFilter, EndedDocument>(
    method: .delete, path: "/v1/table", example: "/v1/table?private=192.168.1.2:1234",
    write: { filter in .init(parameters: filter.isEmpty ? [("all", "true")] : filter.parameters) },
    read: { request throws(ControlError) in try TableFilter(ending: &request.parameters) },
    carryOut: { gateway, filter throws(ControlError) in try await gateway.end(filter) })

  package static let hosts = ControlCall<Int, HostsDocument>(
    method: .get, path: "/v1/hosts", example: "/v1/hosts?limit=10", readsTable: true,
    write: { limit in .init(parameters: [("limit", "\(limit)")]) },
    read: { request throws(ControlError) in try request.takeLimit() ?? HostsDocument.mostListed },
    carryOut: { gateway, limit throws(ControlError) in try await gateway.hosts(limit: limit) })

  package static let statics = ControlCall(.get, "/v1/static") { gateway throws(ControlError) in
    try await gateway.statics()
  }

  package static let addStatic = {
    var call = ControlCall<StaticDocument, StaticChangeDocument>(
      .post, "/v1/static", keys: StaticDocument.keys,
      example: #"{"protocol":"tcp","public":"203.0.113.5:8080","private":"192.168.1.10:80"}"#
    ) { gateway, entry throws(ControlError) in try await gateway.addStatic(entry) }
    call.status = { _ in 201 }
    return call
  }()

  package static let removeStatic = ControlCall<StaticName, StaticChangeDocument>(
    method: .delete, path: "/v1/static", example: "/v1/static?protocol=tcp&public=203.0.113.5:8080",
    write: { name in .init(parameters: [("protocol", name.transport), ("public", name.endpoint)]) },
    read: { request throws(ControlError) in try StaticName(&request.parameters) },
    carryOut: { gateway, name throws(ControlError) in
      try await gateway.removeStatic(protocol: name.transport, public: name.endpoint)
    })

  static let explain = {
    var call = ControlCall<ExplainRequest, ExplainDocument>(
      .post, "/v1/explain",
      keys: ["from", "protocol", "source", "destination", "flags", "ttl", "length"],
      example: #"{"from":"inside","protocol":"tcp","source":{"address":"192.168.1.2","port":1234},"#
        + #""destination":{"address":"142.250.195.100","port":443}}"#
    ) { gateway, question throws(ControlError) in try await gateway.explain(question) }
    // It changes nothing, although it has a body.
    call.isLogged = false
    return call
  }()

  static let configuration = ControlCall(.get, "/v1/config") { gateway throws(ControlError) in
    try await gateway.configuration()
  }

  package static let reload = ControlCall(.post, "/v1/reload") { gateway throws(ControlError) in
    try await gateway.reload()
  }

  package static let snapshot = ControlCall(.post, "/v1/snapshot") { gateway throws(ControlError) in
    try await gateway.snapshot()
  }

  package static let recording = ControlCall(.get, "/v1/record") { gateway throws(ControlError) in
    try await gateway.recording()
  }

  package static let record = ControlCall<RecordRequest, RecordDocument>(
    .post, "/v1/record", keys: ["action", "content", "directory"], example: #"{"action":"on"}"#
  ) { gateway, request throws(ControlError) in try await gateway.record(request) }

  /// All of them, in the order of the page.
  static let routes: [Route] = [
    status.route, health.route, Route(table, stream: Routes.table), end.route, hosts.route, stats.route,
    Route(.get, "/metrics", isOnMetricsPort: true, answer: Routes.metrics),
    Route(.get, "/v1/events", answer: Routes.events), statics.route, addStatic.route, removeStatic.route,
    explain.route, configuration.route, reload.route, snapshot.route, recording.route, record.route,
  ]

  /// The names of the requests, such as `GET /v1/status`, each with the example of the documentation.
  package static var examples: [(name: String, example: String)] { routes.map { ($0.name, $0.example) } }
}

/// The running gateway, as the daemon at the other end has it.
extension ControlClient: GatewayOperations {
  public func status() async throws(ControlError) -> StatusDocument { try await ask(ControlAPI.status) }

  public func stats() async throws(ControlError) -> StatsDocument { try await ask(ControlAPI.stats) }

  public func table(
    _ filter: TableFilter, after cursor: String?, limit: Int
  ) async throws(ControlError) -> TableDocument {
    try await ask(ControlAPI.table, TableRequest(filter: filter, limit: limit, cursor: cursor))
  }

  public func hosts(limit: Int) async throws(ControlError) -> HostsDocument {
    try await ask(ControlAPI.hosts, limit)
  }

  public func end(_ filter: TableFilter) async throws(ControlError) -> EndedDocument {
    try await ask(ControlAPI.end, filter)
  }

  public func statics() async throws(ControlError) -> StaticsDocument { try await ask(ControlAPI.statics) }

  public func addStatic(_ entry: StaticDocument) async throws(ControlError) -> StaticChangeDocument {
    try await ask(ControlAPI.addStatic, entry)
  }

  public func removeStatic(
    protocol: String, public: String
  ) async throws(ControlError) -> StaticChangeDocument {
    try await ask(ControlAPI.removeStatic, StaticName(transport: `protocol`, endpoint: `public`))
  }

  public func explain(_ question: ExplainRequest) async throws(ControlError) -> ExplainDocument {
    try await ask(ControlAPI.explain, question)
  }

  public func configuration() async throws(ControlError) -> ConfigurationDocument {
    try await ask(ControlAPI.configuration)
  }

  public func reload() async throws(ControlError) -> ReloadDocument { try await ask(ControlAPI.reload) }

  public func snapshot() async throws(ControlError) -> SnapshotDocument {
    try await ask(ControlAPI.snapshot)
  }

  public func recording() async throws(ControlError) -> RecordDocument {
    try await ask(ControlAPI.recording)
  }

  public func record(_ request: RecordRequest) async throws(ControlError) -> RecordDocument {
    try await ask(ControlAPI.record, request)
  }

  /// The stream ends when the daemon does.
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
}
