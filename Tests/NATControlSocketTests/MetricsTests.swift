import Foundation
import NATControl
import NATControlSocket
import Testing

/// The metrics, on the socket and on their port.
@Suite struct MetricsTests {
  @Test("the metrics pass promtool's check and hold every figure that there is")
  func promtool() async throws {
    try await TestServer.run { server in
      _ = await server.ask("GET /v1/status")
      _ = await server.ask("GET /nothing")
      let text = String(decoding: try await server.client.answer(.get, "/metrics"), as: UTF8.self)
      for line in [
        #"portico_build_info{version="0.1.0"} 1"#, "portico_uptime_seconds 3600", "portico_degraded 1",
        #"portico_received_packets_total{side="inside"} 10"#,
        #"portico_sent_bytes_total{side="outside"} 800"#,
        #"portico_capture_dropped_packets_total{side="inside"} 0"#,
        #"portico_interface_up{side="outside"} 0"#, #"portico_dropped_packets_total{reason="noBinding"} 1"#,
        #"portico_dropped_packets_total{reason="filtered"} 0"#, "portico_bindings 2",
        #"portico_sessions{protocol="tcp",state="established"} 1"#,
        #"portico_sessions{protocol="udp",state="active"} 0"#, "portico_sessions_created_total 2",
        #"portico_pool_ports{address="203.0.113.5",protocol="udp"} 64512"#,
        #"portico_pool_ports_in_use{address="203.0.113.5",protocol="udp"} 2"#,
        #"portico_worker_busy_seconds_total{worker="0"} 1.5"#,
        #"portico_worker_longest_round_seconds{worker="0"} 0.00021"#,
        #"portico_control_requests_total{route="GET /v1/status",status="2xx"} 1"#,
        #"portico_control_requests_total{route="other",status="4xx"} 1"#,
      ] {
        #expect(text.contains(line + "\n"), "\(line)")
      }
      let complaints = try await check(text, in: server.folder)
      #expect(complaints == "")
    }
  }

  @Test("promtool sees what is wrong with metrics, so that its silence says something")
  func promtoolComplains() async throws {
    try await TestServer.run { server in
      let complaints = try await check("# TYPE a counter\na 1\n", in: server.folder)
      #expect(complaints != "")
    }
  }

  @Test("the port of the metrics serves them, and nothing else")
  func port() async throws {
    try await TestServer.run(withMetrics: true) { server in
      let port = try #require(server.metricsPort)
      let metrics = await server.askMetrics("GET /metrics")
      #expect(metrics.status == 200)
      #expect(metrics.body.contains("portico_uptime_seconds 3600\n"))
      for request in [
        "GET /v1/status", "GET /v1/table", "DELETE /v1/table?all=true", "POST /v1/reload", "GET /",
      ] {
        #expect(await server.askMetrics(request).status == 404)
      }
      #expect(await server.askMetrics("POST /metrics").status == 405)
      let large = try await PlainSocket.connect(port: port)
      await large.send("POST /metrics HTTP/1.1\r\nhost: portico\r\ncontent-length: 10000000\r\n\r\n")
      #expect(PlainSocket.parts(await large.receiveAll()).status == 413)
    }
  }

  @Test("a port that is taken is an error that names it, and the control socket does not stay behind")
  func takenPort() async throws {
    try await TestServer.run(withMetrics: true) { server in
      let port = try #require(server.metricsPort)
      let path = server.folder.appending(path: "second.sock").path
      let second = ControlServer(
        ControlServer.Settings(
          socketPath: path, mode: 0o600, group: "0", metrics: ("127.0.0.1", UInt16(port))),
        operations: StandIn(), logger: LogLines().logger)
      let fault = await #expect(throws: ControlSocketFault.self) { try await second.run() }
      #expect(fault?.kind == .inUse)
      #expect(fault?.description.contains("127.0.0.1:\(port)") == true)
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }

  /// What `promtool check metrics` says; nothing where all is well.
  private func check(_ text: String, in folder: URL) async throws -> String {
    let input = folder.appending(path: "metrics-\(UUID().uuidString)")
    try Data(text.utf8).write(to: input)
    let verdict = try await Command.shell("promtool check metrics <'\(input.path)' 2>&1", in: folder)
    return verdict.code == 0 ? verdict.output : verdict.output + "exit \(verdict.code)"
  }
}
