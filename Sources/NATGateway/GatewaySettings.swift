public import NATEngine
public import NATTable
public import NATWire

/// One of the gateway's two interfaces.
public struct Interface: Sendable, Equatable {
  public var address: IPv4Address
  public var network: IPv4Network
  public var mac: MACAddress
  /// Largest IPv4 packet in bytes.
  public var mtu: Int
  /// The kernel of the gateway's machine has the address too, answers ARP and echo requests, and takes what is not the
  /// gateway's.
  public var isShared = false

  public init(address: IPv4Address, prefixLength: Int, mac: MACAddress, mtu: Int = 1500) {
    self.address = address
    network = IPv4Network(address, prefixLength: prefixLength)
    self.mac = mac
    self.mtu = mtu
  }
}

/// A network behind a router.
public struct StaticRoute: Sendable, Equatable {
  public var network: IPv4Network
  public var via: IPv4Address
  public var side: Side

  public init(_ network: IPv4Network, via: IPv4Address, side: Side) {
    self.network = network
    self.via = via
    self.side = side
  }
}

/// What an inside sender is told when its packet finds no port or meets a limit.
public enum ExhaustionAnswer: UInt8, BitwiseCopyable, Sendable {
  /// ICMP 3/13 (RFC 5508 REQ-8).
  case prohibited
  /// ICMP 3/1 (RFC 6888 REQ-11).
  case hostUnreachable
  case silent
}

/// Everything that a gateway is told once.
public struct GatewaySettings: Sendable {
  public var inside: Interface
  public var outside: Interface
  /// The default route among them, if there is one.
  public var routes: [StaticRoute] = []
  /// Sources that are translated.
  public var insideNetworks: [IPv4Network]
  /// Destinations that are not.
  public var exempt: [IPv4Network] = []
  public var translator = TranslatorSettings()
  public var table: TableSettings
  public var exhaustion = ExhaustionAnswer.prohibited
  /// Whether an unsolicited SYN that a filter refuses is answered, with ICMP 3/3 after six seconds (RFC 5382 REQ-4).
  public var answersUnsolicitedSYN = true
  public var fragments = FragmentSettings()
  /// ICMP errors of its own on each side.
  public var icmpErrorsPerSecond = 1000
  /// Whether partial checksums are finished here: a capture file has no device that would.
  public var completesChecksums = true
  /// Whether next hops whose MAC is not known are asked for: a replay has nobody to ask.
  public var asksForNextHops = false
  /// From so many sessions on a batch is prefetched before it is worked on. Below, the table lies in the L2 cache, and
  /// prefetching costs more than it brings.
  public var sessionsWorthPrefetching = 4096
  /// The MAC written where a next hop's is not known.
  public var placeholderMAC: (inside: MACAddress, outside: MACAddress) = (
    MACAddress(0x0200_0000_0001), MACAddress(0x0200_0000_0002)
  )

  public init(inside: Interface, outside: Interface, insideNetworks: [IPv4Network], table: TableSettings) {
    self.inside = inside
    self.outside = outside
    self.insideNetworks = insideNetworks
    self.table = table
  }

  public static let defaultMAC: (inside: MACAddress, outside: MACAddress) = (
    MACAddress(0x0250_0000_0001), MACAddress(0x0250_0000_0002)
  )
}
