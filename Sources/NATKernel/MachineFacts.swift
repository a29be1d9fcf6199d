internal import CMNL
internal import Glibc
public import NATWire

/// A change of the machine's addresses or default routes, as an rtnetlink message reports it.
public enum MachineChange: Equatable, Sendable {
  case address(MachineFacts.Address)
  case addressRemoved(MachineFacts.Address)
  case route(MachineFacts.Route)
  case routeRemoved(MachineFacts.Route)
  /// An interface appeared, vanished or changed.
  case link(index: Int32)

  /// Reads a datagram. Skips damaged messages and those of other families, tables or types.
  /// - Complexity: O(bytes).
  public static func read(_ datagram: [UInt8]) -> [MachineChange] {
    var changes: [MachineChange] = []
    NetlinkMessage.forEach(in: datagram) { message in
      switch message.type {
      case Int(RTM_NEWADDR):
        if let address = MachineFacts.Address(message) { changes.append(.address(address)) }
      case Int(RTM_DELADDR):
        if let address = MachineFacts.Address(message) { changes.append(.addressRemoved(address)) }
      case Int(RTM_NEWROUTE): changes += MachineFacts.Route.all(message).map { .route($0) }
      case Int(RTM_DELROUTE): changes += MachineFacts.Route.all(message).map { .routeRemoved($0) }
      case Int(RTM_NEWLINK), Int(RTM_DELLINK):
        if let link = message.read(ifinfomsg.self) { changes.append(.link(index: link.ifi_index)) }
      default: break
      }
    }
    return changes
  }
}

/// The machine's addresses and default routes, as its kernel has them.
public struct MachineFacts: Equatable, Sendable {
  /// One address of an interface.
  public struct Address: Hashable, Sendable {
    public var index: Int32
    public var address: IPv4Address
    public var prefixLength: Int
    /// Not the first address of its network on the interface (IFA_F_SECONDARY).
    public var isSecondary = false
    /// Not for new connections (IFA_F_DEPRECATED, as in RFC 4862).
    public var isDeprecated = false
    /// Of scope link or host, such as 169.254.0.0/16 (RFC 3927): of no use beyond the link.
    public var isLocal = false
  }

  /// One next hop of a default route.
  public struct Route: Hashable, Sendable {
    public var index: Int32
    public var gateway: IPv4Address
    /// The route with the lowest metric wins.
    public var metric: UInt32 = 0
    /// The preferred source address (RTA_PREFSRC); nil where the kernel chooses.
    public var source: IPv4Address?
  }

  /// In the kernel's order.
  public var addresses: [Address] = []
  public var routes: [Route] = []

  /// The best default route by an interface.
  public func route(by index: Int32) -> Route? {
    routes.filter { $0.index == index }.min { $0.metric < $1.metric }
  }

  /// The address of an interface that the gateway shares. In this order: the preferred source of the default
  /// route, the first address whose network contains the next hop, the first address. Never one of scope link
  /// or host; secondary and deprecated ones only if there is no other.
  public func address(of index: Int32) -> Address? {
    let own = addresses.filter { $0.index == index && !$0.isLocal }
    let best = own.filter { !$0.isSecondary && !$0.isDeprecated }
    let candidates = best.isEmpty ? own : best
    if let route = route(by: index) {
      if let source = route.source, let found = own.first(where: { $0.address == source }) { return found }
      let near = candidates.first {
        IPv4Network($0.address, prefixLength: $0.prefixLength).contains(route.gateway)
      }
      if let near { return near }
    }
    return candidates.first
  }
}

extension MachineFacts.Address {
  init?(_ message: NetlinkMessage) {
    guard let header = message.read(ifaddrmsg.self), header.ifa_family == UInt8(AF_INET),
      header.ifa_prefixlen <= 32
    else { return nil }
    let attributes = message.attributes(behind: MemoryLayout<ifaddrmsg>.size)
    // On a point-to-point link IFA_ADDRESS is the peer's.
    guard let address = IPv4Address(attributes[Int(IFA_LOCAL)] ?? attributes[Int(IFA_ADDRESS)]) else {
      return nil
    }
    let flags =
      attributes[Int(IFA_FLAGS)].flatMap { NetlinkMessage.read(UInt32.self, $0) } ?? UInt32(header.ifa_flags)
    self.init(
      index: Int32(bitPattern: header.ifa_index), address: address, prefixLength: Int(header.ifa_prefixlen),
      isSecondary: flags & UInt32(IFA_F_SECONDARY) != 0, isDeprecated: flags & UInt32(IFA_F_DEPRECATED) != 0,
      isLocal: Int(header.ifa_scope) >= Int(RT_SCOPE_LINK.rawValue))
  }
}

extension MachineFacts.Route {
  /// The next hops of a default route in the main table that have an IPv4 gateway; none for other routes.
  static func all(_ message: NetlinkMessage) -> [MachineFacts.Route] {
    guard let header = message.read(rtmsg.self), header.rtm_family == UInt8(AF_INET), header.rtm_dst_len == 0,
      header.rtm_src_len == 0, header.rtm_tos == 0, Int(header.rtm_type) == Int(RTN_UNICAST)
    else { return [] }
    let attributes = message.attributes(behind: MemoryLayout<rtmsg>.size)
    let table =
      attributes[Int(RTA_TABLE.rawValue)].flatMap { NetlinkMessage.read(UInt32.self, $0) }
      ?? UInt32(header.rtm_table)
    guard table == UInt32(RT_TABLE_MAIN.rawValue) else { return [] }
    let metric = attributes[Int(RTA_PRIORITY.rawValue)].flatMap { NetlinkMessage.read(UInt32.self, $0) } ?? 0
    let source = IPv4Address(attributes[Int(RTA_PREFSRC.rawValue)])
    func route(_ index: Int32?, _ gateway: IPv4Address?) -> MachineFacts.Route? {
      guard let index, let gateway else { return nil }
      return MachineFacts.Route(index: index, gateway: gateway, metric: metric, source: source)
    }
    let single = route(
      attributes[Int(RTA_OIF.rawValue)].flatMap { NetlinkMessage.read(Int32.self, $0) },
      IPv4Address(attributes[Int(RTA_GATEWAY.rawValue)]))
    return (single.map { [$0] } ?? [])
      + nextHops(attributes[Int(RTA_MULTIPATH.rawValue)] ?? []).compactMap { route($0.index, $0.gateway) }
  }

  /// Reads a list of `struct rtnexthop`, each followed by its attributes.
  private static func nextHops(_ bytes: [UInt8]) -> [(index: Int32, gateway: IPv4Address?)] {
    var found: [(index: Int32, gateway: IPv4Address?)] = []
    let size = MemoryLayout<rtnexthop>.size
    var rest = bytes
    while let header = NetlinkMessage.read(rtnexthop.self, rest), Int(header.rtnh_len) >= size,
      Int(header.rtnh_len) <= rest.count
    {
      let attributes = NetlinkMessage.attributes(in: Array(rest[size..<Int(header.rtnh_len)]))
      found.append((header.rtnh_ifindex, IPv4Address(attributes[Int(RTA_GATEWAY.rawValue)])))
      rest = Array(rest.dropFirst((Int(header.rtnh_len) + 3) & ~3))
    }
    return found
  }
}

extension IPv4Address {
  /// Four bytes in network order.
  fileprivate init?(_ bytes: [UInt8]?) {
    guard let bytes, bytes.count == 4 else { return nil }
    self.init(bytes[0], bytes[1], bytes[2], bytes[3])
  }
}
