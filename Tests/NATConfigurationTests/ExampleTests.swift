import Foundation
import NATConfiguration
import NATWire
import Testing

/// The configurations that the documentation shows.
@Suite struct ExampleTests {
  /// A file of the package.
  static func file(_ path: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent(path).path
  }

  /// The gateway that both examples are about, with every default.
  static let gateway = Configuration(
    interfaces: Configuration.Interfaces(
      inside: Configuration.Interface(name: "lan0", address: IPv4Address(192, 168, 1, 1), prefixLength: 24),
      outside: Configuration.Interface(name: "wan0", address: IPv4Address(203, 0, 113, 5), prefixLength: 24),
      gateway: IPv4Address(203, 0, 113, 1)))

  @Test("config/portico.yaml is valid, and its values are the defaults")
  func exampleFileShowsDefaults() throws {
    #expect(try Configuration.load(path: Self.file("config/portico.yaml")) == Self.gateway)
  }

  @Test("config/portico.yaml shows every setting, written or commented")
  func exampleFileIsComplete() throws {
    let text = try String(contentsOfFile: Self.file("config/portico.yaml"), encoding: .utf8)
    for setting in Self.gateway.settings {
      let key = setting.name.split(separator: ".").last.map(String.init) ?? setting.name
      #expect(text.contains("\(key):"), "\(setting.name)")
    }
    for key in ["mac", "mtu", "via", "protocol", "public", "private", "udp/53"] {
      #expect(text.contains("\(key):"), "\(key)")
    }
  }

  @Test("a file with two interfaces alone has every default")
  func defaults() throws {
    let configuration = try Configuration.parse(interfaces, file: "portico.yaml")
    var expected = Self.gateway
    expected.interfaces.gateway = nil
    #expect(configuration == expected)

    let nat = configuration.nat
    #expect(configuration.routes.isEmpty)
    #expect(nat.insideNetworks.map(\.description) == ["192.168.1.0/24"])
    #expect(nat.exempt.isEmpty)
    #expect(nat.pool == [Configuration.PoolAddress(IPv4Address(203, 0, 113, 5), ports: [1024...65535])])
    #expect(nat.portChoice == .preserve)
    #expect(nat.parity)
    #expect(nat.portRestNanoseconds == 120_000_000_000)
    #expect(nat.pooling == .paired)
    for transport in TransportProtocol.allCases { #expect(nat.filtering[transport] == .addressDependent) }
    #expect(nat.hairpin)
    #expect(nat.inboundRefresh == .peers)
    #expect(nat.lifetimes.udpNanoseconds == 300_000_000_000)
    #expect(nat.lifetimes.tcpEstablishedNanoseconds == 7_440_000_000_000)
    #expect(nat.lifetimes.tcpTransitoryNanoseconds == 240_000_000_000)
    #expect(nat.lifetimes.icmpNanoseconds == 60_000_000_000)
    #expect(nat.lifetimes.fragmentNanoseconds == 30_000_000_000)
    #expect(nat.lifetimes.ports.isEmpty)
    #expect(nat.limits.bindings == 262_144)
    #expect(nat.limits.sessions == 1_048_576)
    #expect(nat.limits.perHost.ports == 16_384)
    #expect(nat.limits.perHost.sessions == 65_536)
    #expect(nat.exhaustion == .prohibited)
    #expect(nat.evict == .never)
    #expect(nat.unsolicitedSYN == .answer)
    #expect(!nat.tcp.loose)
    #expect(!nat.tcp.windowTracking)
    #expect(nat.tcp.afterReset == .established)
    #expect(nat.tcp.mssClamp == .auto)
    #expect(nat.fragments.datagrams == 4096)
    #expect(nat.fragments.memoryBytes == 8_388_608)
    #expect(nat.icmpErrorsPerSecond == 1000)
    #expect(configuration.statics.isEmpty)
    #expect(configuration.workers == 1)
    #expect(configuration.capture.delivery == .immediate)
    #expect(configuration.capture.ringBytes == 67_108_864)
    #expect(configuration.capture.snapLength == 65_553)
    #expect(configuration.control.socket == "/run/portico/control.sock")
    #expect(configuration.control.mode == 0o660)
    #expect(configuration.control.group == "portico")
    #expect(configuration.metrics.listen == nil)
    #expect(configuration.kernelGuard)
    #expect(configuration.log.level == .info)
  }

  @Test("sections with nothing behind them have every default")
  func emptySections() throws {
    let text =
      interfaces + """
        routes:
        nat:
          exempt: # none
          inside-networks:
          pool:
          filtering:
          lifetimes:
            ports:
          limits:
            per-host:
          tcp:
          fragments:
        static:
        capture:
        control:
        metrics:
        log:
        """
    var expected = Self.gateway
    expected.interfaces.gateway = nil
    #expect(try Configuration.parse(text, file: "portico.yaml") == expected)
  }

  @Test("the example of the interface description")
  func interfaceDescription() throws {
    let configuration = try Configuration.parse(
      """
      interfaces:
        inside:  { name: lan0, address: 192.168.1.1/24 }                 # mac, mtu optional
        outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }
      routes:                                                            # further inside networks
        - { network: 10.9.0.0/24, via: 192.168.1.254 }
      nat:
        inside-networks: [192.168.1.0/24, 10.9.0.0/24]
        exempt: []
        pool: [{ address: 203.0.113.5, ports: 1024-65535 }]
        port-choice: preserve
        parity: true
        port-rest: 120s
        pooling: paired
        filtering: address-dependent
        hairpin: true
        inbound-refresh: peers
        lifetimes: { udp: 300s, tcp-established: 7440s, tcp-transitory: 240s, icmp: 60s, fragment: 30s, ports: { udp/53: 120s } }
        limits: { bindings: 262144, sessions: 1048576, per-host: { ports: 16384, sessions: 65536 } }
        exhaustion: prohibited
        evict: never
        unsolicited-syn: answer
        tcp: { loose: false, window-tracking: false, after-reset: established, mss-clamp: auto }
        fragments: { datagrams: 4096, memory: 8MiB }
        icmp-errors-per-second: 1000
      static:
        - { protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.10:80 }
        - { protocol: all, public: 203.0.113.6, private: 192.168.1.20 }  # 1:1
      workers: 1
      control: { socket: /run/portico/control.sock, mode: "0660", group: portico }
      metrics: { listen: 127.0.0.1:9477 }
      guard: on
      log: { level: info }
      """, file: "portico.yaml")
    var expected = Configuration(
      interfaces: Self.gateway.interfaces,
      routes: [
        Configuration.Route(
          network: IPv4Network(IPv4Address(10, 9, 0, 0), prefixLength: 24),
          via: IPv4Address(192, 168, 1, 254))
      ])
    expected.nat.lifetimes.ports = [Configuration.PortLifetime(.udp, 53, nanoseconds: 120_000_000_000)]
    expected.statics = [
      .portForward(
        .tcp, publicEndpoint: Endpoint(IPv4Address(203, 0, 113, 5), 8080),
        privateEndpoint: Endpoint(IPv4Address(192, 168, 1, 10), 80)),
      .oneToOne(
        publicAddress: IPv4Address(203, 0, 113, 6), privateAddress: IPv4Address(192, 168, 1, 20)),
    ]
    expected.metrics.listen = Endpoint(IPv4Address(127, 0, 0, 1), 9477)
    #expect(configuration == expected)
    #expect(configuration.nat.insideNetworks.map(\.description) == ["192.168.1.0/24", "10.9.0.0/24"])
  }

  @Test("the reference example")
  func referenceExample() throws {
    let configuration = try Configuration.parse(
      """
      interfaces:
        inside: { name: lan0, address: 192.168.1.1/24, mac: 02:50:00:00:00:01, mtu: 1500 }
        outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1, mac: 02:50:00:00:00:02 }
      nat:
        pool: [{ address: 203.0.113.5, ports: 50001-60000 }]
        port-choice: sequential
        parity: false
      """, file: "portico.yaml")
    var expected = Self.gateway
    expected.interfaces.inside.mac = MACAddress(0x0250_0000_0001)
    expected.interfaces.inside.mtu = 1500
    expected.interfaces.outside.mac = MACAddress(0x0250_0000_0002)
    expected.nat.pool = [Configuration.PoolAddress(IPv4Address(203, 0, 113, 5), ports: [50001...60000])]
    expected.nat.portChoice = .sequential
    expected.nat.parity = false
    #expect(configuration == expected)
  }
}
