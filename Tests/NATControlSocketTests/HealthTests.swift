import NATControl
import NATControlSocket
import Synchronization
import Testing

extension StandIn {
  func health() async throws(ControlError) -> HealthDocument {
    try note("health")
    return HealthDocument(reasons: facts.withLock(\.reasons))
  }
}

/// Health as load balancers and scripts ask for it.
@Suite struct HealthTests {
  @Test("a healthy gateway answers 200 and exit code 0, on the socket and on the port of the metrics")
  func healthy() async throws {
    try await TestServer.run(withMetrics: true) { server in
      #expect(try await server.client.ask(ControlAPI.health) == HealthDocument(reasons: []))
      for answer in [await server.ask("GET /v1/health"), await server.askMetrics("GET /v1/health")] {
        #expect(answer.status == 200)
        #expect(answer.body == #"{"healthy":true,"reasons":[]}"# + "\n")
      }
      let command = try await server.portico("health")
      #expect(command.code == 0 && command.output == "healthy\n", "\(command)")
    }
  }

  @Test("a gateway that forwards nothing answers 503 with the reasons, and exit code 1")
  func unhealthy() async throws {
    let reason = "the outside interface wan0 has no carrier"
    let operations = StandIn()
    operations.facts.withLock { $0.reasons = [reason] }
    try await TestServer.run(withMetrics: true, operations: operations) { server in
      #expect(try await server.client.ask(ControlAPI.health) == HealthDocument(reasons: [reason]))
      let body = #"{"healthy":false,"reasons":["\#(reason)"]}"# + "\n"
      for answer in [await server.ask("GET /v1/health"), await server.askMetrics("GET /v1/health")] {
        #expect(answer.status == 503 && answer.body == body)
      }
      let command = try await server.portico("health")
      #expect(command.code == 1 && command.output == "unhealthy: \(reason)\n", "\(command)")
      #expect(try await server.portico("health --json").output == body)
    }
  }
}
