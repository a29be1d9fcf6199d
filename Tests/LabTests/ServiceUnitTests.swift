import Foundation
import Glibc
import NATControl
import NATKernel
import NATLab
import TestSupport
import Testing

extension Lab.ServiceTests {
  /// What the unit takes away from the daemon, put to work by the test as systemd does it, and a trace of what the daemon
  /// calls.
  struct Confinement {
    /// Shell commands before it, as root in a mount namespace of its own: what the unit leaves to write is writable.
    let preparation: String
    var trace = ""
    var launcher = ""

    /// Kernel settings cannot be written: ProtectKernelTunables=.
    static let sealed = Confinement(
      preparation: "set -e; mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys")

    private init(preparation: String) { self.preparation = preparation }

    /// - Parameter writable: the runtime and the state directory; the trace comes into a third folder.
    init(_ unit: ServiceUnit, writable: [URL], trace file: URL) throws {
      let folders = writable + [file.deletingLastPathComponent()]
      let names = folders.map(\.path).joined(separator: " ")
      let binds = folders.map { "mount --bind \($0.path) \($0.path)" }.joined(separator: "\n")
      preparation = """
        \(Self.sealed.preparation)
        \(binds)
        while read -r _ _ _ _ place _; do
          case " \(names) /dev /proc " in
            *" $place "*) ;;
            *) case $place in /dev/* | /proc/*) ;; *) mount -o remount,bind,ro "$place" ;; esac
          esac
        done </proc/self/mountinfo
        """
      // Detached, so that the daemon keeps its identifier and hears signals.
      trace = "strace -D -f -qq -s 256 -o \(file.path)"
      let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "confined.py")
      // The machine's own: another may lie where this user may not look.
      launcher = """
        /usr/bin/python3 -I -c "$(cat \(script.path))" '\(try unit.permittedCalls().sorted().joined(separator: " "))' \
        '\(unit.words("RestrictAddressFamilies").joined(separator: " "))'
        """
    }
  }

  @Test(
    "under all that the unit takes away a whole life works: start, traffic, requests, reload, lost link, stop, restart"
  )
  func confined() async throws {
    let unit = try ServiceUnit()
    let stage = try Stage()
    let street = stage.street
    let (run, state, log) = (
      street.folder.appending(path: "run"), street.folder.appending(path: "state"),
      street.folder.appending(path: "log")
    )
    for folder in [state, log] {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }
    #expect(unsafe chown(state.path, uid_t(Stage.user), gid_t(Stage.user)) == 0)
    try street.giveOutside()
    func configure(_ more: String) throws {
      try street.configureHost(
        inside: "192.168.1.1/24",
        """
        state: { file: \(state.path)/state, interval: 1s }
        metrics: { listen: 127.0.0.1:9477 }
        record: { window: 10s, memory: 16MiB }
        static: [{ protocol: tcp, public: host:8080, private: 192.168.1.2:80 }]
        control: { socket: \(run.path)/control.sock, group: "\(Stage.user)" }
        \(more)
        """)
    }
    try configure("")

    /// Runs a line of the unit that `+` takes out of the restrictions, with this stage's paths.
    func privileged(_ name: String) throws {
      for line in unit.values(name) {
        var line = String(line.drop { "-+".contains($0) })
        for (path, here) in [
          ("/usr/sbin/porticod", try Lab.program("porticod")),
          ("/etc/portico/portico.yaml", street.configurationFile),
          ("/run/portico", run.path), ("/var/lib/portico", state.path),
        ] {
          line = line.replacingOccurrences(of: path, with: here)
        }
        try street.gateway.shell(line)
      }
    }
    func portico(_ arguments: String) throws {
      let answer = try street.gateway.attempt(
        "timeout 300 \(Lab.program("portico")) \(arguments) --socket \(run.path)/control.sock")
      #expect(answer.code == 0, "\(arguments): \(answer.output)")
    }
    let echo = try street.server.enter { try UDPEnd(port: 9) }
    func trafficPasses() throws {
      #expect(try street.ping("203.0.113.9"))
      let here = try street.client.enter { try UDPEnd() }
      try here.send([1], [203, 0, 113, 9], 9)
      let seen = try echo.socket.receiveDatagram()
      try echo.send([2], seen.host, seen.port)
      #expect(here.socket.receive() == [2])
      #expect(try street.curl("-o page http://203.0.113.9/1").code == 0)
      #expect(try street.server.attempt("curl -sS -m 60 -o /dev/null http://203.0.113.5:8080/1").code == 0)
    }
    let pages = (
      try street.server.enter { try HTTPServer(port: 80) },
      try street.client.enter { try HTTPServer(port: 80) }
    )

    defer { try? privileged("ExecStopPost") }
    let store = DescriptorStore()
    for life in 1...2 {
      let trace = log.appending(path: "\(life)")
      let confinement = try Confinement(unit, writable: [run, state], trace: trace)
      try privileged("ExecStartPre")
      let daemon = try stage.start(store.kept, watchdogMicroseconds: 20_000_000, under: confinement)
      try store.serveUntilReady(stage.notify, within: 120)
      let status = try String(contentsOfFile: "/proc/\(daemon.identifier)/status", encoding: .utf8)
      #expect(status.contains("Seccomp:\t2") && status.contains("CapEff:\t0000000000003000"), "\(status)")
      try portico("record on")
      try trafficPasses()
      for query in ["status", "table", "stats", "hosts", "static list", "top --count 2", "record status"] {
        try portico(query)
      }
      try portico("explain --from inside udp 192.168.1.2:5000 203.0.113.9:9")
      try portico("static add udp 203.0.113.5:5353 192.168.1.2:53")
      try portico("static remove udp 203.0.113.5:5353")
      let metrics = try street.gateway.shell("curl -sS -m 60 http://127.0.0.1:9477/metrics")
      #expect(metrics.contains("portico_degraded 0\n"))
      // Once by the signal, once by the socket.
      try configure("log: { level: debug }")
      daemon.signal(SIGHUP)
      #expect(stage.notify.wait(for: "RELOADING=1") != nil && stage.notify.wait(for: "READY=1") != nil)
      try configure("nat: { port-rest: 1s }")
      try portico("reload")
      daemon.signal(SIGUSR1)
      try portico("snapshot")
      try portico("record dump \(state.path)/dump\(life)")
      // A link without carrier, a device that vanishes, and another address of the host.
      try street.server.shell("ip link set eth0 down")
      #expect(
        stage.notify.wait(
          for: "STATUS=Degraded: the outside interface wan0 has no carrier (lan0, wan0)", within: 60) != nil)
      try street.server.shell("ip link set eth0 up")
      try street.gateway.shell("ip link del lan0")
      try street.layInside()
      try street.gateway.shell("ip address del 203.0.113.5/24 dev wan0")
      try street.giveOutside()
      #expect(try eventually { try street.ping("203.0.113.9", count: 1) })
      try trafficPasses()
      try portico("end --all")
      try trafficPasses()
      daemon.signal(SIGTERM)
      let words = daemon.readToEnd()
      #expect(daemon.wait() == 0, "\(words)")
      #expect(words.contains("state restored") == (life == 2), "\(words)")
      try privileged("ExecStopPost")
      #expect(try street.reservedPorts() == "")
      try examine(
        SystemCalls(trace, of: Lab.program("porticod")), unit, writable: [run, state], life: life)
    }
    withExtendedLifetime(pages) {}
  }

  /// What was called needs nothing that the unit takes away: what was refused without a word would be seen here.
  private func examine(_ trace: SystemCalls, _ unit: ServiceUnit, writable: [URL], life: Int) throws {
    #expect(
      trace.names.isSuperset(of: ["socket", "sendmsg", "poll", "openat", "rename", "sched_setaffinity"]))
    let permitted = try unit.permittedCalls()
    for call in trace.calls { #expect(permitted.contains(call.name), "SystemCallFilter= forbids \(call)") }
    for call in trace.named("mmap", "mprotect", "pkey_mprotect") where call.rest.contains("PROT_EXEC") {
      #expect(
        call.name == "mmap" && !call.rest.contains("PROT_WRITE"), "MemoryDenyWriteExecute= forbids \(call)")
    }
    let families = unit.words("RestrictAddressFamilies")
    for call in trace.named("socket") {
      #expect(
        families.contains { call.rest.hasPrefix("(\($0),") }, "RestrictAddressFamilies= forbids \(call)")
    }
    let opened = trace.named("open", "openat", "creat")
    let changed = trace.named(
      "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod",
      "fchmodat", "chown",
      "fchownat", "lchown", "truncate", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat",
      "utimensat")
    let wanted = ["O_WRONLY", "O_RDWR", "O_CREAT"]
    let written = opened.filter { call in wanted.contains { call.rest.contains($0) } } + changed
    #expect(!written.isEmpty)
    for call in written {
      let path = try #require(call.text, "\(call)")
      // A port of a mapping made at run time: it tries to reserve it, and says where it may not.
      if path == ReservedPorts.setting, call.rest.contains("EROFS") { continue }
      #expect(
        path == "/dev/null" || writable.contains { path.hasPrefix($0.path + "/") },
        "ProtectSystem= forbids \(call)")
    }
    // Its own program and the libraries of a build for tests may lie anywhere.
    for call in opened where !call.rest.contains("= -1") {
      let path = try #require(call.text, "\(call)")
      guard !path.contains(".so"), !path.hasSuffix("/porticod") else { continue }
      #expect(
        !["/home/", "/root/", "/run/user/", "/proc/kmsg", "/dev/kmsg", "/proc/kcore"].contains {
          path.hasPrefix($0)
        },
        "ProtectHome= or ProtectKernelLogs= forbids \(call)")
      // PrivateDevices= leaves the pseudo devices, ProtectProc= the own process.
      if path.hasPrefix("/dev/") {
        #expect(
          ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"].contains(path), "\(call)")
      }
      let process = path.split(separator: "/").dropFirst().first
      #expect(!path.hasPrefix("/proc/") || process.flatMap { Int($0) } == nil, "ProtectProc= forbids \(call)")
    }
    print(
      "life \(life): \(trace.calls.count) system calls, \(trace.names.count) different ones, all permitted")
  }
}
