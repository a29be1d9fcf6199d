import NATConfiguration
import NATKernel
import NATLiveIO
import NATWire

/// One of the gateway's interfaces, with its lock and its kernel rules.
final class LiveInterface {
  /// What has changed since the interface was last read.
  enum Change {
    case none
    case link(isUp: Bool)
    /// The name belongs to another device, or the MTU, MAC address or offloads changed: attach again.
    case device
    case vanished
  }

  let index: InterfaceIndex
  let name: String
  private(set) var facts: InterfaceFacts
  private(set) var isThere = true
  private let configured: Configuration.Interface
  /// What the kernel rules cover.
  private(set) var scope: KernelRules.Scope
  private let lock: InterfaceLock
  private var kernelGuard: KernelRules?
  /// The gateway's MAC address and MTU on the interface when it was opened.
  private let atStart: (mac: MACAddress, mtu: Int)
  /// The last fault when it could not be read or attached.
  var fault: String?

  /// Locks the interface and installs its kernel rules.
  ///
  /// - Parameters:
  ///   - scope: what the kernel rules cover.
  ///   - others: the nftables tables that an earlier daemon left.
  init(
    _ index: InterfaceIndex, _ configured: Configuration.Interface, _ scope: KernelRules.Scope,
    isGuarded: Bool, besides others: [String]
  ) throws(InterfaceFault) {
    let facts = try InterfaceFacts(name: configured.name)
    let lock = try InterfaceLock(interface: facts.name)
    let kernelGuard = isGuarded ? try KernelRules(interface: facts.name, scope, besides: others) : nil
    self.index = index
    name = configured.name
    self.facts = facts
    self.configured = configured
    self.scope = scope
    self.lock = lock
    self.kernelGuard = kernelGuard
    atStart = (configured.mac ?? facts.mac, configured.mtu ?? facts.mtu)
  }

  /// The table of the kernel rules and the socket that owns it; nil without kernel rules.
  var guardOwner: (table: String, socket: Int32)? {
    switch kernelGuard {
    case .some(let kernelGuard): return (kernelGuard.table, kernelGuard.owner)
    case .none: return nil
    }
  }

  /// The link state in the status: `up`, `down` (no carrier) or `missing`.
  var link: String { !isThere ? "missing" : facts.hasCarrier ? "up" : "down" }

  /// The MAC address and the MTU that the gateway uses: with `address: host` the device's current ones.
  var inUse: (mac: MACAddress, mtu: Int) {
    configured.hasMachineAddress ? (configured.mac ?? facts.mac, configured.mtu ?? facts.mtu) : atStart
  }

  /// Opens a capture and a transmitter. If the device has another MAC address than the gateway, the capture is
  /// promiscuous.
  func attach(_ options: CaptureOptions) throws(InterfaceFault) -> Attachment {
    var options = options
    options.isPromiscuous = inUse.mac != facts.mac
    return Attachment(
      capture: try LiveCapture(interface: name, options),
      transmitter: try Transmitter(facts, mtu: configured.mtu ?? facts.mtu))
  }

  /// Changes what the kernel rules cover.
  func setScope(_ scope: KernelRules.Scope) throws(InterfaceFault) {
    // If the interface is missing, the rules are installed when it returns.
    if isThere { try kernelGuard?.setScope(scope) }
    self.scope = scope
  }

  /// Reads the interface again.
  func look() throws(InterfaceFault) -> Change {
    let now: InterfaceFacts
    do {
      now = try InterfaceFacts(name: name)
    } catch  where error.kind == .missing {
      guard isThere else { return .none }
      isThere = false
      return .vanished
    }
    let before = facts
    facts = now
    if !isThere || now.index != before.index {
      try kernelGuard?.reinstall(scope)
      isThere = true
      return .device
    }
    if now.mtu != before.mtu || now.offloads != before.offloads || now.mac != before.mac { return .device }
    return now.hasCarrier == before.hasCarrier ? .none : .link(isUp: now.hasCarrier)
  }
}
