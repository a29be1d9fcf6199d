public import NATWire

extension Configuration {
  /// The key `nat`: how addresses and ports are translated. The defaults follow RFC 4787, RFC 5382, RFC 5508 and RFC 6888.
  public struct NAT: Sendable, Equatable {
    /// The networks of inside hosts to translate. Each lies in the inside network or in routes.
    public var insideNetworks: [IPv4Network]
    /// Destinations that are forwarded without translation.
    public var exempt: [IPv4Network] = []
    /// The public addresses and ports of dynamic bindings; each address occurs once. It may be empty.
    public var pool: [PoolAddress]
    public var portChoice = PortChoice.preserve
    public var parity = true
    /// The hold-down of released ports, 0 to 600 s.
    public var portRestNanoseconds: UInt64 = 120 * nanosecondsPerSecond
    public var pooling = Pooling.paired
    public var filtering = FilteringByProtocol()
    public var hairpin = true
    public var inboundRefresh = InboundRefresh.peers
    public var lifetimes = Lifetimes()
    public var limits = Limits()
    public var exhaustion = Exhaustion.prohibited
    public var evict = Evict.never
    public var unsolicitedSYN = UnsolicitedSYN.answer
    public var tcp = TCP()
    public var fragments = Fragments()
    /// For each side; 0 sends none.
    public var icmpErrorsPerSecond = 1000
  }

  /// A public address of the pool with its ports.
  public struct PoolAddress: Sendable, Equatable {
    public var address: IPv4Address
    /// Ascending, without overlaps and port 0.
    public var ports: [ClosedRange<UInt16>]

    public init(_ address: IPv4Address, ports: [ClosedRange<UInt16>] = [1024...65535]) {
      self.address = address
      self.ports = ports
    }
  }

  /// How the free port for a new binding is chosen.
  public enum PortChoice: String, Sendable, CaseIterable {
    case preserve, random, sequential
  }

  /// Whether all bindings of an inside host share one public address (RFC 4787 REQ-2).
  public enum Pooling: String, Sendable, CaseIterable {
    case paired, arbitrary
  }

  /// Which UDP and ICMP sessions an inbound packet refreshes (RFC 4787 REQ-6).
  public enum InboundRefresh: String, Sendable, CaseIterable {
    case peers, all, off
  }

  /// From which remote endpoints a dynamic binding accepts packets (RFC 4787 section 5).
  public enum Filtering: String, Sendable, CaseIterable {
    case endpointIndependent = "endpoint-independent"
    case addressDependent = "address-dependent"
    case addressAndPortDependent = "address-and-port-dependent"
  }

  /// The key `filtering`: one word for all protocols, or a mapping.
  public struct FilteringByProtocol: Sendable, Equatable {
    public var udp = Filtering.addressDependent
    public var tcp = Filtering.addressDependent
    public var icmp = Filtering.addressDependent

    public init() {}

    public init(all filtering: Filtering) {
      udp = filtering
      tcp = filtering
      icmp = filtering
    }

    public subscript(transport: TransportProtocol) -> Filtering {
      switch transport {
      case .udp: udp
      case .tcp: tcp
      case .icmp: icmp
      }
    }
  }

  /// The answer to an inside host if no port is free or a limit is reached.
  public enum Exhaustion: String, Sendable, CaseIterable {
    /// ICMP 3/13 (RFC 5508 REQ-8).
    case prohibited
    /// ICMP 3/1 (RFC 6888 REQ-11).
    case hostUnreachable = "host-unreachable"
    case silent
  }

  /// Whether sessions are ended to make room for new ones.
  public enum Evict: String, Sendable, CaseIterable {
    case never
    case oldestTransitory = "oldest-transitory"
  }

  /// The answer to an inbound SYN that a live binding's filter rejects (RFC 5382 REQ-4).
  public enum UnsolicitedSYN: String, Sendable, CaseIterable {
    /// ICMP 3/3 after 6 s, unless an outbound SYN follows.
    case answer
    case silent
  }
}

extension Configuration {
  @SettingsBuilder<Configuration> static var poolSettings: [Setting<Configuration>] {
    Setting("nat.inside-networks", list: \.nat.insideNetworks, .network, networks, .live)
      .about("The networks of the inside hosts that are translated.").byDefault(
        "the inside network and the networks of `routes`"
      ).samples("[192.168.1.0/25]")
    Setting("nat.exempt", list: \.nat.exempt, .network, networks, .live)
      .about("Destinations to which packets are forwarded without translation.").byDefault("[]").samples(
        "[172.16.0.0/12]")
    Setting(
      "nat.pool", entries: \.nat.pool, PoolAddress.settings, empty: PoolAddress(.machine, ports: []),
      "a list of addresses such as [{ address: 192.0.2.1, ports: 1024-65535 }]", .live
    ).about("The public addresses and ports of dynamic bindings.").byDefault(
      "the outside address; with `address: host`, its ports 10240-32767"
    ).adjusting(PoolAddress.joiningPorts)
  }

  private static let networks = "a list of networks such as [192.168.1.0/24, 10.9.0.0/24]"

  @SettingsBuilder<Configuration> static var bindingSettings: [Setting<Configuration>] {
    Setting("nat.port-choice", \.nat.portChoice, .word, .live)
      .about("The public port: `preserve` the private one if it is free, `random` (RFC 6056), `sequential`.")
    Setting("nat.parity", \.nat.parity, .truth, .live)
      .about("Even ports become even ports, odd ones odd ones (RFC 4787 REQ-4).")
    Setting(
      "nat.port-rest", \.nat.portRestNanoseconds, .duration(from: "0s", to: "600s", such: "120s or 2m"), .live
    ).about("The hold-down: how long a released port is kept from other inside hosts (RFC 6888 REQ-8).")
    Setting("nat.pooling", \.nat.pooling, .word, .live)
      .about("`paired`: an inside host has one public address (RFC 4787 REQ-2). `arbitrary`: any of them.")
    Setting<Configuration>.filteringForAll
    Setting("nat.filtering.udp", \.nat.filtering.udp, .word, .live)
      .about("The remote endpoints that may send to a UDP binding (RFC 4787 REQ-8).")
    Setting("nat.filtering.tcp", \.nat.filtering.tcp, .word, .live)
      .about("The remote endpoints that may send to a TCP binding (RFC 5382 REQ-3).")
    Setting("nat.filtering.icmp", \.nat.filtering.icmp, .word, .live)
      .about("The remote endpoints that may send to an ICMP query binding.")
    Setting("nat.hairpin", \.nat.hairpin, .truth, .live)
      .about("Inside hosts reach each other by public endpoints (RFC 4787 REQ-9).")
    Setting("nat.inbound-refresh", \.nat.inboundRefresh, .word(true: .all, false: .off), .live).about(
      "Inbound packets refresh UDP and ICMP sessions too (RFC 4787 REQ-6): `peers` those on which the inside host has sent, "
        + "as the Linux kernel does for answered flows, `all` or `off` none.")
  }

  @SettingsBuilder<Configuration> static var answerSettings: [Setting<Configuration>] {
    Setting("nat.exhaustion", \.nat.exhaustion, .word, .live).about(
      "The ICMP error to an inside host when no port is left or a limit is reached: `prohibited` (3/13), `host-unreachable` "
        + "(3/1), `silent` (none).")
    Setting("nat.evict", \.nat.evict, .word, .restart).about(
      "What ends for a new session when a limit is reached: `never` any, or `oldest-transitory`, a half-open or closing TCP "
        + "connection.")
    Setting("nat.unsolicited-syn", \.nat.unsolicitedSYN, .word, .live)
      .about("`answer` an inbound SYN that the filter refuses with ICMP 3/3 after 6 s (RFC 5382 REQ-4).")
  }
}

extension Configuration.PoolAddress {
  static let settings = Settings<Self> {
    Setting("address", \.address, .addressOrMachine, .live).about("The public address, or `host`.").required
      .samples("203.0.113.5", "203.0.113.7")
    Setting("ports", \.ports, .portRanges, .live)
      .about("Its ports for dynamic bindings.").byDefault("1024-65535; of `host`, 10240-32767")
  }

  /// In `{ address: 192.0.2.1, ports: 1024-4999,5100-65535 }` YAML ends the value at the comma and reads the
  /// second range as a key without a value. This appends such keys to the ports. It also accepts a list of
  /// ranges.
  fileprivate static func joiningPorts(_ node: Node) -> Node {
    guard case .mapping(var entries) = node.content,
      let index = entries.firstIndex(where: { $0.key == "ports" })
    else { return node }
    var ranges: [String]
    switch entries[index].value.content {
    case .scalar(let text): ranges = [text]
    case .list(let nodes):
      ranges = []
      for case .scalar(let text) in nodes.map(\.content) { ranges.append(text) }
      guard ranges.count == nodes.count else { return node }
    case .nothing, .mapping, .refused: return node
    }
    while index + 1 < entries.count, case .nothing = entries[index + 1].value.content,
      let first = entries[index + 1].key.first, first.isASCII, first.isNumber
    {
      ranges.append(entries.remove(at: index + 1).key)
    }
    let ports = entries[index]
    let value = Node(place: ports.value.place, content: .scalar(ranges.joined(separator: ",")))
    entries[index] = Node.Entry(key: ports.key, place: ports.place, value: value)
    return Node(place: node.place, content: .mapping(entries))
  }
}

extension Setting where Root == Configuration {
  /// One word for all protocols instead of the mapping.
  fileprivate static var filteringForAll: Setting {
    let word = Form<Configuration.Filtering>.word
    return Setting(
      "nat.filtering", form: "\(word.expected), or a mapping by protocol", .live,
      samples: word.samples,
      read: { configuration, node, reader in
        switch node.content {
        case .scalar:
          if let all = reader.value(node, word) {
            configuration.nat.filtering = Configuration.FilteringByProtocol(all: all)
          }
        case .list:
          reader.report.add(
            node.place, found: node.found, expected: "\(word.expected), or a mapping by protocol")
        case .nothing, .mapping, .refused: return
        }
      },
      written: { _ in nil }
    ).byDefault("address-dependent").about(
      "One word for all protocols, or a mapping by protocol: `{ udp: endpoint-independent, tcp: address-dependent }`. "
        + "`endpoint-independent`: all remote endpoints may send to a binding; `address-dependent`: addresses with a session; "
        + "`address-and-port-dependent`: endpoints with a session.")
  }
}
