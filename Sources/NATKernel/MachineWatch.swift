internal import CMNL
internal import Glibc
public import NATWire

/// Watches the machine's addresses and default routes through rtnetlink.
public struct MachineWatch: ~Copyable, Sendable {
  private let socket: NetlinkSocket

  /// For `poll(2)`: readable when something has changed.
  public var descriptor: Int32 { socket.descriptor }

  /// Starts watching the network namespace of the calling thread. Needs no capability.
  public init() throws(InterfaceFault) {
    let groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE
    socket = try NetlinkSocket(NETLINK_ROUTE, groups: UInt32(groups), name: "machine")
  }

  /// Reads all pending changes, without waiting.
  /// - Returns: whether addresses, default routes or links may have changed. If so, call ``facts()`` again.
  public func takeChanges() -> Bool {
    var mayHaveChanged = false
    while true {
      if let datagram = socket.receiveNow() {
        if !MachineChange.read(datagram).isEmpty { mayHaveChanged = true }
      } else if errno == ENOBUFS {
        // The kernel dropped messages for want of room.
        mayHaveChanged = true
      } else if errno != EINTR {
        return mayHaveChanged
      }
    }
  }

  /// How often to repeat a dump that was interrupted by a change. A watch reports that change, too.
  private static let maximumDumps = 8

  /// Asks the kernel for its addresses and default routes.
  /// - Complexity: O(addresses + routes of the main table).
  public static func facts() throws(InterfaceFault) -> MachineFacts {
    let socket = try NetlinkSocket(NETLINK_ROUTE, name: "machine")
    socket.askStrictly()
    var facts = MachineFacts()
    for _ in 0..<maximumDumps {
      facts = MachineFacts()
      var isInterrupted = false
      func take(_ message: NetlinkMessage) {
        if message.flags & UInt16(NLM_F_DUMP_INTR) != 0 { isInterrupted = true }
        if message.type == Int(RTM_NEWADDR), let address = MachineFacts.Address(message) {
          facts.addresses.append(address)
        }
        if message.type == Int(RTM_NEWROUTE) { facts.routes += MachineFacts.Route.all(message) }
      }
      var addresses = ifaddrmsg()
      addresses.ifa_family = UInt8(AF_INET)
      try socket.ask(
        NetlinkMessage.question(Int(RTM_GETADDR), flags: NLM_F_DUMP, NetlinkMessage.bytes(of: addresses)),
        take)
      var routes = rtmsg()
      routes.rtm_family = UInt8(AF_INET)
      routes.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
      try socket.ask(
        NetlinkMessage.question(Int(RTM_GETROUTE), flags: NLM_F_DUMP, NetlinkMessage.bytes(of: routes)), take)
      if !isInterrupted { break }
    }
    return facts
  }

  /// The addresses among these that the kernel takes for its own: by an interface or by a local route.
  /// - Returns: in their order; none where the kernel does not answer.
  /// - Complexity: one system call each way for each address.
  public static func local(among addresses: [IPv4Address]) -> [IPv4Address] {
    guard let socket = try? NetlinkSocket(NETLINK_ROUTE, name: "machine") else { return [] }
    return addresses.filter { address in
      var route = rtmsg()
      route.rtm_family = UInt8(AF_INET)
      route.rtm_dst_len = 32
      let destination = nlattr(nla_len: 8, nla_type: UInt16(RTA_DST.rawValue))
      let request =
        NetlinkMessage.bytes(of: route) + NetlinkMessage.bytes(of: destination)
        + NetlinkMessage.bytes(of: address.rawValue.bigEndian)
      var isLocal = false
      // An address without a route is an error, and not local. The acknowledgement ends the answer.
      try? socket.ask(NetlinkMessage.question(Int(RTM_GETROUTE), flags: NLM_F_ACK, request)) { message in
        guard message.type == Int(RTM_NEWROUTE), let answer = message.read(rtmsg.self) else { return }
        isLocal = Int(answer.rtm_type) == Int(RTN_LOCAL)
      }
      return isLocal
    }
  }
}
