import Foundation
import NATControlSocket
import Synchronization
import Testing

@testable import NATControl

/// The table as a stream and page by page.
@Suite struct PagingTests {
  @Test(
    "SH1 the whole table is one document, and a binding that goes on over the edge of a page is one entry")
  func merged() async throws {
    var limits = ControlLimits.patient
    limits.pageSessions = 3
    let operations = StandIn()
    var bindings = Examples.table(sessions: 20)
    // A forward without sessions, at the edge of a page.
    bindings[4].sessions = []
    bindings[4].kind = .static
    let table = TableDocument(bindings: bindings)
    operations.facts.withLock { $0.bindings = table.bindings }
    try await TestServer.run(limits: limits, operations: operations) { server in
      let bytes = try await server.client.answer(.get, "/v1/table")
      #expect(String(decoding: bytes, as: UTF8.self) == table.json)
      #expect(operations.facts.withLock { $0.pages } == 7)
    }
  }

  @Test("SH7 a walk over the pages by cursor has every session once", arguments: [1, 2, 3, 7, 1000])
  func walk(limit: Int) async throws {
    let operations = StandIn()
    operations.facts.withLock { $0.bindings = Examples.table(sessions: 50) }
    try await TestServer.run(operations: operations) { server in
      var seen: [String] = []
      var cursor: String?
      for _ in 0..<60 {
        let page = try await server.client.table(TableFilter(), after: cursor, limit: limit)
        #expect(page.bindings.reduce(0) { $0 + $1.sessions.count } <= limit)
        for binding in page.bindings {
          seen += binding.sessions.map { "\(binding.privateEndpoint) \($0.remote)" }
        }
        cursor = page.next
        if cursor == nil { break }
      }
      #expect(cursor == nil)
      #expect(seen.count == 50)
      #expect(Set(seen).count == 50)
    }
  }

  @Test("SH1 every filter reaches the gateway, alone and together with the cursor")
  func filters() async throws {
    try await TestServer.run { server in
      let queries: [(String, (inout TableFilter) -> Void)] = [
        ("", { _ in }), ("?protocol=udp", { $0.transport = .udp }),
        ("?private=192.168.1.2", { $0.privateEndpoint = .init(network: 0xC0A8_0102) }),
        ("?private=192.168.1.77/24", { $0.privateEndpoint = .init(network: 0xC0A8_0100, prefixLength: 24) }),
        ("?public=203.0.113.5:50001", { $0.publicEndpoint = .init(network: 0xCB00_7105, port: 50001) }),
        ("?remote=0.0.0.0%2F0", { $0.remote = .init(network: 0, prefixLength: 0) }),
        ("?state=half-closed", { $0.state = .halfClosed }), ("?kind=static", { $0.kind = .static }),
        (
          "?limit=5&kind=dynamic&state=active&protocol=icmp&cursor=0",
          {
            $0.kind = .dynamic
            $0.state = .active
            $0.transport = .icmp
          }
        ),
      ]
      for (query, change) in queries {
        var filter = TableFilter()
        change(&filter)
        #expect(await server.ask("GET /v1/table\(query)").status == 200)
        #expect(server.operations.facts.withLock { $0.filters.last } == filter)
      }
    }
  }

  @Test("an error in the middle of a table cuts the connection, so that nobody takes a part for the whole")
  func brokenPage() async throws {
    var limits = ControlLimits.patient
    limits.pageSessions = 1000
    let operations = StandIn()
    operations.facts.withLock {
      $0.bindings = Examples.table(sessions: 5000)
      $0.failingPage = 3
    }
    try await TestServer.run(limits: limits, operations: operations) { server in
      let error = await #expect(throws: ControlError.self) {
        _ = try await server.client.answer(.get, "/v1/table")
      }
      #expect(error?.reason == "cut-off")
      #expect(server.log.all.contains { $0.contains("the page is broken") })
      let status = try await server.client.status()
      #expect(status == Examples.status)
    }
  }

  @Test("SH2 sessions are counted once, also where a binding goes on over the edge of a page")
  func counts() async throws {
    let operations = StandIn()
    operations.facts.withLock {
      $0.bindings = Examples.table(sessions: 65_600)
      // One less before the edge, which then lies inside a binding.
      $0.bindings[0].sessions = []
      $0.bindings[0].kind = .static
    }
    let counts = try await operations.sessionCounts()
    #expect(counts == [SessionCount(transport: .tcp, state: .established, count: 65_598)])
  }
}
