internal import CMNL
internal import Glibc
public import NATWire

/// Hears from the kernel, by rtnetlink, when addresses or default routes of the host change, and asks it what they are.
public struct MachineWatch: ~Copyable, Sendable {
  private let news: NetlinkSocket

  /// For `poll(2)`: readable when there is news.
  public var descriptor: Int32 { news.descriptor }

  /// Listens from now on in the network namespace of the calling thread. It needs no capability.
  public init() throws(InterfaceFault) {
    let groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE
    news = try NetlinkSocket(NETLINK_ROUTE, groups: UInt32(groups), name: "host")
  }

  /// Takes all the news there is.
  /// - Returns: whether some of it may be about addresses, default routes or interfaces: then ``facts()`` may have
  ///   changed.
  public func takeChanges() -> Bool {
    var concerns = false
    while true {
      if let datagram = news.receiveNow() {
        if !MachineChange.read(datagram).isEmpty { concerns = true }
      } else if errno == ENOBUFS {
        // Some of it found no room: it may have been about anything.
        concerns = true
      } else if errno != EINTR {
        return concerns
      }
    }
  }

  /// How often it is asked again where something changes while it answers: whoever listens hears of that, too.
  private static let mostAnswers = 8

  /// Asks the kernel.
  /// - Complexity: O(addresses + routes of the main table).
  public static func facts() throws(InterfaceFault) -> MachineFacts {
    let socket = try NetlinkSocket(NETLINK_ROUTE, name: "host")
    socket.askStrictly()
    var facts = MachineFacts()
    for _ in 0..<mostAnswers {
      facts = MachineFacts()
      var isTorn = false
      func take(_ message: NetlinkMessage) {
        // Something changed while it was told.
        if message.flags & UInt16(NLM_F_DUMP_INTR) != 0 { isTorn = true }
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
      if !isTorn { break }
    }
    return facts
  }

  /// The addresses among these that the kernel takes for its own: an interface has them, or a local route leads to
  /// them.
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
