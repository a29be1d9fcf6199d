@testable import NATControl

/// What the stand-in answers: the documented examples.
enum Examples {
  static let privateEndpoint = EndpointDocument(address: "192.168.1.2", port: 1234)
  static let publicEndpoint = EndpointDocument(address: "203.0.113.5", port: 50001)
  static let remote = EndpointDocument(address: "142.250.195.100", port: 443)

  static let session = SessionDocument(
    remote: remote, state: .established, idle: Seconds(nanoseconds: 200_000_000),
    expiresIn: Seconds(nanoseconds: 7_439_800_000_000), packetsOut: 7, bytesOut: 1021, packetsIn: 6,
    bytesIn: 5210, hairpin: false)

  static let binding = BindingDocument(
    transport: .tcp, kind: .dynamic, privateEndpoint: privateEndpoint, publicEndpoint: publicEndpoint,
    age: Seconds(nanoseconds: 12_500_000_000), sessions: [session])

  static let hosts = HostsDocument(
    hosts: [
      .init(
        address: "192.168.1.2", dynamicBindings: 1, sessions: 1, packetsOut: 7, bytesOut: 1021, packetsIn: 6,
        bytesIn: 5210)
    ], total: 1)

  static let stats: StatsDocument = {
    var side = StatsDocument.SideStats()
    side.packetsReceived = 10
    side.bytesReceived = 900
    side.packetsSent = 9
    side.bytesSent = 800
    var events = StatsDocument.EventStats()
    events.bindingsCreated = 2
    events.sessionsCreated = 2
    return StatsDocument(
      uptime: Seconds(nanoseconds: 3_600_000_000_000), bindings: 2, sessions: 2, inside: side, outside: side,
      pool: [
        .init(address: "203.0.113.5", transport: .udp, ports: 64512, inUse: 2, resting: 0)
      ], drops: ["noBinding": 1, "filtered": 0], events: events)
  }()

  /// As a decoder has them, which does not keep the order of the drops.
  static var sortedStats: StatsDocument {
    var sorted = stats
    sorted.drops.counters.sort { $0.name < $1.name }
    return sorted
  }

  static let status = StatusDocument(
    version: "0.1.0", uptime: Seconds(nanoseconds: 3_600_000_000_000),
    interfaces: .init(
      inside: .init(
        name: "lan0", address: "192.168.1.1/24", mac: "02:50:00:00:00:01", mtu: 1500, link: "up"),
      outside: .init(
        name: "wan0", address: "203.0.113.5/24", mac: "02:50:00:00:00:02", mtu: 1500, link: "down")),
    workers: [
      .init(
        number: 0, busyNanoseconds: 1_500_000_000, longestRoundNanoseconds: 210_000,
        longestRoundBySecondNanoseconds: [0, 210_000, 90_000], rounds: 4)
    ],
    degraded: ["the outside interface wan0 has no carrier"],
    restored: RestoredDocument(
      file: "/var/lib/portico/state", outcome: .restored, age: Seconds(nanoseconds: 1_500_000_000),
      sessions: 201, bindings: 200, restingPorts: 3, expired: 4, notAllowed: 1))

  static let ended = EndedDocument(
    sessions: 1, bindings: 1,
    ended: [
      EndedSession(
        transport: .tcp, privateEndpoint: privateEndpoint, publicEndpoint: publicEndpoint, remote: remote,
        reason: "operator")
    ])

  static let mapping = StaticDocument(
    protocolName: "tcp", publicEndpoint: "203.0.113.5:8080", privateEndpoint: "192.168.1.10:80")

  /// What ends with `mapping`: a session that came from outside.
  static let endedMapping = EndedDocument(
    sessions: 1, bindings: 0,
    ended: [
      EndedSession(
        transport: .tcp, privateEndpoint: EndpointDocument(address: "192.168.1.10", port: 80),
        publicEndpoint: EndpointDocument(address: "203.0.113.5", port: 8080),
        remote: EndpointDocument(address: "198.51.100.7", port: 40000), reason: "static-mapping-removed")
    ])

  static let question = ExplainRequest(
    from: "inside", transport: .tcp, source: privateEndpoint, destination: remote)

  static let explanation = ExplainDocument(
    steps: [
      .init(question: "binding", answer: "192.168.1.2:1234 has 203.0.113.5:50001"),
      .init(question: "session", answer: "established, since 12.5 s"),
    ],
    fields: [
      .init(
        layer: "ethernet", field: "source", before: "02:00:00:00:00:01", after: "02:50:00:00:00:02"),
      .init(layer: "ipv4", field: "source", before: "192.168.1.2", after: "203.0.113.5"),
      .init(layer: "tcp", field: "source port", before: "1234", after: "50001"),
    ], verdict: "forward", to: "outside")

  static let configuration = ConfigurationDocument(
    file: "/etc/portico/portico.yaml",
    settings: [
      SettingDocument(setting: "interfaces.inside.name", value: "lan0"),
      SettingDocument(setting: "nat.port-choice", value: "preserve"),
    ])

  static let reload = ReloadDocument(
    changed: [.init(setting: "nat.hairpin", before: "true", after: "false")], ended: EndedDocument())

  static let snapshot = SnapshotDocument(
    file: "/var/lib/portico/state", sessions: 2, restingPorts: 1, bytes: 328,
    duration: Seconds(nanoseconds: 4_000_000))

  static let recording = RecordDocument(
    isRecording: true, content: .packets, packets: 1200, bytes: 960_000,
    span: Seconds(nanoseconds: 75_000_000_000), begin: .on)

  static let event = EventDocument(
    unixNanoseconds: 1_792_000_000_000_000_000, kind: .sessionEnded, transport: .tcp,
    privateEndpoint: privateEndpoint, publicEndpoint: publicEndpoint, remote: remote, reason: "expired")

  /// A table of bindings with two sessions each.
  static func table(sessions: Int) -> [BindingDocument] {
    (0..<sessions / 2).map { number in
      var binding = binding
      binding.privateEndpoint = EndpointDocument(
        address: "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)", port: 1000)
      binding.publicEndpoint.port = UInt16(truncatingIfNeeded: number)
      var other = session
      other.remote.port = 444
      binding.sessions = [session, other]
      return binding
    }
  }
}
