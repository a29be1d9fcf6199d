import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import TestSupport
import Testing

extension Lab {
  /// `PORTICO_SOAK` runs them at full length against the release build.
  @Suite struct OverloadTests {
    private static let isFull = ProcessInfo.processInfo.environment["PORTICO_SOAK"] != nil

    private func start(_ street: Street) throws -> ChildProcess {
      try street.startDaemon(Self.isFull ? Lab.releaseProgram("porticod") : Lab.program("porticod"))
    }

    @Test("LIM6 a SYN flood from one inside host: others' new connections work, memory stays, RFC 6888 REQ-5")
    func synFlood() async throws {
      let count = Self.isFull ? 1_000_000 : 40_000
      let rate = Self.isFull ? 50_000 : 8000
      // The default limits, or an eighth of them.
      let limits = (ports: Self.isFull ? 16_384 : 2048, sessions: Self.isFull ? 65_536 : 8192)
      let street = try Street()
      let other = try street.addHost()
      try street.configure(
        "nat: { limits: { per-host: { ports: \(limits.ports), sessions: \(limits.sessions) } } }")
      let daemon = try start(street)
      let identifier = daemon.identifier
      #expect(try street.ping("203.0.113.9", count: 1))
      let server = try street.server.enter { try HTTPServer(port: 80) }
      let tap = try Tap(street.client)
      let syn = WireFrames.tcp(
        (tap.mac, [192, 168, 1, 2]), 1, (try street.gatewayMAC("lan0"), [198, 51, 100, 1]), 80,
        .init(flags: 2, sequence: 1))
      let ports = 2 * limits.ports
      let flood = FrameFlood(tap, rate: rate, count: count, syn) { frame, number in
        // Each from one of twice as many ports as a host may have, to a pair of address and port of its own. The transport checksum stays wrong:
        // nobody is to answer.
        frame.replaceSubrange(34..<36, with: big(UInt16(1024 + number % ports)))
        frame.replaceSubrange(36..<38, with: big(UInt16(1 + number % 65_535)))
        frame[33] = UInt8(1 + number / 65_535)
        frame.replaceSubrange(24..<26, with: [0, 0])
        frame.replaceSubrange(
          24..<26, with: big(InternetChecksum.of(Array(frame[14..<34]))))
      }
      defer { flood.stop() }
      // Half of the flood fills what the host may have; then nothing more may stay.
      while flood.count < count / 2 { try await Task.sleep(for: .milliseconds(20)) }
      let settled = try ProcessFigures(identifier)
      var connections = 0
      var slowest = Duration.zero
      let clock = ContinuousClock()
      repeat {
        let time = try clock.measure {
          // One in a row of new connections; a SYN that the full ring lost is sent again after a second.
          let words = try other.attempt(
            "curl -sS -m 30 -o /dev/null -w '%{http_code}' http://203.0.113.9/0")
          #expect(words.code == 0 && words.output == "200", "after \(connections): \(words)")
        }
        slowest = max(slowest, time)
        connections += 1
      } while flood.isRunning && connections < 10_000
      let figures = try ProcessFigures(identifier)
      // The counter of what the capture lost is brought up to date once a second.
      try await Task.sleep(for: .milliseconds(1500))
      let stats = try await street.control.stats()
      let refused = stats.drops["hostSessionLimit"] + stats.drops["hostPortLimit"]
      print(
        "SYN flood: \(flood.count) at \(rate) a second, \(stats.sessions) sessions, refused \(refused),",
        "capture dropped \(stats.inside.captureDropped), \(connections) connections of another, slowest",
        "\(slowest), \(settled.residentKibibytes) then \(figures.residentKibibytes) KiB")
      #expect(flood.count == count && connections >= 5)
      #expect(refused > 0)
      // What its own connections and the ping left, beside the flooder's.
      #expect(stats.sessions <= limits.sessions + connections + 1)
      #expect(
        Int(stats.events.sessionsCreated) + Int(refused) + Int(stats.inside.captureDropped)
          + Int(stats.outside.captureDropped) >= count)
      // Pages of 2 MiB are touched where the other host's sessions stand. Four million SYNs took 2.2 MiB, one million 4.0.
      #expect(figures.residentKibibytes - settled.residentKibibytes < 8 << 10)
      #expect(figures.descriptors <= settled.descriptors + 2)
      withExtendedLifetime(server) {}
      daemon.expectEnd()
    }

    @Test("2,000 new flows in bursts of 200: each is a session, or is counted as lost by the full ring")
    func bursts() async throws {
      let street = try Street()
      let daemon = try start(street)
      #expect(try street.ping("203.0.113.9", count: 1))
      let before = try await street.control.stats()
      let end = try street.client.enter { try UDPEnd(port: 5000) }
      for number in 0..<2000 {
        try end.send([1], [198, 51, UInt8(number >> 8), UInt8(number & 0xFF)], 53)
        if number % 200 == 199 { usleep(10_000) }
      }
      var stats = before
      func made() -> Int { Int(stats.events.sessionsCreated - before.events.sessionsCreated) }
      // The counter of what the capture lost is brought up to date once a second.
      let isAll = try await eventually {
        stats = try await street.control.stats()
        return made() + Int(stats.inside.captureDropped) >= 2000
      }
      print("bursts: \(made()) sessions, capture dropped \(stats.inside.captureDropped)")
      #expect(isAll && made() + Int(stats.inside.captureDropped) == 2000)
      daemon.expectEnd()
    }

    @Test("a scan of all 65,536 ports from outside makes no state, and is counted to the last packet")
    func portScan() async throws {
      let street = try Street()
      let daemon = try start(street)
      let identifier = daemon.identifier
      #expect(try street.ping("203.0.113.9", count: 1))
      let tap = try Tap(street.server)
      let syn = WireFrames.tcp(
        (tap.mac, [203, 0, 113, 77]), 4000, (try street.gatewayMAC("wan0"), [203, 0, 113, 5]), 1,
        .init(flags: 2, sequence: 1))
      let before = try await street.control.stats()
      let settled = try ProcessFigures(identifier)
      let flood = FrameFlood(tap, rate: Self.isFull ? 50_000 : 10_000, count: 65_536, syn) { frame, number in
        frame.replaceSubrange(36..<38, with: big(UInt16(number)))
      }
      defer { flood.stop() }
      while flood.isRunning { try await Task.sleep(for: .milliseconds(20)) }
      func counted(_ stats: StatsDocument) -> UInt64 {
        stats.drops["noBinding"] + stats.drops["portZero"] + stats.outside.captureDropped
      }
      #expect(try await eventually { try await counted(street.control.stats()) >= 65_536 })
      let stats = try await street.control.stats()
      let figures = try ProcessFigures(identifier)
      print(
        "port scan: noBinding \(stats.drops["noBinding"]), portZero \(stats.drops["portZero"]), capture dropped",
        "\(stats.outside.captureDropped), \(settled.residentKibibytes) then \(figures.residentKibibytes) KiB")
      #expect(counted(stats) == 65_536)
      #expect(stats.events.sessionsCreated == before.events.sessionsCreated)
      #expect(stats.events.bindingsCreated == before.events.bindingsCreated)
      #expect(stats.sessions <= before.sessions && stats.bindings <= before.bindings)
      #expect(figures.residentKibibytes - settled.residentKibibytes < 4096)
      daemon.expectEnd()
    }
  }
}
