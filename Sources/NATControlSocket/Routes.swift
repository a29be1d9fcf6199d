import NATControl
import NIOCore
import NIOHTTP1

/// One request of the control socket, as the server knows it.
struct Route: Sendable {
  typealias Handler = @Sendable (Routes, inout ArrivedRequest) async throws(ControlError) -> Answer

  let method: ControlClient.Method
  let path: String
  /// A path with a query, or a body.
  let example: String
  let isLogged: Bool
  /// Whether the port of the metrics serves it too.
  let isOnMetricsPort: Bool
  let answer: Handler

  init(
    _ method: ControlClient.Method, _ path: String, example: String? = nil, isLogged: Bool = true,
    isOnMetricsPort: Bool = false, answer: @escaping Handler
  ) {
    self.method = method
    self.path = path
    self.example = example ?? path
    self.isLogged = isLogged && method != .get
    self.isOnMetricsPort = isOnMetricsPort
    self.answer = answer
  }

  /// A request that the server answers piece by piece.
  init<Input, Document>(_ call: ControlCall<Input, Document>, stream: @escaping Handler) {
    self.init(call.method, call.path, example: call.example, answer: stream)
  }

  /// Its name in the metrics.
  var name: String { "\(method.rawValue) \(path)" }
}

/// A request on its way to a route.
struct ArrivedRequest {
  var parameters: Parameters
  let body: ByteBuffer
  let limits: ControlLimits

  /// The parameter `limit`.
  mutating func takeLimit() throws(ControlError) -> Int? {
    let most = limits.pageSessions
    return try parameters.take("limit", "a number from 1 to \(most)") { text in
      Int(text).flatMap { (1...most).contains($0) ? $0 : nil }
    }
  }
}

/// Answers requests by asking the gateway.
struct Routes: Sendable {
  let operations: any GatewayOperations
  let limits: ControlLimits
  let counts: RequestCounts
  let tables: Slots
  let eventReaders: Slots

  /// Answers a request.
  /// - Parameter served: the requests that the listener serves.
  /// - Returns: the answer, and its route; nil if there is none.
  func answer(_ request: ControlRequest, among served: [Route]) async -> (route: Route?, answer: Answer) {
    var route: Route?
    do throws(ControlError) {
      let (path, list) = try request.parts()
      let there = served.filter { $0.path == path }
      guard !there.isEmpty else {
        let paths = served.map(\.path).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        throw ControlError(
          status: 404, reason: "unknown-path",
          "there is no \(quoted(path)); there are \(paths.joined(separator: ", "))")
      }
      route = there.first { $0.method.rawValue == request.method.rawValue }
      guard let route else {
        let methods = there.map(\.method.rawValue).joined(separator: ", ")
        let error = ControlError(
          status: 405, reason: "method-not-allowed",
          "\(path) does not take \(quoted(request.method.rawValue)); it takes \(methods)")
        return (nil, .error(error, allow: methods))
      }
      var arrived = ArrivedRequest(parameters: try Parameters(list), body: request.body, limits: limits)
      return (route, try await route.answer(self, &arrived))
    } catch {
      return (route, .error(error))
    }
  }

  /// A place among the readers of the table, each of which holds a page in memory.
  func takeTable() throws(ControlError) -> Slots.Slot {
    guard let slot = tables.take() else {
      throw ControlError(
        status: 503, reason: "too-many-tables",
        "\(limits.tables) tables are being read; try again when one is done")
    }
    return slot
  }
}

// MARK: Requests with another answer than one document

extension Routes {
  /// The table, or a page of it, piece by piece.
  @Sendable static func table(
    _ routes: Routes, _ request: inout ArrivedRequest
  ) async throws(ControlError) -> Answer {
    let input = try TableRequest(&request)
    try request.parameters.end()
    let slot = try routes.takeTable()
    let (operations, limits) = (routes.operations, routes.limits)
    let first = try await operations.table(
      input.filter, after: input.cursor, limit: input.limit ?? limits.pageSessions)
    return .stream(type: MediaType.json) { writer in
      var json = TableJSON()
      var page = first
      while true {
        json.append(page.bindings)
        while let piece = json.nextPiece() { try await writer.write(piece) }
        // Without a limit the whole table is one document.
        guard input.limit == nil, let next = page.next else { break }
        page = try await operations.table(input.filter, after: next, limit: limits.pageSessions)
      }
      try await writer.write(json.finish(next: page.next))
      withExtendedLifetime(slot) {}
    }
  }

  /// The counters as text for Prometheus.
  @Sendable static func metrics(
    _ routes: Routes, _ request: inout ArrivedRequest
  ) async throws(ControlError) -> Answer {
    try request.parameters.end()
    let slot = try routes.takeTable()
    defer { withExtendedLifetime(slot) {} }
    let operations = routes.operations
    let text = MetricsText.render(
      status: try await operations.status(), stats: try await operations.stats(),
      sessions: try await operations.sessionCounts(), requests: routes.counts.list)
    return .whole(status: 200, type: MediaType.metrics, body: Array(text.utf8))
  }

  /// Events, one JSON object a line, until either end stops.
  @Sendable static func events(
    _ routes: Routes, _ request: inout ArrivedRequest
  ) async throws(ControlError) -> Answer {
    try request.parameters.end()
    guard let slot = routes.eventReaders.take() else {
      throw ControlError(
        status: 503, reason: "too-many-event-readers",
        "\(routes.limits.eventReaders) clients follow the events; end one, or try again later")
    }
    let events = try await routes.operations.events()
    return .stream(type: MediaType.lines) { writer in
      for await event in events { try await writer.write(try JSONBody.encoded(event)) }
      withExtendedLifetime(slot) {}
    }
  }
}
