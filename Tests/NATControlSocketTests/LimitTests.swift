import Foundation
import Glibc
import NATControl
import NATControlSocket
import Synchronization
import Testing

/// What clients can do to the server: nothing that others notice.
@Suite struct LimitTests {
  /// Little time for a request.
  private static let brief: ControlLimits = {
    var limits = ControlLimits.patient
    limits.requestTime = .milliseconds(300)
    limits.lingerTime = .milliseconds(300)
    return limits
  }()

  /// Little time for a reader that stopped.
  private static let impatient: ControlLimits = {
    var limits = ControlLimits.patient
    limits.stallTime = .milliseconds(300)
    return limits
  }()

  /// Another client is served within a time that a hanging server would exceed.
  private func expectService(_ server: TestServer) async throws {
    // Where little time is allowed for a request, this client too may be too slow for it.
    var status: StatusDocument?
    for _ in 0..<20 where status == nil { status = try? await server.client.status() }
    #expect(status == Examples.status)
  }

  private func reason(_ answer: String) -> String? {
    let body = PlainSocket.parts(answer).body
    return try? JSONDecoder().decode(ControlError.self, from: Data(body.utf8)).reason
  }

  @Test("SH9 a body of 10 MB is refused, whether its length is told or not, and the server goes on")
  func largeBody() async throws {
    try await TestServer.run { server in
      let body = [UInt8](repeating: UInt8(ascii: "x"), count: 10_000_000)
      let told = try await server.connect()
      await told.send("POST /v1/static HTTP/1.1\r\nhost: portico\r\ncontent-length: \(body.count)\r\n\r\n")
      await told.send(body)
      let answer = await told.receiveAll()
      #expect(PlainSocket.parts(answer).status == 413)
      #expect(reason(answer) == "body-too-large")

      let chunked = try await server.connect()
      await chunked.send("POST /v1/static HTTP/1.1\r\nhost: portico\r\ntransfer-encoding: chunked\r\n\r\n")
      for _ in 0..<100 {
        await chunked.send("186a0\r\n")
        await chunked.send(body.prefix(100_000))
        await chunked.send("\r\n")
      }
      #expect(PlainSocket.parts(await chunked.receiveAll()).status == 413)
      try await expectService(server)
      #expect(server.operations.facts.withLock { $0.asked } == ["status"])
    }
  }

  @Test("SH9 garbage is refused as no HTTP")
  func garbage() async throws {
    try await TestServer.run { server in
      for bytes in [
        "\u{16}\u{3}\u{1}hello\r\n\r\n", "GET\r\n\r\n", "{\"json\":1}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
      ] {
        let connection = try await server.connect()
        await connection.send(bytes)
        let answer = await connection.receiveAll()
        #expect(PlainSocket.parts(answer).status == 400)
        #expect(reason(answer) == "bad-request")
      }
      try await expectService(server)
    }
  }

  @Test("SH9 header fields that are too many or too large are refused")
  func headers() async throws {
    try await TestServer.run { server in
      for fields in [
        "x: \(String(repeating: "y", count: 20_000))\r\n",
        (0..<100).map { "x\($0): y\r\n" }.joined(),
        (0..<60).map { "x\($0): \(String(repeating: "y", count: 500))\r\n" }.joined(),
      ] {
        let connection = try await server.connect()
        await connection.send("GET /v1/status HTTP/1.1\r\nhost: portico\r\n\(fields)\r\n")
        let answer = await connection.receiveAll()
        #expect(PlainSocket.parts(answer).status == 431)
        #expect(reason(answer) == "headers-too-large")
      }
      let target = await server.ask("GET /v1/table?private=\(String(repeating: "1", count: 5000))")
      #expect(target.status == 414)
      try await expectService(server)
    }
  }

  @Test("SH9 a client that sends half a request, or nothing, is told so and closed")
  func slow() async throws {
    try await TestServer.run(limits: LimitTests.brief) { server in
      for half in [
        "", "GET /v1/sta",
        "POST /v1/static HTTP/1.1\r\nhost: portico\r\ncontent-length: 80\r\n\r\n{\"protocol\"",
      ] {
        let connection = try await server.connect()
        await connection.send(half)
        try await expectService(server)
        let answer = await connection.receiveAll()
        #expect(PlainSocket.parts(answer).status == 408)
        #expect(reason(answer) == "request-too-slow")
      }
    }
  }

  @Test("SH9 a client that sends a byte now and then does not hold a connection for longer")
  func dribble() async throws {
    try await TestServer.run(limits: LimitTests.brief) { server in
      let connection = try await server.connect()
      let clock = ContinuousClock()
      let began = clock.now
      for byte in Array(
        "GET /v1/status HTTP/1.1\r\nhost: portico\r\nx: \(String(repeating: "y", count: 200))".utf8)
      {
        guard await connection.send([byte]), began.duration(to: clock.now) < .seconds(10) else { break }
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(PlainSocket.parts(await connection.receiveAll()).status == 408)
      #expect(began.duration(to: clock.now) < .seconds(10))
    }
  }

  @Test("SH9 a client that stops reading a long table is cut off, and the server holds one page for it")
  func stalledReader() async throws {
    var limits = LimitTests.impatient
    limits.pageSessions = 2000
    let operations = StandIn()
    operations.facts.withLock { $0.bindings = Examples.table(sessions: 40_000) }
    try await TestServer.run(limits: limits, operations: operations) { server in
      let connection = try await server.connect()
      await connection.send("GET /v1/table HTTP/1.1\r\nhost: portico\r\n\r\n")
      #expect(await !connection.receive().isEmpty)
      try await Task.sleep(for: .seconds(1))
      // What fits between the two ends came from few pages; the others were never asked for.
      let pages = operations.facts.withLock { $0.pages }
      #expect((1...8).contains(pages))
      try await expectService(server)
      let rest = await connection.receiveAll()
      #expect(!rest.hasSuffix("0\r\n\r\n"), "the answer has no end")
      #expect(operations.facts.withLock { $0.pages } == pages)
    }
  }

  @Test("SH9 a subscriber that stops reading its events is cut off")
  func stalledSubscriber() async throws {
    try await TestServer.run(limits: LimitTests.impatient) { server in
      let connection = try await server.connect()
      await connection.send("GET /v1/events HTTP/1.1\r\nhost: portico\r\n\r\n")
      #expect(await connection.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
      for _ in 0..<2000 where server.operations.facts.withLock({ $0.ended }) == 0 {
        for _ in 0..<50 { server.operations.happen(Examples.event) }
        try await Task.sleep(for: .milliseconds(2))
      }
      #expect(server.operations.facts.withLock { $0.ended } == 1)
      try await expectService(server)
    }
  }

  @Test("SH9 a subscriber that goes away ends its subscription, also where nothing happens")
  func goneSubscriber() async throws {
    try await TestServer.run { server in
      do {
        let connection = try await server.connect()
        await connection.send("GET /v1/events HTTP/1.1\r\nhost: portico\r\n\r\n")
        _ = await connection.receive(until: "\r\n\r\n")
      }
      for _ in 0..<3000 where server.operations.facts.withLock({ $0.ended }) == 0 {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(server.operations.facts.withLock { $0.ended } == 1)
    }
  }

  @Test("SH9 of 1,000 connections 64 stay, the others are told so; when they close, others are served")
  func manyConnections() async throws {
    try await TestServer.run { server in
      var open: [PlainSocket] = []
      var turnedAway = 0
      for _ in 0..<1000 {
        let connection = try await server.connect()
        // Those that are welcome hear nothing yet; the first 64 are kept without asking.
        if open.count < 64 {
          open.append(connection)
        } else {
          let answer = await connection.receiveAll()
          if PlainSocket.parts(answer).status == 503 { turnedAway += 1 }
          #expect(reason(answer) == "too-many-connections")
        }
      }
      #expect(turnedAway == 936)
      // Each of the 64 is still served.
      #expect(await open[63].ask("GET /v1/status").status == 200)
      open = []
      for _ in 0..<3000 {
        if (try? await server.client.status()) != nil { break }
        try await Task.sleep(for: .milliseconds(10))
      }
      try await expectService(server)
    }
  }

  @Test("SH9 only so many clients follow the events; the others are told so, and other requests are served")
  func manyFollowers() async throws {
    try await TestServer.run { server in
      var followers: [PlainSocket] = []
      for _ in 0..<16 {
        let connection = try await server.connect()
        await connection.send("GET /v1/events HTTP/1.1\r\nhost: portico\r\n\r\n")
        #expect(await connection.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
        followers.append(connection)
      }
      let refused = await server.ask("GET /v1/events")
      #expect(refused.status == 503)
      #expect(refused.body.contains("too-many-event-readers"))
      try await expectService(server)
      followers.removeLast()
      var answer = ""
      for _ in 0..<1000 where !answer.hasPrefix("HTTP/1.1 200") {
        let connection = try await server.connect()
        await connection.send("GET /v1/events HTTP/1.1\r\nhost: portico\r\n\r\n")
        answer = await connection.receive(until: "\r\n\r\n")
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(answer.hasPrefix("HTTP/1.1 200"))
    }
  }

  @Test("SH9 only so many tables are read at a time")
  func manyTables() async throws {
    var limits = ControlLimits.patient
    limits.tables = 2
    limits.pageSessions = 10_000
    let operations = StandIn()
    operations.facts.withLock { $0.bindings = Examples.table(sessions: 20_000) }
    try await TestServer.run(limits: limits, operations: operations) { server in
      let stalled = [try await server.connect(), try await server.connect()]
      for connection in stalled {
        await connection.send("GET /v1/table HTTP/1.1\r\nhost: portico\r\nconnection: close\r\n\r\n")
        #expect(await !connection.receive().isEmpty)
      }
      let refused = await server.ask("GET /v1/table")
      #expect(refused.status == 503)
      #expect(refused.body.contains("too-many-tables"))
      try await expectService(server)
      for connection in stalled { #expect(await connection.receiveAll().hasSuffix("0\r\n\r\n")) }
      for _ in 0..<3000 where await server.ask("GET /v1/table?limit=1").status != 200 {
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(await server.ask("GET /v1/table?limit=1").status == 200)
    }
  }

  @Test("requests that come one behind the other on one connection are answered in their order")
  func pipelining() async throws {
    try await TestServer.run { server in
      let connection = try await server.connect()
      await connection.send(
        "GET /v1/status HTTP/1.1\r\nhost: portico\r\n\r\nGET /v1/none HTTP/1.1\r\nhost: portico\r\n\r\n"
          + "GET /v1/config HTTP/1.1\r\nhost: portico\r\nconnection: close\r\n\r\n")
      let answers = await connection.receiveAll().components(separatedBy: "HTTP/1.1 ").map { $0.prefix(3) }
      #expect(answers == ["", "200", "404", "200"])
    }
  }

  @Test("thousands of requests that come at once are answered, each of them")
  func manyPipelined() async throws {
    try await TestServer.run { server in
      let connection = try await server.connect()
      async let answers = connection.receiveAll()
      for _ in 0..<40 {
        await connection.send(
          String(repeating: "GET /v1/none HTTP/1.1\r\nhost: portico\r\n\r\n", count: 100))
      }
      await connection.send("GET /v1/status HTTP/1.1\r\nhost: portico\r\nconnection: close\r\n\r\n")
      let codes = await answers.components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0.prefix(3) }
      #expect(codes.count == 4001 && codes.last == "200" && codes.dropLast().allSatisfy { $0 == "404" })
    }
  }

  @Test("a client that closes its sending half behind its request still gets the answer")
  func halfClose() async throws {
    try await TestServer.run { server in
      let connection = try await server.connect()
      await connection.send("GET /v1/status HTTP/1.1\r\nhost: portico\r\n\r\n")
      #expect(shutdown(connection.descriptor, Int32(SHUT_WR)) == 0)
      #expect(PlainSocket.parts(await connection.receiveAll()).status == 200)
    }
  }

  @Test("a client that waits to be told to go on is told, and one of HTTP/1.0 gets no chunks")
  func otherClients() async throws {
    try await TestServer.run { server in
      let body = #"{"protocol":"tcp","public":"203.0.113.5:8080","private":"192.168.1.10:80"}"#
      let waiting = try await server.connect()
      await waiting.send(
        "POST /v1/static HTTP/1.1\r\nhost: portico\r\nconnection: close\r\nexpect: 100-continue\r\n"
          + "content-length: \(body.utf8.count)\r\n\r\n")
      #expect(await waiting.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100"))
      await waiting.send(body)
      #expect(PlainSocket.parts(await waiting.receiveAll()).status == 201)

      let old = try await server.connect()
      await old.send("GET /v1/table HTTP/1.0\r\n\r\n")
      let answer = await old.receiveAll()
      #expect(answer.hasPrefix("HTTP/1.0 200"))
      #expect(answer.hasSuffix("\r\n\r\n" + TableDocument(bindings: [Examples.binding]).json))
    }
  }
}
