import NATControl
import NATControlSocket
import Synchronization
import Testing

/// Every answer, read back by the client as what the gateway gave.
@Suite struct ShapeTests {
  @Test("status, stats, table, hosts, statics and configuration arrive as the gateway has them")
  func queries() async throws {
    try await TestServer.run { server in
      let client = server.client
      let status = try await client.status()
      #expect(status == Examples.status)
      let stats = try await client.stats()
      #expect(stats == Examples.sortedStats)
      let table = try await client.table(TableFilter(), after: nil, limit: 10)
      #expect(table == TableDocument(bindings: [Examples.binding]))
      let hosts = try await client.hosts(limit: 5)
      #expect(hosts == Examples.hosts)
      let statics = try await client.statics()
      #expect(statics == StaticsDocument(statics: [Examples.mapping]))
      let configuration = try await client.configuration()
      #expect(configuration == Examples.configuration)
      let explanation = try await client.explain(Examples.question)
      #expect(explanation == Examples.explanation)
    }
  }

  @Test("SH4 the answers to changes arrive as the gateway has them, with what ended")
  func changes() async throws {
    try await TestServer.run { server in
      let client = server.client
      var filter = TableFilter()
      filter.privateEndpoint = EndpointPattern("192.168.1.2:1234")
      filter.publicEndpoint = EndpointPattern("203.0.113.5")
      filter.remote = EndpointPattern("142.250.195.0/24")
      filter.transport = .tcp
      filter.state = .established
      filter.kind = .dynamic
      let ended = try await client.end(filter)
      #expect(ended == Examples.ended)
      #expect(server.operations.facts.withLock { $0.filters } == [filter])
      let added = try await client.addStatic(Examples.mapping)
      #expect(added == StaticChangeDocument(mapping: Examples.mapping, ended: EndedDocument()))
      let removed = try await client.removeStatic(protocol: "tcp", public: "203.0.113.5:8080")
      #expect(removed == StaticChangeDocument(mapping: Examples.mapping, ended: Examples.endedMapping))
      let reload = try await client.reload()
      #expect(reload == Examples.reload)
      #expect(
        server.operations.facts.withLock { $0.asked } == [
          "end", "add tcp 203.0.113.5:8080 192.168.1.10:80", "remove tcp 203.0.113.5:8080", "reload",
        ])
    }
  }

  @Test("SH5 without a filter everything ends only where all=true says so")
  func endAll() async throws {
    try await TestServer.run { server in
      let refused = await server.ask("DELETE /v1/table")
      #expect(refused.status == 400)
      #expect(refused.body.contains(#""reason":"no-filter""#))
      let ended = try await server.client.end(TableFilter())
      #expect(ended == Examples.ended)
      #expect(server.operations.facts.withLock { $0.filters } == [TableFilter()])
    }
  }

  @Test("events arrive one by one as they happen, and their reader's end ends the subscription")
  func events() async throws {
    try await TestServer.run { server in
      var arrived: [EventDocument] = []
      let events = try await server.client.events()
      for _ in 0..<6000 where server.operations.facts.withLock({ $0.subscribers.isEmpty }) {
        try await Task.sleep(for: .milliseconds(10))
      }
      // What happens before somebody listens would be waited for below without an end.
      try #require(server.operations.facts.withLock { !$0.subscribers.isEmpty })
      for number in 0..<3 {
        var event = Examples.event
        event.count = UInt64(number)
        server.operations.happen(event)
      }
      for await event in events {
        arrived.append(event)
        if arrived.count == 3 { break }
      }
      #expect(arrived.map(\.count) == [0, 1, 2])
    }
  }
}
