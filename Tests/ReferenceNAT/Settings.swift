/// Everything of the configuration file that influences packets. Times are nanoseconds.
public struct ReferenceSettings: Sendable {
  public struct Interface: Sendable {
    public var address: ReferenceAddress
    public var prefixLength: Int
    /// Six bytes.
    public var mac: [UInt8]
    public var mtu: Int
    public var gateway: ReferenceAddress?

    public init(
      _ address: ReferenceAddress, _ prefixLength: Int, mac: [UInt8], mtu: Int = 1500,
      gateway: ReferenceAddress? = nil
    ) {
      self.address = address
      self.prefixLength = prefixLength
      self.mac = mac
      self.mtu = mtu
      self.gateway = gateway
    }

    public var network: ReferenceNetwork { ReferenceNetwork(address, prefixLength) }
  }

  public struct Route: Sendable {
    public var network: ReferenceNetwork
    public var via: ReferenceAddress

    public init(_ network: ReferenceNetwork, via: ReferenceAddress) {
      self.network = network
      self.via = via
    }
  }

  public struct PoolAddress: Sendable {
    public var address: ReferenceAddress
    public var ports: [ClosedRange<UInt16>]

    public init(_ address: ReferenceAddress, _ ports: [ClosedRange<UInt16>]) {
      self.address = address
      self.ports = ports
    }
  }

  public enum PortChoice: String, Sendable, CaseIterable { case preserve, random, sequential }
  public enum Pooling: String, Sendable, CaseIterable { case paired, arbitrary }
  public enum Filtering: String, Sendable, CaseIterable {
    case endpointIndependent = "endpoint-independent"
    case addressDependent = "address-dependent"
    case addressAndPortDependent = "address-and-port-dependent"
  }
  public enum Exhaustion: String, Sendable, CaseIterable {
    case prohibited
    case hostUnreachable = "host-unreachable"
    case silent
  }
  public enum Eviction: String, Sendable, CaseIterable {
    case never
    case oldestTransitory = "oldest-transitory"
  }
  public enum UnsolicitedSYN: String, Sendable, CaseIterable { case answer, silent }
  public enum AfterReset: String, Sendable, CaseIterable { case established, transitory }
  public enum MSSClamp: Sendable, Hashable {
    case auto
    case off
    case limit(Int)
  }

  /// One key of `lifetimes.ports`, as in `udp/53`.
  public struct PortKey: Hashable, Sendable {
    public var flow: ReferenceProtocol
    public var port: UInt16

    public init(_ flow: ReferenceProtocol, _ port: UInt16) {
      self.flow = flow
      self.port = port
    }
  }

  public struct Lifetimes: Sendable {
    public var udp: UInt64 = 300_000_000_000
    public var tcpEstablished: UInt64 = 7_440_000_000_000
    public var tcpHalfClosed: UInt64 = 7_440_000_000_000
    public var tcpTransitory: UInt64 = 240_000_000_000
    public var icmp: UInt64 = 60_000_000_000
    public var fragment: UInt64 = 30_000_000_000
    public var ports: [PortKey: UInt64] = [:]

    /// Of sessions that are not transitory, without a lifetime of their port.
    func ordinary(_ flow: ReferenceProtocol) -> UInt64 {
      switch flow {
      case .icmp: icmp
      case .tcp: tcpEstablished
      case .udp: udp
      }
    }
  }

  public struct Limits: Sendable {
    public var bindings = 262_144
    public var sessions = 1_048_576
    public var hostPorts = 16_384
    public var hostSessions = 65_536
    /// New sessions of one host in a second; nil: no limit.
    public var hostSessionsPerSecond: UInt64?
  }

  /// What a port forward takes. The default takes every session, begun from either side, for ever.
  public struct Terms: Sendable, Hashable {
    /// ST-3, `direction: inbound`: only sessions that begin outside use the forward.
    public var isInboundOnly = false
    /// ST-5, `remote`: only sessions with these remotes use the forward.
    public var remotes = ReferenceNetwork("0.0.0.0", 0)
    /// The port of those remotes; nil: any port.
    public var remotePort: UInt16?
    /// ST-11, `once`: the forward takes one session and ends with it.
    public var isOneShot = false
    /// ST-11, `lifetime`: nil: for ever.
    public var lifetime: UInt64?

    public init() {}
  }

  /// A static mapping: with ports a forward of one endpoint, without ports a 1:1 mapping of all protocols.
  public struct Static: Sendable, Hashable {
    public var flow: ReferenceProtocol?
    public var publicAddress: ReferenceAddress
    public var publicPort: UInt16?
    public var privateAddress: ReferenceAddress
    public var privatePort: UInt16?
    public var terms = Terms()

    public static func forward(
      _ flow: ReferenceProtocol, public publicEnd: ReferenceEndpoint, private privateEnd: ReferenceEndpoint,
      terms: Terms = Terms()
    ) -> Static {
      Static(
        flow: flow, publicAddress: publicEnd.address, publicPort: publicEnd.port,
        privateAddress: privateEnd.address, privatePort: privateEnd.port, terms: terms)
    }

    public static func oneToOne(
      public publicAddress: ReferenceAddress, private privateAddress: ReferenceAddress
    ) -> Static {
      Static(
        flow: nil, publicAddress: publicAddress, publicPort: nil, privateAddress: privateAddress,
        privatePort: nil)
    }
  }

  public var inside: Interface
  public var outside: Interface
  /// Networks behind inside routers.
  public var routes: [Route] = []
  /// Nil: the inside network and the networks of the routes.
  public var insideNetworksAsked: [ReferenceNetwork]?
  public var exempt: [ReferenceNetwork] = []
  /// Nil: the outside address with ports 1024 to 65535.
  public var poolAsked: [PoolAddress]?
  public var portChoice = PortChoice.preserve
  public var parity = true
  public var portRest: UInt64 = 120_000_000_000
  public var pooling = Pooling.paired
  public var filtering: [ReferenceProtocol: Filtering] = [
    .icmp: .addressDependent, .tcp: .addressDependent, .udp: .addressDependent,
  ]
  public var hairpin = true
  public enum InboundRefresh: String, Sendable { case peers, all, off }
  /// UT3, D5.
  public var inboundRefresh = InboundRefresh.peers
  public var lifetimes = Lifetimes()
  public var limits = Limits()
  public var exhaustion = Exhaustion.prohibited
  public var evict = Eviction.never
  public var unsolicitedSYN = UnsolicitedSYN.answer
  /// How many unsolicited SYN may wait for their answer; the page asks for a bound and names none.
  public var unsolicitedSYNLimit = 4096
  public var loose = false
  public var windowTracking = false
  public var afterReset = AfterReset.established
  public var mssClamp = MSSClamp.auto
  public var fragmentDatagrams = 4096
  /// Bytes.
  public var fragmentMemory = 8 << 20
  public var icmpErrorsPerSecond: UInt64 = 1000
  public var statics: [Static] = []

  public init(inside: Interface, outside: Interface) {
    self.inside = inside
    self.outside = outside
  }

  /// Interfaces by address, prefix and gateway, with the MAC addresses that a replay uses by default.
  public init(
    inside: ReferenceNetwork, outside: ReferenceNetwork, gateway: ReferenceAddress? = nil
  ) {
    self.init(
      inside: Interface(
        inside.address, inside.prefixLength, mac: [0x02, 0x50, 0x00, 0x00, 0x00, 0x01]),
      outside: Interface(
        outside.address, outside.prefixLength, mac: [0x02, 0x50, 0x00, 0x00, 0x00, 0x02], gateway: gateway))
  }

  public var insideNetworks: [ReferenceNetwork] {
    insideNetworksAsked ?? [inside.network] + routes.map(\.network)
  }

  public var pool: [PoolAddress] {
    poolAsked ?? [PoolAddress(outside.address, [1024...65535])]
  }

  public func interface(_ side: ReferenceSide) -> Interface {
    side == .inside ? inside : outside
  }
}
