public import NATWire

/// Which remote endpoints may send to a binding (RFC 4787 section 5).
public enum Filtering: UInt8, BitwiseCopyable, Sendable {
  case endpointIndependent
  /// Remote addresses that the inside host has a session with.
  case addressDependent
  /// Remote endpoints that the inside host has a session with.
  case addressAndPortDependent
}

/// Which UDP and ICMP sessions an inbound packet refreshes (RFC 4787 REQ-6).
public enum InboundRefresh: UInt8, BitwiseCopyable, Sendable {
  /// Those on which the inside host has sent.
  case peers
  case all
  case off
}

/// The rules of translation.
public struct TranslatorSettings: Sendable, BitwiseCopyable {
  public var tcpFiltering = Filtering.addressDependent
  public var udpFiltering = Filtering.addressDependent
  public var icmpFiltering = Filtering.addressDependent
  /// Inside hosts reach each other by public endpoints (RFC 4787 REQ-9).
  public var hairpin = true
  public var inboundRefresh = InboundRefresh.peers
  /// TCP from inside without SYN may make a session (`tcp.loose`).
  public var loose = false
  /// A reset connection stays transitory whatever follows (`tcp.after-reset: transitory`).
  public var resetIsFinal = false
  /// The largest MSS that a SYN may announce; 0 changes none.
  public var maximumSegmentSize: UInt16 = 0
  /// Dynamic bindings that one inside host may have.
  public var portsPerHost = 16384
  /// Sessions that one inside host may have.
  public var sessionsPerHost = 65536
  /// New sessions of one inside host a second, 1 to 100,000; 0 for any number.
  public var sessionsPerSecond = 0

  public init() {}

  @inlinable public func filtering(of transport: TransportProtocol) -> Filtering {
    switch transport {
    case .tcp: tcpFiltering
    case .udp: udpFiltering
    case .icmp: icmpFiltering
    }
  }
}
