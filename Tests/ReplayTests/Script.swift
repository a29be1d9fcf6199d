import NATConfiguration
import NATControl
import NATWire
import TestSupport
import Testing

/// A scenario as code: each packet as it comes and as it must leave, in the order of the time stamps.
///
/// Unless a test says otherwise, public ports are 50001-60000, taken in sequence, one sequence a protocol (identifiers
/// from 0), inbound packets refresh no session, and unsolicited SYNs get no answer. At the start the outside router and the hosts 192.168.1.2 to .5 announce
/// their MAC addresses.
struct Script {
  static let router = "203.0.113.1"
  static let publicAddress = "203.0.113.5"
  static let hosts = ["192.168.1.2", "192.168.1.3", "192.168.1.4", "192.168.1.5"]
  static let start: UInt64 = 1_700_000_000_000_000_000

  private(set) var received: [Side: [Record]] = [.inside: [], .outside: []]
  private(set) var expected: [Side: [Record]] = [.inside: [], .outside: []]
  private(set) var drops: [String: UInt64] = [:]
  var insideLink = Capture.Link.ethernet
  var outsideLink = Capture.Link.ethernet
  private let configuration: Configuration

  /// - Parameters:
  ///   - nat: keys below `nat`, over the defaults above.
  ///   - more: further lines of the file.
  ///   - hasGateway: whether there is a next hop outside.
  ///   - introducesHosts: whether MAC addresses are made known.
  init(
    _ nat: [String: String] = [:], interfaces: (inside: String, outside: String) = ("", ""),
    more: [String] = [],
    hasGateway: Bool = true, introducesHosts: Bool = true
  ) throws {
    var keys = [
      "pool": "[{ address: 203.0.113.5, ports: 50001-60000 }]", "port-choice": "sequential",
      "parity": "false",
      "inbound-refresh": "off",
      "unsolicited-syn": "silent",
    ]
    keys.merge(nat) { $1 }
    let lines =
      [
        "interfaces:", "  inside: { name: lan0, address: 192.168.1.1/24\(interfaces.inside) }",
        "  outside: { name: wan0, address: 203.0.113.5/24\(hasGateway ? ", gateway: \(Script.router)" : "")\(interfaces.outside) }",
        "nat:",
      ] + keys.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value)" } + more
    configuration = try Configuration.parse(lines.joined(separator: "\n") + "\n", file: "script.yaml")
    guard introducesHosts else { return }
    introduce(Script.router, Link.router, on: .outside, at: .zero)
    for host in Script.hosts { introduce(host, Link.mac(of: host), on: .inside, at: .zero) }
  }

  // MARK: What happens

  /// Bytes that come in.
  mutating func receive(_ time: Duration, _ side: Side, _ frame: [UInt8], wireLength: Int? = nil) {
    received[side]!.append(Record(Script.stamp(time), frame, wireLength: wireLength))
  }

  /// Bytes that must go out.
  mutating func expect(_ time: Duration, _ side: Side, _ frame: [UInt8]) {
    expected[side]!.append(Record(Script.stamp(time), frame))
  }

  mutating func expectDrop(_ reason: String, _ count: UInt64 = 1) { drops[reason, default: 0] += count }

  /// A gratuitous ARP reply: teaches a MAC and needs no answer.
  mutating func introduce(_ address: String, _ mac: String, on side: Side, at time: Duration) {
    receive(
      time, side,
      Link.frame(
        Link.broadcast, mac, type: 0x0806, Link.arp(2, from: (mac, address), to: (Link.broadcast, address))))
  }

  /// A packet comes in, from the sender's own MAC address inside, from the router's outside.
  mutating func receive(_ time: Duration, _ side: Side, _ packet: Datagram) {
    receive(
      time, side,
      side == .inside
        ? Link.frame(Link.gatewayInside, Link.mac(of: packet.source.address), packet.bytes)
        : Link.frame(Link.gatewayOutside, Link.router, packet.bytes))
  }

  /// A packet must go out, to the receiver's own MAC address inside, to the router's outside.
  mutating func expect(_ time: Duration, _ side: Side, _ packet: Datagram) {
    expect(
      time, side,
      side == .inside
        ? Link.frame(Link.mac(of: packet.destination.address), Link.gatewayInside, packet.bytes)
        : Link.frame(Link.router, Link.gatewayOutside, packet.bytes))
  }

  /// An inside host's packet leaves under a public endpoint.
  mutating func outbound(_ time: Duration, _ packet: Datagram, as public: End) {
    receive(time, .inside, packet)
    expect(time, .outside, packet.sent(as: `public`))
  }

  /// A remote's packet reaches a private endpoint.
  mutating func inbound(_ time: Duration, _ packet: Datagram, to private: End) {
    receive(time, .outside, packet)
    expect(time, .inside, packet.delivered(to: `private`))
  }

  mutating func dropped(_ time: Duration, _ side: Side, _ packet: Datagram, _ reason: String) {
    receive(time, side, packet)
    expectDrop(reason)
  }

  static func stamp(_ time: Duration) -> UInt64 {
    let (seconds, attoseconds) = time.components
    return start + UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }

  // MARK: Results

  /// Runs the script and reports every difference: packets, drops, interface counters.
  ///
  /// - Parameter sessions: the table's sessions, where a test cares: `udp 192.168.1.2:5000 203.0.113.5:50001
  ///   142.250.195.100:53 active idle 1 expires 299 out 1/36 in 0/0`; a binding without sessions ends after its
  ///   public endpoint.
  @discardableResult
  func check(
    sessions: [String]? = nil, seed: UInt64 = 1, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> ReplayOutcome {
    let outcome = try run(seed: seed)
    var differences =
      Comparison.records("inside", expected: Script.inOrder(expected[.inside]!), found: outcome.inside)
      + Comparison.records("outside", expected: Script.inOrder(expected[.outside]!), found: outcome.outside)
    let found = outcome.stats.drops.counters.filter { $0.count > 0 }.map { "\($0.name) \($0.count)" }.sorted()
    let wanted = drops.filter { $0.value > 0 }.map { "\($0.key) \($0.value)" }.sorted()
    if found != wanted { differences.append("drops: expected \(wanted), found \(found)") }
    for (side, stats) in [(Side.inside, outcome.stats.inside), (.outside, outcome.stats.outside)] {
      let (came, went) = (received[side]!, expected[side]!)
      let wanted = [
        came.count, came.map(\.bytes.count).reduce(0, +), went.count, went.map(\.bytes.count).reduce(0, +),
      ]
      let found = [stats.packetsReceived, stats.bytesReceived, stats.packetsSent, stats.bytesSent]
      if found != wanted.map(UInt64.init) {
        differences.append("\(side) received, bytes, sent, bytes: expected \(wanted), found \(found)")
      }
    }
    if let sessions {
      let found = Script.sessions(outcome.table)
      if found != sessions {
        differences.append(
          "table: expected\n  \(sessions.joined(separator: "\n  "))\nfound\n  \(found.joined(separator: "\n  "))"
        )
      }
      let counted = found.count { $0.contains(" idle ") }
      if counted != outcome.stats.sessions || outcome.table.bindings.count != outcome.stats.bindings {
        differences.append("stats: \(outcome.stats.bindings) bindings, \(outcome.stats.sessions) sessions")
      }
    }
    for difference in differences { Issue.record("\(difference)", sourceLocation: sourceLocation) }
    return outcome
  }

  /// Runs the script without any check.
  func run(seed: UInt64 = 1) throws -> ReplayOutcome {
    let came = allowsEarlierStamps ? received : received.mapValues(Script.inOrder)
    return try replay(
      configuration, inside: came[.inside]!, outside: came[.outside]!, insideLink: insideLink,
      outsideLink: outsideLink, seed: seed)
  }

  /// Whether packets come in the order in which they are written here, not in that of their stamps.
  var allowsEarlierStamps = false

  /// By stamp; of the same stamp as they were written.
  private static func inOrder(_ records: [Record]) -> [Record] {
    records.enumerated().sorted { ($0.element.nanoseconds, $0.offset) < ($1.element.nanoseconds, $1.offset) }
      .map(\.element)
  }

  static func sessions(_ table: TableDocument) -> [String] {
    table.bindings.flatMap { binding -> [String] in
      let start =
        "\(binding.transport.rawValue)\(binding.kind == .static ? " static" : "") "
        + "\(binding.privateEndpoint.address):\(binding.privateEndpoint.port) "
        + "\(binding.publicEndpoint.address):\(binding.publicEndpoint.port)"
      return binding.sessions.isEmpty
        ? [start]
        : binding.sessions.map {
          "\(start) \($0.remote.address):\($0.remote.port) \($0.state.rawValue) idle \($0.idle) expires \($0.expiresIn) "
            + "out \($0.packetsOut)/\($0.bytesOut) in \($0.packetsIn)/\($0.bytesIn)\($0.hairpin ? " hairpin" : "")"
        }
    }
  }
}

extension Script {
  /// The public endpoint of each packet, or nil. Inside hosts send them to the outside, a millisecond apart.
  static func publicEnds(
    _ nat: [String: String], _ packets: [Datagram], seed: UInt64 = 1
  ) throws -> (ends: [End?], outcome: ReplayOutcome) {
    var script = try Script(nat.merging(["exhaustion": "silent"]) { $1 })
    for (index, packet) in packets.enumerated() { script.receive(.milliseconds(index + 1), .inside, packet) }
    let outcome = try script.run(seed: seed)
    var ends = [End?](repeating: nil, count: packets.count)
    for record in outcome.outside {
      let index = Int(record.nanoseconds - start) / 1_000_000 - 1
      ends[index] = Script.source(of: record.bytes)
    }
    return (ends, outcome)
  }

  /// The same for very many UDP packets (without checksum) or echo requests: bytes of one are changed, which is quicker.
  /// The ICMP checksums are left as they are: those of queries in transit are not verified.
  static func publicEnds(
    _ nat: [String: String], flood prototype: Datagram, from sources: [End]
  ) throws -> (ends: [End?], outcome: ReplayOutcome) {
    var script = try Script(nat.merging(["exhaustion": "silent"]) { $1 })
    var frame = Link.frame(Link.gatewayInside, Link.mac(of: Script.hosts[0]), prototype.bytes)
    let isICMP = frame[23] == 1
    for (index, source) in sources.enumerated() {
      let octets = source.address.octets
      for at in 0..<4 { frame[26 + at] = octets[at] }
      frame[24] = 0
      frame[25] = 0
      let header = InternetChecksum.of(frame[14..<34])
      frame[24] = UInt8(header >> 8)
      frame[25] = UInt8(header & 0xFF)
      let port = isICMP ? 38 : 34
      frame[port] = UInt8(source.port >> 8)
      frame[port + 1] = UInt8(source.port & 0xFF)
      script.receive(.milliseconds(index + 1), .inside, frame)
    }
    let outcome = try script.run()
    var ends = [End?](repeating: nil, count: sources.count)
    for record in outcome.outside {
      ends[Int(record.nanoseconds - start) / 1_000_000 - 1] = Script.source(of: record.bytes)
    }
    return (ends, outcome)
  }

  /// Source address and port (or query identifier) of a frame without VLAN tag.
  static func source(of frame: [UInt8]) -> End {
    let transport = 14 + Int(frame[14] & 15) * 4
    let at = frame[23] == 1 ? transport + 4 : transport
    return End(
      frame[26..<30].map(String.init).joined(separator: "."), UInt16(frame[at]) << 8 | UInt16(frame[at + 1]))
  }
}
