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

/// Holds the interfaces of a gateway: their locks, kernel rules and captures.
actor InterfaceKeeper: GatewayInterfaces {
  private let interfaces: [LiveInterface]
  private var view = MachineView()
  /// The machine's addresses when the kernel rules were made.
  let machineAtStart: Configuration.Machine
  private let configuration: Configuration
  private let options: CaptureOptions
  private let workers: WorkerSet
  private let manager: ServiceManager?
  private let logger: Logger
  private var machineAddresses: [IPv4Address] = []

  /// Locks the interfaces and installs their kernel rules.
  /// - Parameter manager: keeps the sockets that own the kernel rules of an earlier daemon.
  init(
    _ configuration: Configuration, _ workers: WorkerSet, _ manager: ServiceManager?, logger: Logger
  ) throws(InterfaceFault) {
    machineAtStart = try view.look(configuration, looksAtSockets: true)
    let scope = KernelRules.Scope(configuration.resolved(machineAtStart).configuration)
    interfaces = try configuration.interfaces.indices.map { index throws(InterfaceFault) in
      try LiveInterface(
        index, configuration.interfaces[index], scope, isGuarded: configuration.kernelGuard,
        besides: manager?.inheritedNames ?? [])
    }
    self.configuration = configuration
    self.workers = workers
    self.manager = manager
    options = CaptureOptions(
      snapLength: configuration.capture.snapLength, ringSize: Int(configuration.capture.ringBytes),
      delivery: configuration.capture.delivery == .immediate ? .immediate : .blocks(milliseconds: 1))
    self.logger = logger
  }

  /// Attaches to all interfaces.
  func start() throws(InterfaceFault) {
    // The new kernel rules are installed and kept for the next daemon. Only now remove the old ones.
    for owner in interfaces.compactMap(\.guardOwner) { manager?.store(owner.socket, name: owner.table) }
    manager?.releaseInherited()
    for interface in interfaces { try attach(interface) }
    watchMachineAddresses()
  }

  /// Reads all interfaces again, logs what has changed, and attaches to one that is back.
  func watch() {
    for interface in interfaces { watch(interface) }
    watchMachineAddresses()
  }

  /// Reads the machine's own addresses, and passes them to the workers if they have changed.
  private func watchMachineAddresses() {
    let now = InterfaceFacts.kernelAddresses().map(\.address.address)
    guard now != machineAddresses else { return }
    machineAddresses = now
    workers.post { $0.machineAddresses = now }
  }

  private func watch(_ interface: LiveInterface) {
    let index = interface.index
    let name: Logger.Metadata = ["side": "\(index.side)", "interface": "\(interface.name)"]
    do throws(InterfaceFault) {
      let isLost = workers.takeLost(index)
      switch try interface.look() {
      case .none where isLost && interface.isThere, .device:
        try attach(interface)
        logger.notice("interface attached", metadata: name)
      case .none: break
      case .link(let isUp):
        logger.notice(isUp ? "link up" : "link down", metadata: name)
        if isUp { workers.post { $0.isToAnnounce = true } }
        // The next call attaches again.
        if isLost { workers.report(lost: index) }
      case .vanished: logger.warning("interface vanished, waiting for it", metadata: name)
      }
    } catch {
      // The next call tries again. The fault is logged once.
      workers.report(lost: index)
      if error.description != interface.fault { logger.warning("\(error.description)", metadata: name) }
      interface.fault = error.description
      return
    }
    interface.fault = nil
  }

  /// Opens a capture and a transmitter for each worker.
  private func attach(_ interface: LiveInterface) throws(InterfaceFault) {
    for member in workers.members {
      let box = AttachmentBox(try interface.attach(options), interface.index)
      member.mailbox.post { $0.attachments.append(box) }
    }
  }

  func completed(_ configuration: Configuration) -> Configuration {
    var live = configuration
    for interface in interfaces {
      live.interfaces[interface.index].mac = interface.inUse.mac
      live.interfaces[interface.index].mtu = interface.inUse.mtu
    }
    return live
  }

  func machine(
    _ configuration: Configuration, looksAtSockets: Bool
  ) throws(InterfaceFault) -> Configuration.Machine {
    try view.look(configuration, looksAtSockets: looksAtSockets)
  }

  func setScope(_ scope: KernelRules.Scope) throws(InterfaceFault) {
    var changed: [(interface: LiveInterface, before: KernelRules.Scope)] = []
    for interface in interfaces {
      let before = interface.scope
      do {
        try interface.setScope(scope)
      } catch {
        // Change all interfaces or none.
        for change in changed { try? change.interface.setScope(change.before) }
        throw error
      }
      changed.append((interface, before))
    }
  }

  var conditions: [Condition] {
    interfaces.compactMap { .link($0.link, $0.index.side, $0.name) }
  }

  func documents(_ live: Configuration) -> StatusDocument.Interfaces {
    func document(_ index: InterfaceIndex) -> StatusDocument.Interface {
      guard let interface = interfaces.first(where: { $0.index == index }) else {
        preconditionFailure("there is an interface on each side")
      }
      return StatusDocument.Interface(
        name: interface.name, address: live.interfaces[index].addressText, mac: "\(interface.inUse.mac)",
        mtu: interface.inUse.mtu, link: interface.link)
    }
    return StatusDocument.Interfaces(inside: document(.inside), outside: document(.outside))
  }
}

extension Configuration.Interface {
  /// The address with the prefix length of its network; `none` while the machine's address is unknown.
  var addressText: String { address == .machine ? "none" : "\(address)/\(network.prefixLength)" }
}
