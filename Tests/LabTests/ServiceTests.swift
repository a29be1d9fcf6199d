import Foundation
import Glibc
import NATLab
import TestSupport
import Testing

extension Lab {
  /// The daemon as a service, with the service manager played by the test.
  @Suite struct ServiceTests {
    /// A street, and the socket at which its daemon's service manager listens.
    struct Stage {
      let street: Street
      let notify: NotifySocket
      /// What the daemon runs as in these tests: nobody that owns anything.
      static let user = 65_534

      init(_ more: String = "") throws {
        street = try Street()
        notify = try NotifySocket(street.folder.appending(path: "notify").path)
        // Where an unprivileged user may put a socket, as the unit's runtime directory is.
        try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: false)
        #expect(
          unsafe chmod(street.folder.path, 0o755) == 0
            && chown(run, uid_t(Stage.user), gid_t(Stage.user)) == 0)
        try street.configure(
          "control: { socket: \(run)/control.sock, group: \"\(Stage.user)\" }\n\(more)")
      }

      /// Starts the daemon as the unit does: a user of its own, two capabilities, and what the last one left.
      /// - Parameter confinement: further restrictions of the unit.
      func start(
        _ kept: [(name: String, descriptor: Int32)] = [], watchdogMicroseconds: Int? = nil,
        under confinement: Confinement? = nil
      ) throws -> ChildProcess {
        var variables = ["NOTIFY_SOCKET=\(notify.name)"]
        if let watchdogMicroseconds { variables.append("WATCHDOG_USEC=\(watchdogMicroseconds)") }
        if !kept.isEmpty {
          variables += [
            "LISTEN_FDS=\(kept.count)", "LISTEN_FDNAMES=\(kept.map(\.name).joined(separator: ":"))",
          ]
        }
        // The daemon has the shell's process identifier.
        return try street.gateway.start(
          ["/usr/bin/unshare", "--mount"].prefix(confinement == nil ? 0 : 2) + [
            "/bin/sh", "-c",
            """
            \(confinement?.preparation ?? "")
            export \(variables.joined(separator: " ")) LISTEN_PID=$$
            exec \(confinement?.trace ?? "") setpriv --reuid \(Stage.user) --regid \(Stage.user) --clear-groups --no-new-privs \
              --inh-caps=-all,+net_raw,+net_admin --ambient-caps=-all,+net_raw,+net_admin \
              --bounding-set=-all,+net_raw,+net_admin \
              \(confinement?.launcher ?? "") \(try Lab.program("porticod")) --config \(street.configurationFile)
            """,
          ], descriptors: kept.map(\.descriptor))
      }

      /// Where the daemon's user may put a socket.
      var run: String { street.folder.appending(path: "run").path }

      func rules() throws -> String { try street.gateway.shell("nft list ruleset") }
    }

    @Test(
      "FW11 an own user with two capabilities is enough: the daemon is ready when it captures, guards and answers"
    )
    func unprivileged() throws {
      let stage = try Stage()
      let daemon = try stage.start(watchdogMicroseconds: 3_000_000)
      // The guards' sockets come first.
      for table in ["portico-lan0", "portico-wan0"] {
        let stored = try #require(stage.notify.receive(within: 60))
        #expect(stored.lines == ["FDSTORE=1", "FDNAME=\(table)", "FDPOLL=0"])
        close(try #require(stored.descriptor))
      }
      let ready = try #require(stage.notify.receive(within: 60))
      #expect(ready.lines == ["READY=1", "STATUS=Forwarding (lan0, wan0)"])
      let status = try String(contentsOfFile: "/proc/\(daemon.identifier)/status", encoding: .utf8)
      // CAP_NET_ADMIN is number 12, CAP_NET_RAW 13.
      #expect(status.contains("CapEff:\t0000000000003000") && status.contains("CapBnd:\t0000000000003000"))
      #expect(status.contains("Uid:\t\(Stage.user)\t\(Stage.user)") && status.contains("NoNewPrivs:\t1"))
      let rules = try stage.rules()
      #expect(rules.contains("table netdev portico-lan0") && rules.contains("table netdev portico-wan0"))
      let answer = try stage.street.gateway.shell(
        "\(Lab.program("portico")) status --socket \(stage.street.folder.path)/run/control.sock")
      #expect(answer.contains("lan0"))
      #expect(try stage.street.ping("203.0.113.9"))

      #expect(stage.notify.wait(for: "WATCHDOG=1") != nil)
      #expect(stage.notify.wait(for: "WATCHDOG=1") != nil)
      daemon.signal(SIGHUP)
      let reloading = try #require(stage.notify.wait(for: "RELOADING=1"))
      #expect(reloading.value(of: "MONOTONIC_USEC").flatMap(UInt64.init) != nil)
      #expect(stage.notify.wait(for: "READY=1") != nil)
      // A link that goes down is said.
      try stage.street.server.shell("ip link set eth0 down")
      #expect(
        stage.notify.wait(
          for: "STATUS=Degraded: the outside interface wan0 has no carrier (lan0, wan0)") != nil)
      daemon.signal(SIGTERM)
      #expect(stage.notify.wait(for: "STOPPING=1") != nil)
      let log = daemon.readToEnd()
      // Its worker asks for a place before others, which this user has no right to.
      #expect(log.contains("expected LimitRTPRIO=1"), "\(log)")
      #expect(daemon.wait() == 0)
      #expect(try stage.rules() == "")
    }

    @Test("a daemon that cannot start never says that it is ready")
    func notReady() throws {
      let stage = try Stage("guard: off")
      try stage.street.gateway.shell("ip link set wan0 down")
      let daemon = try stage.start()
      _ = daemon.readToEnd()
      #expect(daemon.wait() == 69)
      #expect(stage.notify.receive(within: 0)?.lines == nil)
    }

    @Test(
      "RC8 the guards stand all the while over a restart and kill -9: the kernel never answers, and the old ones fall"
    )
    func restart() throws {
      let stage = try Stage()
      let (street, notify) = (stage.street, stage.notify)
      // A kernel that would answer in the daemon's place.
      try street.gateway.shell("ip address add 203.0.113.5/24 dev wan0")
      func isRefused() throws -> Bool {
        // curl: 7 is a connection refused, 28 no answer in time.
        try street.server.attempt("curl -sS -m 0.5 http://203.0.113.5:81/").code == 7
      }
      #expect(try isRefused())

      let store = DescriptorStore()
      var daemon = try stage.start()
      try store.serveUntilReady(notify)
      #expect(store.kept.map(\.name) == ["portico-lan0", "portico-wan0"])
      // Two that look all the while: at the tables, and at what a connection gets.
      let tables = try street.gateway.start([
        "/bin/sh", "-c",
        "while [ ! -e \(street.folder.path)/end ]; do echo :; nft list tables; sleep 0.01; done",
      ])
      let connections = try street.server.start([
        "/bin/sh", "-c",
        """
        while [ ! -e \(street.folder.path)/end ]; do
          curl -sS -o /dev/null -m 0.1 http://203.0.113.5:81/ 2>/dev/null; echo $?
        done
        """,
      ])
      for (number, signal) in [SIGTERM, SIGKILL, SIGKILL].enumerated() {
        daemon.signal(signal)
        _ = daemon.readToEnd()
        #expect(daemon.wait() == (signal == SIGTERM ? 0 : 128 + SIGKILL))
        // Time in which a kernel without a guard would answer.
        usleep(400_000)
        daemon = try stage.start(store.kept)
        try store.serveUntilReady(notify)
        let suffix = number % 2 == 0 ? "/2" : ""
        #expect(store.kept.map(\.name) == ["portico-lan0\(suffix)", "portico-wan0\(suffix)"])
        let rules = try stage.rules()
        #expect(rules.components(separatedBy: "table netdev").count == 3, "\(rules)")
        #expect(try street.ping("203.0.113.9"))
      }
      try Data().write(to: street.folder.appending(path: "end"))
      let looks = tables.readToEnd().components(separatedBy: ":\n").dropFirst()
      for look in looks {
        #expect(look.contains("portico-lan0") && look.contains("portico-wan0"), "\(look)")
      }
      let codes = connections.readToEnd().split(separator: "\n")
      #expect(looks.count > 20 && codes.count > 5 && codes.allSatisfy { $0 == "28" }, "\(codes)")
      print("restarts: \(looks.count) looks at the guards, \(codes.count) connections without an answer")

      // Stopped for good: the service manager lets go of all.
      daemon.expectEnd()
      store.releaseAll()
      #expect(try stage.rules() == "")
      #expect(try isRefused())
    }

    @Test("a daemon without a guard releases what an earlier one left")
    func releases() throws {
      let stage = try Stage()
      let first = try stage.start()
      var kept: [(name: String, descriptor: Int32)] = []
      for _ in 0..<2 {
        let message = try #require(stage.notify.receive(within: 60))
        kept.append((message.value(of: "FDNAME") ?? "", try #require(message.descriptor)))
      }
      #expect(stage.notify.wait(for: "READY=1") != nil)
      first.expectEnd()
      let text = try String(contentsOfFile: stage.street.configurationFile, encoding: .utf8)
      try Data((text + "\nguard: off\n").utf8).write(
        to: URL(fileURLWithPath: stage.street.configurationFile))
      let second = try stage.start(kept)
      for one in kept {
        #expect(stage.notify.wait(for: "FDSTOREREMOVE=1")?.value(of: "FDNAME") == one.name)
        close(one.descriptor)
      }
      #expect(stage.notify.wait(for: "READY=1") != nil)
      #expect(try stage.rules() == "")
      second.expectEnd()
    }
  }
}
