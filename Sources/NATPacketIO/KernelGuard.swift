private import CNFTables
public import NATWire
internal import Synchronization

/// Keeps the kernel from answering and forwarding what the gateway handles on one interface.
///
/// An nftables table of the family `netdev` drops at ingress, which lies behind the capture: what is for the
/// gateway's own addresses, IPv4 and ARP, and what the kernel could only forward. The kernel's own addresses,
/// where they are not the gateway's too, broadcasts and IPv6 stay with the kernel: a login on a management
/// address goes on working.
///
/// Of an address that the gateway shares with the kernel a second table, of the family `ip`, drops TCP and UDP to the
/// gateway's ports, and no more: where one of the kernel's sockets has a port, or a connection from it, its packets
/// pass. That is asked for each packet, as programs take ports for as long as one question and one answer. Where the
/// gateway shares an address, answers of DHCP servers pass the first table as well: a client hears them by a packet
/// socket before the kernel has the address that they are for, so they would look like what it is to forward.
///
/// The tables belong to the process (`flags owner`): nobody else can change them, and they are gone when the process
/// is, after SIGKILL too.
@safe public struct KernelGuard: ~Copyable {
  /// The interface, as the kernel names it.
  public let interface: String
  /// The name of the table: `portico-` and the interface; from the second one on, `/` and a number behind it.
  public let table: String
  /// The socket that owns the table. A copy of it in another process keeps the guard standing when this one ends.
  public let owner: Int32

  /// What the guard keeps from the kernel.
  public struct Scope: Equatable, Sendable {
    /// Of an address that the kernel has too.
    public struct Shared: Equatable, Sendable {
      /// None while it is not known, two while it changes.
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

    /// What the gateway alone answers to: its own addresses, the pool, and static public addresses.
    public var own: [IPv4Address]
    public var shared: Shared?

    public init(_ own: [IPv4Address], shared: Shared? = nil) {
      self.own = own
      self.shared = shared
    }

    /// Both, while one takes the place of the other.
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

  /// Installs the guard in the network namespace of the calling thread.
  ///
  /// - Parameters:
  ///   - interface: by the kernel's own name.
  ///   - scope: what it keeps from the kernel; whether there is a shared address stays so.
  ///   - others: the tables of guards that an earlier gateway left standing: this one stands beside them.
  public init(interface: String, _ scope: Scope, besides others: [String] = []) throws(InterfaceFault) {
    // A table's name and what stands in quotation marks allow less than an interface's name.
    guard let first = interface.utf8.first, interface.utf8.allSatisfy(KernelGuard.isAllowed),
      first != UInt8(ascii: "-")
    else {
      throw InterfaceFault(
        .refused, interface, "guard: nftables takes names of letters, digits, '-', '_' and '.' only")
    }
    var number = 1
    while others.contains(KernelGuard.table(of: interface, number: number)) { number += 1 }
    let table = KernelGuard.table(of: interface, number: number)
    // libnftables does not tell its socket: it is the one of nftables that appears. It stays the same as long as the
    // context lives (nftables 1.0.2 and later, for the sake of such tables).
    let (opened, owner) = unsafe KernelGuard.parser.withLock { _ in
      let before = NetfilterSockets.all()
      let context = unsafe nft_ctx_new(UInt32(NFT_CTX_DEFAULT))
      return unsafe (context, NetfilterSockets.all().subtracting(before).first ?? -1)
    }
    // Safety: the context is freed in deinit, or below.
    guard let context = unsafe opened else {
      throw InterfaceFault(.refused, interface, "guard: libnftables gives no context")
    }
    do {
      try unsafe KernelGuard.run(context, KernelGuard.install(table, interface, scope), interface)
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

  // Safety: owned, freed once. The socket that owns the table closes with it.
  deinit { unsafe nft_ctx_free(context) }

  /// Whether a guard could be installed now, without installing it.
  /// - Throws: ``InterfaceFault`` that says why not.
  public static func check(interface: String, _ scope: Scope) throws(InterfaceFault) {
    // Safety: the context is freed below; a dry run changes nothing.
    guard let context = unsafe nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else {
      throw InterfaceFault(.refused, interface, "guard: libnftables gives no context")
    }
    defer { unsafe nft_ctx_free(context) }
    unsafe nft_ctx_set_dry_run(context, true)
    try unsafe run(context, install(table(of: interface), interface, scope), interface)
  }

  /// Whether a gateway's guard stands on an interface.
  public static func isInstalled(interface: String) -> Bool {
    // Safety: the context is freed below; what it lists goes to its buffer, and is copied from there.
    guard let context = unsafe nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else { return false }
    defer { unsafe nft_ctx_free(context) }
    unsafe nft_ctx_buffer_output(context)
    guard (try? unsafe run(context, "list tables netdev\n", interface)) != nil,
      let list = unsafe nft_ctx_get_output_buffer(context).map({ unsafe String(cString: $0) })
    else { return false }
    let line = "table netdev \(table(of: interface))"
    return list.split(separator: "\n").contains { $0 == line || $0.hasPrefix(line + "/") }
  }

  /// Puts other addresses and ports in the place of those before, all at once.
  public mutating func setScope(_ scope: Scope) throws(InterfaceFault) {
    var commands = KernelGuard.set("netdev \(table) own", KernelGuard.elements(scope.own))
    if isSharing, let shared = scope.shared {
      for (name, elements) in KernelGuard.sets(of: shared) {
        commands += KernelGuard.set("ip \(table) \(name)", elements)
      }
    }
    try unsafe KernelGuard.run(context, commands, interface)
  }

  /// Installs the guard again, after an interface has vanished and returned: older kernels forget the hook of
  /// an interface that vanishes. There is no moment without a guard.
  public mutating func reinstall(_ scope: Scope) throws(InterfaceFault) {
    let families = isSharing ? ["netdev", "ip"] : ["netdev"]
    try unsafe KernelGuard.run(
      context,
      families.map { "delete table \($0) \(table)\n" }.joined()
        + KernelGuard.install(table, interface, scope),
      interface)
  }

  /// No interface has a `/` in its name.
  private static func table(of interface: String, number: Int = 1) -> String {
    "portico-\(interface)" + (number == 1 ? "" : "/\(number)")
  }

  /// One transaction: all of it, or nothing.
  private static func install(_ name: String, _ interface: String, _ scope: Scope) -> String {
    let table = "netdev \(name)"
    let hook = "type filter hook ingress"
    return """
      create table \(table) { flags owner; }
      add set \(table) own { type ipv4_addr; }
      \(set("\(table) own", elements(scope.own)))
      add chain \(table) ingress { \(hook) device "\(interface)" priority -500; policy accept; }
      add rule \(table) ingress ip daddr @own drop
      add rule \(table) ingress arp daddr ip @own drop
      \(scope.shared == nil ? "" : "add rule \(table) ingress \(leases) accept")
      add rule \(table) ingress meta pkttype host ether type ip fib daddr type != local drop
      \(scope.shared.map { install(name, interface, $0) } ?? "")
      """
  }

  /// What a DHCP server sends to clients (RFC 2131 section 4.1).
  private static let leases = "udp sport 67 udp dport 68"

  /// Sockets are known where packets are IPv4's already, so this chain stands behind `ip_rcv`: before fragments are put
  /// together, which are the kernel's to drop after their time.
  private static func install(_ name: String, _ interface: String, _ shared: Scope.Shared) -> String {
    let table = "ip \(name)"
    let rules = ["tcp", "udp"].flatMap { transport in
      // A question that has an answer for every kind of socket there is: a connection that is being opened, or was
      // closed a moment ago, is none that could be bound to all addresses.
      ["socket transparent { 0, 1 } accept", "drop"].map {
        "add rule \(table) prerouting iifname \"\(interface)\" ip daddr @shared \(transport) dport @\(transport)ports \($0)\n"
      }
    }
    return """
      create table \(table) { flags owner; }
      add set \(table) shared { type ipv4_addr; }
      add set \(table) tcpports { type inet_service; flags interval; }
      add set \(table) udpports { type inet_service; flags interval; }
      add chain \(table) prerouting { type filter hook prerouting priority -500; policy accept; }
      \(rules.joined())
      add rule \(table) prerouting iifname "\(interface)" \(leases) fib daddr type != { local, broadcast, multicast } drop
      \(sets(of: shared).map { set("\(table) \($0)", $1) }.joined(separator: "\n"))

      """
  }

  /// Commands that give a set other elements.
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
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  /// libnftables does not say that its parser may run on two threads.
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
    // The first line says why; those behind it show the place in the commands.
    let reason = failure.split(separator: "\n").first.map(String.init) ?? failure
    if reason.contains("Operation not permitted") {
      let expected = "the capability CAP_NET_ADMIN, and no other owner of the table \(table(of: interface))"
      throw InterfaceFault(.notPermitted, interface, "guard: \(reason); expected \(expected)")
    }
    throw InterfaceFault(
      .refused, interface,
      "guard: \(reason); expected a kernel with nftables, netdev ingress, fib and, for an address of the host's, socket"
    )
  }
}
