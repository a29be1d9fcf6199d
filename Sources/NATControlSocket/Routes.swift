import NATControl
import NIOHTTP1

/// The requests there are.
enum Route: CaseIterable, Sendable {
  case status, table, end, hosts, stats, metrics, events, statics, addStatic, removeStatic, explain, config,
    reload, snapshot, recording, record

  var method: HTTPMethod {
    switch self {
    case .status, .table, .hosts, .stats, .metrics, .events, .statics, .config, .recording: .GET
    case .addStatic, .explain, .reload, .snapshot, .record: .POST
    case .end, .removeStatic: .DELETE
    }
  }

  var path: String {
    switch self {
    case .status: "/v1/status"
    case .table, .end: "/v1/table"
    case .hosts: "/v1/hosts"
    case .stats: "/v1/stats"
    case .metrics: "/metrics"
    case .events: "/v1/events"
    case .statics, .addStatic, .removeStatic: "/v1/static"
    case .explain: "/v1/explain"
    case .config: "/v1/config"
    case .reload: "/v1/reload"
    case .snapshot: "/v1/snapshot"
    case .recording, .record: "/v1/record"
    }
  }

  /// Its name in the metrics.
  var name: String { "\(method.rawValue) \(path)" }
}

/// Answers requests by asking the gateway.
struct Routes: Sendable {
  let operations: any GatewayOperations
  let limits: ControlLimits
  let counts: RequestCounts
  let tables: Slots
  let eventReaders: Slots

  /// Answers a request, and says under which name it counts.
  /// - Parameter served: what the listener serves.
  func answer(_ request: ControlRequest, among served: [Route]) async -> (route: String, answer: Answer) {
    var name = "other"
    do throws(ControlError) {
      let (path, list) = try request.parts()
      let there = served.filter { $0.path == path }
      guard !there.isEmpty else {
        let paths = served.map(\.path).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        throw ControlError(
          status: 404, reason: "unknown-path",
          "there is no \(quoted(path)); there are \(paths.joined(separator: ", "))")
      }
      guard let route = there.first(where: { $0.method == request.method }) else {
        let methods = there.map(\.method.rawValue).joined(separator: ", ")
        let error = ControlError(
          status: 405, reason: "method-not-allowed",
          "\(path) does not take \(quoted(request.method.rawValue)); it takes \(methods)")
        return (name, .error(error, allow: methods))
      }
      name = route.name
      var parameters = try Parameters(list)
      return (name, try await answer(request, as: route, &parameters))
    } catch {
      return (name, .error(error))
    }
  }

  private func answer(
    _ request: ControlRequest, as route: Route, _ parameters: inout Parameters
  ) async throws(ControlError) -> Answer {
    switch route {
    case .status: try await status(&parameters)
    case .table: try await table(&parameters)
    case .end: try await end(&parameters)
    case .hosts: try await hosts(&parameters)
    case .stats: try await stats(&parameters)
    case .metrics: try await metrics(&parameters)
    case .events: try await events(&parameters)
    case .statics: try await statics(&parameters)
    case .addStatic: try await addStatic(&parameters, request)
    case .removeStatic: try await removeStatic(&parameters)
    case .explain: try await explain(&parameters, request)
    case .config: try await config(&parameters)
    case .reload: try await reload(&parameters)
    case .snapshot: try await snapshot(&parameters)
    case .recording: try await recording(&parameters)
    case .record: try await record(&parameters, request)
    }
  }
}
