import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import Testing

extension Lab {
  /// `PORTICO_SOAK=600` runs so many seconds against the release build, with 2,100 new sessions a second; without it, it
  /// is a quarter of that for 15 seconds against the build at hand.
  @Suite struct SoakTests {
    private struct Sample: CustomStringConvertible {
      var second: Int
      var sessions: Int
      var created: UInt64
      var kibibytes: Int
      var descriptors: Int

      var description: String {
        "\(second) s: \(created) sessions made, \(sessions) live, \(kibibytes) KiB, \(descriptors) descriptors"
      }
    }

    /// How many segments with RST the kernel there has sent (`OutRsts`, RFC 4022).
    private static func resets(of namespace: NetworkNamespace) throws -> Int {
      let lines = try namespace.shell("grep ^Tcp: /proc/net/snmp").split(separator: "\n").map {
        $0.split(separator: " ")
      }
      let place = try #require(lines.first?.firstIndex(of: "OutRsts"))
      return try #require(Int(lines[1][place]))
    }

    @Test(
      "ever new sessions of TCP, UDP and ping: memory and descriptors stay as they are, and all sessions end")
    func soak() async throws {
      let long = ProcessInfo.processInfo.environment["PORTICO_SOAK"].flatMap { Int($0) }
      let seconds = long ?? 15
      let rates: Traffic.Rates =
        long == nil ? (udp: 290, tcp: 160, ping: 75) : (udp: 1150, tcp: 650, ping: 300)
      let street = try Street()
      // No port comes again before it is free: 1,150 a second for 15 and 30 seconds are 51,750 of 64,512.
      try street.configure(
        """
        nat:
          port-rest: \(long == nil ? 3 : 30)s
          lifetimes: { udp: \(long == nil ? 4 : 15)s, tcp-transitory: \(long == nil ? 5 : 30)s, icmp: 10s }
          limits: { per-host: { ports: 196608, sessions: 262144 } }
        """)
      let daemon = try street.startDaemon(
        long == nil ? Lab.program("porticod") : Lab.releaseProgram("porticod"))
      let identifier = daemon.identifier
      #expect(try street.ping("203.0.113.9", count: 1))
      let start = ContinuousClock.now
      func sample() async throws -> Sample {
        let figures = try ProcessFigures(identifier)
        let stats = try await street.control.stats()
        return Sample(
          second: Int((ContinuousClock.now - start) / .seconds(1)), sessions: stats.sessions,
          created: stats.events.sessionsCreated, kibibytes: figures.residentKibibytes,
          descriptors: figures.descriptors)
      }
      let first = try await sample()
      let traffic = try Traffic(from: street.client, to: street.server, [203, 0, 113, 9], rates)
      var samples: [Sample] = []
      // The first one with all that lives at a time.
      let interval = long == nil ? 3 : 60
      for number in 1...max(2, seconds / interval) {
        try await Task.sleep(until: start + .seconds(number * interval), clock: .continuous)
        samples.append(try await sample())
        print("soak:", samples[samples.count - 1])
      }
      let time = (ContinuousClock.now - start) / .seconds(1)
      let counts = try traffic.stop()
      // Everything lives 30 seconds at most from here on; the wait is for a slow machine.
      let end = ContinuousClock.now + .seconds(120)
      var last = try await sample()
      while last.sessions > 0, ContinuousClock.now < end {
        try await Task.sleep(for: .milliseconds(500))
        last = try await sample()
      }
      print("soak: at the end", last)
      let stats = try await street.control.stats()
      let begun = counts.begun.reduce(0, +)
      let lost = Int(stats.inside.captureDropped + stats.outside.captureDropped)
      let dropped = stats.drops.counters.filter { $0.count > 0 }.map { "\($0.name) \($0.count)" }
      let resets = try SoakTests.resets(of: street.client)
      print(
        "soak: begun \(counts.begun), resets \(resets), unanswered \(counts.failed), capture dropped \(lost), drops \(dropped)"
      )

      // All sessions are made, but for what the capture had no room for, and come to their end.
      // Two more are the first ping and the one connection. Where a port was not free, the host may get one of its own
      // others at once, which the server may still hold in TIME-WAIT: the client resets that and opens again, and then
      // it is another session.
      #expect(Int(stats.events.sessionsCreated) <= begun + 2 + resets)
      #expect(Int(stats.events.sessionsCreated) + lost >= begun - rates.udp)
      #expect(last.sessions == 0 && stats.bindings == 0 && stats.pool.allSatisfy { $0.inUse == 0 })
      #expect(stats.events.sessionsExpired == stats.events.sessionsCreated)
      #expect(stats.drops["portsExhausted"] == 0 && stats.drops["noSession"] <= UInt64(max(20, begun / 1000)))
      #expect(counts.failed <= max(20, begun / 500) + lost, "\(counts)")
      // The one connection talked all the time.
      #expect(counts.said > seconds)
      // Flat: nothing a session stays. Pages of 2 MiB are touched now and then where they were not before.
      let settled = samples[long == nil ? 1 : 0]
      for one in samples.dropFirst(long == nil ? 2 : 1) + [last] {
        #expect(one.kibibytes - settled.kibibytes < 8 << 10, "\(one) after \(settled)")
      }
      for one in samples + [last] { #expect(abs(one.descriptors - first.descriptors) <= 2, "\(one)") }
      if long != nil { #expect(Double(begun) / time >= 2000, "\(begun) in \(time) s") }
      daemon.expectEnd()
    }
  }
}
