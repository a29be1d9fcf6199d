import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import TestSupport
import Testing

extension Lab {
  /// Changes of a daemon that runs, under traffic.
  @Suite struct ReloadTests {
    /// Has the daemon read its configuration again, by the command or by SIGHUP.
    private func reload(
      _ street: Street, _ daemon: borrowing ChildProcess, by way: String = "portico reload"
    ) throws {
      if way == "SIGHUP" {
        daemon.signal(SIGHUP)
        let log = daemon.read(until: "reloaded")
        try #require(log.contains("configuration reloaded"), "\(log)")
      } else {
        let result = try street.portico("reload")
        try #require(result.code == 0, "\(result)")
      }
    }

    @Test(
      "FIL10 RC4 a filter that a reload changes holds for bindings that live, under the public endpoint they have",
      arguments: ["portico reload", "SIGHUP"])
    func filtering(way: String) throws {
      let street = try Street()
      try street.configure("nat: { filtering: address-and-port-dependent }")
      let web = try street.server.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      let download = try street.startDownload(8)
      let (known, stranger) = try street.server.enter { (try UDPEnd(port: 9), try UDPEnd(port: 10)) }
      let here = try street.client.enter { try UDPEnd() }
      try here.send([1], [203, 0, 113, 9], 9)
      let endpoint = try known.socket.receiveDatagram().port
      func hears(_ end: UDPEnd) throws -> Bool {
        try end.send([2], [203, 0, 113, 5], endpoint)
        return here.socket.receive(within: 0.2) == [2]
      }
      #expect(try hears(known))
      #expect(try !hears(stranger))
      try street.configure("nat: { filtering: endpoint-independent }")
      try reload(street, daemon, by: way)
      #expect(try hears(known))
      #expect(try hears(stranger))
      try here.send([3], [203, 0, 113, 9], 10)
      #expect(try stranger.socket.receiveDatagram().port == endpoint)
      try street.configure("nat: { filtering: address-dependent }")
      try reload(street, daemon, by: way)
      let another = try street.server.enter { try UDPEnd(port: 11) }
      #expect(try hears(another))
      try street.expectWhole(download, 8)
      withExtendedLifetime(web) {}
      daemon.expectEnd()
    }

    @Test("UT6 RC4 a lifetime that a reload changes holds from the next packet; a running clock goes on")
    func lifetimes() async throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      let socket = try street.client.enter { try UDPEnd() }
      try socket.send([1], [203, 0, 113, 9], 9)
      func left() async throws -> Double? {
        try await street.control.wholeTable().flatMap(\.sessions).first.map {
          Double($0.expiresIn.nanoseconds) / 1e9
        }
      }
      #expect(try await eventually { try await left() != nil })
      let first = try #require(try await left())
      #expect((290...300).contains(first))
      try street.configure("nat: { lifetimes: { udp: 2s } }")
      let change = try await street.control.reload()
      #expect(
        change.changed == [ReloadDocument.Change(setting: "nat.lifetimes.udp", before: "300s", after: "2s")])
      #expect(change.ended == EndedDocument())
      let running = try #require(try await left())
      #expect((280...first).contains(running))
      try socket.send([1], [203, 0, 113, 9], 9)
      #expect(try await eventually { try await left() ?? 0 <= 2 })
      try await Task.sleep(for: .seconds(1))
      #expect(try await eventually { try await left() == nil })
      daemon.expectEnd()
    }

    @Test(
      "LIM7 RC4 a limit that a reload puts below the present use ends nothing and lets nothing new in; raised, it does"
    )
    func limits() async throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let sockets = try street.client.enter { try (0..<6).map { _ in try UDPEnd() } }
      func passes(_ socket: UDPEnd) throws -> Bool {
        try socket.send([1], [203, 0, 113, 9], 9)
        return server.socket.receive(within: 0.2) == [1]
      }
      for socket in sockets[..<4] { #expect(try passes(socket)) }
      try street.configure("nat: { limits: { per-host: { sessions: 2 } } }")
      try reload(street, daemon)
      for socket in sockets[..<4] { #expect(try passes(socket)) }
      #expect(try !passes(sockets[4]))
      #expect(try await street.control.stats().sessions == 4)
      #expect(try await street.control.stats().drops["hostSessionLimit"] == 1)
      try street.configure("nat: { limits: { per-host: { sessions: 6 } } }")
      try reload(street, daemon)
      for socket in sockets { #expect(try passes(socket)) }
      daemon.expectEnd()
    }

    @Test("PA17 RC4 a reload changes the ports of the pool: what lives keeps its port, what is new obeys")
    func ports() throws {
      let street = try Street()
      try street.configure("nat: { pool: [{ address: 203.0.113.5, ports: 5000-5999 }] }")
      let daemon = try street.startDaemon()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let (old, new) = try street.client.enter { (try UDPEnd(port: 5100), try UDPEnd(port: 5102)) }
      func port(_ socket: UDPEnd) throws -> UInt16 {
        try socket.send([1], [203, 0, 113, 9], 9)
        return try server.socket.receiveDatagram().port
      }
      #expect(try port(old) == 5100)
      try street.configure("nat: { pool: [{ address: 203.0.113.5, ports: 6000-6999 }] }")
      try reload(street, daemon)
      #expect(try port(old) == 5100)
      #expect(try (6000...6999).contains(port(new)))
      // It works both ways still, and its port is not given out again.
      try server.send([2], [203, 0, 113, 5], 5100)
      #expect(old.socket.receive() == [2])
      #expect(try street.portico("end --private 192.168.1.2:5100").code == 0)
      #expect(try (6000...6999).contains(port(old)))
      daemon.expectEnd()
    }

    @Test(
      "EX1 without a pool address packets are dropped and counted; one that a reload adds works at once, RFC 6888 REQ-11"
    )
    func poolAddressAdded() async throws {
      let street = try Street()
      try street.configure("nat: { pool: [] }")
      let daemon = try street.startDaemon()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let socket = try street.client.enter { try UDPEnd() }
      try socket.send([1], [203, 0, 113, 9], 9)
      #expect(server.socket.receive(within: 0.2) == nil)
      #expect(try await street.control.stats().drops["portsExhausted"] == 1)
      try street.configure("nat: { pool: [{ address: 203.0.113.6 }] }")
      try reload(street, daemon)
      try socket.send([2], [203, 0, 113, 9], 9)
      let came = try server.socket.receiveDatagram()
      #expect(came.data == [2] && came.host == [203, 0, 113, 6])
      // The server finds the way back: ARP for the new address is answered.
      try server.send([3], came.host, came.port)
      #expect(socket.socket.receive() == [3])
      daemon.expectEnd()
    }

    @Test(
      "RC1 a pool address that a reload removes under traffic: its sessions end, no later packet uses it, a download over the other is whole",
      arguments: ["portico reload", "SIGHUP"])
    func poolAddressRemoved(way: String) async throws {
      let street = try Street()
      let second = try street.addHost()
      try street.configure("nat: { pool: [{ address: 203.0.113.5 }, { address: 203.0.113.6 }] }")
      let web = try street.server.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      let download = try street.startDownload(8)
      // Hosts spread: the second one has the other address.
      let traffic = try Churn(second, port: 5000, rate: 2000, fixed: ([203, 0, 113, 9], 9))
      #expect(try await eventually { try await street.control.wholeTable().count == 2 })
      let bindings = try await street.control.wholeTable()
      let kept = try #require(bindings.first { $0.privateEndpoint.address == "192.168.1.2" }).publicEndpoint
        .address
      let removed = try #require(bindings.first { $0.privateEndpoint.address == "192.168.1.3" })
        .publicEndpoint
      try #require(kept != removed.address)
      let removedBytes = removed.address.split(separator: ".").compactMap { UInt8($0) }

      try street.configure("nat: { pool: [{ address: \(kept) }] }")
      if way == "SIGHUP" {
        try reload(street, daemon, by: way)
      } else {
        let answer = try street.portico("reload")
        #expect(answer.output.contains("ended 1 session and 1 binding"), "\(answer)")
        #expect(answer.output.contains("pool-address-removed"), "\(answer)")
      }
      // It sees what comes from here on.
      let later = try Tap(street.server)
      usleep(300_000)
      var sources: [[UInt8]: Int] = [:]
      for _ in 0..<2000 {
        guard let frame = later.socket.receive(within: 0.1) else { break }
        if frame.count > 34, frame[12..<14] == [8, 0], frame[23] == 17 {
          sources[Array(frame[26..<30]), default: 0] += 1
        }
      }
      #expect(sources[removedBytes] == nil, "\(sources)")
      #expect(sources.values.reduce(0, +) > 100, "\(sources)")
      let now = Flow.all(try await street.control.wholeTable())
      #expect(now.allSatisfy { $0.publicEndpoint.hasPrefix("\(kept):") }, "\(now)")
      // Nobody answers for it any more.
      try street.server.shell("ip neigh flush dev eth0")
      #expect(try street.server.attempt("ping -n -c 1 -W 1 \(removed.address)").code != 0)
      #expect(try !street.server.shell("ip neigh show \(removed.address)").contains("lladdr"))
      #expect(traffic.stop() > 0)
      try street.expectWhole(download, 8)
      withExtendedLifetime(web) {}
      daemon.expectEnd()
    }

    @Test("RC6 a bad file, and a change that needs a restart, are refused as a whole, by place and by name")
    func refusals() async throws {
      let street = try Street()
      try street.configure("nat: { hairpin: true }")
      let daemon = try street.startDaemon()
      let before = try await street.control.configuration()
      #expect(before.file == street.configurationFile)
      try street.configure("nat: { hairpin: false, port-choice: backwards }\nworkers: 0")
      let bad = try street.portico("reload")
      #expect(bad.code == 1, "\(bad)")
      #expect(bad.output.contains("\(street.configurationFile):4:37:"), "\(bad)")
      #expect(bad.output.contains("\(street.configurationFile):5:10:"), "\(bad)")
      #expect(bad.output.contains("backwards") && bad.output.contains("preserve"), "\(bad)")
      for (text, name) in [
        ("nat: { hairpin: false }\ncontrol: { socket: /run/another.sock }", "control.socket"),
        ("nat: { hairpin: false, tcp: { window-tracking: true } }", "nat.tcp.window-tracking"),
        ("nat: { hairpin: false }\nguard: off", "guard"),
        ("nat: { hairpin: false }\nmetrics: { listen: 127.0.0.1:9477 }", "metrics.listen"),
      ] {
        try street.configure(text)
        let refused = try street.portico("reload")
        #expect(refused.code == 1 && refused.output.contains("\(name): found "), "\(refused)")
        #expect(try street.ask("/v1/reload", "-X POST").contains("\"needs-restart\""))
      }
      // All or nothing: hairpin is what it was.
      #expect(try await street.control.configuration() == before)
      try street.configure("nat: { hairpin: false }")
      let good = try street.portico("reload")
      #expect(good.code == 0 && good.output.contains("nat.hairpin"), "\(good)")
      #expect(try await street.control.configuration() != before)
      let log = { () -> String in
        daemon.signal(SIGTERM)
        return daemon.readToEnd()
      }()
      #expect(
        log.contains("POST") && log.contains("422") && log.contains("409") && log.contains("200"), "\(log)")
      #expect(daemon.wait() == 0)
    }

    @Test(
      "ST-10 a forward added under traffic is reached, its removal ends its connection, a download stays whole"
    )
    func forward() async throws {
      let street = try Street()
      let (outside, inside) = (
        try street.server.enter { try HTTPServer(port: 80) },
        try street.client.enter { try HTTPServer(port: 80) }
      )
      let daemon = try street.startDaemon()
      let download = try street.startDownload(8)
      func fetch() throws -> Int32 {
        try street.server.attempt("curl -sS -m 1 -o /dev/null http://203.0.113.5:8080/1").code
      }
      #expect(try fetch() != 0)
      let added = try street.portico("static add tcp 203.0.113.5:8080 192.168.1.2:80")
      #expect(added.output == "added tcp 203.0.113.5:8080 to 192.168.1.2:80\n", "\(added)")
      #expect(try fetch() == 0)
      #expect(try street.portico("static list").output.contains("203.0.113.5:8080"))
      let twice = try street.portico("static add tcp 203.0.113.5:8080 192.168.1.3:80")
      #expect(twice.code == 1 && twice.output.contains("203.0.113.5:8080"), "\(twice)")
      let running = try street.server.start([
        "/usr/bin/curl", "-sS", "-m", "20", "--limit-rate", "100k", "-o", "/dev/null",
        "http://203.0.113.5:8080/9",
      ])
      var own = TableFilter()
      own.kind = .static
      own.state = .established
      #expect(try await eventually { try await !street.control.wholeTable(own).isEmpty })
      let removed = try street.portico("static remove tcp 203.0.113.5:8080")
      #expect(
        removed.output.contains("static-mapping-removed") && removed.output.contains("192.168.1.2:80"),
        "\(removed)")
      own.state = nil
      #expect(try await street.control.wholeTable(own).isEmpty)
      #expect(try await street.control.statics().statics.isEmpty)
      #expect(try fetch() != 0)
      running.signal(SIGTERM)
      _ = running.wait()
      #expect(try street.portico("static remove tcp 203.0.113.5:8080").code == 1)
      try street.expectWhole(download, 8)
      withExtendedLifetime((outside, inside)) {}
      daemon.expectEnd()
    }

    @Test(
      "ST-8 a forward added on the port of a live dynamic binding ends it, and the two never share the port")
    func forwardOverDynamic() async throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let (dynamic, target) = try street.client.enter { (try UDPEnd(port: 5000), try UDPEnd(port: 7)) }
      try dynamic.send([1], [203, 0, 113, 9], 9)
      #expect(try server.socket.receiveDatagram().port == 5000)
      let added = try street.portico("static add udp 203.0.113.5:5000 192.168.1.2:7")
      #expect(added.output.contains("static-mapping-added"), "\(added)")
      try server.send([2], [203, 0, 113, 5], 5000)
      #expect(target.socket.receive() == [2])
      #expect(dynamic.socket.receive(within: 0.1) == nil)
      try dynamic.send([3], [203, 0, 113, 9], 9)
      #expect(try server.socket.receiveDatagram().port != 5000)
      daemon.expectEnd()
    }

    @Test("RC10 a forward added for an endpoint whose flow nobody answers holds from its next packet on")
    func forwardOverUnanswered() throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let flow = try Churn(street.client, port: 5000, rate: 500, fixed: ([203, 0, 113, 9], 9))
      #expect(try server.socket.receiveDatagram().port == 5000)
      #expect(try street.portico("static add udp 203.0.113.5:7000 192.168.1.2:5000").code == 0)
      // It sees what comes from here on.
      let later = try Tap(street.server)
      var ports: [UInt16: Int] = [:]
      for _ in 0..<100 {
        guard let frame = later.socket.receive(within: 1) else { break }
        if frame.count > 36, frame[12..<14] == [8, 0], frame[23] == 17 {
          ports[UInt16(frame[34]) << 8 | UInt16(frame[35]), default: 0] += 1
        }
      }
      #expect(Array(ports.keys) == [7000] && ports.values.reduce(0, +) > 50, "\(ports)")
      #expect(flow.stop() > 0)
      daemon.expectEnd()
    }

    @Test(
      "ST-13 ARP for a new public address is answered from static add on, and no more after static remove")
    func announcing() throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      /// What a question for the address finds, asked anew.
      func answer() throws -> String {
        try street.server.shell("ip neigh flush dev eth0")
        _ = try street.server.attempt("ping -n -c 1 -W 1 203.0.113.7")
        return try street.server.shell("ip neigh show 203.0.113.7")
      }
      #expect(try !answer().contains("lladdr"))
      #expect(try street.portico("static add all 203.0.113.7 192.168.1.2").code == 0)
      let mac = try street.gatewayMAC("wan0").map { (byte: UInt8) in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
      }.joined(separator: ":")
      #expect(try answer().contains("lladdr \(mac)"))
      #expect(try street.server.attempt("ping -n -c 2 -i 0.05 -W 1 203.0.113.7").code == 0)
      #expect(try street.portico("static remove all 203.0.113.7").code == 0)
      #expect(try !answer().contains("lladdr"))
      daemon.expectEnd()
    }
  }
}
