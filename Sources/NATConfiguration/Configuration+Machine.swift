public import NATWire

extension IPv4Address {
  /// Stands for the machine's address on an interface: `host` in the file. ``Configuration/resolved(_:)``
  /// replaces it. The value is 0.0.0.0, which no host can have and no file can contain.
  public static var machine: IPv4Address { .any }

  /// The text in the file.
  var text: String { self == .machine ? "host" : description }
}

extension IPv4Network {
  /// The network of an interface with `address: host`, while it is unknown.
  static let machine = IPv4Network(.machine, prefixLength: 32)

  var text: String { self == .machine ? "host" : description }
}

extension Configuration {
  /// The default pool on the machine's address: below the kernel's local port range, 32768 to 60999, and
  /// above the ports of most services.
  public static let machinePorts: ClosedRange<UInt16> = 10240...32767

  /// The address that the kernel has on one interface.
  public struct MachineAddress: Sendable, Hashable {
    public var address: IPv4Address
    /// The connected network, which contains `address`.
    public var network: IPv4Network
    /// The next hop of the default route through this interface; nil without one.
    public var gateway: IPv4Address?

    /// - Precondition: `prefixLength` is at most 32.
    public init(_ address: IPv4Address, prefixLength: Int, gateway: IPv4Address? = nil) {
      self.address = address
      network = IPv4Network(address, prefixLength: prefixLength)
      self.gateway = gateway
    }
  }

  /// The machine's addresses and ports that replace `address: host`.
  public struct Machine: Sendable, Equatable {
    public var inside: MachineAddress?
    public var outside: MachineAddress?
    /// The ports of the machine's own sockets on the outside address, ascending.
    public var tcpPorts: [UInt16] = []
    public var udpPorts: [UInt16] = []

    public init(inside: MachineAddress? = nil, outside: MachineAddress? = nil) {
      self.inside = inside
      self.outside = outside
    }

    func hasSocket(_ transport: TransportProtocol, _ port: UInt16) -> Bool {
      switch transport {
      case .tcp: tcpPorts.contains(port)
      case .udp: udpPorts.contains(port)
      case .icmp: false
      }
    }
  }

  /// A configuration with the machine's addresses filled in.
  public struct Resolved: Sendable {
    /// Interfaces whose address is unknown have 0.0.0.0. Their pool addresses and static mappings are left
    /// out.
    public var configuration: Configuration
    /// Why the gateway does less than the configuration says.
    public var degraded: [String]
  }

  /// Whether an interface has `address: host`.
  public var followsMachine: Bool {
    interfaces.inside.hasMachineAddress || interfaces.outside.hasMachineAddress
  }

  /// Whether an address of the machine is still unknown.
  public var waitsForMachine: Bool {
    [interfaces.inside, interfaces.outside].contains { $0.hasMachineAddress && $0.address == .machine }
  }

  /// The outside address that the gateway shares with the kernel; nil if there is none, or it is unknown.
  public var sharedAddress: IPv4Address? {
    let outside = interfaces.outside
    return outside.hasMachineAddress && outside.address != .machine ? outside.address : nil
  }

  /// Replaces `host` with the machine's addresses. A configuration without `host` stays as it is.
  /// - Complexity: O(static mappings + pool addresses + ports of the machine's sockets).
  public func resolved(_ machine: Machine) -> Resolved {
    guard followsMachine else { return Resolved(configuration: self, degraded: []) }
    var resolved = Resolved(configuration: self, degraded: [])
    if interfaces.inside.hasMachineAddress { resolved.setInside(machine.inside) }
    if interfaces.outside.hasMachineAddress {
      resolved.setOutside(machine.outside)
      resolved.setPool(machine)
      resolved.setStatics(machine)
    }
    return resolved
  }
}

extension Configuration.Resolved {
  fileprivate mutating func setInside(_ inside: Configuration.MachineAddress?) {
    guard let inside else {
      degraded.append("the inside interface \(configuration.interfaces.inside.name) has no address")
      configuration.nat.insideNetworks.removeAll { $0 == .machine }
      return
    }
    configuration.interfaces.inside.address = inside.address
    configuration.interfaces.inside.network = inside.network
    configuration.nat.insideNetworks = configuration.nat.insideNetworks.map {
      $0 == .machine ? inside.network : $0
    }
  }

  fileprivate mutating func setOutside(_ outside: Configuration.MachineAddress?) {
    let name = configuration.interfaces.outside.name
    guard let outside else {
      degraded.append("the outside interface \(name) has no address: nothing is translated")
      configuration.interfaces.gateway = nil
      return
    }
    let inside = configuration.interfaces.inside
    let networks = configuration.nat.insideNetworks + [inside.network]
    if let network = networks.first(where: { $0.overlaps(outside.network) }) {
      degraded.append(
        "the outside interface \(name) has \(outside.address)/\(outside.network.prefixLength), which overlaps the "
          + "inside network \(network): nothing is translated")
      configuration.interfaces.gateway = nil
      return
    }
    configuration.interfaces.outside.address = outside.address
    configuration.interfaces.outside.network = outside.network
    configuration.interfaces.gateway = configuration.interfaces.gateway ?? outside.gateway
    if configuration.interfaces.gateway == nil {
      degraded.append(
        "the outside interface \(name) has no default gateway: only \(outside.network) can be reached")
    }
  }

  /// Removes the ports of the machine's own sockets from the pool, for all protocols.
  fileprivate mutating func setPool(_ machine: Configuration.Machine) {
    let address = configuration.interfaces.outside.address
    configuration.nat.pool = configuration.nat.pool.reduce(into: []) { pool, entry in
      var entry = entry
      if entry.address == .machine { entry.address = address }
      guard entry.address != .machine else { return }
      if entry.address == address {
        entry.ports = entry.ports.without(machine.tcpPorts).without(machine.udpPorts)
      }
      if let same = pool.firstIndex(where: { $0.address == entry.address }) {
        pool[same].ports = (pool[same].ports + entry.ports).merged
      } else {
        pool.append(entry)
      }
    }
  }

  fileprivate mutating func setStatics(_ machine: Configuration.Machine) {
    let address = configuration.interfaces.outside.address
    var taken: Set<StaticRules.Claim> = []
    var degraded = degraded
    configuration.statics = configuration.statics.compactMap { entry in
      let mapping = entry.onMachine(address)
      let name = "static \(entry.protocolText) \(entry.publicText)"
      switch mapping {
      case .oneToOne(let outer, _):
        guard outer == address else { return mapping }
        degraded.append("\(name): the machine has the address itself")
        return nil
      case .portForward(let transport, let outer, _, _):
        guard outer.address != .machine else { return nil }
        if outer.address == address, machine.hasSocket(transport, outer.port) {
          degraded.append("\(name): a socket of the machine has the port")
          return nil
        }
        guard taken.insert(.publicEndpoint(transport, outer)).inserted else {
          degraded.append("\(name): another one has its public endpoint")
          return nil
        }
        return mapping
      }
    }
    self.degraded = degraded
  }
}

extension [ClosedRange<UInt16>] {
  /// The ranges without some ports. The ranges must not overlap.
  func without(_ ports: [UInt16]) -> [ClosedRange<UInt16>] {
    ports.reduce(self) { ranges, port in
      ranges.flatMap { range -> [ClosedRange<UInt16>] in
        guard range.contains(port) else { return [range] }
        return (range.lowerBound < port ? [range.lowerBound...port - 1] : [])
          + (port < range.upperBound ? [port + 1...range.upperBound] : [])
      }
    }
  }
}

extension Configuration {
  /// The TCP or UDP ports on the machine's address that the gateway uses for the pool and static mappings,
  /// unsorted.
  public func portsOnMachine(_ transport: TransportProtocol) -> [ClosedRange<UInt16>] {
    func isMachines(_ address: IPv4Address) -> Bool { address == .machine || address == sharedAddress }
    let forwards = statics.compactMap { mapping -> ClosedRange<UInt16>? in
      guard case .portForward(transport, let endpoint, _, _) = mapping, isMachines(endpoint.address) else {
        return nil
      }
      return endpoint.port...endpoint.port
    }
    return nat.pool.filter { isMachines($0.address) }.flatMap(\.ports) + forwards
  }

  /// The ports that the kernel must not give its own sockets; none without a shared address.
  public var reservedPorts: [ClosedRange<UInt16>] {
    interfaces.outside.hasMachineAddress ? portsOnMachine(.tcp) + portsOnMachine(.udp) : []
  }

  /// Valid settings that are probably a mistake, with what to write instead. The gateway starts anyway.
  public var warnings: [String] {
    var warnings: [String] = []
    if workers > 1 {
      warnings.append("workers: found \(workers); expected 1: one runs, whatever the number")
    }
    guard interfaces.outside.hasMachineAddress, !kernelGuard else { return warnings }
    return warnings + [
      "guard: found off, where interfaces.outside.address is host: the kernel answers what comes for Portico's ports with "
        + "RST and ICMP, which ends what Portico translates; expected on, or an address of Portico's own"
    ]
  }

  /// The same with the machine's known addresses as the gateway's own, for a replay on another machine.
  public var standingAlone: Configuration {
    var alone = self
    if alone.interfaces.inside.address != .machine { alone.interfaces.inside.hasMachineAddress = false }
    if alone.interfaces.outside.address != .machine { alone.interfaces.outside.hasMachineAddress = false }
    return alone
  }
}
