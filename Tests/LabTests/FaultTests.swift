import Foundation
import Glibc
import NATLab
import TestSupport
import Testing

extension Lab {
  /// The daemon on ports that lose, delay, double and cut frames, and system calls that fail (Tests/FaultyDaemon).
  @Suite struct FaultTests {
    /// What the program prints at its end.
    private struct Tally: Decodable {
      struct Frames: Decodable {
        var ipv4: Int
        var other: Int
        var all: Int { ipv4 + other }
      }
      struct Capture: Decodable {
        var delivered: Frames
        var lost: Int
        var reordered: Int
        var duplicated: Int
        var truncated: Int
      }
      struct Calls: Decodable {
        var sent: Frames
        var full: Int
        var interrupted: Int
        var short: Int
      }
      var capture: Capture
      var calls: Calls
    }

    /// The numbers behind names such as `insideSent` in the daemon's last line.
    private func number(_ name: String, in log: String) throws -> Int {
      let found = try Regex("\(name)=(\\d+)").firstMatch(in: log)?.output[1].substring
      return try #require(found.flatMap { Int($0) }, "no \(name) in \(log)")
    }

    /// The drops in the daemon's last line.
    private func drops(in log: String) -> [String: Int] {
      guard let list = log.split(separator: "drops=").last?.prefix(while: { $0 != "\n" }) else { return [:] }
      var drops: [String: Int] = [:]
      for match in list.matches(of: /([A-Za-z0-9]+) (\d+)/) { drops[String(match.1)] = Int(match.2) }
      return drops
    }

    @Test(
      "a download and an upload by HTTPS arrive whole through faults of all kinds, and every frame is accounted for",
      arguments: [true, false])
    func transfers(offloads: Bool) throws {
      let environment = ProcessInfo.processInfo.environment["PORTICO_FAULT_SEED"]
      let seed = environment.flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
      let megabytes = offloads ? 60 : 20
      let street = try Street(offloads: offloads)
      let server = try SecureServer(street)
      let daemon = try street.gateway.start([
        Lab.program("FaultyDaemon"), "--config", street.configurationFile, "--seed", "\(seed)",
        // Super-frames are few.
        "--truncate", offloads ? "0.004" : "0.001",
      ])
      let began = daemon.read(until: "started")
      guard began.contains("started") else { throw LabFailure(description: "no daemon: \(began)") }
      try street.server.shell(
        "head -c \(megabytes)000000 /dev/urandom >\(street.folder.appending(path: "original").path)")
      let options = "--cacert certificate.pem --resolve portico.test:443:203.0.113.9"
      let clock = ContinuousClock()
      var download = (code: Int32(-1), output: "")
      var upload = download
      let time = try clock.measure {
        download = try street.client.attempt(
          "cd \(street.folder.path) && curl -sS -m 300 \(options) -o downloaded https://portico.test/original"
        )
        upload = try street.client.attempt(
          "cd \(street.folder.path) && curl -sS -m 300 \(options) -T downloaded https://portico.test/uploaded"
        )
      }
      #expect(download.code == 0, "seed \(seed): \(download.output)")
      #expect(upload.code == 0 && upload.output == "stored", "seed \(seed): \(upload.output)")
      let sums = try street.client.shell("cd \(street.folder.path) && sha256sum original downloaded uploaded")
      #expect(Set(sums.split(separator: "\n").map { $0.prefix(64) }).count == 1, "seed \(seed): \(sums)")
      server.stop()
      daemon.signal(SIGTERM)
      let log = daemon.readToEnd()
      #expect(daemon.wait() == 0)

      let json = try #require(log.split(separator: "\n").last { $0.hasPrefix("{") }, "seed \(seed): \(log)")
      let tally = try JSONDecoder().decode(Tally.self, from: Data(json.utf8))
      let drops = drops(in: log)
      print("faults: seed \(seed), \(megabytes) MB each way in \(time), \(json), drops \(drops)")
      // Everything that can go wrong did.
      #expect(tally.capture.lost > 0 && tally.capture.reordered > 0 && tally.capture.duplicated > 0)
      #expect(tally.capture.truncated > 0 && tally.calls.full > 0 && tally.calls.interrupted > 0)
      // The gateway counts what it was given, and as sent what the kernel took or what it counts as not sent.
      let received = try number("insideReceived", in: log) + number("outsideReceived", in: log)
      let sent = try number("insideSent", in: log) + number("outsideSent", in: log)
      let unsent = ["transmitQueueFull", "transmitRefused", "linkDown"].reduce(0) {
        $0 + drops[$1, default: 0]
      }
      #expect(received == tally.capture.delivered.all, "seed \(seed)")
      #expect(sent == tally.calls.sent.all + unsent, "seed \(seed)")
      // What came in was forwarded, or is a drop under one reason; nothing waits at the end.
      #expect(
        tally.capture.delivered.ipv4 == tally.calls.sent.ipv4 + drops.values.reduce(0, +),
        "seed \(seed): \(log)")
      // Each frame that was cut is one of them.
      #expect(
        drops["captureTruncated", default: 0] + drops["malformedIPv4", default: 0] == tally.capture.truncated,
        "seed \(seed): \(drops)")
      #expect(
        Set(drops.keys).isSubset(of: [
          "captureTruncated", "malformedIPv4", "transmitQueueFull", "nextHopUnreachable",
        ]), "seed \(seed): \(drops)")
    }
  }
}
