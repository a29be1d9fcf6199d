import NATConfiguration
import NATKernel
import NATLiveIO
import NATWire

/// One of the gateway's interfaces: what keeps others and the kernel off it, and how to attach to it.
struct LiveInterface: ~Copyable {
  /// How the interface is now, as against the last time it was looked at.
  enum Change {
    case none
    case link(isUp: Bool)
    /// It is another device under the same name, or it sends in another way: attach anew.
    case device
    case vanished
  }

  let name: String
  private(set) var facts: InterfaceFacts
  private(set) var isThere = true
  private let configured: Configuration.Interface
  /// What the guard keeps from the kernel.
  private(set) var scope: KernelRules.Scope
  private let lock: InterfaceLock
  private var kernelGuard: KernelRules?

  /// Takes the interface: its lock, then its guard.
  ///
  /// - Parameters:
  ///   - scope: for the guard.
  ///   - others: the guards' tables that an earlier daemon left standing.
  init(
    _ configured: Configuration.Interface, _ scope: KernelRules.Scope, isGuarded: Bool,
    besides others: [String]
  ) throws(InterfaceFault) {
    let facts = try InterfaceFacts(name: configured.name)
    let lock = try InterfaceLock(interface: facts.name)
    let kernelGuard = isGuarded ? try KernelRules(interface: facts.name, scope, besides: others) : nil
    name = configured.name
    self.facts = facts
    self.configured = configured
    self.scope = scope
    self.lock = lock
    self.kernelGuard = kernelGuard
  }

  /// The guard's table, and the socket that owns it; nil without a guard.
  var guardOwner: (table: String, socket: Int32)? {
    switch kernelGuard {
    case .some(let kernelGuard): return (kernelGuard.table, kernelGuard.owner)
    case .none: return nil
    }
  }

  /// The gateway's own MAC on it.
  var mac: MACAddress { configured.mac ?? facts.mac }
  var mtu: Int { configured.mtu ?? facts.mtu }

  /// Opens its capture and its way out.
  /// - Parameter mac: the gateway's MAC; frames for it come in whatever the device's own is.
  func attach(mac: MACAddress, _ options: CaptureOptions) throws(InterfaceFault) -> Attachment {
    var options = options
    options.isPromiscuous = mac != facts.mac
    return Attachment(
      capture: try LiveCapture(interface: name, options), transmitter: try Transmitter(facts, mtu: mtu))
  }

  /// The guard is to keep something else from the kernel now.
  mutating func setScope(_ scope: KernelRules.Scope) throws(InterfaceFault) {
    // Where the interface is away, the guard takes it when it is installed again.
    if isThere { try kernelGuard?.setScope(scope) }
    self.scope = scope
  }

  /// Looks at the interface again.
  mutating func look() throws(InterfaceFault) -> Change {
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
