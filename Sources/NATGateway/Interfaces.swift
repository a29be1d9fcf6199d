import NATMemory
import NATTable
import NATWire

/// The interfaces and the networks that they are attached to, in the form that the packet path reads.
struct Interfaces {
  /// What the packet path knows about one interface.
  struct Link: BitwiseCopyable {
    /// The gateway's MAC address on it.
    var mac: MACAddress
    /// In a replay, the destination MAC of a frame whose next hop is not known.
    var placeholder: MACAddress
    /// Bytes of the largest IPv4 packet.
    var mtu: Int
    var layer: LinkLayer
  }

  /// A network on an interface, with the gateway's address in it.
  struct Network: BitwiseCopyable {
    var interface: InterfaceIndex
    var address: IPv4Address
    /// Whether the machine's kernel has the address too.
    var isShared: Bool
    /// Whether nothing passes between it and the other inside networks.
    var isIsolated: Bool
    /// Network and broadcast address; 0 where there is none.
    var special: (UInt32, UInt32)
    private var first: UInt32
    private var mask: UInt32

    init(_ interface: Interface) {
      self.interface = interface.index
      address = interface.address
      isShared = interface.isShared
      isIsolated = interface.isIsolated
      first = interface.network.address.rawValue
      mask = interface.network.mask
      special =
        interface.network.broadcast.map { (interface.network.address.rawValue, $0.rawValue) } ?? (0, 0)
    }

    func contains(_ address: IPv4Address) -> Bool { address.rawValue & mask == first }
  }

  /// One for each ``InterfaceIndex``.
  private let links: OwnedArray<Link>
  let indices: Set<InterfaceIndex>
  let networks: OwnedArray<Network>
  /// Whether any network is isolated. Without one, nobody asks which networks two neighbours are in.
  let hasIsolated: Bool
  private let memory: (MappedMemory, MappedMemory)

  init(_ settings: GatewaySettings) {
    memory = (
      MappedMemory(byteCount: InterfaceIndex.limit * MemoryLayout<Link>.stride),
      MappedMemory(byteCount: settings.interfaces.count * MemoryLayout<Network>.stride)
    )
    links = memory.0.array(of: Link.self, count: InterfaceIndex.limit)
    networks = memory.1.array(of: Network.self, count: settings.interfaces.count)
    indices = Set(settings.interfaces.map(\.index))
    hasIsolated = settings.interfaces.contains(where: \.isIsolated)
    for (place, interface) in settings.interfaces.enumerated() {
      networks[place] = Network(interface)
      let placeholder =
        interface.index.side == .inside ? settings.placeholderMAC.inside : settings.placeholderMAC.outside
      links[interface.index.place] = Link(
        mac: interface.mac, placeholder: placeholder, mtu: interface.mtu, layer: interface.link)
    }
  }

  @inline(__always) subscript(index: InterfaceIndex) -> Link { links[index.place] }

  /// The gateway's address on an interface towards a neighbour: of the network that holds the neighbour, or of the
  /// first network there.
  /// - Complexity: O(networks).
  func address(towards neighbour: NextHop) -> IPv4Address { network(of: neighbour)?.address ?? .any }

  /// The network that holds a neighbour, or the first network of its interface.
  private func network(of neighbour: NextHop) -> Network? {
    var found: Network?
    for place in 0..<networks.count where networks[place].interface == neighbour.interface {
      if networks[place].contains(neighbour.address) { return networks[place] }
      if found == nil { found = networks[place] }
    }
    return found
  }

  /// Whether two neighbours are in different inside networks, one of them isolated.
  /// - Complexity: O(networks).
  func separate(_ one: NextHop, _ other: NextHop) -> Bool {
    guard let one = network(of: one), let other = network(of: other) else { return false }
    return one.address != other.address && (one.isIsolated || other.isIsolated)
  }

  /// The network that has `address` as the gateway's address on a side; nil if it is no such address.
  /// - Complexity: O(networks).
  func network(of address: IPv4Address, on side: Side) -> Network? {
    for place in 0..<networks.count {
      if networks[place].address == address, networks[place].interface.side == side {
        return networks[place]
      }
    }
    return nil
  }

  /// Whether an address is the network or the broadcast address of one of our networks.
  /// - Complexity: O(networks).
  func isSpecial(_ address: IPv4Address) -> Bool {
    for place in 0..<networks.count {
      let special = networks[place].special
      if special.0 == address.rawValue || special.1 == address.rawValue { return true }
    }
    return false
  }
}

extension Gateway {
  @inline(__always) func mac(of interface: InterfaceIndex) -> MACAddress { interfaces[interface].mac }

  @inline(__always) func mtu(of interface: InterfaceIndex) -> Int { interfaces[interface].mtu }

  @inline(__always) func neighbours(of interface: InterfaceIndex) -> Neighbours {
    neighbourTables[interface]
  }

  /// Whether an address is one of the gateway's own inside addresses.
  func isInsideAddress(_ address: IPv4Address) -> Bool {
    interfaces.network(of: address, on: .inside) != nil
  }

  /// Whether the machine's kernel has one of the gateway's addresses too.
  @inline(__always) func isShared(_ address: IPv4Address) -> Bool {
    settings.sharesOutside && address == settings.outsideAddress
      || interfaces.network(of: address, on: .inside)?.isShared ?? false
  }
}
