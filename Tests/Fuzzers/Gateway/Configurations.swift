import FuzzerSupport
import NATComposition
import NATConfiguration
import NATGateway
import NATTable
import NATWire

/// A gateway to be fuzzed.
struct Setting: Sendable {
  var configuration: Configuration
  /// What its machine has at first, where the configuration follows that.
  var host = Configuration.Machine()
  /// It asks for its next hops.
  var isLive: Bool
  /// From so many sessions on batches are prefetched.
  var sessionsWorthPrefetching = 4096

  /// - Parameters:
  ///   - nat: lines below `nat:`.
  ///   - more: further lines of the file.
  ///   - mtu: of the outside.
  init(
    _ nat: String, more: String = "", mtu: Int = 1500, router: String = ", gateway: 203.0.113.1",
    inside: String = "192.168.1.1/24", outside: String = "203.0.113.5/24", isLive: Bool = false
  ) {
    let text = """
      interfaces:
        inside: { name: lan0, address: \(inside) }
        outside: { name: wan0, address: \(outside)\(router), mtu: \(mtu) }
      nat:
      \(nat.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
      \(more)
      """
    do {
      configuration = try Configuration.parse(text + "\n", file: "fuzzer.yaml")
    } catch {
      fatalError("\(error)\n\(text)")
    }
    self.isLive = isLive
    if configuration.followsMachine {
      host.inside = Configuration.MachineAddress(IPv4Address(192, 168, 1, 1), prefixLength: 24)
      host.outside = Configuration.MachineAddress(
        IPv4Address(203, 0, 113, 5), prefixLength: 24, gateway: IPv4Address(203, 0, 113, 1))
    }
  }

  /// What a gateway is told of a configuration with the host's addresses in it. Little is kept free for changes: room
  /// costs time.
  func gateway(_ configuration: Configuration) -> GatewaySettings {
    var settings = GatewaySettings(configuration)
    settings.asksForNextHops = isLive
    settings.sessionsWorthPrefetching = sessionsWorthPrefetching
    settings.table.reserve.poolAddresses = 2
    settings.table.reserve.forwards = 8
    settings.table.reserve.oneToOne = 4
    settings.table.reserve.bindings = 64
    settings.table.reserve.sessions = 64
    return settings
  }

  /// Few limits and ports: a gateway is made for every input, and each port costs it time.
  private static let small = """
    limits: { bindings: 512, sessions: 1024 }
    \(ports)
    """
  private static let ports =
    "pool: [{ address: 203.0.113.5, ports: 1024-1087,5000-5063,50001-50064 }]"
  private static let limits = "limits: { bindings: 512, sessions: 1024 }"

  private static let statics = """
    static:
      - { protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.10:80 }
      - { protocol: udp, public: 203.0.113.5:5001, private: 192.168.1.10:53 }
      - { protocol: udp, public: 203.0.113.8:53, private: 192.168.1.10:53 }
      - { protocol: icmp, public: 203.0.113.5:7, private: 192.168.1.10:7 }
      - { protocol: tcp, public: 203.0.113.6:443, private: 192.168.1.2:80 }
      - { protocol: all, public: 203.0.113.6, private: 192.168.1.20 }
      - { protocol: all, public: 203.0.113.7, private: 192.168.1.3 }
    """

  static let all: [Setting] = [
    Setting(small),
    Setting(
      """
      \(limits)
      filtering: endpoint-independent
      inbound-refresh: true
      port-choice: sequential
      parity: false
      pool: [{ address: 203.0.113.5, ports: 50001-50400 }]
      """),
    Setting(
      """
      \(small)
      filtering: address-and-port-dependent
      """, more: statics),
    Setting(
      """
      \(limits)
      filtering: { udp: endpoint-independent, tcp: address-dependent, icmp: address-and-port-dependent }
      pool: [{ address: 203.0.113.5, ports: 5000-5002 }, { address: 198.18.0.1, ports: 1-127 }]
      pooling: arbitrary
      """, more: statics),
    Setting(
      """
      \(small)
      hairpin: false
      unsolicited-syn: silent
      tcp: { loose: true, after-reset: transitory, mss-clamp: 536 }
      icmp-errors-per-second: 2
      """),
    Setting(
      """
      \(limits)
      pool: [{ address: 203.0.113.5, ports: 2000-2003 }]
      port-rest: 1s
      exhaustion: host-unreachable
      lifetimes: { udp: 1s, icmp: 1s, tcp-transitory: 1s, tcp-established: 2s }
      """),
    Setting(
      """
      limits: { bindings: 3, sessions: 4, per-host: { ports: 2, sessions: 3 } }
      \(ports)
      icmp-errors-per-second: 1
      """, more: statics),
    Setting(
      """
      \(small)
      fragments: { datagrams: 3, memory: 64KiB }
      lifetimes: { fragment: 1s }
      """, more: statics, mtu: 300),
    Setting(
      """
      limits: { bindings: 6, sessions: 6 }
      \(ports)
      evict: oldest-transitory
      tcp: { window-tracking: true }
      """),
    Setting(
      """
      \(small)
      exempt: [172.16.0.0/12, 198.51.100.7/32]
      lifetimes: { udp: 2s, ports: { udp/53: 1s, tcp/80: 3s } }
      """,
      more: """
        routes:
          - { network: 10.9.0.0/24, via: 192.168.1.254 }
        """),
    Setting(
      """
      \(small)
      port-choice: random
      exhaustion: silent
      fragments: { datagrams: 64, memory: 128KiB }
      """, mtu: 1400, router: ""),
    Setting("limits: { bindings: 8192, sessions: 8192 }"),
    Setting(small, isLive: true),
    Setting(
      """
      \(small)
      filtering: endpoint-independent
      exempt: [172.16.0.0/12]
      fragments: { datagrams: 16, memory: 64KiB }
      """,
      more: statics + """

        routes:
          - { network: 10.9.0.0/24, via: 192.168.1.254 }
        """, mtu: 576, isLive: true),
    Setting("\(onHost)\n\(limits)", more: staticsOnHost, router: "", outside: "host"),
    Setting(
      """
      \(onHost)
      filtering: endpoint-independent
      limits: { bindings: 512, sessions: 1024, per-host: { sessions-per-second: 2 } }
      """, more: staticsOnHost, router: "", inside: "host", outside: "host", isLive: true),
    Setting(
      """
      \(ports)
      limits: { bindings: 64, sessions: 64, per-host: { ports: 20, sessions: 20, sessions-per-second: 3 } }
      lifetimes: { udp: 2s, tcp-transitory: 2s, icmp: 3s, tcp-established: 5s }
      tcp: { window-tracking: true }
      """,
      more: """
        static:
          - { protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.10:80, direction: inbound }
          - { protocol: tcp, public: 203.0.113.6:443, private: 192.168.1.2:80, remote: 198.51.100.0/24 }
          - { protocol: udp, public: 203.0.113.8:53, private: 192.168.1.10:53, once: true }
          - { protocol: udp, public: 203.0.113.5:5001, private: 192.168.1.10:53, lifetime: 3s, direction: inbound }
          - { protocol: all, public: 203.0.113.6, private: 192.168.1.10 }
        """),
  ]

  private static let onHost = "pool: [{ address: host, ports: 1024-1087,5000-5063,50001-50064 }]"

  private static let staticsOnHost = """
    static:
      - { protocol: tcp, public: host:8080, private: 192.168.1.10:80 }
      - { protocol: udp, public: host:5001, private: 192.168.1.10:53, once: true }
      - { protocol: udp, public: 198.18.0.1:53, private: 192.168.1.10:53 }
      - { protocol: all, public: 198.18.0.7, private: 192.168.1.3 }
    """
}
