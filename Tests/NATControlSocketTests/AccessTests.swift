import Foundation
import Glibc
import Logging
import NATControl
import NATControlSocket
import Testing

/// Whose the socket is, and what becomes of its file.
@Suite struct AccessTests {
  private static func facts(_ path: String) -> stat? {
    var facts = stat()
    // Safety: the path is not kept.
    return unsafe lstat(path, &facts) == 0 ? facts : nil
  }

  /// Starts a server that is expected not to start.
  private func fault(path: String, metrics: (String, UInt16)? = nil) async -> ControlSocketFault? {
    let server = ControlServer(
      ControlServer.Settings(socketPath: path, mode: 0o600, group: "0", metrics: metrics),
      operations: StandIn(), logger: LogLines().logger)
    return await #expect(throws: ControlSocketFault.self) { try await server.run() }
  }

  @Test("the directory is made, the socket has the mode asked for, and it is gone at the end")
  func mode() async throws {
    let path = try await TestServer.run(mode: 0o640) { server in
      let facts = try #require(AccessTests.facts(server.socketPath))
      #expect(facts.st_mode & S_IFMT == S_IFSOCK)
      #expect(facts.st_mode & 0o777 == 0o640)
      return server.socketPath
    }
    #expect(AccessTests.facts(path) == nil)
  }

  @Test("the socket belongs to the group asked for, by name or by number", .enabled(if: getuid() == 0))
  func group() async throws {
    for (group, number) in [("daemon", gid_t(1)), ("4711", 4711)] {
      try await TestServer.run(group: group) { server in
        #expect(AccessTests.facts(server.socketPath)?.st_gid == number)
      }
    }
  }

  @Test("a group that is not there is a warning, and the socket keeps its own")
  func missingGroup() async throws {
    try await TestServer.run(group: "no-such-group") { server in
      #expect(AccessTests.facts(server.socketPath)?.st_gid == getegid())
      #expect(
        server.log.all.contains { $0.hasPrefix("warning") && $0.contains("groupadd --system no-such-group") })
      let status = try await server.client.status()
      #expect(status == Examples.status)
    }
  }

  @Test("the socket of a dead daemon is replaced, that of a living one is not")
  func stale() async throws {
    try await TestServer.run { server in
      let second = await fault(path: server.socketPath)
      #expect(second?.kind == .inUse)
      #expect(second?.description.contains("another daemon listens there") == true)
      let status = try await server.client.status()
      #expect(status == Examples.status)

      // What a daemon leaves that was killed: a bound socket whose process is gone.
      let dead = server.folder.appending(path: "dead.sock").path
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = [
        "perl", "-MSocket", "-e",
        "socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un(shift)) or die; listen(S, 1)", dead,
      ]
      try process.run()
      process.waitUntilExit()
      #expect(AccessTests.facts(dead) != nil)
      let replacing = try await serving(dead)
      replacing.cancel()
      await replacing.value
      #expect(AccessTests.facts(dead) == nil)
    }
  }

  @Test("a file that another put in the socket's place stays when the server stops")
  func takenOver() async throws {
    try await TestServer.run { server in
      let path = server.folder.appending(path: "other.sock").path
      let running = try await serving(path)
      try FileManager.default.removeItem(atPath: path)
      try Data("another".utf8).write(to: URL(fileURLWithPath: path))
      running.cancel()
      await running.value
      #expect(FileManager.default.contents(atPath: path) == Data("another".utf8))
    }
  }

  /// A server that answers there, until it is cancelled.
  private func serving(_ path: String) async throws -> Task<Void, Never> {
    let server = ControlServer(
      ControlServer.Settings(socketPath: path, mode: 0o600, group: "0"), operations: StandIn(),
      logger: LogLines().logger)
    let running = Task(executorPreference: ApartExecutor()) { _ = try? await server.run() }
    for _ in 0..<500 {
      if (try? await ControlClient(socketPath: path).status()) != nil { return running }
      try await Task.sleep(for: .milliseconds(10))
    }
    running.cancel()
    throw PlainSocket.Failure(description: "no server at \(path)")
  }

  @Test("a file that is no socket is not touched, and the error says so")
  func noSocket() async throws {
    try await TestServer.run { server in
      let path = server.folder.appending(path: "notes").path
      try Data("notes".utf8).write(to: URL(fileURLWithPath: path))
      let refused = await fault(path: path)
      #expect(refused?.description.contains("is no socket") == true)
      let kept = try String(contentsOfFile: path, encoding: .utf8)
      #expect(kept == "notes")
      let long = await fault(path: server.folder.appending(path: String(repeating: "x", count: 120)).path)
      #expect(long != nil)
    }
  }

  @Test("a changing request is logged with who made it, a query is not")
  func credentials() async throws {
    try await TestServer.run { server in
      #expect(await server.ask("DELETE /v1/table?protocol=tcp").status == 200)
      #expect(await server.ask("POST /v1/reload").status == 200)
      #expect(await server.ask("DELETE /v1/table").status == 400)
      #expect(await server.ask("GET /v1/table").status == 200)
      _ = try await server.client.explain(Examples.question)
      let who = "gid=\(getegid()) method=%@ pid=\(getpid()) status=%@ target=%@ uid=\(geteuid())"
      func line(_ method: String, _ status: String, _ target: String) -> String {
        "notice control request \(String(format: who, method, status, target))"
      }
      #expect(
        server.log.all.filter { $0.contains("control request") } == [
          line("DELETE", "200", "'/v1/table?protocol=tcp'"), line("POST", "200", "'/v1/reload'"),
          line("DELETE", "400", "'/v1/table'"),
        ])
    }
  }

  @Test("two clients are served at once")
  func twoClients() async throws {
    try await TestServer.run { server in
      let follower = try await server.connect()
      await follower.send("GET /v1/events HTTP/1.1\r\nhost: portico\r\n\r\n")
      _ = await follower.receive(until: "\r\n\r\n")
      for _ in 0..<20 {
        let stats = try await server.client.stats()
        #expect(stats == Examples.sortedStats)
      }
      server.operations.happen(Examples.event)
      #expect(await follower.receive(until: "session-ended").contains("session-ended"))
    }
  }
}
