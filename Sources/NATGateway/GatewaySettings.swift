public import NATEngine
public import NATTable
public import NATWire

/// One of the gateway's interfaces, and a network that it is attached to.
public struct Interface: Sendable, Equatable {
  /// Its side and number.
  public var index: InterfaceIndex
  /// What its frames begin with. A link without link addresses needs no ARP.
  public var link = LinkLayer.ethernet
  public var address: IPv4Address
  public var network: IPv4Network
  public var mac: MACAddress
  /// Largest IPv4 packet in bytes.
  public var mtu: Int
  /// Whether the machine's kernel has the address too (`address: host`). Then the kernel answers ARP and echo requests,
  /// and takes packets that are not the gateway's.
  public var isShared = false
  /// Whether nothing passes between an inside network and the other inside networks. Public endpoints reach it by
  /// hairpin as before.
  public var isIsolated = false

  public init(
    _ index: InterfaceIndex, address: IPv4Address, prefixLength: Int, mac: MACAddress, mtu: Int = 1500
  ) {
    self.index = index
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
  public var interface: InterfaceIndex

  public init(_ network: IPv4Network, via: IPv4Address, on interface: InterfaceIndex) {
    self.network = network
    self.via = via
    self.interface = interface
  }
}

/// The ICMP error for an inside sender whose packet finds no port or reaches a limit.
public enum ExhaustionAnswer: UInt8, BitwiseCopyable, Sendable {
  /// ICMP 3/13 (RFC 5508 REQ-8).
  case prohibited
  /// ICMP 3/1 (RFC 6888 REQ-11).
  case hostUnreachable
  case silent
}

/// The settings of a gateway.
public struct GatewaySettings: Sendable {
  /// The inside interfaces, then the outside one. An interface with two networks stands here twice, with one MAC and
  /// one MTU.
  public var interfaces: [Interface]
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
  /// ICMP errors that the gateway itself sends a second, on each side.
  public var icmpErrorsPerSecond = 1000
  /// Whether the gateway completes partial checksums: a capture file has no device that would.
  public var completesChecksums = true
  /// Whether the gateway sends ARP requests for next hops whose MAC is not known. A replay does not.
  public var asksForNextHops = false
  /// The number of sessions from which a batch is prefetched. Below it the table fits the L2 cache, and prefetching
  /// costs more than it saves.
  public var sessionsWorthPrefetching = 4096
  /// The destination MAC of a frame whose next hop is not known, in a replay.
  public var placeholderMAC: (inside: MACAddress, outside: MACAddress) = (
    MACAddress(0x0200_0000_0001), MACAddress(0x0200_0000_0002)
  )

  /// - Precondition: the last interface is the only outside one.
  public init(_ interfaces: [Interface], insideNetworks: [IPv4Network], table: TableSettings) {
    self.interfaces = interfaces
    self.insideNetworks = insideNetworks
    self.table = table
  }

  /// The first inside interface.
  public var inside: Interface {
    get { interfaces[0] }
    set { interfaces[0] = newValue }
  }

  public var outside: Interface {
    get { interfaces[interfaces.count - 1] }
    set { interfaces[interfaces.count - 1] = newValue }
  }

  public static let defaultMAC: (inside: MACAddress, outside: MACAddress) = (
    MACAddress(0x0250_0000_0001), MACAddress(0x0250_0000_0002)
  )
}
