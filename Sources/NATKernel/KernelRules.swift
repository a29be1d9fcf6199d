private import CNFTables
public import NATWire
internal import Synchronization

/// The rules that keep the kernel from answering and forwarding what the gateway handles on an interface.
///
/// A frame counts as untagged when every VLAN tag in it has the identifier 0 (IEEE 802.1Q priority tags). Of
/// these frames the rules drop three kinds behind the capture:
/// - IPv4 and ARP to the gateway's own addresses;
/// - unicast IPv4 that the kernel could only forward;
/// - TCP and UDP to the gateway's ports of an address that it shares with the kernel, unless a socket of the
///   kernel has the port or the connection. The kernel looks the socket up for each packet, because a program
///   may take a port at any time.
///
/// The kernel keeps its other addresses, broadcasts and IPv6: a login on a management address still works.
/// Where the gateway shares an address, DHCP messages to clients pass the ingress rules too: a client hears
/// them by a packet socket before the kernel has the address.
///
/// A table of the family `netdev` drops at ingress, before the kernel spends time on the packet. Tables of
/// the families `ip` and `arp` drop frames with several tags, which the ingress hook cannot read.
///
/// The tables belong to the process (`flags owner`): no other process can change them, and the kernel removes
/// them when the process ends, also by SIGKILL.
@safe public struct KernelRules: ~Copyable {
  /// The interface, as the kernel names it.
  public let interface: String
  /// The name of the tables: `portico-` and the interface. Further sets of rules beside it add `/2` and so
  /// on.
  public let table: String
  /// The socket that owns the tables. A copy of it in another process keeps the rules when this process ends.
  public let owner: Int32

  /// What the rules keep from the kernel.
  public struct Scope: Equatable, Sendable {
    /// An address that the gateway shares with the kernel.
    public struct Shared: Equatable, Sendable {
      /// Empty while it is unknown, two while it changes.
      public var addresses: [IPv4Address]
      /// The gateway's ports on it.
      public var tcpPorts: [ClosedRange<UInt16>]
      public var udpPorts: [ClosedRange<UInt16>]

      public init(
        _ addresses: [IPv4Address], tcpPorts: [ClosedRange<UInt16>] = [], udpPorts: [ClosedRange<UInt16>] = []
      ) {
        self.addresses = addresses
        self.tcpPorts = tcpPorts
        self.udpPorts = udpPorts
      }
    }

    /// The gateway's own addresses: inside and outside address, pool, public addresses of static mappings.
    public var own: [IPv4Address]
    public var shared: Shared?

    public init(_ own: [IPv4Address], shared: Shared? = nil) {
      self.own = own
      self.shared = shared
    }

    /// Both scopes, while one replaces the other.
    public func union(_ other: Scope) -> Scope {
      Scope(
        Set(own + other.own).sorted(),
        shared: shared.map {
          Shared(
            $0.addresses + (other.shared?.addresses ?? []),
            tcpPorts: $0.tcpPorts + (other.shared?.tcpPorts ?? []),
            udpPorts: $0.udpPorts + (other.shared?.udpPorts ?? []))
        })
    }
  }

  private let context: OpaquePointer
  private let isSharing: Bool

  /// Installs the rules in the network namespace of the calling thread.
  ///
  /// - Parameters:
  ///   - interface: the kernel's own name.
  ///   - scope: what to keep from the kernel. Later scopes have a shared address if and only if this one has.
  ///   - others: tables that an earlier gateway left. The new ones get another name.
  public init(interface: String, _ scope: Scope, besides others: [String] = []) throws(InterfaceFault) {
    // Table names and quoted strings allow fewer characters than interface names.
    guard let first = interface.utf8.first, interface.utf8.allSatisfy(KernelRules.isAllowed),
      first != UInt8(ascii: "-")
    else {
      throw InterfaceFault(
        .refused, interface, "guard: nftables takes names of letters, digits, '-', '_' and '.' only")
    }
    var number = 1
    while others.contains(KernelRules.table(of: interface, number: number)) { number += 1 }
    let table = KernelRules.table(of: interface, number: number)
    // libnftables does not return its socket: it is the one that appears. It stays the same for the life of
    // the context (nftables 1.0.2 and later, because of tables with an owner).
    let (opened, owner) = unsafe KernelRules.parser.withLock { _ in
      let before = NetfilterSockets.all()
      let context = unsafe nft_ctx_new(UInt32(NFT_CTX_DEFAULT))
      return unsafe (context, NetfilterSockets.all().subtracting(before).first ?? -1)
    }
    // Safety: the context is freed in deinit, or below.
    guard let context = unsafe opened else {
      throw InterfaceFault(.refused, interface, "guard: libnftables gives no context")
    }
    do {
      try unsafe KernelRules.run(context, KernelRules.install(table, interface, scope), interface)
    } catch {
      // Safety: nobody else has the context.
      unsafe nft_ctx_free(context)
      throw error
    }
    self.interface = interface
    self.table = table
    self.owner = owner
    isSharing = scope.shared != nil
    unsafe self.context = context
  }

  // Safety: owned, freed once. This closes the socket that owns the tables.
  deinit { unsafe nft_ctx_free(context) }

  /// Checks whether the rules could be installed, without installing them.
  /// - Throws: ``InterfaceFault`` if not.
  public static func check(interface: String, _ scope: Scope) throws(InterfaceFault) {
    // Safety: the context is freed below; a dry run changes nothing.
    guard let context = unsafe nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else {
      throw InterfaceFault(.refused, interface, "guard: libnftables gives no context")
    }
    defer { unsafe nft_ctx_free(context) }
    unsafe nft_ctx_set_dry_run(context, true)
    try unsafe run(context, install(table(of: interface), interface, scope), interface)
  }

  /// Whether a gateway's rules are installed on an interface.
  public static func isInstalled(interface: String) -> Bool {
    // Safety: the context is freed below; its output goes to a buffer and is copied from there.
    guard let context = unsafe nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else { return false }
    defer { unsafe nft_ctx_free(context) }
    unsafe nft_ctx_buffer_output(context)
    guard (try? unsafe run(context, "list tables netdev\n", interface)) != nil,
      let list = unsafe nft_ctx_get_output_buffer(context).map({ unsafe String(cString: $0) })
    else { return false }
    let line = "table netdev \(table(of: interface))"
    return list.split(separator: "\n").contains { $0 == line || $0.hasPrefix(line + "/") }
  }

  /// Replaces all addresses and ports in one transaction.
  public mutating func setScope(_ scope: Scope) throws(InterfaceFault) {
    let own = KernelRules.elements(scope.own)
    var commands = KernelRules.families.map { KernelRules.set("\($0) \(table) own", own) }.joined()
    if isSharing, let shared = scope.shared {
      for (name, elements) in KernelRules.sets(of: shared) {
        commands += KernelRules.set("ip \(table) \(name)", elements)
      }
    }
    try unsafe KernelRules.run(context, commands, interface)
  }

  /// Replaces the rules in one transaction. Call it when an interface that had vanished is back: older kernels drop the
  /// ingress hook together with the interface.
  public mutating func reinstall(_ scope: Scope) throws(InterfaceFault) {
    try unsafe KernelRules.run(
      context,
      KernelRules.families.map { "delete table \($0) \(table)\n" }.joined()
        + KernelRules.install(table, interface, scope),
      interface)
  }

  // Interface names never contain a `/`.
  private static func table(of interface: String, number: Int = 1) -> String {
    "portico-\(interface)" + (number == 1 ? "" : "/\(number)")
  }

  /// The nftables families that get a table each. At the ingress hook of `netdev` a frame may still carry VLAN tags: the
  /// kernel has removed at most one. The hooks of `ip` and `arp` come after all tags are removed, so their rules also
  /// catch frames with several.
  private static let families = ["netdev", "ip", "arp"]

  /// The commands that make the tables: one transaction.
  package static func install(_ name: String, _ interface: String, _ scope: Scope) -> String {
    let tables = families.map { family in
      """
      create table \(family) \(name) { flags owner; }
      add set \(family) \(name) own { type ipv4_addr; }
      \(set("\(family) \(name) own", elements(scope.own)))
      """
    }
    let hook = "type filter hook"
    let ingress = "add rule netdev \(name) ingress"
    let prerouting = "add rule ip \(name) prerouting iifname \"\(interface)\""
    return """
      \(tables.joined())
      add chain netdev \(name) ingress { \(hook) ingress device "\(interface)" priority -500; policy accept; }
      \(ingress) ip daddr @own drop
      \(ingress) arp daddr ip @own drop
      \(scope.shared == nil ? "" : "\(ingress) \(leases) accept")
      \(ingress) \(otherVLANs) accept
      \(ingress) meta protocol ip \(forwarded) drop
      add chain ip \(name) prerouting { \(hook) prerouting priority -500; policy accept; }
      \(prerouting) ip daddr @own drop
      \(scope.shared.map { share(name, prerouting, $0) } ?? "")
      \(prerouting) \(forwarded) drop
      add chain arp \(name) input { \(hook) input priority -500; policy accept; }
      add rule arp \(name) input iifname "\(interface)" arp daddr ip @own drop

      """
  }

  /// DHCP messages to clients (RFC 2131 section 4.1).
  private static let leases = "udp sport 67 udp dport 68"
  /// Frames of VLANs 1 to 4095 belong to other devices. `meta protocol` reads the type behind the tag.
  private static let otherVLANs = "ether type { 0x8100, 0x88a8 } @ll,116,12 != 0"
  /// Unicast frames whose destination is no address of the kernel's.
  private static let forwarded = "meta pkttype host fib daddr type != local"

  /// The rules for an address that the kernel has too. Sockets are looked up behind `ip_rcv`, and before
  /// fragments are put together: later fragments pass, and the kernel drops them when the datagram times out.
  private static func share(_ name: String, _ prerouting: String, _ shared: Scope.Shared) -> String {
    let rules = ["tcp", "udp"].flatMap { transport in
      // `socket transparent` also matches request and TIME-WAIT sockets; `socket wildcard` does not.
      ["socket transparent { 0, 1 } accept", "drop"].map {
        "\(prerouting) ip daddr @shared \(transport) dport @\(transport)ports \($0)\n"
      }
    }
    return """
      add set ip \(name) shared { type ipv4_addr; }
      add set ip \(name) tcpports { type inet_service; flags interval; }
      add set ip \(name) udpports { type inet_service; flags interval; }
      \(rules.joined())
      \(prerouting) \(leases) fib daddr type { local, broadcast, multicast } accept
      \(sets(of: shared).map { set("ip \(name) \($0)", $1) }.joined(separator: "\n"))
      """
  }

  /// Commands that replace the elements of a set.
  private static func set(_ name: String, _ elements: String) -> String {
    "flush set \(name)\n" + (elements.isEmpty ? "" : "add element \(name) { \(elements) }\n")
  }

  private static func sets(of shared: Scope.Shared) -> [(name: String, elements: String)] {
    [
      ("shared", elements(shared.addresses)), ("tcpports", elements(shared.tcpPorts)),
      ("udpports", elements(shared.udpPorts)),
    ]
  }

  private static func elements(_ addresses: [IPv4Address]) -> String {
    Set(addresses).sorted().map(\.description).joined(separator: ", ")
  }

  private static func elements(_ ports: [ClosedRange<UInt16>]) -> String {
    PortSet(ports).text.split(separator: ",").joined(separator: ", ")
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    let character = Character(Unicode.Scalar(byte))
    return character.isASCII && (character.isLetter || character.isNumber || "-_.".contains(character))
  }

  /// libnftables does not document its parser as thread-safe.
  private static let parser = Mutex(())

  @unsafe private static func run(
    _ context: OpaquePointer, _ commands: String, _ interface: String
  ) throws(InterfaceFault) {
    // Safety: the context is open; the texts are copied while they are valid.
    let failure: String? = parser.withLock { _ in
      unsafe nft_ctx_buffer_error(context)
      defer { unsafe nft_ctx_unbuffer_error(context) }
      guard unsafe nft_run_cmd_from_buffer(context, commands) != 0 else { return nil }
      return unsafe nft_ctx_get_error_buffer(context).map { unsafe String(cString: $0) } ?? "no reason given"
    }
    guard let failure else { return }
    // The first line gives the reason; the others show the place in the commands.
    let reason = failure.split(separator: "\n").first.map(String.init) ?? failure
    if reason.contains("Operation not permitted") {
      let expected = "the capability CAP_NET_ADMIN, and no other owner of the table \(table(of: interface))"
      throw InterfaceFault(.notPermitted, interface, "guard: \(reason); expected \(expected)")
    }
    throw InterfaceFault(
      .refused, interface,
      "guard: \(reason); expected a kernel with nftables, netdev ingress, fib and, for an address shared with the machine, socket"
    )
  }
}
