import NATMemory
public import NATWire

/// A public address that dynamic bindings draw from, with the TCP and UDP ports they may have.
public struct PoolAddress: Sendable {
  public var address: IPv4Address
  public var ports: [ClosedRange<UInt16>]

  public init(_ address: IPv4Address, ports: [ClosedRange<UInt16>]) {
    self.address = address
    self.ports = ports
  }
}

/// How a public port is chosen.
public enum PortChoice: Sendable, BitwiseCopyable {
  /// The private port if it is free, otherwise a random port.
  case preserve
  case random
  /// The lowest free port.
  case sequential
}

/// The rules by which a public endpoint is chosen for a new binding.
public struct PoolPolicy: Sendable, BitwiseCopyable {
  public var portChoice: PortChoice
  /// Even private ports get even public ports, odd ones odd (RFC 4787 REQ-4).
  public var parity: Bool
  /// All bindings of a host have one public address (RFC 4787 REQ-2).
  public var paired: Bool
  /// The hold-down: how long a released port waits until another host may have it, in nanoseconds (RFC 6888
  /// REQ-8).
  public var portRest: UInt64

  public init(
    portChoice: PortChoice = .preserve, parity: Bool = true, paired: Bool = true,
    portRest: UInt64 = 120_000_000_000
  ) {
    self.portChoice = portChoice
    self.parity = parity
    self.paired = paired
    self.portRest = portRest
  }
}

/// Ports of one pool address and protocol, as a report shows them.
public struct PoolUse: Sendable, Equatable {
  public var address: IPv4Address
  public var transport: TransportProtocol
  /// Ports (query identifiers) for dynamic bindings.
  public var ports: Int
  public var inUse: Int
  public var held: Int
}
