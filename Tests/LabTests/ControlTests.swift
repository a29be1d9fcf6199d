import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import Testing

extension Lab {
  /// The control socket of a running daemon.
  @Suite struct ControlTests {
    @Test("portico events shows what comes and goes, with reasons: by lifetime, by the operator, by a reload")
    func events() async throws {
      let street = try Street()
      try street.configure(
        """
        nat:
          lifetimes: { ports: { udp/7: 1s } }
          pool: [{ address: 203.0.113.5, ports: 5000-5003 }]
          parity: false
        """)
      let daemon = try street.startDaemon()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let portico = try Lab.program("portico")
      let lines = street.folder.appending(path: "events.json")
      let text = street.folder.appending(path: "events.txt")
      let listeners = try [(lines, "--json"), (text, "")].map { file, option in
        Listener(
          try street.client.start([
            "/bin/sh", "-c",
            "exec timeout 30 \(portico) events \(option) --socket \(street.controlSocket) >\(file.path)",
          ]))
      }
      func heard() -> [EventDocument] {
        let whole = (try? String(contentsOf: lines, encoding: .utf8)) ?? ""
        return whole.split(separator: "\n").compactMap {
          try? JSONDecoder().decode(EventDocument.self, from: Data($0.utf8))
        }
      }
      // Both listen as soon as they hear of a reload.
      #expect(
        try await eventually {
          _ = try await street.control.reload()
          let people = (try? String(contentsOf: text, encoding: .utf8)) ?? ""
          return people.contains(" reload\n") && heard().contains { $0.kind == .reload }
        })

      let socket = try street.client.enter { try UDPEnd(port: 5000) }
      let sent = UInt64(Date().timeIntervalSince1970 * 1e9)
      try socket.send([1], [203, 0, 113, 9], 9)
      _ = try server.socket.receiveDatagram()
      try socket.send([1], [203, 0, 113, 9], 7)
      func seen(_ kind: EventDocument.Kind, _ remote: UInt16? = nil, _ reason: String? = nil) -> Bool {
        eventually {
          heard().contains {
            $0.kind == kind && (remote == nil || $0.remote?.port == remote)
              && (reason == nil || $0.reason == reason)
          }
        }
      }
      #expect(seen(.bindingCreated))
      #expect(seen(.sessionCreated, 9))
      #expect(seen(.sessionEnded, 7, "expired"))
      #expect(try street.portico("end --remote 203.0.113.9:9").code == 0)
      #expect(seen(.sessionEnded, 9, "operator"))
      #expect(seen(.bindingEnded))
      let created = try #require(heard().first { $0.kind == .sessionCreated && $0.remote?.port == 9 })
      #expect(created.transport == .udp && created.privateEndpoint?.text == "192.168.1.2:5000")
      #expect(created.publicEndpoint?.text == "203.0.113.5:5000" && created.remote?.text == "203.0.113.9:9")
      let late = Int64(bitPattern: created.unixNanoseconds &- sent)
      #expect(abs(late) < 20_000_000_000)
      // A pool without a port.
      let crowd = try street.client.enter { try (0..<12).map { _ in try UDPEnd() } }
      for other in crowd { try other.send([1], [203, 0, 113, 9], 9) }
      #expect(seen(.exhaustion))
      let people = try String(contentsOf: text, encoding: .utf8)
      #expect(
        people.contains("session-ended udp 192.168.1.2:5000 as 203.0.113.5:5000 to 203.0.113.9:9 (operator)"))
      for listener in listeners { listener.process.signal(SIGTERM) }
      // One more, which hears that the daemon ends.
      let heardLast = street.folder.appending(path: "last")
      let last = try street.client.start([
        "/bin/sh", "-c",
        "exec timeout 60 \(portico) events --socket \(street.controlSocket) >\(heardLast.path)",
      ])
      // Something happens until it has heard of it.
      let listens = try eventually {
        let other = try street.client.enter { try UDPEnd() }
        try other.send([1], [203, 0, 113, 9], 9)
        // It is there when the shell has begun.
        return (try? Data(contentsOf: heardLast))?.isEmpty == false
      }
      #expect(listens)
      daemon.expectEnd()
      #expect(last.readToEnd().contains("the daemon "))
      #expect(last.wait() == 69)
    }

    /// A program in an array.
    private final class Listener {
      let process: ChildProcess
      init(_ process: consuming ChildProcess) { self.process = process }
    }

    @Test(
      "SH9 a reader that stops, half a request, garbage and 1,000 connections: a download runs on, others are served"
    )
    func hostile() async throws {
      let street = try Street()
      try street.configure(
        "nat: { limits: { sessions: 131072, per-host: { ports: 16384, sessions: 131072 } } }")
      let web = try street.server.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      #expect(try street.ping("203.0.113.9", count: 1))
      let fill = try Churn(street.client, port: 5001, rate: 15_000)
      let start = ContinuousClock.now
      var sessions = 0
      while sessions < 20_000, ContinuousClock.now - start < .seconds(60) {
        sessions = try await street.control.stats().sessions
      }
      _ = fill.stop()
      #expect(sessions >= 20_000)

      let download = try street.startDownload(24)
      let began = ContinuousClock.now
      // A table of megabytes that nobody takes.
      var clients = try (0..<4).map { _ in try RawClient(street.controlSocket) }
      for client in clients { client.send("GET /v1/table HTTP/1.1\r\nhost: portico\r\n\r\n") }
      clients.append(try RawClient(street.controlSocket))
      clients.last?.send("GET /v1/st")
      clients.append(try RawClient(street.controlSocket))
      clients.last?.send(String(decoding: Download.block[..<65536], as: Unicode.ASCII.self))
      clients.append(try RawClient(street.controlSocket))
      clients.last?.send("POST /v1/static HTTP/1.1\r\nhost: portico\r\ncontent-length: 100000000\r\n\r\n")
      #expect(try await street.control.status().degraded.isEmpty)
      #expect(try street.portico("stats").code == 0)

      var crowd: [RawClient] = []
      for _ in 0..<1000 {
        // Where the queue is full, the daemon gets time to look at it.
        for _ in 0..<50 {
          guard let client = try? RawClient(street.controlSocket) else {
            usleep(1000)
            continue
          }
          crowd.append(client)
          break
        }
      }
      print("hostile: \(sessions) sessions, \(crowd.count) connections")
      // Those that are too many are told so and closed, and with the crowd gone others are served.
      #expect(try street.ping("203.0.113.9"))
      crowd.removeAll()
      #expect(try eventually { try street.portico("status").code == 0 })
      #expect(try await street.control.stats().sessions >= 20_000)
      #expect(ContinuousClock.now - began < .seconds(60))
      try street.expectWhole(download, 24)
      #expect(try street.ping("203.0.113.9"))
      clients.removeAll()
      withExtendedLifetime(web) {}
      daemon.expectEnd()
    }

    @Test("every answer of the daemon is what the client's types say, and changes do what they answer")
    func shapes() async throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      let control = street.control
      let socket = try street.client.enter { try UDPEnd(port: 1234) }
      try socket.send([1], [203, 0, 113, 9], 9)
      #expect(try await eventually { try await control.stats().sessions == 1 })
      let status = try await control.status()
      #expect(status.version == "0.1.0" && status.degraded.isEmpty && status.workers.map(\.number) == [0])
      #expect(status.interfaces.inside.name == "lan0" && status.interfaces.inside.address == "192.168.1.1/24")
      #expect(status.interfaces.outside.link == "up" && status.interfaces.outside.mtu == 1500)
      let mac = try street.gatewayMAC("wan0")
      #expect(status.interfaces.outside.mac.split(separator: ":").map { UInt8($0, radix: 16) } == mac)
      let stats = try await control.stats()
      #expect(stats.bindings == 1 && stats.inside.packetsReceived > 0 && stats.pool.count == 3)
      #expect(stats.drops.counters.count > 20)
      #expect(try await control.table(TableFilter(), after: nil, limit: 1).bindings.count == 1)
      #expect(try await control.hosts(limit: 1).hosts.map(\.address) == ["192.168.1.2"])
      #expect(try await control.statics() == StaticsDocument(statics: []))
      let entry = StaticDocument(
        protocolName: "udp", publicEndpoint: "203.0.113.5:1234", privateEndpoint: "192.168.1.3:7")
      let added = try await control.addStatic(entry)
      #expect(added.mapping == entry && added.ended.ended.map(\.reason) == ["static-mapping-added"])
      #expect(try await control.statics().statics == [entry])
      let removed = try await control.removeStatic(protocol: "udp", public: "203.0.113.5:1234")
      #expect(removed.mapping == entry && removed.ended.sessions == 0)
      let question = ExplainRequest(
        from: "inside", transport: .udp, source: EndpointDocument(address: "192.168.1.2", port: 1234),
        destination: EndpointDocument(address: "203.0.113.9", port: 9))
      let explained = try await control.explain(question)
      #expect(explained.verdict == "forward" && explained.to == "outside" && !explained.steps.isEmpty)
      // It changed nothing.
      #expect(try await control.stats().sessions == 0)
      let configuration = try await control.configuration()
      #expect(
        configuration.settings.contains(SettingDocument(setting: "interfaces.inside.name", value: "lan0")))
      try street.configure("nat: { hairpin: false }")
      #expect(
        try await control.reload().changed == [
          ReloadDocument.Change(setting: "nat.hairpin", before: "true", after: "false")
        ])
      try socket.send([1], [203, 0, 113, 9], 9)
      #expect(try await eventually { try await control.stats().sessions == 1 })
      let ended = try await control.end(TableFilter())
      #expect(
        ended.sessions == 1 && ended.bindings == 1 && ended.ended.map(\.remote.text) == ["203.0.113.9:9"])
      #expect(try await control.sessionCounts().allSatisfy { $0.count == 0 })
      for (body, reason) in [
        (#"{"protocol":"tcp","public":"203.0.113.5:none","private":"192.168.1.3:7"}"#, "bad-static-mapping"),
        (#"{"protocol":"tcp"}"#, "bad-json"), ("?", "bad-json"),
      ] {
        let refusal = try JSONDecoder().decode(
          ControlError.self, from: Data(street.ask("/v1/static", "--data '\(body)'").utf8))
        #expect(refusal.reason == reason && !refusal.error.isEmpty, "\(refusal)")
      }
      let top = try street.portico("top --count 1")
      #expect(top.code == 0 && top.output.contains("portico 0.1.0"), "\(top)")
      daemon.expectEnd()
    }

    @Test(
      "SH3 SH8 every command of the page about the control socket works on a daemon, with the keys that stand there"
    )
    func documentation() throws {
      let street = try Street()
      try street.server.shell("ip address add 142.250.195.100/32 dev lo")
      let state = "state: { file: \(street.folder.path)/state }"
      try street.configure(state)
      // The page's daemon has found the state of an earlier one.
      let earlier = try street.startDaemon()
      earlier.signal(SIGTERM)
      _ = earlier.readToEnd()
      #expect(earlier.wait() == 0)
      let daemon = try street.startDaemon()
      let listener = try street.server.enter { Stream(try PlainSocket.listener(port: 443)) }
      let stream = try street.client.enter {
        Stream(try PlainSocket.stream(port: 1234, to: [142, 250, 195, 100], 443))
      }
      let socket = try street.client.enter { try UDPEnd(port: 1234) }
      try street.configure("nat: { hairpin: false }\n\(state)")
      let page = try String(contentsOf: Lab.package.appending(path: ControlTests.page), encoding: .utf8)
      let examples = try ControlTests.examples(page)
      #expect(examples.count == page.split(separator: "\n").count { $0.hasPrefix("curl ") })
      #expect(examples.count > 15)
      for (command, answer) in examples {
        // Where the page has a session, there is one.
        try socket.send([1], [142, 250, 195, 100], 443)
        #expect(try eventually { try street.portico("table --protocol udp").output.contains("192.168.1.2") })
        let line = command.replacing("/run/portico/control.sock", with: street.controlSocket)
          .replacing("curl ", with: "curl -s -m 20 ")
        let process = try street.client.start(["/bin/sh", "-c", line])
        if command.contains("/v1/events") {
          // Something happens until somebody has heard of it.
          for _ in 0..<100 where !process.hasEnded {
            let other = try street.client.enter { try UDPEnd() }
            try other.send([1], [203, 0, 113, 9], 9)
            usleep(20_000)
          }
        }
        let output = process.readToEnd()
        #expect(process.wait() == 0, "\(command): \(output)")
        guard let answer else { continue }
        let (found, right) = (try Shape(output), try Shape(answer))
        let problems = found.problems(right)
        // An event of a binding has fewer members.
        let isEvent = command.contains("/v1/events")
        #expect(problems.filter { !isEvent || !$0.contains("is missing") } == [], "\(command)\n\(output)")
      }
      withExtendedLifetime((listener, stream)) {}
      daemon.expectEnd()
    }

    private static let page = "Sources/portico/portico.docc/ControlAPI.md"

    /// The commands of the page, each with the JSON that follows it.
    private static func examples(_ page: String) throws -> [(command: String, answer: String?)] {
      var examples: [(command: String, answer: String?)] = []
      for block in page.components(separatedBy: "\n```").dropFirst() {
        if block.hasPrefix("sh\n") {
          examples.append((String(block.dropFirst(3)), nil))
        } else if block.hasPrefix("json\n"), let last = examples.indices.last {
          examples[last].answer = String(block.dropFirst(5))
        }
      }
      return examples
    }

    @Test(
      "the socket has the mode and group of the configuration; who changes something is logged; without a daemon: 69"
    )
    func access() throws {
      let street = try Street()
      let absent = try street.portico("status")
      #expect(absent.code == 69, "\(absent)")
      #expect(absent.output.contains("no daemon listens there; start porticod"), "\(absent)")
      try street.configure("control: { socket: \(street.controlSocket), mode: \"0640\", group: \"4242\" }")
      let daemon = try street.startDaemon()
      let facts = try FileManager.default.attributesOfItem(atPath: street.controlSocket)
      #expect(facts[.posixPermissions] as? Int == 0o640 && facts[.groupOwnerAccountID] as? Int == 4242)
      #expect(facts[.type] as? FileAttributeType == .typeSocket)
      let own = try street.client.start([
        "/bin/sh", "-c",
        "echo $$; exec \(Lab.program("portico")) static add udp 203.0.113.5:5000 192.168.1.2:7 --socket \(street.controlSocket)",
      ])
      let number = own.readToEnd().prefix { $0.isNumber }
      #expect(own.wait() == 0)
      let log = daemon.read(until: "uid=")
      #expect(
        log.contains("control request") && log.contains("pid=\(number)") && log.contains("uid=0"), "\(log)")
      // Neither owner nor group.
      try street.client.shell("chmod 755 \(street.folder.path)")
      let stranger = try street.client.attempt(
        "setpriv --reuid 65534 --regid 65534 --clear-groups curl -sS --unix-socket \(street.controlSocket) http://portico/v1/status"
      )
      #expect(stranger.code == 7, "\(stranger)")
      let member = try street.client.attempt(
        "setpriv --reuid 65534 --regid 4242 --clear-groups \(ControlTests.connectable(street.controlSocket))")
      // Reading alone does not let the group connect; 0660 would.
      #expect(member.code != 0)
      daemon.expectEnd()
      #expect(!FileManager.default.fileExists(atPath: street.controlSocket))
    }

    private static func connectable(_ socket: String) -> String {
      "curl -sS -o /dev/null --unix-socket \(socket) http://portico/v1/status"
    }

    @Test(
      "RC7 RC8 a second daemon on other interfaces is refused the socket; that of a killed one is replaced")
    func sockets() throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      for name in ["lan1", "wan1"] {
        try street.gateway.shell(
          "ip link add \(name) type veth peer name \(name)p && ip link set \(name) up && ip link set \(name)p up"
        )
      }
      let other = street.folder.appending(path: "other.yaml")
      try Data(
        """
        interfaces:
          inside: { name: lan1, address: 192.168.7.1/24 }
          outside: { name: wan1, address: 203.0.113.77/24 }
        control: { socket: \(street.controlSocket), group: "0" }
        """.utf8
      ).write(to: other)
      let second = try street.gateway.start([Lab.program("porticod"), "--config", other.path])
      let words = second.readToEnd()
      #expect(second.wait() == 69)
      #expect(words.contains("\(street.controlSocket): another daemon listens there"), "\(words)")
      #expect(try !street.gateway.shell("nft list ruleset").contains("lan1"))
      #expect(try street.portico("status").output.contains("lan0"))
      daemon.signal(SIGKILL)
      #expect(daemon.wait() == 128 + SIGKILL)
      #expect(FileManager.default.fileExists(atPath: street.controlSocket))
      let left = try street.portico("status")
      #expect(left.code == 69 && left.output.contains("start porticod"), "\(left)")
      let third = try street.startDaemon()
      #expect(try street.portico("status").code == 0)
      third.expectEnd()
      #expect(!FileManager.default.fileExists(atPath: street.controlSocket))
    }

    @Test(
      "the metrics of a daemon pass promtool's check and say what the counters do, and their port nothing else"
    )
    func metrics() async throws {
      let street = try Street()
      try street.configure("metrics: { listen: 127.0.0.1:9477 }")
      let daemon = try street.startDaemon()
      #expect(try street.ping("203.0.113.9"))
      let file = street.folder.appending(path: "metrics").path
      try street.gateway.shell("curl -sS -m 20 -o \(file) http://127.0.0.1:9477/metrics")
      let check = try street.gateway.attempt("promtool check metrics <\(file)")
      #expect(check.code == 0 && check.output == "", "\(check)")
      let text = try String(contentsOfFile: file, encoding: .utf8)
      let stats = try await street.control.stats()
      #expect(text.contains("portico_sessions{protocol=\"icmp\",state=\"active\"} 1\n"), "\(text)")
      #expect(text.contains("portico_sessions_created_total \(stats.events.sessionsCreated)\n"), "\(text)")
      #expect(text.contains("portico_interface_up{side=\"outside\"} 1\n"), "\(text)")
      for target in ["v1/table", "v1/reload", ""] {
        let code = try street.gateway.shell(
          "curl -sS -m 20 -o /dev/null -w '%{http_code}' http://127.0.0.1:9477/\(target)")
        #expect(code == "404")
      }
      // A port of the gateway's own machine: from outside there is nothing.
      #expect(try street.server.attempt("curl -sS -m 0.5 http://203.0.113.5:9477/metrics").code != 0)
      daemon.expectEnd()
    }
  }

  /// The folder of the package.
  static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
}

extension ChildProcess {
  /// Whether it has ended, and still waits to be asked how.
  fileprivate var hasEnded: Bool {
    // Safety: the facts are ours, and the process stays to be waited for.
    var facts = unsafe siginfo_t()
    let code = unsafe waitid(P_PID, id_t(identifier), &facts, WEXITED | WNOHANG | WNOWAIT)
    return unsafe code == 0 && facts.si_signo == SIGCHLD
  }
}

/// A client of a Unix socket that knows nothing of HTTP and waits for nothing.
private final class RawClient: Sendable {
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // Safety: the field is longer than the paths of these tests, and its last byte stays zero.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    // Safety: a sockaddr_un is passed as the sockaddr that it begins with, and with its own size.
    let code = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, length)
      }
    }
    guard code == 0 else { throw LabFailure(description: "\(path): error \(errno)") }
  }

  deinit { close(descriptor) }

  /// As much as there is room for.
  func send(_ text: String) {
    let bytes = Array(text.utf8)
    // Safety: the array has as many bytes.
    _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }
}

/// What JSON looks like, whatever it says.
private indirect enum Shape {
  case object([String: Shape])
  case array([Shape])
  case null
  case other(String)

  init(_ text: String) throws {
    self.init(try JSONSerialization.jsonObject(with: Data(text.utf8)))
  }

  private init(_ value: Any) {
    switch value {
    case let object as [String: Any]: self = .object(object.mapValues { Shape($0) })
    case let array as [Any]: self = .array(array.map { Shape($0) })
    case is NSNull: self = .null
    case is String: self = .other("text")
    case let number as NSNumber:
      self = .other(unsafe String(cString: number.objCType) == "c" ? "truth" : "number")
    default: self = .other("\(type(of: value))")
    }
  }

  /// In what it differs from what is on the page. Of counters the page has a few, of lists an example.
  func problems(_ page: Shape, _ path: String = "") -> [String] {
    switch (self, page) {
    case (.object(let own), .object(let right)):
      let missing = right.keys.filter { own[$0] == nil }.map { "\(path).\($0) is missing" }
      let unknown = own.keys.filter { right[$0] == nil && path != ".drops" }.map {
        "\(path).\($0) is not on the page"
      }
      return missing + unknown
        + own.flatMap { key, value in right[key].map { value.problems($0, "\(path).\(key)") } ?? [] }
    case (.array(let own), .array(let right)):
      guard let example = right.first else { return [] }
      return own.flatMap { $0.problems(example, path + "[]") }
    case (.null, _), (_, .null): return []
    case (.other(let own), .other(let right)): return own == right ? [] : ["\(path) is \(own), not \(right)"]
    default: return ["\(path) is of another kind"]
    }
  }
}
