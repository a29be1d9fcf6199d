private import CNFTables
public import NATWire
internal import Synchronization

/// Keeps the kernel from answering and forwarding what the gateway handles on one interface.
///
/// An nftables table of the family `netdev` drops at ingress, which lies behind the capture: what is for the
/// gateway's own addresses, IPv4 and ARP, and what the kernel could only forward. The kernel's own addresses,
/// where they are not the gateway's too, broadcasts and IPv6 stay with the kernel: a login on a management
/// address goes on working. The table belongs to the process (`flags owner`): nobody else can change it, and
/// it is gone when the process is, after SIGKILL too.
@safe public struct KernelGuard: ~Copyable {
  /// The interface, as the kernel names it.
  public let interface: String
  /// The name of the table: `portico-` and the interface; from the second one on, `/` and a number behind it.
  public let table: String
  /// The socket that owns the table. A copy of it in another process keeps the guard standing when this one ends.
  public let owner: Int32
  private let context: OpaquePointer

  /// Installs the guard in the network namespace of the calling thread.
  ///
  /// - Parameters:
  ///   - interface: by the kernel's own name.
  ///   - addresses: what the gateway answers to: its own, the pool, and static public addresses.
  ///   - others: the tables of guards that an earlier gateway left standing: this one stands beside them.
  public init(interface: String, addresses: [IPv4Address], besides others: [String] = [])
    throws(InterfaceFault)
  {
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
      try unsafe KernelGuard.run(context, KernelGuard.install(table, interface, addresses), interface)
    } catch {
      // Safety: nobody else has the context.
      unsafe nft_ctx_free(context)
      throw error
    }
    self.interface = interface
    self.table = table
    self.owner = owner
    unsafe self.context = context
  }

  // Safety: owned, freed once. The socket that owns the table closes with it.
  deinit { unsafe nft_ctx_free(context) }

  /// Whether a guard could be installed now, without installing it.
  /// - Throws: ``InterfaceFault`` that says why not.
  public static func check(interface: String, addresses: [IPv4Address]) throws(InterfaceFault) {
    // Safety: the context is freed below; a dry run changes nothing.
    guard let context = unsafe nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else {
      throw InterfaceFault(.refused, interface, "guard: libnftables gives no context")
    }
    defer { unsafe nft_ctx_free(context) }
    unsafe nft_ctx_set_dry_run(context, true)
    try unsafe run(context, install(table(of: interface), interface, addresses), interface)
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

  /// Puts others in the place of the gateway's addresses, all at once.
  public mutating func setAddresses(_ addresses: [IPv4Address]) throws(InterfaceFault) {
    var commands = "flush set netdev \(table) own\n"
    if !addresses.isEmpty {
      commands += "add element netdev \(table) own { \(KernelGuard.elements(addresses)) }\n"
    }
    try unsafe KernelGuard.run(context, commands, interface)
  }

  /// Installs the guard again, after an interface has vanished and returned: older kernels forget the hook of
  /// an interface that vanishes. There is no moment without a guard.
  public mutating func reinstall(addresses: [IPv4Address]) throws(InterfaceFault) {
    try unsafe KernelGuard.run(
      context, "delete table netdev \(table)\n" + KernelGuard.install(table, interface, addresses), interface)
  }

  /// No interface has a `/` in its name.
  private static func table(of interface: String, number: Int = 1) -> String {
    "portico-\(interface)" + (number == 1 ? "" : "/\(number)")
  }

  /// One transaction: all of it, or nothing.
  private static func install(
    _ name: String, _ interface: String, _ addresses: [IPv4Address]
  ) -> String {
    let table = "netdev \(name)"
    let elements = addresses.isEmpty ? "" : " elements = { \(elements(addresses)) };"
    let hook = "type filter hook ingress"
    return """
      create table \(table) { flags owner; }
      add set \(table) own { type ipv4_addr;\(elements) }
      add chain \(table) ingress { \(hook) device "\(interface)" priority -500; policy accept; }
      add rule \(table) ingress ip daddr @own drop
      add rule \(table) ingress arp daddr ip @own drop
      add rule \(table) ingress meta pkttype host ether type ip fib daddr type != local drop

      """
  }

  private static func elements(_ addresses: [IPv4Address]) -> String {
    Set(addresses).sorted().map(\.description).joined(separator: ", ")
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
      .refused, interface, "guard: \(reason); expected a kernel with nftables, netdev ingress and fib")
  }
}
