import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATKernel
import NATLab
import TestSupport
import Testing

extension Lab.Street {
  /// The configuration of a gateway that shares the host's address outside: the kernel of the gateway's machine has it.
  /// - Parameter inside: `host`, or an address of the gateway's own.
  func configureHost(inside: String = "host", _ more: String = "") throws {
    let text = """
      interfaces:
        inside: { name: lan0, address: \(inside) }
        outside: { name: wan0, address: host }
      \(more.contains("control:") ? "" : "control: { socket: \(controlSocket), group: \"0\" }")
      \(more)

      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: configurationFile))
  }

  /// Gives the kernel an address outside, and the way by the server.
  func giveOutside(_ address: String = "203.0.113.5") throws {
    try gateway.shell("ip address add \(address)/24 dev wan0 && ip route replace default via 203.0.113.9")
  }

  func giveInside() throws { try gateway.shell("ip address add 192.168.1.1/24 dev lan0") }

  /// A datagram of the client's from a new socket reaches the server, and its answer the client.
  /// - Parameter wait: for the datagram, in seconds.
  /// - Returns: under which public endpoint it is seen there.
  func reaches(_ server: UDPEnd, within wait: Double = 0.25) throws -> (host: [UInt8], port: UInt16)? {
    // What comes late of an earlier try.
    while server.socket.receive(within: 0) != nil {}
    let here = try client.enter { try UDPEnd() }
    try here.send([7], [203, 0, 113, 9], 9)
    guard server.socket.receive(within: wait) == [7] else { return nil }
    try here.send([8], [203, 0, 113, 9], 9)
    // The address may change between the two.
    guard server.socket.isReadable(within: wait) else { return nil }
    let seen = try server.socket.receiveDatagram()
    guard seen.data == [8] else { return nil }
    try server.send([9], seen.host, seen.port)
    return here.socket.receive(within: 1) == [9] ? (seen.host, seen.port) : nil
  }

  /// Waits until new flows are seen under an address, for twenty seconds at most.
  func becomes(_ server: UDPEnd, _ host: [UInt8], within wait: Double = 0.25) throws -> Bool {
    try eventually { try reaches(server, within: wait)?.host == host }
  }

  /// `net.ipv4.ip_local_reserved_ports` of the gateway's namespace.
  func reservedPorts() throws -> String {
    try gateway.shell("cat /proc/sys/net/ipv4/ip_local_reserved_ports").filter { $0 != "\n" }
  }
}

extension Lab {
  /// A gateway on a machine that keeps its address: `address: host`.
  @Suite struct HostAddressTests {
    @Test(
      "RC2 ST-7 FW8 an address that changes under 50 running flows: they end, statics follow, new ones work within a second, the machine's own connections go on",
      arguments: ["host", "192.168.1.1/24"])
    func changes(inside: String) async throws {
      let street = try Street()
      try street.configureHost(
        inside: inside, "static: [{ protocol: tcp, public: host:8080, private: 192.168.1.2:80 }]")
      if inside == "host" { try street.giveInside() }
      try street.giveOutside()
      let office = try NetworkNamespace()
      try street.gateway.connect("mgmt0", to: office, "eth0")
      try office.shell("ip address add 10.0.0.2/24 dev eth0")
      try street.gateway.shell("ip address add 10.0.0.1/24 dev mgmt0")
      let (forwarded, web) = (
        try street.client.enter { try HTTPServer(port: 80) },
        try street.server.enter { try HTTPServer(port: 80) }
      )
      let daemon = try street.startDaemon()
      // Logins of the machine's own, to it and from it, which say a word now and then.
      let login = try street.gateway.enter { try PlainSocket.listener(port: 22) }
      let outer = try office.enter { try PlainSocket.listener(port: 22) }
      let logins = [
        (
          try office.enter { Stream(try PlainSocket.stream(port: 4000, to: [10, 0, 0, 1], 22)) },
          Stream(try login.accept())
        ),
        (
          try street.gateway.enter { Stream(try PlainSocket.stream(port: 4000, to: [10, 0, 0, 2], 22)) },
          Stream(try outer.accept())
        ),
      ]
      func logInsSpeak() throws {
        for (one, other) in logins {
          for (from, to) in [(one, other), (other, one)] {
            let word: [UInt8] = [5, 6]
            // Safety: the array has as many bytes.
            #expect(unsafe Glibc.send(from.socket.descriptor, word, word.count, 0) == 2)
            #expect(to.socket.receive(exactly: 2) == [5, 6])
          }
        }
      }
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let flows = try street.client.enter { try (0..<50).map { _ in try UDPEnd() } }
      for (number, flow) in flows.enumerated() {
        try flow.send([UInt8(number)], [203, 0, 113, 9], 9)
        let seen = try server.socket.receiveDatagram()
        #expect(seen.host == [203, 0, 113, 5] && seen.data == [UInt8(number)])
        #expect((10240...32767).contains(seen.port))
      }
      let download = try street.startDownload(20)
      try logInsSpeak()
      let events = try await street.control.events()
      let ended = Task { () -> [String] in
        var reasons: [String] = []
        for await event in events {
          if event.kind == .bindingEnded, let reason = event.reason { reasons.append(reason) }
          if event.kind == .addressChanged, event.publicEndpoint?.address == "203.0.113.77" { break }
        }
        return reasons
      }
      // Whoever listens hears of everything that happens once a first event has come.
      try await Task.sleep(for: .milliseconds(500))
      let start = ContinuousClock.now
      try street.gateway.shell("ip address del 203.0.113.5/24 dev wan0")
      try street.giveOutside("203.0.113.77")
      #expect(try street.becomes(server, [203, 0, 113, 77]))
      let took = ContinuousClock.now - start
      print("new flows work \(took) after the address began to change")
      let reasons = await ended.value
      #expect(reasons.count { $0 == "address-changed" } >= 51, "\(reasons)")
      // Nothing is left of the old address, and the static has moved.
      let table = try await street.control.wholeTable()
      #expect(!table.contains { $0.publicEndpoint.address == "203.0.113.5" })
      #expect(table.contains { $0.kind == .static && $0.publicEndpoint.text == "203.0.113.77:8080" })
      let page = try street.server.attempt(
        "cd \(street.folder.path) && curl -sS -m 20 -o forwarded http://203.0.113.77:8080/1")
      #expect(page.code == 0, "\(page.output)")
      #expect(try Download.isWhole(street.folder.appending(path: "forwarded"), blocks: 1))
      try logInsSpeak()
      let own = try street.gateway.attempt("curl -sS -m 20 -o /dev/null http://203.0.113.9/1")
      #expect(own.code == 0, "\(own.output)")
      // What the kernel told last may be a moment behind.
      let isWell = try await eventually { try await street.control.status().degraded == [] }
      let status = try await street.control.status()
      #expect(isWell && status.interfaces.outside.address == "203.0.113.77/24", "\(status)")
      download.signal(SIGTERM)
      _ = download.wait()
      withExtendedLifetime((forwarded, web)) {}
      daemon.expectEnd()
    }

    @Test(
      "FW8 FW11 the kernel answers echo requests and its own ports; for the gateway's ports it sends no RST and no ICMP"
    )
    func kernel() throws {
      let street = try Street()
      try street.configureHost("static: [{ protocol: tcp, public: host:8080, private: 192.168.1.2:80 }]")
      try street.giveInside()
      try street.giveOutside()
      try street.gateway.shell("echo 1 >/proc/sys/net/ipv4/ip_forward")
      let (here, there, login) = (
        try street.client.enter { try HTTPServer(port: 80) },
        try street.server.enter { try HTTPServer(port: 80) },
        try street.gateway.enter { try HTTPServer(port: 22) }
      )
      // What a kernel would say of ports that it does not know.
      let wire = try street.server.start([
        "/bin/sh", "-c",
        "exec tcpdump -n -l -Q in -i eth0 'tcp[tcpflags] & tcp-rst != 0 or (icmp and icmp[0] != 0 and icmp[0] != 8)'",
      ])
      try #require(wire.read(until: "listening on").contains("listening on"))
      let daemon = try street.startDaemon()
      // Ping to the machine from both sides, from it, and through it.
      for (from, to) in [
        (street.server, "203.0.113.5"), (street.client, "192.168.1.1"), (street.client, "203.0.113.5"),
        (street.gateway, "203.0.113.9"), (street.client, "203.0.113.9"),
      ] {
        let ping = try from.attempt("ping -n -c 5 -i 0.05 -W 1 \(to)")
        #expect(ping.code == 0 && !ping.output.contains("DUP"), "\(ping.output)")
      }
      // The machine's own traffic and translated traffic, all at a time.
      let ways: [(from: NetworkNamespace, to: String)] = [
        (street.server, "203.0.113.5:22"), (street.client, "192.168.1.1:22"),
        (street.client, "203.0.113.5:22"),
        (street.gateway, "203.0.113.9:80"), (street.client, "203.0.113.9:80"),
        (street.server, "203.0.113.5:8080"),
      ]
      let transfers = try ways.enumerated().map { index, way in
        Running(
          try way.from.start([
            "/bin/sh", "-c",
            "cd \(street.folder.path) && exec curl -sS -m 60 -o way\(index) http://\(way.to)/4",
          ]))
      }
      for (index, transfer) in transfers.enumerated() {
        #expect(transfer.end() == "", "\(ways[index].to)")
        #expect(try Download.isWhole(street.folder.appending(path: "way\(index)"), blocks: 4))
      }
      // Ports of the gateway's that nobody has.
      for port in [10_240, 20_000, 32_767] {
        #expect(try street.server.attempt("curl -sS -m 0.5 http://203.0.113.5:\(port)/").code == 28)
      }
      let datagram = try street.server.enter { try PlainSocket.udp(port: 0) }
      try datagram.send([1], to: [203, 0, 113, 5], 20_001)
      // One beside them is the kernel's, which refuses.
      #expect(try street.server.attempt("curl -sS -m 5 http://203.0.113.5:32768/").code == 7)
      let seen = wire.read(until: "203.0.113.5.32768 > ")
      wire.signal(SIGINT)
      let refusals = (seen + wire.readToEnd()).split(separator: "\n").filter { $0.contains(" > ") }
      _ = wire.wait()
      #expect(
        refusals.count == 1 && refusals.allSatisfy { $0.contains("203.0.113.5.32768 > ") }, "\(refusals)")
      withExtendedLifetime((here, there, login)) {}
      daemon.expectEnd()
      #expect(try street.gateway.shell("nft list ruleset") == "")
    }

    /// A program in an array.
    final class Running {
      private var process: ChildProcess?
      init(_ process: consuming ChildProcess) { self.process = .some(process) }
      /// What it printed; its exit code is a failure if it is not 0.
      func end() -> String {
        guard let process = process.take() else { return "ended before" }
        let text = process.readToEnd()
        let code = process.wait()
        return code == 0 ? text : "exits with \(code): \(text)"
      }
    }

    @Test(
      "ports on which the host listens are left alone: those of the start at once, later ones within seconds, and what was bound there ends"
    )
    func listens() async throws {
      let street = try Street()
      try street.configureHost("static: [{ protocol: tcp, public: host:8080, private: 192.168.1.2:80 }]")
      try street.giveInside()
      try street.giveOutside()
      let (web, early) = (
        try street.client.enter { try HTTPServer(port: 80) },
        try street.gateway.enter { try HTTPServer(port: 20_000) }
      )
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let daemon = try street.startDaemon()
      func serves(_ port: Int) throws -> Bool {
        try street.server.attempt("curl -sS -m 5 -o /dev/null http://203.0.113.5:\(port)/1").code == 0
      }
      func portSeen(from port: UInt16) throws -> UInt16 {
        let here = try street.client.enter { try UDPEnd(port: port) }
        try here.send([1], [203, 0, 113, 9], 9)
        return try server.socket.receiveDatagram().port
      }
      #expect(try serves(20_000))
      #expect(try portSeen(from: 20_000) != 20_000)
      #expect(try portSeen(from: 20_002) == 20_002)
      // A server of the machine's comes on a port that is in use.
      let late = try street.gateway.enter { try HTTPServer(port: 20_002) }
      #expect(try serves(20_002))
      func isBound(_ port: UInt16) async throws -> Bool {
        try await street.control.wholeTable().contains { $0.publicEndpoint.port == port }
      }
      let start = ContinuousClock.now
      while try await isBound(20_002), ContinuousClock.now - start < .seconds(20) {
        try await Task.sleep(for: .milliseconds(50))
      }
      #expect(try await !isBound(20_002))
      #expect(try serves(20_002))
      // And one on the port of a static, which is reached until then.
      #expect(try street.portico("status").output.contains("all is well"))
      let own = try street.gateway.enter { try HTTPServer(port: 8080) }
      while try await street.control.status().degraded.isEmpty, ContinuousClock.now - start < .seconds(40) {
        try await Task.sleep(for: .milliseconds(50))
      }
      #expect(
        try await street.control.status().degraded == [
          "static tcp host:8080: a socket of the machine has the port"
        ])
      #expect(try serves(8080))
      withExtendedLifetime((web, early, late, own)) {}
      daemon.expectEnd()
    }

    @Test(
      "a question that the machine asks from a port of the pool is answered: sockets are looked for packet by packet"
    )
    func shortLived() throws {
      let street = try Street()
      try street.configureHost()
      try street.giveInside()
      try street.giveOutside()
      let server = try street.server.enter { try UDPEnd(port: 53) }
      let daemon = try street.startDaemon()
      // As resolvers do: a port of their own choice for each question.
      for number in 0..<20 {
        let own = try street.gateway.enter { try UDPEnd(port: UInt16(12_000 + number)) }
        try own.send([1], [203, 0, 113, 9], 53)
        let question = try server.socket.receiveDatagram()
        try server.send([2], question.host, question.port)
        #expect(own.socket.receive(within: 2) == [2])
      }
      daemon.expectEnd()
    }

    @Test(
      "RC7 RC8 the pool's ports are reserved while it runs, and given back: after SIGTERM, and after kill -9 by --kernel-settings restore"
    )
    func reserves() throws {
      let street = try Street()
      try street.configureHost("static: [{ protocol: tcp, public: host:8080, private: 192.168.1.2:80 }]")
      try street.giveOutside()
      try street.gateway.shell("echo 9000,20000-20001 >/proc/sys/net/ipv4/ip_local_reserved_ports")
      let before = try street.reservedPorts()
      let during = "8080,9000,10240-32767"
      let command = "\(try Lab.program("porticod")) --config \(street.configurationFile) --kernel-settings"
      let first = try street.startDaemon()
      #expect(try street.reservedPorts() == during)
      // A second one by mistake, and as a service manager starts and cleans up behind it. The first one would mend what is
      // taken from it within a second; its record would be another file then.
      func record() -> ino_t {
        var status = stat()
        // Safety: the path is not kept.
        return unsafe lstat(ReservedPorts.record(for: street.controlSocket), &status) == 0 ? status.st_ino : 0
      }
      let its = record()
      let second = try street.gateway.attempt(
        "\(Lab.program("porticod")) --config \(street.configurationFile)")
      #expect(second.code == 69 && second.output.contains("is the gateway on it"), "\(second)")
      #expect(its != 0 && record() == its)
      #expect(try street.gateway.attempt("\(command) set").code == 0)
      let restored = try street.gateway.attempt("\(command) restore")
      #expect(restored.code == 69 && restored.output.contains("nothing is taken back"), "\(restored)")
      #expect(try street.reservedPorts() == during)
      // Whoever loads kernel settings anew.
      try street.gateway.shell("echo 9000,20000-20001 >/proc/sys/net/ipv4/ip_local_reserved_ports")
      #expect(try eventually { try street.reservedPorts() == during })
      first.expectEnd()
      #expect(try street.reservedPorts() == before)
      let killed = try street.startDaemon()
      killed.signal(SIGKILL)
      _ = killed.wait()
      #expect(try street.reservedPorts() == during)
      #expect(try street.gateway.attempt("\(command) restore").code == 0)
      #expect(try street.reservedPorts() == before)
      // As a service manager does it, around a daemon that could not.
      #expect(try street.gateway.attempt("\(command) set").code == 0)
      #expect(try street.reservedPorts() == during)
      let third = try street.startDaemon()
      third.signal(SIGKILL)
      _ = third.wait()
      // Taken over by the next one, which gives back all of it.
      let fourth = try street.startDaemon()
      #expect(try street.reservedPorts() == during)
      fourth.expectEnd()
      #expect(try street.reservedPorts() == before)
      // A pool that leaves the kernel nothing for itself.
      try street.configureHost("nat: { pool: [{ address: host, ports: 1024-65535 }] }")
      let result = try street.gateway.attempt("\(command) set")
      #expect(result.code == 69 && result.output.contains("no port is left"), "\(result)")
      #expect(try street.reservedPorts() == before)
    }

    @Test(
      "RC7 RC8 FW11 a service that may not write kernel settings: root's lines around it do, and believe nothing of its user's"
    )
    func service() async throws {
      let stage = try ServiceTests.Stage()
      let street = stage.street
      let socket = "\(stage.run)/control.sock"
      let group = "\(ServiceTests.Stage.user)"
      try street.configureHost("control: { socket: \(socket), group: \"\(group)\" }")
      try street.giveInside()
      try street.giveOutside()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let record = ReservedPorts.record(for: socket)
      defer { try? FileManager.default.removeItem(atPath: record) }
      let command = "\(try Lab.program("porticod")) --config \(street.configurationFile) --kernel-settings"
      func degraded() async throws -> [String] {
        try await ControlClient(socketPath: socket).status().degraded
      }
      /// Starts it as the unit does, and waits until it is ready.
      func start(isSealed: Bool = true) throws -> ChildProcess {
        let daemon = try stage.start(under: isSealed ? .sealed : nil)
        guard stage.notify.wait(for: "READY=1") != nil else {
          throw LabFailure(description: "not ready: \(daemon.readToEnd())")
        }
        return daemon
      }

      #expect(try street.gateway.attempt("\(command) set").code == 0)
      #expect(try street.reservedPorts() == "10240-32767")
      var status = stat()
      #expect(unsafe lstat(record, &status) == 0 && status.st_uid == 0 && status.st_mode == S_IFREG | 0o600)
      let first = try start()
      #expect(try street.becomes(server, [203, 0, 113, 5]))
      #expect(try await degraded() == [])
      // What its user could write, to have root write more, or less.
      try Data("1-65535\n".utf8).write(to: URL(fileURLWithPath: "\(stage.run)/reserved-ports"))
      // After kill -9 the service manager starts it again, or not.
      first.signal(SIGKILL)
      _ = first.wait()
      #expect(try street.gateway.attempt("\(command) set").code == 0)
      let second = try start()
      #expect(try street.becomes(server, [203, 0, 113, 5]))
      second.expectEnd()
      // They are root's to take back.
      #expect(try street.reservedPorts() == "10240-32767")
      #expect(try street.gateway.attempt("\(command) restore").code == 0)
      #expect(try street.reservedPorts() == "" && !FileManager.default.fileExists(atPath: record))
      try street.gateway.shell("echo 9000 >/proc/sys/net/ipv4/ip_local_reserved_ports")
      #expect(try street.gateway.attempt("\(command) restore").code == 0)
      #expect(try street.reservedPorts() == "9000")

      // Were it another one's, or a link, root says so and leaves everything as it is.
      try Data("1-65535\n".utf8).write(to: URL(fileURLWithPath: record))
      #expect(unsafe chmod(record, 0o600) == 0 && chown(record, 65_534, 65_534) == 0)
      for (act, found) in [("set", "a file of user 65534's"), ("restore", "a symbolic link")] {
        let result = try street.gateway.attempt("\(command) \(act)")
        #expect(
          result.code == 69 && result.output.contains("found \(found); expected a file of user 0's"),
          "\(result)")
        #expect(try street.reservedPorts() == "9000")
        try FileManager.default.removeItem(atPath: record)
        if act == "set" {
          try FileManager.default.createSymbolicLink(
            atPath: record, withDestinationPath: "\(stage.run)/reserved-ports")
        }
      }

      // Where nobody did it before, it says so; where its capability is enough, it does it itself.
      let third = try start()
      #expect(
        try await degraded().joined().contains(
          "the kernel may give ports of the gateway to its own sockets"))
      third.expectEnd()
      try FileManager.default.removeItem(atPath: "\(stage.run)/reserved-ports")
      for isLast in [false, true] {
        let daemon = try start(isSealed: false)
        #expect(try street.reservedPorts() == "9000,10240-32767")
        daemon.signal(isLast ? SIGTERM : SIGKILL)
        _ = daemon.wait()
      }
      #expect(try street.reservedPorts() == "9000")
    }

    @Test("RC3 EX1 no address, no link, no gateway: it says so, and goes on by itself when they come")
    func comesLate() async throws {
      let street = try Street()
      try street.configureHost()
      try street.giveInside()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let daemon = try street.startDaemon()
      func degraded() async throws -> String {
        try await street.control.status().degraded.joined(separator: "; ")
      }
      #expect(try await degraded() == "the outside interface wan0 has no address: nothing is translated")
      #expect(try street.reaches(server) == nil)
      try street.gateway.shell("ip address add 203.0.113.5/24 dev wan0")
      #expect(try await eventually { try await degraded().contains("no default gateway") })
      #expect(try street.becomes(server, [203, 0, 113, 5]))
      try street.gateway.shell("ip route add default via 203.0.113.9")
      #expect(try await eventually { try await degraded() == "" })
      // Down and up: the kernel keeps the address, and forgets the route.
      try street.gateway.shell("ip link set wan0 down")
      #expect(try await eventually { try await degraded().contains("no default gateway") })
      try street.gateway.shell("ip link set wan0 up && ip route add default via 203.0.113.9")
      #expect(try street.becomes(server, [203, 0, 113, 5]))
      let start = ContinuousClock.now
      while try await !degraded().isEmpty, ContinuousClock.now - start < .seconds(20) {
        try await Task.sleep(for: .milliseconds(50))
      }
      #expect(try await degraded() == "")
      // Another device under the same name.
      try street.gateway.shell("ip link del wan0")
      #expect(try await eventually { try await degraded().contains("nothing is translated") })
      try street.layOutside()
      try street.giveOutside("203.0.113.6")
      #expect(try street.becomes(server, [203, 0, 113, 6]))
      daemon.expectEnd()
    }

    @Test(
      "RC2 FW8 a real DHCP client gets the address under the gateway, and another one with its next lease")
    func leases() async throws {
      let street = try Street()
      try street.configureHost()
      try street.giveInside()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      // The client's own script would change files of the machine's.
      let script = street.folder.appending(path: "script")
      try Data(
        """
        #!/bin/sh
        case $reason in
        PREINIT) ip -4 address flush dev $interface ;;
        BOUND|RENEW|REBIND|REBOOT)
          ip -4 address flush dev $interface
          ip address add $new_ip_address/24 dev $interface
          ip route replace default via $new_routers
          touch $(dirname $0)/bound ;;
        EXPIRE|FAIL|RELEASE|STOP) ip -4 address flush dev $interface ;;
        esac

        """.utf8
      ).write(to: script)
      try street.gateway.shell("chmod +x \(script.path)")
      func startServer(_ range: String) throws -> ChildProcess {
        let server = try street.server.start([
          "/bin/sh", "-c",
          """
          exec dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --pid-file \
          --log-facility=- --interface=eth0 --bind-interfaces --dhcp-range=\(range),1h --dhcp-authoritative \
          --dhcp-option=option:router,203.0.113.9 --dhcp-leasefile=\(street.folder.path)/leases --no-ping
          """,
        ])
        let words = server.read(until: "started")
        try #require(words.contains("started"), "\(words)")
        return server
      }
      func lease() throws -> (code: Int32, output: String) {
        try street.gateway.attempt(
          """
          rm -f \(street.folder.path)/bound
          timeout 60 dhclient -1 -d -sf \(script.path) -cf /dev/null -lf \(street.folder.path)/lease \
          -pf \(street.folder.path)/pid wan0 >/dev/null 2>&1 & client=$!
          for wait in $(seq 300); do test -e \(street.folder.path)/bound && break; sleep 0.1; done
          kill $client; wait $client; test -e \(street.folder.path)/bound
          """)
      }
      let daemon = try street.startDaemon()
      let first = try startServer("203.0.113.100,203.0.113.100")
      #expect(try lease().code == 0)
      #expect(try street.becomes(server, [203, 0, 113, 100]))
      first.signal(SIGTERM)
      _ = first.wait()
      let second = try startServer("203.0.113.120,203.0.113.120")
      #expect(try lease().code == 0)
      #expect(try street.becomes(server, [203, 0, 113, 120]))
      let ping = try street.gateway.attempt("ping -n -c 2 -i 0.2 -W 1 203.0.113.9")
      #expect(ping.code == 0, "\(ping.output)")
      second.signal(SIGTERM)
      _ = second.wait()
      daemon.signal(SIGTERM)
      let log = daemon.readToEnd()
      #expect(log.contains("address=203.0.113.120/24 gateway=203.0.113.9"), "\(log)")
      #expect(daemon.wait() == 0)
    }
  }
}
