import Foundation
import Glibc
import NATKernel
import NATLab
import NATWire
import Testing

extension Lab {
  @Suite struct DaemonTests {
    @Test("IQ6 a client pings the gateway and, through it, a server; SIGTERM ends it cleanly")
    func pings() throws {
      let street = try Street()
      let wire = try street.server.enter { try PlainSocket.raw(InterfaceFacts(name: "eth0")) }
      let daemon = try street.startDaemon()
      #expect(try street.ping("192.168.1.1"))
      #expect(try street.ping("203.0.113.9"))
      #expect(try street.ping("203.0.113.5"))
      // No packet of the client's own address on the outside wire.
      var sources: Set<[UInt8]> = []
      while let frame = wire.receive(within: 0.1) {
        if frame.count > 34, frame[12..<14] == [8, 0] { sources.insert(Array(frame[26..<30])) }
      }
      #expect(sources == [[203, 0, 113, 5], [203, 0, 113, 9]])
      daemon.signal(SIGTERM)
      let log = daemon.readToEnd()
      #expect(log.contains("stopped"), "\(log)")
      #expect(daemon.wait() == 0)
      #expect(try street.gateway.shell("nft list ruleset") == "")
    }

    @Test("FW4 FW10 the client hears that a TTL is over, and that a next hop does not answer")
    func hears() throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      let expired = try street.client.attempt("ping -n -c 1 -W 10 -t 1 203.0.113.9")
      #expect(expired.output.contains("From 192.168.1.1 icmp_seq=1 Time to live exceeded"), "\(expired)")
      let unreachable = try street.client.attempt("ping -n -c 1 -W 20 203.0.113.77")
      #expect(
        unreachable.output.contains("From 192.168.1.1 icmp_seq=1 Destination Host Unreachable"),
        "\(unreachable)")
      daemon.expectEnd()
    }

    @Test("ST-2 a port forward is reached from outside")
    func portForward() throws {
      let street = try Street()
      try street.configure(
        "static: [{ protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.2:80 }]")
      let server = try street.client.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      let result = try street.server.attempt(
        "cd \(street.folder.path) && curl -sS -m 20 -o forwarded http://203.0.113.5:8080/3")
      #expect(result.code == 0, "\(result.output)")
      #expect(try Download.isWhole(street.folder.appending(path: "forwarded"), blocks: 3))
      withExtendedLifetime(server) {}
      daemon.expectEnd()
    }

    @Test("CS7 downloads and uploads arrive whole", arguments: [true, false])
    func transfers(offloads: Bool) throws {
      let street = try Street(offloads: offloads)
      let server = try street.server.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      let blocks = offloads ? 100 : 20
      let file = street.folder.appending(path: "download")
      let download = try street.curl("-o download http://203.0.113.9/\(blocks)")
      #expect(download.code == 0, "\(download.output)")
      #expect(try Download.isWhole(file, blocks: blocks))
      let upload = try street.curl("-T download http://203.0.113.9/")
      #expect(upload.output == "same")
      withExtendedLifetime(server) {}
      daemon.expectEnd()
    }

    @Test("50 parallel connections arrive whole")
    func parallel() throws {
      let street = try Street()
      let server = try street.server.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      let names = (0..<50).map { "part\($0)" }
      let urls = names.map { "-o \($0) http://203.0.113.9/1" }.joined(separator: " ")
      let result = try street.curl("-Z --parallel-immediate --parallel-max 50 \(urls)")
      #expect(result.code == 0, "\(result.output)")
      for name in names { #expect(try Download.isWhole(street.folder.appending(path: name), blocks: 1)) }
      withExtendedLifetime(server) {}
      daemon.signal(SIGINT)
      #expect(daemon.wait() == 0)
    }

    @Test(
      "RC7 RC8 a second daemon is refused; after kill -9 the guard is gone, and the next one works at once with it"
    )
    func restart() throws {
      let street = try Street()
      // A kernel that would forward in the daemon's place, and answer for it.
      try street.gateway.shell(
        "echo 1 >/proc/sys/net/ipv4/ip_forward && ip address add 203.0.113.5/24 dev wan0")
      let guards = ["table netdev portico-lan0", "table netdev portico-wan0"]
      func isGuarded() throws -> Bool {
        let rules = try street.gateway.shell("nft list ruleset")
        return guards.allSatisfy { rules.contains($0) }
      }
      /// Whether the kernel refuses a connection to the gateway's address.
      func isRefused() throws -> Bool {
        // curl: 7 is a connection refused, 28 no answer in time.
        try street.server.attempt("curl -sS -m 3 http://203.0.113.5:81/").code == 7
      }
      #expect(try isRefused())
      let first = try street.startDaemon()
      #expect(try isGuarded())
      #expect(try !isRefused())
      let second = try street.gateway.start([Lab.program("porticod"), "--config", street.configurationFile])
      #expect(second.readToEnd().contains("process \(first.identifier) "))
      #expect(second.wait() == 69)
      #expect(try street.ping("203.0.113.9"))
      first.signal(SIGKILL)
      #expect(first.wait() == 128 + SIGKILL)
      #expect(try street.gateway.shell("nft list ruleset") == "")
      #expect(try isRefused())
      let third = try street.startDaemon()
      #expect(try isGuarded())
      #expect(try !isRefused())
      #expect(try street.ping("203.0.113.9"))
      third.expectEnd()
      #expect(try street.gateway.shell("nft list ruleset") == "")
      #expect(try isRefused())
    }

    @Test("RC3 an interface that vanishes is waited for, and traffic goes on when it is back")
    func vanishes() throws {
      let street = try Street()
      try street.configure("static: [{ protocol: udp, public: 203.0.113.5:5000, private: 192.168.1.2:9 }]")
      let daemon = try street.startDaemon()
      #expect(try street.ping("203.0.113.9"))
      try street.gateway.shell("ip link del wan0")
      #expect(try street.ping("192.168.1.1"))
      #expect(try street.ping("203.0.113.9", count: 1) == false)
      try street.layOutside()
      #expect(try eventually { try street.ping("203.0.113.9", count: 1) })
      let forwarded = try street.server.enter { try PlainSocket.udp(port: 0) }
      try street.gateway.shell("ip link set lan0 down")
      try forwarded.send([1], to: [203, 0, 113, 5], 5000)
      #expect(try street.ping("203.0.113.9", count: 1) == false)
      try street.gateway.shell("ip link set lan0 up")
      #expect(try eventually { try street.ping("203.0.113.9", count: 1) })
      #expect(try street.gateway.shell("nft list ruleset").contains("table netdev portico-wan0"))
      daemon.signal(SIGTERM)
      let log = daemon.readToEnd()
      #expect(log.contains("interface vanished") && log.contains("interface attached"), "\(log)")
      #expect(log.contains("drops=linkDown "), "\(log)")
      #expect(daemon.wait() == 0)
    }

    @Test("a daemon that cannot start says why, and leaves nothing behind")
    func refused() throws {
      let street = try Street()
      func start() throws -> (code: Int32, log: String) {
        let daemon = try street.gateway.start([Lab.program("porticod"), "--config", street.configurationFile])
        let log = daemon.readToEnd()
        return (daemon.wait(), log)
      }
      try street.gateway.shell("ip link set wan0 name wan1")
      let missing = try start()
      #expect(missing.code == 69 && missing.log.contains("interface wan0: not there"), "\(missing)")
      try street.gateway.shell("ip link set wan1 down && ip link set wan1 name wan0")
      let down = try start()
      #expect(down.code == 69 && down.log.contains("ip link set wan0 up"), "\(down)")
      #expect(try street.gateway.shell("nft list ruleset") == "")
      try street.configure("nat: { portchoice: random }")
      let bad = try start()
      #expect(bad.code == 78 && bad.log.contains("portico.yaml:4:"), "\(bad)")
    }

    @Test("EX4 running out of ports is logged once, not for each packet, and SIGHUP does not end the daemon")
    func exhaustion() throws {
      let street = try Street()
      try street.configure("nat: { pool: [{ address: 203.0.113.5, ports: 5000-5003 }] }")
      let daemon = try street.startDaemon()
      let sockets = try street.client.enter { try (0..<30).map { _ in try UDPSender() } }
      for socket in sockets { try socket.socket.send([1], to: [203, 0, 113, 9], 9) }
      #expect(daemon.read(until: "portsExhausted").contains("portsExhausted"))
      for socket in sockets { try socket.socket.send([1], to: [203, 0, 113, 9], 9) }
      daemon.signal(SIGHUP)
      sleep(2)
      daemon.signal(SIGTERM)
      let rest = daemon.readToEnd()
      #expect(!rest.contains("packets dropped") && rest.contains("stopped"), "\(rest)")
      #expect(daemon.wait() == 0)
    }

    @Test(
      "RC6 ST-13 SIGHUP reads the configuration again: a 1:1 mapping comes and goes, a bad file changes nothing"
    )
    func reload() throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      func pings() throws -> Bool {
        try street.server.attempt("ping -n -c 2 -i 0.2 -W 2 203.0.113.7").code == 0
      }
      #expect(try !pings())
      try street.configure("static: [{ protocol: all, public: 203.0.113.7, private: 192.168.1.2 }]")
      daemon.signal(SIGHUP)
      let log = daemon.read(until: "configuration reloaded")
      #expect(log.contains("static[all 203.0.113.7].private"), "\(log)")
      #expect(try pings())
      #expect(try street.gateway.shell("nft list ruleset").contains("203.0.113.7"))
      try street.configure("nat: { portchoice: random }")
      daemon.signal(SIGHUP)
      #expect(daemon.read(until: "not reloaded").contains("not reloaded"))
      #expect(try pings())
      try street.configure()
      daemon.signal(SIGHUP)
      #expect(daemon.read(until: "configuration reloaded").contains("configuration reloaded"))
      #expect(try !pings())
      #expect(try !street.gateway.shell("nft list ruleset").contains("203.0.113.7"))
      daemon.expectEnd()
    }

    @Test("where several workers are configured, one runs, has all ports, and the daemon says so")
    func workers() throws {
      let street = try Street()
      try street.configure(
        "workers: 4\nnat: { pool: [{ address: 203.0.113.5, ports: 5000-5003 }], parity: false }")
      let daemon = try street.startDaemon()
      let sockets = try street.client.enter { try (0..<4).map { _ in try UDPSender() } }
      let there = try street.server.enter { try PlainSocket.udp(port: 9) }
      for socket in sockets {
        try socket.socket.send([1], to: [203, 0, 113, 9], 9)
        #expect(there.receive() == [1])
      }
      let status = try street.gateway.shell(
        "\(Lab.program("portico")) status --socket \(street.controlSocket)")
      #expect(status.contains("workers: 4 are configured, one runs"), "\(status)")
      daemon.expectEnd()
    }

    /// A socket in an array.
    final class UDPSender {
      let socket: PlainSocket
      init() throws { socket = try PlainSocket.udp(port: 0) }
    }

    @Test("an idle daemon uses less than 1 % of a processor")
    func idle() throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      let identifier = daemon.identifier
      // User and system time in ticks of 10 ms, fields 14 and 15 of proc(5).
      func ticks() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8)
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
      }
      // Its start is over some time; then three seconds cost less than three ticks.
      let isIdle = try eventually {
        let before = try ticks()
        sleep(3)
        return try ticks() - before < 3
      }
      #expect(isIdle)
      daemon.expectEnd()
    }
  }
}
