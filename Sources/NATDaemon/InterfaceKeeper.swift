import Logging
import NATComposition
import NATConfiguration
import NATControl
import NATKernel
import NATLiveIO
import NATWire

/// What the control of a gateway needs to know of its interfaces, and tell them.
protocol GatewayInterfaces: Sendable {
  /// The configuration with what it leaves to the devices: MAC addresses and MTUs, as they were at the start; with the
  /// host's address, as they are.
  func completed(_ configuration: Configuration) async -> Configuration

  /// What the host has for a configuration that follows it.
  func host(
    _ configuration: Configuration, looksAtSockets: Bool
  ) async throws(InterfaceFault) -> Configuration.Machine

  /// - Parameter live: what is in force, with the host's addresses in it.
  func documents(_ live: Configuration) async -> StatusDocument.Interfaces

  /// What the guards keep from the kernel.
  func setScope(_ scope: KernelRules.Scope) async throws(InterfaceFault)
}

/// Holds the two interfaces of a gateway, and looks after them.
actor InterfaceKeeper: GatewayInterfaces {
  private var inside: LiveInterface
  private var outside: LiveInterface
  private let macsAtStart: (inside: MACAddress, outside: MACAddress)
  private let mtusAtStart: (inside: Int, outside: Int)
  private var view = HostView()
  /// What the guards began with.
  let hostAtStart: Configuration.Machine
  private let configuration: Configuration
  private let options: CaptureOptions
  private let logger: Logger
  private var machineAddresses: [IPv4Address] = []
  /// Why a side could not be looked at, or attached to, the last time.
  private var fault: [Side: String] = [:]

  /// Takes both interfaces.
  /// - Parameter others: the guards' tables that an earlier daemon left standing.
  init(
    _ configuration: Configuration, _ options: CaptureOptions, besides others: [String] = [], logger: Logger
  ) throws(InterfaceFault) {
    hostAtStart = try view.look(configuration, looksAtSockets: true)
    let scope = KernelRules.Scope(configuration.resolved(hostAtStart).configuration)
    let inside = try LiveInterface(
      configuration.interfaces.inside, scope, isGuarded: configuration.kernelGuard, besides: others)
    let outside = try LiveInterface(
      configuration.interfaces.outside, scope, isGuarded: configuration.kernelGuard, besides: others)
    macsAtStart = (inside: inside.mac, outside: outside.mac)
    mtusAtStart = (inside: inside.mtu, outside: outside.mtu)
    self.inside = inside
    self.outside = outside
    self.configuration = configuration
    self.options = options
    self.logger = logger
  }

  /// The guards' tables, and the sockets that own them.
  var guardOwners: [(table: String, socket: Int32)] {
    [inside.guardOwner, outside.guardOwner].compactMap(\.self)
  }

  // Whoever shares the host's address has the device's own MAC, whatever that is now.
  private var macs: (inside: MACAddress, outside: MACAddress) {
    (
      configuration.interfaces.inside.hasMachineAddress ? inside.mac : macsAtStart.inside,
      configuration.interfaces.outside.hasMachineAddress ? outside.mac : macsAtStart.outside
    )
  }

  private var mtus: (inside: Int, outside: Int) {
    (
      configuration.interfaces.inside.hasMachineAddress ? inside.mtu : mtusAtStart.inside,
      configuration.interfaces.outside.hasMachineAddress ? outside.mtu : mtusAtStart.outside
    )
  }

  /// Attaches to both.
  func attach(_ mailbox: Mailbox) throws(InterfaceFault) {
    let first = try inside.attach(mac: macs.inside, options)
    let second = try outside.attach(mac: macs.outside, options)
    post(first, .inside, to: mailbox)
    post(second, .outside, to: mailbox)
    watchMachineAddresses(mailbox)
  }

  /// Looks at both, says what has changed, and attaches to one that is back.
  func watch(_ mailbox: Mailbox) {
    let interfaces = configuration.interfaces
    watch(&inside, .inside, mac: interfaces.inside.hasMachineAddress ? nil : macsAtStart.inside, mailbox)
    watch(&outside, .outside, mac: interfaces.outside.hasMachineAddress ? nil : macsAtStart.outside, mailbox)
    watchMachineAddresses(mailbox)
  }

  /// Looks at the addresses that the kernel has for itself, and tells the worker when they have changed.
  private func watchMachineAddresses(_ mailbox: Mailbox) {
    let now = InterfaceFacts.kernelAddresses().map(\.address.address)
    guard now != machineAddresses else { return }
    machineAddresses = now
    mailbox.post { $0.machineAddresses = now }
  }

  private func watch(
    _ interface: inout LiveInterface, _ side: Side, mac: MACAddress?, _ mailbox: Mailbox
  ) {
    let name: Logger.Metadata = ["side": "\(side)", "interface": "\(interface.name)"]
    do throws(InterfaceFault) {
      let isLost = mailbox.takeLost(side)
      switch try interface.look() {
      case .none where isLost && interface.isThere, .device:
        post(try interface.attach(mac: mac ?? interface.mac, options), side, to: mailbox)
        logger.notice("interface attached", metadata: name)
      case .none: break
      case .link(let isUp):
        logger.notice(isUp ? "link up" : "link down", metadata: name)
        if isUp { mailbox.post { $0.isToAnnounce = true } }
        // Attached to with the next look.
        if isLost { mailbox.report(lost: side) }
      case .vanished: logger.warning("interface vanished, waiting for it", metadata: name)
      }
    } catch {
      // Tried again with the next look; said once.
      mailbox.report(lost: side)
      if error.description != fault[side] { logger.warning("\(error.description)", metadata: name) }
      fault[side] = error.description
      return
    }
    fault[side] = nil
  }

  private func post(_ attachment: consuming Attachment, _ side: Side, to mailbox: Mailbox) {
    var attachment: Attachment? = consume attachment
    mailbox.post { mail in
      switch side {
      case .inside: mail.inside = attachment.take()
      case .outside: mail.outside = attachment.take()
      }
    }
  }

  func completed(_ configuration: Configuration) -> Configuration {
    var live = configuration
    live.interfaces.inside.mac = macs.inside
    live.interfaces.inside.mtu = mtus.inside
    live.interfaces.outside.mac = macs.outside
    live.interfaces.outside.mtu = mtus.outside
    return live
  }

  func host(
    _ configuration: Configuration, looksAtSockets: Bool
  ) throws(InterfaceFault) -> Configuration.Machine {
    try view.look(configuration, looksAtSockets: looksAtSockets)
  }

  func setScope(_ scope: KernelRules.Scope) throws(InterfaceFault) {
    let before = inside.scope
    try inside.setScope(scope)
    do {
      try outside.setScope(scope)
    } catch {
      // Both sides or none.
      try? inside.setScope(before)
      throw error
    }
  }

  func documents(_ live: Configuration) -> StatusDocument.Interfaces {
    StatusDocument.Interfaces(
      inside: document(
        live.interfaces.inside, name: inside.name, isThere: inside.isThere,
        hasCarrier: inside.facts.hasCarrier, mac: macs.inside, mtu: mtus.inside),
      outside: document(
        live.interfaces.outside, name: outside.name, isThere: outside.isThere,
        hasCarrier: outside.facts.hasCarrier, mac: macs.outside, mtu: mtus.outside))
  }

  private func document(
    _ interface: Configuration.Interface, name: String, isThere: Bool, hasCarrier: Bool, mac: MACAddress,
    mtu: Int
  ) -> StatusDocument.Interface {
    StatusDocument.Interface(
      name: name, address: interface.addressText, mac: "\(mac)", mtu: mtu,
      link: !isThere ? "missing" : hasCarrier ? "up" : "down")
  }
}

extension Configuration.Interface {
  /// With the prefix length of its network; `none` of the host's that is not known.
  var addressText: String { address == .machine ? "none" : "\(address)/\(network.prefixLength)" }
}
