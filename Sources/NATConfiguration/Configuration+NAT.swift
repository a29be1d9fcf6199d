public import NATWire

extension Configuration {
  /// The key `nat`: how addresses and ports are translated. The defaults are those of the decisions on
  /// RFC 4787, RFC 5382, RFC 5508 and RFC 6888.
  public struct NAT: Sendable, Equatable {
    /// The networks whose hosts are translated; each lies in the inside network or in routes.
    public var insideNetworks: [IPv4Network]
    /// Destinations forwarded without translation.
    public var exempt: [IPv4Network] = []
    /// The public addresses and ports of dynamic bindings, each address once; may be empty.
    public var pool: [PoolAddress]
    public var portChoice = PortChoice.preserve
    /// Keep even ports even and odd ones odd (RFC 4787 REQ-4).
    public var parity = true
    /// How long a released port waits for another host, 0 to 600 s.
    public var portRestNanoseconds: UInt64 = 120 * nanosecondsPerSecond
    public var pooling = Pooling.paired
    public var filtering = FilteringByProtocol()
    public var hairpin = true
    /// Let inbound packets restart the clock of UDP and ICMP sessions (RFC 4787 REQ-6a).
    public var inboundRefresh = false
    public var lifetimes = Lifetimes()
    public var limits = Limits()
    public var exhaustion = Exhaustion.prohibited
    public var evict = Evict.never
    /// The key `unsolicited-syn` (RFC 5382 REQ-4).
    public var unsolicitedSYN = UnsolicitedSYN.answer
    public var tcp = TCP()
    public var fragments = Fragments()
    /// The budget of each side; 0 sends none.
    public var icmpErrorsPerSecond = 1000

    public init(insideNetworks: [IPv4Network], pool: [PoolAddress]) {
      self.insideNetworks = insideNetworks
      self.pool = pool
    }
  }

  /// A public address of the pool with its ports.
  public struct PoolAddress: Sendable, Equatable {
    public var address: IPv4Address
    /// In ascending order, apart from each other, none empty; port 0 is never among them.
    public var ports: [ClosedRange<UInt16>]

    public init(_ address: IPv4Address, ports: [ClosedRange<UInt16>] = [1024...65535]) {
      self.address = address
      self.ports = ports
    }
  }

  /// Which free port a new binding gets.
  public enum PortChoice: String, Sendable, CaseIterable {
    case preserve, random, sequential
  }

  /// Whether all bindings of a host share one public address (RFC 4787 REQ-2).
  public enum Pooling: String, Sendable, CaseIterable {
    case paired, arbitrary
  }

  /// From which remote endpoints a dynamic binding takes packets (RFC 4787 section 5).
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

  /// What the sender is told when no port is left or a limit is reached.
  public enum Exhaustion: String, Sendable, CaseIterable {
    /// ICMP 3/13 (RFC 5508 REQ-8).
    case prohibited
    /// ICMP 3/1 (RFC 6888 REQ-11).
    case hostUnreachable = "host-unreachable"
    case silent
  }

  /// Whether live sessions may make room for new ones.
  public enum Evict: String, Sendable, CaseIterable {
    case never
    case oldestTransitory = "oldest-transitory"
  }

  /// What becomes of an inbound SYN that the filter of a live binding refuses.
  public enum UnsolicitedSYN: String, Sendable, CaseIterable {
    /// ICMP 3/3 after 6 s, unless an inside SYN came.
    case answer
    case silent
  }
}
