internal import CMNL
internal import Glibc
public import NATWire

/// The ports of the machine's own sockets, from sock_diag(7).
public enum MachineSockets {
  /// Ports of the sockets that receive packets for an address: bound to it or to all, TCP connections
  /// included.
  ///
  /// - Parameter ranges: the ports to look for, in any order.
  /// - Returns: ascending.
  /// - Complexity: O(sockets), in the kernel.
  public static func ports(
    _ transport: TransportProtocol, on address: IPv4Address, in ranges: [ClosedRange<UInt16>]
  ) throws(InterfaceFault) -> [UInt16] {
    guard let first = ranges.map(\.lowerBound).min(), let last = ranges.map(\.upperBound).max() else {
      return []
    }
    let socket = try NetlinkSocket(NETLINK_SOCK_DIAG, name: "sockets of the machine")
    var ports: Set<UInt16> = []
    for family in [AF_INET, AF_INET6] {
      // The kernel filters by the first and the last port only.
      try socket.ask(question(transport, family, first...last)) { message in
        guard message.type == Int(SOCK_DIAG_BY_FAMILY), let found = MachineSocket(message),
          found.takes(address), ranges.contains(where: { $0.contains(found.port) })
        else { return }
        ports.insert(found.port)
      }
    }
    return ports.sorted()
  }

  private static func question(
    _ transport: TransportProtocol, _ family: Int32, _ range: ClosedRange<UInt16>
  ) -> [UInt8] {
    var request = inet_diag_req_v2()
    request.sdiag_family = UInt8(family)
    request.sdiag_protocol = UInt8(transport == .tcp ? IPPROTO_TCP : IPPROTO_UDP)
    // Not TIME-WAIT, SYN-RECEIVED and NEW_SYN_RECV: a listener has the port in these states.
    let excluded: UInt32 = 1 << 6 | 1 << 3 | 1 << 12
    request.idiag_states = transport == .tcp ? ~excluded : .max
    // Two conditions of two operations, four bytes each. A jump beyond the end rejects the socket.
    func condition(_ code: Int, otherwise: UInt16, _ port: UInt16) -> [UInt8] {
      NetlinkMessage.bytes(of: inet_diag_bc_op(code: UInt8(code), yes: 8, no: otherwise))
        + NetlinkMessage.bytes(of: inet_diag_bc_op(code: 0, yes: 0, no: port))
    }
    let conditions =
      condition(Int(INET_DIAG_BC_S_GE), otherwise: 20, range.lowerBound)
      + condition(Int(INET_DIAG_BC_S_LE), otherwise: 12, range.upperBound)
    let header = nlattr(
      nla_len: UInt16(MemoryLayout<nlattr>.size + conditions.count),
      nla_type: UInt16(INET_DIAG_REQ_BYTECODE))
    return NetlinkMessage.question(
      Int(SOCK_DIAG_BY_FAMILY), flags: NLM_F_DUMP,
      NetlinkMessage.bytes(of: request) + NetlinkMessage.bytes(of: header) + conditions)
  }
}

/// One socket, as sock_diag reports it.
struct MachineSocket: Equatable {
  var port: UInt16
  /// Nil if it is bound to all addresses, or to an IPv6 address.
  var address: IPv4Address?
  /// Whether it is bound to one IPv6 address.
  var isIPv6: Bool

  init?(_ message: NetlinkMessage) {
    guard let header = message.read(inet_diag_msg.self) else { return nil }
    port = UInt16(bigEndian: header.id.idiag_sport)
    let words = header.id.idiag_src
    if header.idiag_family == UInt8(AF_INET) {
      let own = IPv4Address(UInt32(bigEndian: words.0))
      (address, isIPv6) = (own == .any ? nil : own, false)
    } else if words.0 == 0, words.1 == 0, UInt32(bigEndian: words.2) == 0xFFFF {
      // ::ffff:a.b.c.d
      (address, isIPv6) = (IPv4Address(UInt32(bigEndian: words.3)), false)
    } else {
      // A socket on `::` also receives IPv4 unless IPV6_V6ONLY is set. sock_diag does not report the option,
      // so the port is excluded either way.
      let isAny = words.0 == 0 && words.1 == 0 && words.2 == 0 && words.3 == 0
      (address, isIPv6) = (nil, !isAny)
    }
  }

  /// Whether it may receive packets for an IPv4 address.
  func takes(_ address: IPv4Address) -> Bool { !isIPv6 && (self.address ?? address) == address }
}
