import Foundation
import NATControl
import NATControlSocket
import Synchronization
import Testing

/// The `portico` command against a server.
@Suite struct CommandTests {
  @Test("table prints the documented table, and the filters reach the gateway")
  func table() async throws {
    try await TestServer.run { server in
      let plain = try await server.portico("table")
      #expect(plain.code == 0)
      #expect(
        plain.output == """
          PROTO  PRIVATE IP   PRIVATE PORT  PUBLIC IP    PUBLIC PORT  DESTINATION          STATE        IDLE  EXPIRES  OUT      IN
          tcp    192.168.1.2  1234          203.0.113.5  50001        142.250.195.100:443  established  0s    2h4m     7/1.0K   6/5.2K

          """)
      _ = try await server.portico(
        "table --protocol tcp --private 192.168.1.0/24 --public 203.0.113.5:50001 --remote 142.250.195.100 "
          + "--state established --kind dynamic")
      var filter = TableFilter()
      filter.transport = .tcp
      filter.privateEndpoint = EndpointPattern("192.168.1.0/24")
      filter.publicEndpoint = EndpointPattern("203.0.113.5:50001")
      filter.remote = EndpointPattern("142.250.195.100")
      filter.state = .established
      filter.kind = .dynamic
      #expect(server.operations.facts.withLock { $0.filters.last } == filter)
    }
  }

  @Test("reload finds the daemon by its configuration, and where that is bad says so and asks nothing")
  func reloadByConfiguration() async throws {
    try await TestServer.run { server in
      let file = server.folder.appending(path: "portico.yaml")
      let good = """
        interfaces:
          inside: { name: lan0, address: 192.168.1.1/24 }
          outside: { name: wan0, address: 203.0.113.5/24 }
        control: { socket: \(server.socketPath) }

        """
      try Data(good.utf8).write(to: file)
      let command = "'\(Command.portico)' reload --config portico.yaml"
      let answer = try await Command.shell(command, in: server.folder)
      #expect(answer.code == 0 && answer.output.contains("nat.hairpin"), "\(answer)")
      try Data((good + "nat: { hairpin: perhaps }\n").utf8).write(to: file)
      let bad = try await Command.shell(command, in: server.folder)
      #expect(bad.code == 78 && bad.errors.contains("portico.yaml:5:"), "\(bad)")
      #expect(server.operations.facts.withLock { $0.asked } == ["reload"])
      try Data(good.replacingOccurrences(of: ".sock", with: ".none").utf8).write(to: file)
      #expect(try await Command.shell(command, in: server.folder).code == 69)
    }
  }

  @Test("table as CSV has a line for each session, and as JSON what the socket has")
  func tableForPrograms() async throws {
    let operations = StandIn()
    operations.facts.withLock {
      var forward = Examples.binding
      forward.kind = .static
      forward.publicEndpoint.port = 8080
      forward.sessions = []
      $0.bindings.append(forward)
    }
    try await TestServer.run(operations: operations) { server in
      let csv = try await server.portico("table --csv")
      #expect(
        csv.output == """
          protocol,kind,private_address,private_port,public_address,public_port,age_seconds,remote_address,remote_port,state,idle_seconds,expires_in_seconds,packets_out,bytes_out,packets_in,bytes_in,hairpin
          tcp,dynamic,192.168.1.2,1234,203.0.113.5,50001,12.5,142.250.195.100,443,established,0.2,7439.8,7,1021,6,5210,false
          tcp,static,192.168.1.2,1234,203.0.113.5,8080,12.5,,,,,,,,,,

          """)
      let json = try await server.portico("table --json")
      #expect(json.output == TableDocument(bindings: operations.facts.withLock { $0.bindings }).json)
    }
  }

  @Test("table --limit prints one page, and on standard error how to go on")
  func tablePages() async throws {
    let operations = StandIn()
    operations.facts.withLock { $0.bindings = Examples.table(sessions: 10) }
    try await TestServer.run(operations: operations) { server in
      let first = try await server.portico("table --limit 4")
      #expect(first.output.split(separator: "\n").count == 5)
      #expect(first.errors == "portico: there is more: --limit 4 --cursor 4\n")
      let last = try await server.portico("table --limit 6 --cursor 4")
      #expect(last.output.split(separator: "\n").count == 7)
      #expect(last.errors == "")
    }
  }

  @Test("status, stats, static list, explain, end and reload print for people")
  func people() async throws {
    try await TestServer.run { server in
      let cases: [(String, [String])] = [
        (
          "status",
          [
            "portico 0.1.0, up 1h", "degraded: the outside interface wan0", "lan0", "down",
            "state of 2s ago: restored 201 sessions, 200 bindings, 3 resting ports, 4 expired, 1 not allowed\n",
          ]
        ),
        ("stats", ["up 1h, 2 bindings, 2 sessions", "noBinding", "0.0%"]),
        ("hosts", ["192.168.1.2  1         1        0       7/1.0K  6/5.2K"]),
        ("static list", ["tcp    203.0.113.5:8080  192.168.1.10:80"]),
        (
          "explain --from inside tcp 192.168.1.2:1234 142.250.195.100:443",
          ["1.  binding", "verdict: forward (outside)", "ipv4", "192.168.1.2", "203.0.113.5"]
        ),
        ("end --private 192.168.1.2", ["ended 1 session and 1 binding", "operator"]),
        ("end --all", ["ended 1 session"]),
        (
          "static add tcp 203.0.113.5:8080 192.168.1.10:80", ["added tcp 203.0.113.5:8080 to 192.168.1.10:80"]
        ),
        (
          "static add tcp 203.0.113.5:2222 192.168.1.10:22 --inbound --remote 198.51.100.7 --once --lifetime 10m",
          [
            "added tcp 203.0.113.5:2222 to 192.168.1.10:22 (inbound, remote 198.51.100.7, once, for 10m)"
          ]
        ),
        ("static remove tcp 203.0.113.5:8080", ["removed tcp 203.0.113.5:8080", "ended 1 session"]),
        ("reload", ["nat.hairpin", "true", "false", "ended 0 sessions"]),
        (
          "top --count 1",
          ["portico 0.1.0", "degraded: the outside interface", "inside", "192.168.1.2", "noBinding"]
        ),
      ]
      for (arguments, texts) in cases {
        let result = try await server.portico(arguments)
        #expect(result.code == 0, "\(arguments): \(result.errors)")
        #expect(!result.output.contains("\u{1B}"), "no colours where there is no terminal")
        for text in texts { #expect(result.output.contains(text), "\(arguments): \(result.output)") }
      }
    }
  }

  @Test("--json gives the documents of the socket")
  func programs() async throws {
    try await TestServer.run { server in
      func document<Document: Decodable>(_ arguments: String, as type: Document.Type) async throws -> Document
      {
        let result = try await server.portico("\(arguments) --json")
        return try JSONDecoder().decode(type, from: Data(result.output.utf8))
      }
      let status = try await document("status", as: StatusDocument.self)
      #expect(status == Examples.status)
      let stats = try await document("stats", as: StatsDocument.self)
      #expect(stats == Examples.sortedStats)
      let statics = try await document("static list", as: StaticsDocument.self)
      #expect(statics == StaticsDocument(statics: [Examples.mapping]))
      let explanation = try await document(
        "explain --from inside tcp 192.168.1.2:1234 142.250.195.100:443", as: ExplainDocument.self)
      #expect(explanation == Examples.explanation)
      let ended = try await document("end --all", as: EndedDocument.self)
      #expect(ended == Examples.ended)
      let reload = try await document("reload", as: ReloadDocument.self)
      #expect(reload == Examples.reload)
      let top = try await document("top --count 1", as: TopDocument.self)
      #expect(top.hosts.total == 1)
    }
  }

  @Test("events follows, line by line, until the daemon ends")
  func events() async throws {
    try await TestServer.run { server in
      let happening = Task {
        while !Task.isCancelled {
          server.operations.happen(Examples.event)
          try await Task.sleep(for: .milliseconds(20))
        }
      }
      defer { happening.cancel() }
      let text = try await Command.shell(
        "'\(Command.portico)' events --socket '\(server.socketPath)' | head -n 2", in: server.folder)
      let line =
        "2026-10-14T17:46:40.000Z session-ended tcp 192.168.1.2:1234 as 203.0.113.5:50001 to 142.250.195.100:443 (expired)\n"
      #expect(text.output == line + line)
      let json = try await Command.shell(
        "'\(Command.portico)' events --json --socket '\(server.socketPath)' | head -n 1", in: server.folder)
      let event = try JSONDecoder().decode(EventDocument.self, from: Data(json.output.utf8))
      #expect(event == Examples.event)
    }
  }

  @Test("events ends with 69 and says so when the daemon ends")
  func endOfEvents() async throws {
    let operations = StandIn()
    let following = try await TestServer.run(operations: operations) { server in
      // The folder goes with the server; the command stays in it for a moment longer.
      let command = Task {
        try await Command.shell(
          "'\(Command.portico)' events --socket '\(server.socketPath)'",
          in: FileManager.default.temporaryDirectory)
      }
      for _ in 0..<3000 where operations.facts.withLock({ $0.subscribers }).isEmpty {
        try await Task.sleep(for: .milliseconds(10))
      }
      return command
    }
    let result = try await following.value
    #expect(result.code == 69)
    #expect(result.errors.hasSuffix(": the daemon has ended\n"), "\(result.errors)")
  }

  @Test("without a daemon a command says so and ends with 69")
  func noDaemon() async throws {
    try await TestServer.run { server in
      for arguments in [
        "status", "table", "table --json", "stats", "events", "top", "end --all", "static list", "reload",
      ] {
        let result = try await Command.shell(
          "'\(Command.portico)' \(arguments) --socket '\(server.folder.path)/none.sock'", in: server.folder)
        #expect(result.code == 69)
        #expect(result.output == "")
        #expect(result.errors.contains("no daemon listens there; start porticod"))
      }
    }
  }

  @Test("what the daemon refuses is printed and ends the command with 1")
  func refused() async throws {
    let operations = StandIn()
    operations.facts.withLock {
      $0.error = ControlError(status: 409, reason: "conflict", "the port is taken; another would be right")
    }
    try await TestServer.run(operations: operations) { server in
      for arguments in [
        "table", "table --json", "static add tcp 203.0.113.5:1 192.168.1.10:80", "reload", "events",
      ] {
        let result = try await server.portico(arguments)
        #expect(result.code == 1)
        #expect(result.errors == "portico: the port is taken; another would be right\n")
      }
    }
  }

  @Test("arguments that are wrong end the command with 64 before anything is asked")
  func usage() async throws {
    try await TestServer.run { server in
      for (arguments, text) in [
        ("table --protocol gre", "'gre'; expected icmp, tcp, udp"), ("table --limit 0", "1 to 65536"),
        ("table --json --csv", "contradict"), ("end", "give a filter, or --all"),
        ("end --all --protocol tcp", "contradict"),
        ("explain --from left tcp 1.2.3.4:1 2.3.4.5:2", "inside or outside"),
        ("explain --from inside gre 1.2.3.4:1 2.3.4.5:2", "tcp, udp or icmp"),
        ("explain --from inside tcp 1.2.3.4 2.3.4.5:2", "like 192.168.1.2:1234"),
        ("top --interval 0", "0.1 to 3600"),
      ] {
        let result = try await server.portico(arguments)
        #expect(result.code == 64)
        #expect(result.errors.contains(text), "\(result.errors)")
      }
      #expect(server.operations.facts.withLock { $0.asked } == [])
    }
  }

  @Test("on a terminal there are colours, unless NO_COLOR is set")
  func colours() async throws {
    try await TestServer.run { server in
      let command = "script -qec \"'\(Command.portico)' status --socket '\(server.socketPath)'\" /dev/null"
      let coloured = try await Command.shell(
        command, in: server.folder, environment: ["TERM": "xterm", "NO_COLOR": ""])
      #expect(coloured.output.contains("\u{1B}[31mdegraded\u{1B}[0m"))
      let plain = try await Command.shell(
        command, in: server.folder, environment: ["TERM": "xterm", "NO_COLOR": "1"])
      #expect(plain.output.contains("degraded"))
      #expect(!plain.output.contains("\u{1B}"))
    }
  }

  @Test("top draws in place, and q or an interrupt gives the terminal back", arguments: ["q", "\\003"])
  func top(key: String) async throws {
    try await TestServer.run { server in
      let command = "'\(Command.portico)' top --interval 0.2 --socket '\(server.socketPath)'"
      // The key comes when three pictures are there, and the keyboard stays until the terminal is given back.
      // `exec`: the interrupt is for the program, and some shells would end by it too.
      let result = try await Command.shell(
        """
        until_seen() {
          for i in $(seq 500); do
            [ "$(grep -ao "$1" screen | wc -l)" -lt "$2" ] || return
            sleep 0.1
          done
        }
        touch screen
        (until_seen 'portico 0.1.0' 3; printf '\(key)'; until_seen '1049l' 1) \
          | script -qefc "stty rows 30 cols 80; exec \(command)" screen
        """,
        in: server.folder, environment: ["TERM": "xterm", "NO_COLOR": "1"])
      #expect(result.code == 0)
      #expect(result.output.contains("\u{1B}[?1049h\u{1B}[?25l"))
      #expect(result.output.hasSuffix("\u{1B}[?25h\u{1B}[?1049l"))
      #expect(result.output.components(separatedBy: "portico 0.1.0").count > 2)
      for line in result.output.components(separatedBy: "\u{1B}[K") {
        #expect(line.split { $0 == "\r\n" || $0 == "\n" }.allSatisfy { $0.count <= 90 })
      }
    }
  }

  @Test("completion scripts come for every shell", arguments: ["bash", "zsh", "fish"])
  func completion(shell: String) async throws {
    try await TestServer.run { server in
      let script = try await Command.shell(
        "'\(Command.portico)' --generate-completion-script \(shell)", in: server.folder)
      #expect(script.code == 0)
      #expect(script.output.contains("explain"))
    }
  }
}
