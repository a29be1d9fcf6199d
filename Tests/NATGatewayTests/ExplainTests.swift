import NATControl
import NATWire
import Testing

@testable import NATComposition
@testable import NATEngine
@testable import NATGateway
@testable import NATTable

/// What is said to become of a packet, against what becomes of it.
@Suite struct ExplainTests {
  /// What a gateway shows of itself: all that an explanation must leave alone.
  private struct State: Equatable {
    var listing: [String]
    var counts: TableCounts
    var drops: [Int]
    var next: UInt64
  }

  private static func state(_ town: borrowing Town) -> State {
    var random = town.gateway.translator.random
    return State(
      listing: town.listing(), counts: town.gateway.translator.shard.counts,
      drops: DropReason.allCases.map { town.counters.drops($0) }, next: random.next())
  }

  @Test(
    "explain says what happens next, over random conversations and configurations, and changes nothing",
    arguments: 1...12)
  func conversations(seed: UInt64) throws {
    var draw = RunTimeChangeTests.Draw(random: RandomSource(seed: 1000 + seed))
    var town = try Town(draw.text() + (seed % 2 == 0 ? "\nroutes: []" : ""))
    var verdicts: [String: Int] = [:]
    for _ in 0..<800 {
      if draw.below(100) == 0 { try town.reload(draw.text()) }
      if draw.below(8) == 0 { town.wait(seconds: UInt64(draw.below(10))) }
      let request = Self.request(&draw)
      let job = try ExplainFrame(request)
      town.wait(seconds: 0)
      let before = Self.state(town)
      let explanation = town.perform(job).job.explanation
      #expect(Self.state(town) == before, "\(request)")
      // The same packet, an instant later, for the clock has to be the same.
      town.now -= 1_000_000
      let side = request.from == "inside" ? Side.inside : .outside
      let sent = town.frame(explanation.before, side)
      let after = Self.state(town)
      switch explanation.verdict {
      case .forward(let to):
        verdicts["forward", default: 0] += 1
        #expect(after.drops == before.drops, "\(request)")
        #expect(sent.count == 1 && sent.first?.side == to, "\(request)")
        #expect(town.lastFrames == [explanation.after], "\(request): \(explanation.findings)")
      case .answer:
        verdicts["answer", default: 0] += 1
        #expect(after.drops == before.drops && sent.count <= 1, "\(request)")
      case .drop(let reason):
        verdicts[reason.name, default: 0] += 1
        var drops = before.drops
        drops[Int(reason.rawValue)] += 1
        #expect(after.drops == drops, "\(request): \(explanation.findings)")
      case .hold: Issue.record("nothing is asked for here")
      case .leave: Issue.record("no address is shared here")
      }
      let document = ExplainDocument(explanation)
      #expect(!document.steps.isEmpty && document.fields.count >= 8)
    }
    #expect(verdicts["forward"] ?? 0 > 50 && verdicts.count > 5, "\(verdicts)")
  }

  private static func request(_ draw: inout RunTimeChangeTests.Draw) -> ExplainRequest {
    func endpoint(_ network: String, _ lowest: Int, _ count: Int, _ port: Int, _ ports: Int)
      -> EndpointDocument
    {
      EndpointDocument(
        address: "\(network).\(lowest + draw.below(count))", port: UInt16(port + draw.below(ports)))
    }
    let transport = [TransportName.tcp, .udp, .icmp][draw.below(3)]
    let host = endpoint("192.168.1", 1, 6, 1024, 5)
    let remote = endpoint("198.51.100", 1, 4, 80, 2)
    let outer = endpoint("203.0.113", 4, 8, 1024, 14)
    let flags = [["syn"], ["syn", "ack"], ["ack"], ["rst"], ["fin", "ack"], ["syn", "fin"]][draw.below(6)]
    let ends: (String, EndpointDocument, EndpointDocument) =
      switch draw.below(12) {
      case 0...4: ("inside", host, remote)
      case 5...7: ("outside", remote, outer)
      case 8, 9: ("inside", host, outer)
      case 10: ("outside", host, outer)
      default: ("inside", remote, host)
      }
    return ExplainRequest(
      from: ends.0, transport: transport, source: ends.1, destination: ends.2,
      flags: transport == .tcp ? flags : nil, ttl: draw.below(20) == 0 ? 1 : nil,
      length: draw.below(20) == 0 ? 1600 : nil)
  }

  @Test("explain without a daemon: a SYN to the outside, field by field")
  func fresh() throws {
    let town = try Town(
      "nat: { pool: [{ address: 203.0.113.5, ports: 50001-60000 }], port-choice: sequential, parity: false }")
    let request = ExplainRequest(
      from: "inside", transport: .tcp, source: EndpointDocument(address: "192.168.1.2", port: 1234),
      destination: EndpointDocument(address: "142.250.195.100", port: 443))
    let document = try ExplainDocument.explain(request, town.configuration)
    #expect(document.verdict == "forward" && document.to == "outside" && document.drop == nil)
    #expect(
      document.steps.map { "\($0.question): \($0.answer)" } == [
        "decode: well formed", "addresses: both may be ends of it",
        "binding and session: sender 192.168.1.2:1234: no binding yet, a new session",
        "route: outside, next hop 203.0.113.1", "ttl: one less", "mtu: fits (1500 bytes)",
        "limits: room for what it makes", "port: 203.0.113.5:50001", "next hop: 02:00:00:00:00:02",
      ])
    let fields = document.fields.map { "\($0.layer) \($0.field): \($0.before) -> \($0.after ?? "nothing")" }
    #expect(fields.contains("ipv4 source: 192.168.1.2 -> 203.0.113.5"))
    #expect(fields.contains("tcp source port: 1234 -> 50001"))
    #expect(fields.contains("ipv4 ttl: 64 -> 63"))
    #expect(fields.contains("ethernet source: 02:00:00:00:00:01 -> 02:50:00:00:00:02"))
  }

  @Test("FW8 a packet for an address of the machine's own is said to be left to its kernel")
  func machine() throws {
    var town = try Town()
    let own = IPv4Address(192, 168, 1, 254)
    town.gateway.setMachineAddresses([own])
    let frame = Town.packet(.tcp, 2, from: Town.c1, to: Endpoint(own, 22), .inside)
    let explanation = town.perform(ExplainFrame(frame, from: .inside)).job.explanation
    #expect(explanation.verdict == .leave)
  }

  @Test("a question that cannot be asked says what would be right")
  func faults() {
    func fault(_ change: (inout ExplainRequest) -> Void) -> String? {
      var request = ExplainRequest(
        from: "inside", transport: .tcp, source: EndpointDocument(address: "192.168.1.2", port: 1),
        destination: EndpointDocument(address: "198.51.100.1", port: 2))
      change(&request)
      do {
        _ = try ExplainFrame(request)
        return nil
      } catch { return error.text }
    }
    #expect(fault { $0.from = "above" } == "from: found \"above\"; expected inside or outside")
    #expect(fault { $0.source.address = "1.2.3" }?.hasPrefix("source: found \"1.2.3\"") == true)
    #expect(fault { $0.flags = ["nak"] }?.contains("expected any of fin") == true)
    #expect(
      fault {
        $0.transport = .udp
        $0.flags = ["syn"]
      } == "flags: found for udp; only tcp has them")
    #expect(fault { $0.length = 39 } == "length: found 39; expected 40 to 65535")
  }
}
