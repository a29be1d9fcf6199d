import NATMemory
import NATWire
import Testing

@testable import NATComposition
@testable import NATControl
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
    let isLive = seed % 4 == 1
    var town = try Town(draw.text() + (seed % 2 == 0 ? "\nroutes: []" : "")) { settings in
      // A live gateway asks for next hops; frames wait.
      settings.asksForNextHops = isLive
      if seed % 3 == 0 { settings.fragments.datagrams = 4 }
    }
    var verdicts: [String: Int] = [:]
    for _ in 0..<800 {
      if draw.below(100) == 0 { try town.reload(draw.text()) }
      if draw.below(8) == 0 { town.wait(seconds: UInt64(draw.below(10))) }
      let request = Self.request(&draw)
      let side = request.from == "inside" ? Side.inside : .outside
      var job = try ExplainFrame(request)
      if draw.below(2) == 0 {
        let frame = Self.frame(town.perform(job).job.explanation.before, &draw)
        job = ExplainFrame(frame, from: InterfaceIndex(side))
      }
      town.wait(seconds: 0)
      let before = Self.state(town)
      let explanation = town.perform(job).job.explanation
      #expect(Self.state(town) == before, "\(request)")
      // The same packet at the same instant.
      town.now -= 1_000_000
      let sent = town.frame(explanation.before, side)
      verdicts["\(explanation.verdict)", default: 0] += 1
      Self.check(explanation, before, Self.state(town), sent, town.lastFrames, isLive: isLive)
      let document = ExplainDocument(explanation)
      #expect(!document.steps.isEmpty)
    }
    #expect(verdicts.count > 8, "\(verdicts)")
  }

  /// Compares what was said with what happened.
  private static func check(
    _ explanation: Explanation, _ before: State, _ after: State, _ sent: [Town.Sent], _ frames: [[UInt8]],
    isLive: Bool
  ) {
    var drops = before.drops
    let says = "\(explanation.verdict) \(explanation.findings) \(explanation.before)"
    if case .drop(let reason) = explanation.verdict {
      // A fragment that kills its datagram takes those that waited with it.
      let dead = Int(DropReason.fragmentOfDeadDatagram.rawValue)
      drops[Int(reason.rawValue)] += 1
      drops[dead] = max(drops[dead], after.drops[dead])
    }
    #expect(after.drops == drops, "\(says)")
    let packets = zip(sent, frames).filter { !$0.0.isARP }
    switch explanation.verdict {
    case .forward(let to):
      let own = packets.filter { $0.0.side == to.side }
      #expect(!own.isEmpty, "\(says)")
      // A first fragment leaves before those that waited for it; a packet that is split has no single frame to compare.
      let isFragment = explanation.before[20] & 0x3F != 0 || explanation.before[21] != 0
      if frames.count == 1, !isFragment { #expect(frames == [explanation.after], "\(says)") }
      let after = explanation.after
      let isAsSaid = own.contains { $0.1[0..<6] == after[0..<6] && $0.1[26..<34] == after[26..<34] }
      #expect(isAsSaid, "next hop and addresses: \(says)")
    // Live, frames that waited for the sender's MAC leave as well.
    case .hold, .wait, .leave, .learn: #expect(isLive || packets.isEmpty, "\(says)")
    case .answer: #expect(isLive || frames.count <= 1, "\(says)")
    case .drop: #expect(isLive || packets.count <= 1, "\(says)")
    }
  }

  /// Any frame that a live gateway could get, made of a well-formed one.
  private static func frame(_ bytes: [UInt8], _ draw: inout RunTimeChangeTests.Draw) -> [UInt8] {
    var bytes = bytes
    switch draw.below(8) {
    case 0: bytes[draw.below(bytes.count)] = UInt8(draw.below(256))
    case 1: bytes.removeLast(draw.below(bytes.count))
    case 2...5:
      // A fragment of one of few datagrams, in place of the packet.
      let more = draw.below(2) == 0
      let offset = draw.below(3) * 2
      bytes[18] = 0
      bytes[19] = UInt8(draw.below(3))
      bytes[20] = more ? 0x20 : 0
      bytes[21] = UInt8(offset)
      let length = 20 + 16 + (more ? 0 : draw.below(8)) + (offset == 0 && bytes[23] == 6 ? 8 : 0)
      bytes =
        Array(bytes.prefix(14 + length)) + [UInt8](repeating: 7, count: max(0, 14 + length - bytes.count))
      bytes[17] = UInt8(length)
      setHeaderChecksum(&bytes)
    case 6:
      // An error that quotes the packet, back to its sender.
      let quoted = Array(bytes[14..<42])
      bytes = Array(bytes[0..<34]) + [3, UInt8(draw.below(5)), 0, 0, 0, 0, 0, 0] + quoted
      bytes[17] = UInt8(bytes.count - 14)
      bytes[23] = 1
      bytes.replaceSubrange(26..<30, with: quoted[16..<20])
      bytes.replaceSubrange(30..<34, with: quoted[12..<16])
      bytes.replaceSubrange(36..<38, with: checksum(bytes[34...]))
      setHeaderChecksum(&bytes)
    default:
      bytes = Town.request(
        for: IPv4Address(203, 0, 113, UInt8(4 + draw.below(8))), draw.below(2) == 0 ? .inside : .outside)
    }
    return bytes
  }

  private static func setHeaderChecksum(_ bytes: inout [UInt8]) {
    bytes.replaceSubrange(24..<26, with: [0, 0])
    bytes.replaceSubrange(24..<26, with: checksum(bytes[14..<34]))
  }

  private static func checksum(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var sum = bytes.indices.reduce(0) {
      $0 + Int(bytes[$1]) << (($1 - bytes.startIndex) % 2 == 0 ? 8 : 0)
    }
    while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
    return [UInt8(~sum >> 8 & 0xFF), UInt8(~sum & 0xFF)]
  }

  @Test(
    "a described packet of a live session passes with window tracking, as the connection's own packets do")
  func windows() throws {
    var town = try Town("nat: { tcp: { window-tracking: true } }")
    town.send(.tcp, 0x02, from: Town.c1, to: Town.s1)
    town.send(.tcp, 0x12, from: Town.s1, to: Town.x, .outside)
    let request = ExplainRequest(
      from: "inside", transport: .tcp, source: EndpointDocument(address: "192.168.1.2", port: 5000),
      destination: EndpointDocument(address: "198.51.100.7", port: 80), flags: ["ack"])
    let explanation = town.perform(try ExplainFrame(request)).job.explanation
    #expect(explanation.verdict == .forward(to: .outside), "\(explanation.findings)")
    let document = ExplainDocument(explanation)
    #expect(document.steps.contains { $0.question == "window" })
  }

  @Test("an exempt destination goes before the kernel's own address, in explain as on the way")
  func exemptBeforeKernel() throws {
    var town = try Town("nat: { exempt: [203.0.113.0/24] }") { $0.outside.isShared = true }
    let frame = Town.packet(.tcp, 0x02, from: Town.c1, to: Endpoint(Town.x.address, 22), .inside)
    let explanation = town.perform(ExplainFrame(frame, from: .inside)).job.explanation
    #expect(explanation.verdict == .forward(to: .outside), "\(explanation.findings)")
    #expect(town.frame(frame, .inside).map(\.side) == [.outside])
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
