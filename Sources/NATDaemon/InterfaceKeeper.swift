import Logging
import NATComposition
import NATConfiguration
import NATControl
import NATKernel
import NATLiveIO
import NATWire

/// The interfaces of a gateway, for the other components of the daemon.
protocol GatewayInterfaces: Component {
  /// Fills in the MAC addresses and MTUs that the configuration leaves to the devices. With `address: host`
  /// these are the current ones, otherwise those at the start.
  func completed(_ configuration: Configuration) async -> Configuration

  /// The machine's addresses, routes and ports for a configuration with `address: host`.
  func machine(
    _ configuration: Configuration, looksAtSockets: Bool
  ) async throws(InterfaceFault) -> Configuration.Machine

  /// - Parameter live: the configuration in force, with the machine's addresses filled in.
  func documents(_ live: Configuration) async -> StatusDocument.Interfaces

  /// Sets what the kernel rules cover.
  func setScope(_ scope: KernelRules.Scope) async throws(InterfaceFault)
}

extension Condition {
  /// The condition for the link state `link`; nil if the link is up.
  static func link(_ link: String, _ side: Side, _ name: String) -> Condition? {
    switch link {
    case "missing": Condition(reason: "the \(side) interface \(name) is missing", stopsForwarding: true)
    case "down": Condition(reason: "the \(side) interface \(name) has no carrier", stopsForwarding: true)
    default: nil
    }
  }
}

/// Holds the two interfaces of a gateway: their locks, kernel rules and captures.
actor InterfaceKeeper: GatewayInterfaces {
  private var inside: LiveInterface
  private var outside: LiveInterface
  private let macsAtStart: (inside: MACAddress, outside: MACAddress)
  private let mtusAtStart: (inside: Int, outside: Int)
  private var view = MachineView()
  /// The machine's addresses when the kernel rules were made.
  let machineAtStart: Configuration.Machine
  private let configuration: Configuration
  private let options: CaptureOptions
  private let workers: WorkerSet
  private let manager: ServiceManager?
  private let logger: Logger
  private var machineAddresses: [IPv4Address] = []
  /// The last fault of each side that could not be read or attached.
  private var fault: [Side: String] = [:]

  /// Locks both interfaces and installs their kernel rules.
  /// - Parameter manager: keeps the sockets that own the kernel rules of an earlier daemon.
  init(
    _ configuration: Configuration, _ workers: WorkerSet, _ manager: ServiceManager?, logger: Logger
  ) throws(InterfaceFault) {
    machineAtStart = try view.look(configuration, looksAtSockets: true)
    let scope = KernelRules.Scope(configuration.resolved(machineAtStart).configuration)
    let others = manager?.inheritedNames ?? []
    let inside = try LiveInterface(
      configuration.interfaces.inside, scope, isGuarded: configuration.kernelGuard, besides: others)
    let outside = try LiveInterface(
      configuration.interfaces.outside, scope, isGuarded: configuration.kernelGuard, besides: others)
    macsAtStart = (inside: inside.mac, outside: outside.mac)
    mtusAtStart = (inside: inside.mtu, outside: outside.mtu)
    self.inside = inside
    self.outside = outside
    self.configuration = configuration
    self.workers = workers
    self.manager = manager
    options = CaptureOptions(
      snapLength: configuration.capture.snapLength, ringSize: Int(configuration.capture.ringBytes),
      delivery: configuration.capture.delivery == .immediate ? .immediate : .blocks(milliseconds: 1))
    self.logger = logger
  }

  // With `address: host` the gateway uses the device's current MAC address.
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

  /// Attaches to both interfaces.
  func start() throws(InterfaceFault) {
    // The new kernel rules are installed and kept for the next daemon. Only now remove the old ones.
    for case let owner? in [inside.guardOwner, outside.guardOwner] {
      manager?.store(owner.socket, name: owner.table)
    }
    manager?.releaseInherited()
    try attach(&inside, .inside, mac: macs.inside)
    try attach(&outside, .outside, mac: macs.outside)
    watchMachineAddresses()
  }

  /// Reads both interfaces again, logs what has changed, and attaches to one that is back.
  func watch() {
    let interfaces = configuration.interfaces
    watch(&inside, .inside, mac: interfaces.inside.hasMachineAddress ? nil : macsAtStart.inside)
    watch(&outside, .outside, mac: interfaces.outside.hasMachineAddress ? nil : macsAtStart.outside)
    watchMachineAddresses()
  }

  /// Reads the machine's own addresses, and passes them to the workers if they have changed.
  private func watchMachineAddresses() {
    let now = InterfaceFacts.kernelAddresses().map(\.address.address)
    guard now != machineAddresses else { return }
    machineAddresses = now
    workers.post { $0.machineAddresses = now }
  }

  private func watch(_ interface: inout LiveInterface, _ side: Side, mac: MACAddress?) {
    let name: Logger.Metadata = ["side": "\(side)", "interface": "\(interface.name)"]
    do throws(InterfaceFault) {
      let isLost = workers.takeLost(InterfaceIndex(side))
      switch try interface.look() {
      case .none where isLost && interface.isThere, .device:
        try attach(&interface, side, mac: mac ?? interface.mac)
        logger.notice("interface attached", metadata: name)
      case .none: break
      case .link(let isUp):
        logger.notice(isUp ? "link up" : "link down", metadata: name)
        if isUp { workers.post { $0.isToAnnounce = true } }
        // The next call attaches again.
        if isLost { workers.report(lost: InterfaceIndex(side)) }
      case .vanished: logger.warning("interface vanished, waiting for it", metadata: name)
      }
    } catch {
      // The next call tries again. The fault is logged once.
      workers.report(lost: InterfaceIndex(side))
      if error.description != fault[side] { logger.warning("\(error.description)", metadata: name) }
      fault[side] = error.description
      return
    }
    fault[side] = nil
  }

  /// Opens a capture and a transmitter for each worker.
  private func attach(_ interface: inout LiveInterface, _ side: Side, mac: MACAddress) throws(InterfaceFault)
  {
    for member in workers.members {
      let box = AttachmentBox(try interface.attach(mac: mac, options), InterfaceIndex(side))
      member.mailbox.post { $0.attachments.append(box) }
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

  func machine(
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
      // Change both sides or none.
      try? inside.setScope(before)
      throw error
    }
  }

  var conditions: [Condition] {
    [.link(inside.link, .inside, inside.name), .link(outside.link, .outside, outside.name)]
      .compactMap(\.self)
  }

  func documents(_ live: Configuration) -> StatusDocument.Interfaces {
    StatusDocument.Interfaces(
      inside: document(
        live.interfaces.inside, name: inside.name, link: inside.link, mac: macs.inside, mtu: mtus.inside),
      outside: document(
        live.interfaces.outside, name: outside.name, link: outside.link, mac: macs.outside, mtu: mtus.outside)
    )
  }

  private func document(
    _ interface: Configuration.Interface, name: String, link: String, mac: MACAddress, mtu: Int
  ) -> StatusDocument.Interface {
    StatusDocument.Interface(
      name: name, address: interface.addressText, mac: "\(mac)", mtu: mtu, link: link)
  }
}

extension Configuration.Interface {
  /// The address with the prefix length of its network; `none` while the machine's address is unknown.
  var addressText: String { address == .machine ? "none" : "\(address)/\(network.prefixLength)" }
}
