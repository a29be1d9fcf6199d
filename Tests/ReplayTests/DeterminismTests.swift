import Foundation
import NATConfiguration
import NATControl
import NATWire
import TestSupport
import Testing

/// The same captures, configuration and seed give the same bytes; another seed changes what is random and nothing else.
@Suite("Determinism")
struct DeterminismTests {
  /// Packets of all kinds, in random order and at random times.
  private struct Mixture {
    var inside: [Record] = []
    var outside: [Record] = []
    private var state: UInt64

    /// - Parameter answers: frames that left outside; their remotes answer them.
    init(seed: UInt64, hasGarbage: Bool, answers: [Record] = []) {
      state = seed
      var time = Script.start
      for _ in 0..<600 {
        time += UInt64(next(50_000_000))
        let host = "192.168.1.\(2 + next(20))"
        let remote = ["142.250.195.100", "151.101.65.69", "198.51.100.7"][next(3)]
        let packet: Datagram =
          switch next(10) {
          case 0...3: .udp(End(host, UInt16(1000 + next(30))), End(remote, UInt16(1 + next(3))), "payload")
          case 4...6:
            .tcp(
              End(host, UInt16(1000 + next(30))), End(remote, 443),
              [SegmentFlags.syn, .syn, .syn, .ack, [.fin, .ack], .rst][next(6)])
          case 7, 8: .echo(host, remote, UInt16(next(5)))
          default: .echo(host, "192.168.1.1", 1)
          }
        inside.append(Record(time, Link.frame(Link.gatewayInside, Link.mac(of: host), packet.bytes)))
        if hasGarbage, next(4) == 0 {
          var frame = Link.frame(Link.gatewayInside, Link.mac(of: host), packet.bytes)
          frame[14 + next(frame.count - 14)] = UInt8(next(256))
          inside.append(Record(time, frame))
          let noise = (0..<next(120)).map { _ in UInt8(next(256)) }
          outside.append(Record(time, Link.frame(Link.gatewayOutside, Link.router, noise)))
        }
      }
      for record in answers where record.bytes[12...13] == [8, 0] && record.bytes[23] != 1 {
        var answer = Datagram.udp("0.0.0.0:0", "0.0.0.0:0", "answer")
        answer.source = End(
          record.bytes[30..<34].map(String.init).joined(separator: "."),
          UInt16(record.bytes[36]) << 8 | UInt16(record.bytes[37]))
        answer.destination = Script.source(of: record.bytes)
        if record.bytes[23] == 6 { answer.payload = .tcp(Datagram.Segment(flags: [.syn, .ack])) }
        outside.append(
          Record(record.nanoseconds + 1000, Link.frame(Link.gatewayOutside, Link.router, answer.bytes)))
      }
      outside.sort { $0.nanoseconds < $1.nanoseconds }
    }

    private mutating func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
  }

  private func configuration(_ choice: String) throws -> Configuration {
    try Configuration.parse(
      """
      interfaces:
        inside: { name: lan0, address: 192.168.1.1/24 }
        outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }
      nat:
        pool: [{ address: 203.0.113.5, ports: 1024-65535 }, { address: 203.0.113.6, ports: 1024-65535 }]
        port-choice: \(choice)
        filtering: endpoint-independent
        unsolicited-syn: silent

      """, file: "portico.yaml")
  }

  private func run(_ mixture: Mixture, _ choice: String, seed: UInt64) throws -> ReplayOutcome {
    try replay(configuration(choice), inside: mixture.inside, outside: mixture.outside, seed: seed)
  }

  private func expectSame(_ a: ReplayOutcome, _ b: ReplayOutcome) {
    for difference in Comparison.records("inside", expected: a.inside, found: b.inside)
      + Comparison.records("outside", expected: a.outside, found: b.outside)
    {
      Issue.record("\(difference)")
    }
    #expect(a.tableText == b.tableText)
    #expect(a.statsText == b.statsText)
  }

  @Test(
    "two runs give the same bytes, garbage among them, RFC 4787 REQ-11",
    arguments: ["preserve", "random", "sequential"],
    [UInt64(1), 7, .max])
  func again(choice: String, seed: UInt64) throws {
    let first = try run(Mixture(seed: seed, hasGarbage: true), choice, seed: seed)
    let mixture = Mixture(seed: seed, hasGarbage: true, answers: first.outside)
    let second = try run(mixture, choice, seed: seed)
    #expect(!second.inside.isEmpty && !second.outside.isEmpty)
    expectSame(second, try run(mixture, choice, seed: seed))
  }

  @Test("with sequential choice another seed changes nothing", arguments: [UInt64(2), 99, .max])
  func sequential(seed: UInt64) throws {
    let first = try run(Mixture(seed: 5, hasGarbage: true), "sequential", seed: 1)
    let mixture = Mixture(seed: 5, hasGarbage: true, answers: first.outside)
    expectSame(try run(mixture, "sequential", seed: 1), try run(mixture, "sequential", seed: seed))
  }

  /// A run whose public ports are replaced by numbers in the order of their first appearance.
  private struct Anonymous {
    var inside: [Record]
    var outside: [Record] = []
    var table: [String]
    var stats: StatsDocument
    var ports: [End: UInt16] = [:]

    init(_ outcome: ReplayOutcome) {
      inside = outcome.inside
      stats = outcome.stats
      for record in outcome.outside {
        var frame = record.bytes
        let isICMP = frame[23] == 1
        let at = isICMP ? 38 : 34
        // One numbering for each protocol.
        let key = End("\(frame[23]) \(Script.source(of: frame).address)", Script.source(of: frame).port)
        let number = ports[key] ?? UInt16(ports.count)
        ports[key] = number
        frame[at] = UInt8(number >> 8)
        frame[at + 1] = UInt8(number & 0xFF)
        let checksum = frame[23] == 6 ? 50 : isICMP ? 36 : 40
        frame[checksum] = 0
        frame[checksum + 1] = 0
        outside.append(Record(record.nanoseconds, frame))
      }
      // Sessions without the public endpoint.
      table = Script.sessions(outcome.table).map { line in
        var words = line.split(separator: " ")
        words.remove(at: 2)
        return words.joined(separator: " ")
      }
    }
  }

  @Test(
    "PA13 with random choice another seed changes the public ports alone", arguments: [UInt64(2), 99, .max])
  func random(seed: UInt64) throws {
    var outcomes: [ReplayOutcome] = []
    for seed in [1, seed] {
      let first = try run(Mixture(seed: 5, hasGarbage: false), "random", seed: seed)
      let answered = Mixture(seed: 5, hasGarbage: false, answers: first.outside)
      let second = try run(answered, "random", seed: seed)
      // Answers teach the router's MAC address and change no port.
      let isSame = second.outside.map { $0.bytes[14...] } == first.outside.map { $0.bytes[14...] }
      #expect(isSame)
      outcomes.append(second)
    }
    let (a, b) = (Anonymous(outcomes[0]), Anonymous(outcomes[1]))
    let isOtherwise = Set(a.ports.keys) != Set(b.ports.keys)
    #expect(isOtherwise)
    #expect(Comparison.records("inside", expected: a.inside, found: b.inside).isEmpty)
    #expect(Comparison.records("outside", expected: a.outside, found: b.outside) == [])
    #expect(a.table == b.table)
    #expect(a.stats == b.stats)
    #expect(!a.inside.isEmpty && a.stats.sessions > 100)
  }

  @Test("every checksum of a translated mixture is right")
  func checksums() throws {
    let first = try run(Mixture(seed: 11, hasGarbage: false), "random", seed: 3)
    let outcome = try run(Mixture(seed: 11, hasGarbage: false, answers: first.outside), "random", seed: 3)
    for text in (outcome.inside + outcome.outside).map({ PacketText.describe($0.bytes) })
    where text.contains("WRONG") {
      Issue.record("\(text)")
    }
  }
}
