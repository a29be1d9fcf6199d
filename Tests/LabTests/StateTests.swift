import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import TestSupport
import Testing

extension Lab {
  /// State that outlives the daemon.
  @Suite struct StateTests {
    private func state(of street: Street, interval: String = "60s") -> String {
      "state: { file: \(street.folder.path)/state, interval: \(interval) }"
    }

    /// Ends the daemon as a service manager does, and starts it again.
    private func restart(
      _ street: Street, _ daemon: consuming ChildProcess, by signal: Int32 = SIGTERM, log: inout String
    ) throws -> ChildProcess {
      daemon.signal(signal)
      _ = daemon.readToEnd()
      #expect(daemon.wait() == (signal == SIGTERM ? 0 : 128 + signal))
      return try start(street, log: &log)
    }

    private func start(_ street: Street, log: inout String) throws -> ChildProcess {
      let daemon = try street.gateway.start([
        Lab.program("porticod"), "--config", street.configurationFile, "--foreground",
      ])
      log = daemon.read(until: "started")
      try #require(log.contains("started"), "\(log)")
      return daemon
    }

    /// Ends the daemon, takes the address from the kernel, and starts it again.
    private func restartWithoutAddress(
      _ street: Street, _ daemon: consuming ChildProcess, log: inout String
    ) throws -> ChildProcess {
      daemon.signal(SIGTERM)
      _ = daemon.readToEnd()
      #expect(daemon.wait() == 0)
      try street.gateway.shell("ip address flush dev wan0")
      return try start(street, log: &log)
    }

    /// A connection through the gateway, and its other end.
    private func connect(_ street: Street, _ listener: borrowing PlainSocket) throws -> (Stream, Stream) {
      let near = try street.client.enter { Stream(try .stream(port: 0, to: [203, 0, 113, 9], 7)) }
      return (near, Stream(try listener.accept()))
    }

    private func passes(_ from: Stream, _ to: Stream, _ byte: UInt8) -> Bool {
      // Safety: one byte.
      let sent = unsafe send(from.socket.descriptor, [byte], 1, Int32(MSG_NOSIGNAL))
      // The kernel sends again after 0.2, 0.4, 0.8 s and so on, what a daemon that was away did not forward.
      return sent == 1 && to.socket.receive(within: 15) == [byte]
    }

    @Test("RC7 RC8 a restart under 200 open TCP connections and a running download breaks none of them")
    func restarts() async throws {
      let street = try Street()
      try street.configure(state(of: street))
      let web = try street.server.enter { try HTTPServer(port: 80) }
      let listener = try street.server.enter { try PlainSocket.listener(port: 7) }
      var daemon = try street.startDaemon()
      var pairs: [(Stream, Stream)] = []
      for _ in 0..<200 { pairs.append(try connect(street, listener)) }
      for (near, far) in pairs { #expect(passes(near, far, 1)) }
      let download = try street.startDownload(16)
      let before = Set(Flow.all(try await street.control.wholeTable()))
      #expect(before.count == 201)
      // Data is on its way in both directions while nobody forwards.
      for (near, far) in pairs[..<100] {
        // Safety: one byte.
        unsafe _ = send(near.socket.descriptor, [2], 1, Int32(MSG_NOSIGNAL))
        unsafe _ = send(far.socket.descriptor, [3], 1, Int32(MSG_NOSIGNAL))
      }
      var log = ""
      daemon = try restart(street, daemon, log: &log)
      #expect(log.contains("state restored") && log.contains("sessions=201"), "\(log)")
      #expect(Set(Flow.all(try await street.control.wholeTable())) == before)
      let restored = try #require(try await street.control.status().restored)
      #expect(restored.outcome == .restored && restored.sessions == 201 && restored.lost == 0, "\(restored)")
      #expect(restored.age.map { $0.nanoseconds < 60_000_000_000 } == true)
      for (near, far) in pairs[..<100] {
        #expect(far.socket.receive(within: 15) == [2])
        #expect(near.socket.receive(within: 15) == [3])
      }
      for (near, far) in pairs {
        #expect(passes(near, far, 4))
        #expect(passes(far, near, 5))
      }
      try street.expectWhole(download, 16)
      withExtendedLifetime(web) {}
      daemon.expectEnd()
    }

    @Test("RC8 a port that rests does so over a restart, and is free when its rest is over, RFC 6888 REQ-8")
    func portsRest() async throws {
      let street = try Street()
      try street.configure(
        """
        nat: { pool: [{ address: 203.0.113.5, ports: 5000-5000 }], parity: false, port-rest: 12s }
        \(state(of: street))
        """)
      let second = try street.addHost()
      let there = try street.server.enter { try UDPEnd(port: 9) }
      let (here, other) = (
        try street.client.enter { try UDPEnd(port: 4000) }, try second.enter { try UDPEnd(port: 4000) }
      )
      var daemon = try street.startDaemon()
      try here.send([1], [203, 0, 113, 9], 9)
      #expect(there.socket.receive() == [1])
      #expect(try street.portico("end --all").code == 0)
      let freed = ContinuousClock.now
      var log = ""
      daemon = try restart(street, daemon, log: &log)
      let resting = try await street.control.stats().pool.first { $0.transport == .udp }?.resting
      #expect(resting == 1)
      try other.send([2], [203, 0, 113, 9], 9)
      let early = there.socket.receive(within: 0.3)
      // On a slow machine the rest may be over by now.
      if ContinuousClock.now - freed < .seconds(12) { #expect(early == nil) }
      // Whose it was may have it at once, and gives it back.
      var isFree = false
      while !isFree, ContinuousClock.now - freed < .seconds(40) {
        try other.send([3], [203, 0, 113, 9], 9)
        isFree = there.socket.receive(within: 0.5) == [3]
        if isFree { #expect(ContinuousClock.now - freed > .seconds(11)) }
      }
      #expect(isFree)
      daemon.expectEnd()
    }

    @Test("RC8 kill -9 in the midst of writing snapshots, 50 times: what starts next finds a whole one")
    func killed() async throws {
      let street = try Street()
      // On a slow machine one host makes more than its limit.
      try street.configure(
        "nat: { limits: { per-host: { sessions: 1000000 } } }\n" + state(of: street, interval: "1s"))
      let there = try street.server.enter { try UDPEnd(port: 9) }
      var daemon = try street.startDaemon()
      let churn = try Churn(street.client, port: 5000, rate: 4000)
      #expect(try await eventually { try await street.control.snapshot().sessions > 100 })
      var restored = 0
      for round in 0..<50 {
        // Snapshots one behind the other, and the end of the process at any place of one.
        let control = street.control
        let writing = Task {
          while !Task.isCancelled { if (try? await control.snapshot()) == nil { await Task.yield() } }
        }
        try await Task.sleep(for: .microseconds(Int.random(in: 0..<20_000)))
        var log = ""
        daemon = try restart(street, daemon, by: SIGKILL, log: &log)
        writing.cancel()
        await writing.value
        #expect(!log.contains("not restored") && !log.contains("could be restored"), "round \(round): \(log)")
        if log.contains("state restored") { restored += 1 }
      }
      #expect(restored == 50, "\(restored) of 50 found a state")
      #expect(churn.stop() > 0)
      let here = try street.client.enter { try UDPEnd(port: 5001) }
      try here.send([9], [203, 0, 113, 9], 9)
      #expect(there.socket.receive() == [9])
      daemon.expectEnd()
    }

    @Test(
      "a damaged, a foreign and an outdated state are refused with a message, and the daemon starts empty")
    func refused() async throws {
      let street = try Street()
      try street.configure(state(of: street))
      let file = street.folder.appending(path: "state")
      var daemon = try street.startDaemon()
      #expect(try street.ping("203.0.113.9"))
      let answer = try street.portico("snapshot")
      #expect(answer.code == 0 && answer.output.contains("\(file.path): 1 session,"), "\(answer)")
      daemon.signal(SIGKILL)
      #expect(daemon.wait() == 128 + SIGKILL)
      let whole = try Data(contentsOf: file)
      #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o600)
      var flipped = whole
      flipped[whole.count / 2] ^= 1
      var later = whole
      later[12] = 9
      for (data, message) in [
        (flipped, "its checksum does not fit"), (whole.dropLast(8), "cut off"),
        (whole.dropLast(3), "cut off"),
        (Data("interfaces: {}".utf8) + Data(count: 2), "another kind of file"), (later, "version 9"),
        (Data(), "cut off"),
      ] {
        try Data(data).write(to: file)
        var log = ""
        daemon = try start(street, log: &log)
        #expect(log.contains("state not restored, starting empty") && log.contains(message), "\(log)")
        let refused = try await street.control.status().restored
        #expect(refused?.outcome == .refused && refused?.reason?.contains(message) == true)
        #expect(try await street.control.wholeTable().isEmpty)
        daemon.signal(SIGKILL)
        #expect(daemon.wait() == 128 + SIGKILL)
      }
      // A second later an echo's session is over, and its identifier rests no more.
      try street.configure("nat: { lifetimes: { icmp: 1s }, port-rest: 0s }\n\(state(of: street))")
      daemon = try street.startDaemon()
      #expect(try street.ping("203.0.113.9"))
      daemon.signal(SIGTERM)
      _ = daemon.wait()
      try await Task.sleep(for: .seconds(2))
      var outdated = ""
      daemon = try start(street, log: &outdated)
      #expect(outdated.contains("nothing of the state") && outdated.contains("expired=1"), "\(outdated)")
      daemon.signal(SIGKILL)
      _ = daemon.wait()
      try whole.write(to: file)
      try street.configure("nat: { pool: [{ address: 203.0.113.6 }] }\n\(state(of: street))")
      var log = ""
      daemon = try start(street, log: &log)
      #expect(
        log.contains("nothing of the state could be restored") && log.contains("notAllowed=1"), "\(log)")
      #expect(try street.ping("203.0.113.9"))
      daemon.expectEnd()
    }

    @Test(
      "RC8 RC2 a state waits for the host's address where that comes after the daemon: it lives again under the same address, and is dropped and counted under another"
    )
    func lateAddress() async throws {
      let street = try Street()
      try street.configureHost(inside: "192.168.1.1/24", state(of: street))
      try street.giveOutside()
      let there = try street.server.enter { try UDPEnd(port: 9) }
      let here = try street.client.enter { try UDPEnd(port: 4000) }
      var daemon = try street.startDaemon()
      try here.send([1], [203, 0, 113, 9], 9)
      let seen = try there.socket.receiveDatagram()
      #expect(seen.data == [1] && seen.host == [203, 0, 113, 5])
      // Twice: the daemon that did not see an address leaves the file as it was.
      for _ in 0..<2 {
        var log = ""
        daemon = try restartWithoutAddress(street, daemon, log: &log)
        #expect(log.contains("the state waits for the machine's addresses"), "\(log)")
        let waiting = try await street.control.status().restored
        #expect(waiting?.outcome == .waiting && waiting?.age != nil)
        let refused = try street.portico("snapshot")
        #expect(
          refused.code != 0 && refused.output.contains("waits for the machine's addresses"), "\(refused)")
      }
      #expect(try await street.control.wholeTable().isEmpty)
      let events = try await street.control.events()
      try street.giveOutside()
      #expect(try await eventually { try await street.control.status().restored?.outcome == .restored })
      let restored = try #require(try await street.control.status().restored)
      #expect(restored.sessions == 1 && restored.bindings == 1 && restored.notAllowed == 0, "\(restored)")
      for await event in events where event.kind == .stateRestored {
        #expect(event.count == 1)
        break
      }
      // From outside first: only the old binding leads in.
      try there.send([2], [203, 0, 113, 5], seen.port)
      #expect(here.socket.receive(within: 5) == [2])
      try here.send([3], [203, 0, 113, 9], 9)
      let again = try there.socket.receiveDatagram()
      #expect(again.data == [3] && again.port == seen.port)
      var log = ""
      daemon = try restartWithoutAddress(street, daemon, log: &log)
      try street.giveOutside("203.0.113.77")
      #expect(try await eventually { try await street.control.status().restored?.outcome == .restored })
      let dropped = try #require(try await street.control.status().restored)
      #expect(dropped.sessions == 0 && dropped.notAllowed == 1, "\(dropped)")
      try here.send([4], [203, 0, 113, 9], 9)
      #expect(try there.socket.receiveDatagram().host == [203, 0, 113, 77])
      daemon.signal(SIGTERM)
      #expect(daemon.readToEnd().contains("nothing of the state could be restored"))
      #expect(daemon.wait() == 0)
    }

    @Test(
      "a disk without room: the old snapshot stays whole, nothing is left beside it, the status says so until there is room"
    )
    func fullDisk() async throws {
      let street = try Street()
      let disk = street.folder.appending(path: "disk").path
      try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
      try street.configure(
        """
        nat: { port-rest: 0s }
        state: { file: \(disk)/state, interval: 1d }
        """)
      // A mount of its own: the machine's stay as they are.
      let daemon = try street.gateway.start([
        "/bin/sh", "-c",
        """
        exec unshare -m sh -c "mount -t tmpfs -o size=40k none \(disk) && exec \(Lab.program("porticod")) \
        --config \(street.configurationFile) --foreground"
        """,
      ])
      let log = daemon.read(until: "started")
      try #require(log.contains("started"), "\(log)")
      let there = "/proc/\(daemon.identifier)/root\(disk)"
      let here = try street.client.enter { try UDPEnd(port: 4000) }
      try here.send([1], [203, 0, 113, 9], 9)
      #expect(try street.portico("snapshot").code == 0)
      let whole = try Data(contentsOf: URL(fileURLWithPath: there + "/state"))
      // 88 bytes each.
      for port in 1000..<1800 as Range<UInt16> { try here.send([1], [203, 0, 113, 9], port) }
      #expect(try await eventually { try await street.control.stats().sessions > 700 })
      let refused = try street.portico("snapshot")
      #expect(refused.code != 0 && refused.output.contains("No space left on device"), "\(refused)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: there + "/state")) == whole)
      #expect(try FileManager.default.contentsOfDirectory(atPath: there) == ["state"])
      let degraded = try await street.control.status().degraded
      #expect(degraded.contains { $0.contains("the state is not saved") }, "\(degraded)")
      // A dump that has no room is refused before what is recorded is given away.
      #expect(try street.portico("record on").code == 0)
      for port in 1000..<1800 as Range<UInt16> { try here.send([2], [203, 0, 113, 9], port) }
      #expect(try await eventually { try await street.control.recording().packets > 700 })
      let dump = try street.portico("record dump \(disk)/dump")
      #expect(dump.code != 0 && dump.output.contains("found room for"), "\(dump)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: there) == ["state"])
      #expect(try await street.control.recording().packets > 700)
      #expect(try street.portico("end --all").code == 0)
      #expect(try street.portico("snapshot").code == 0)
      #expect(try await street.control.status().degraded.isEmpty)
      daemon.signal(SIGTERM)
      let end = daemon.readToEnd()
      #expect(end.contains("the state can be saved again") && end.contains("state saved"), "\(end)")
      #expect(daemon.wait() == 0)
    }
  }
}
