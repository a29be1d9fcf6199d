import Foundation
import NATControl
import NATControlSocket
import Synchronization
import Testing

/// Every bad request gets JSON that says what was found and what would be right.
@Suite struct RefusalTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var request: String
    var body = ""
    var status: Int
    var reason: String
    /// What the error names.
    var says: [String]

    var testDescription: String { "\(request) \(body)" }
  }

  static let cases = [
    Case(
      request: "GET /v1/tables", status: 404, reason: "unknown-path", says: ["'/v1/tables'", "/v1/table"]),
    Case(request: "GET /", status: 404, reason: "unknown-path", says: ["/v1/status"]),
    Case(request: "GET /v1/status/", status: 404, reason: "unknown-path", says: ["/v1/status"]),
    Case(request: "POST /v1/status", status: 405, reason: "method-not-allowed", says: ["'POST'", "GET"]),
    Case(request: "PUT /v1/static", status: 405, reason: "method-not-allowed", says: ["GET, POST, DELETE"]),
    Case(request: "GET /v1/reload", status: 405, reason: "method-not-allowed", says: ["POST"]),
    Case(
      request: "GET /v1/table?prtocol=tcp", status: 400, reason: "unknown-parameter",
      says: ["'prtocol'", "protocol, private, public, remote, state, kind, limit, cursor"]),
    Case(
      request: "GET /v1/status?limit=1", status: 400, reason: "unknown-parameter", says: ["'limit'", "none"]),
    Case(
      request: "GET /v1/table?protocol=tcp&protocol=udp", status: 400, reason: "repeated-parameter",
      says: ["'protocol'", "once"]),
    Case(
      request: "GET /v1/table?protocol=gre", status: 400, reason: "bad-value",
      says: ["'gre'", "icmp, tcp, udp"]),
    Case(
      request: "GET /v1/table?state=open", status: 400, reason: "bad-value", says: ["'open'", "established"]),
    Case(
      request: "GET /v1/table?kind=both", status: 400, reason: "bad-value",
      says: ["'both'", "dynamic, static"]),
    Case(
      request: "GET /v1/table?private=192.168.1", status: 400, reason: "bad-value",
      says: ["private", "'192.168.1'", "192.168.1.0/24"]),
    Case(
      request: "GET /v1/table?public=1.2.3.4:70000", status: 400, reason: "bad-value",
      says: ["'1.2.3.4:70000'"]),
    Case(
      request: "GET /v1/table?remote=1.2.3.4%2F33", status: 400, reason: "bad-value", says: ["'1.2.3.4/33'"]),
    Case(request: "GET /v1/table?limit=0", status: 400, reason: "bad-value", says: ["'0'", "1 to 65536"]),
    Case(request: "GET /v1/table?limit=70000", status: 400, reason: "bad-value", says: ["1 to 65536"]),
    Case(request: "GET /v1/table?limit=1&cursor=x", status: 400, reason: "bad-cursor", says: ["next"]),
    Case(request: "DELETE /v1/table", status: 400, reason: "no-filter", says: ["all=true"]),
    Case(request: "DELETE /v1/table?all=yes", status: 400, reason: "bad-value", says: ["'yes'", "true"]),
    Case(
      request: "DELETE /v1/table?all=true&protocol=tcp", status: 400, reason: "filter-and-all",
      says: ["contradict"]),
    Case(request: "DELETE /v1/static", status: 400, reason: "missing-parameter", says: ["protocol"]),
    Case(
      request: "DELETE /v1/static?protocol=tcp", status: 400, reason: "missing-parameter", says: ["public"]),
    Case(
      request: "POST /v1/static", status: 400, reason: "bad-json", says: ["no body", "\"protocol\":\"tcp\""]),
    Case(request: "POST /v1/static", body: "{", status: 400, reason: "bad-json", says: ["no JSON object"]),
    Case(request: "POST /v1/static", body: "[]", status: 400, reason: "bad-json", says: ["another kind"]),
    Case(
      request: "POST /v1/static", body: #"{"protocol":"tcp","public":"1.2.3.4:1"}"#, status: 400,
      reason: "bad-json", says: ["'private' is missing"]),
    Case(
      request: "POST /v1/static", body: #"{"protocol":"tcp","public":"a","private":"b","once":"yes"}"#,
      status: 400, reason: "bad-json", says: ["'once'", "another kind"]),
    Case(
      request: "POST /v1/static", body: #"{"protocol":1,"public":"1.2.3.4:1","private":"10.0.0.1:1"}"#,
      status: 400, reason: "bad-json", says: ["'protocol'"]),
    Case(
      request: "POST /v1/static", body: #"{"protocol":"tcp","public":"a","private":"b","proto":"c"}"#,
      status: 400, reason: "bad-json", says: ["unknown key 'proto'"]),
    Case(
      request: "POST /v1/explain", body: #"{"from":"inside","protocol":"gre"}"#, status: 400,
      reason: "bad-json", says: ["\"from\":\"inside\""]),
    Case(
      request: "POST /v1/explain",
      body:
        #"{"from":"inside","protocol":"tcp","source":{"address":"1.2.3.4","port":70000},"destination":{}}"#,
      status: 400, reason: "bad-json", says: ["port"]),
  ]

  @Test("a request that is wrong is refused with what was found and what would be right", arguments: cases)
  func refusal(_ wrong: Case) async throws {
    try await TestServer.run { server in
      let answer = await server.ask(wrong.request, body: wrong.body)
      #expect(answer.status == wrong.status)
      let error = try JSONDecoder().decode(ControlError.self, from: Data(answer.body.utf8))
      #expect(error.reason == wrong.reason)
      for text in wrong.says { #expect(error.error.contains(text), "\(error.error)") }
    }
  }

  @Test("an error of the gateway arrives with its status, reason and text")
  func gatewayError() async throws {
    let right = ControlError(status: 409, reason: "conflict", "the port is taken; another would be right")
    let operations = StandIn()
    operations.facts.withLock { $0.error = right }
    try await TestServer.run(operations: operations) { server in
      let client = server.client
      let calls: [@Sendable () async throws -> Void] = [
        { _ = try await client.status() }, { _ = try await client.stats() },
        { _ = try await client.table(TableFilter(), after: nil, limit: 1) },
        { _ = try await client.hosts(limit: 1) }, { _ = try await client.end(TableFilter()) },
        { _ = try await client.statics() }, { _ = try await client.addStatic(Examples.mapping) },
        { _ = try await client.removeStatic(protocol: "tcp", public: "1.2.3.4:1") },
        { _ = try await client.explain(Examples.question) }, { _ = try await client.configuration() },
        { _ = try await client.reload() }, { _ = try await client.answer(.get, "/metrics") },
        { _ = try await client.answer(.get, "/v1/events") },
      ]
      for call in calls { await #expect(throws: right) { try await call() } }
    }
  }

  @Test("a wrong method is told which there are")
  func allow() async throws {
    try await TestServer.run { server in
      let connection = try await server.connect()
      await connection.send("PUT /v1/table HTTP/1.1\r\nhost: portico\r\nconnection: close\r\n\r\n")
      #expect(await connection.receiveAll().lowercased().contains("allow: get, delete\r\n"))
    }
  }
}
