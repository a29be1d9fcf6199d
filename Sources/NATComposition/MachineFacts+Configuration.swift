public import NATConfiguration
public import NATKernel
public import NATWire

extension Configuration.Machine {
  /// The machine's addresses that a configuration follows, in the network namespace of the calling thread. Nil for an
  /// interface that does not exist or has no address.
  public init(addressesFor configuration: Configuration) throws(InterfaceFault) {
    self.init()
    guard configuration.followsMachine else { return }
    let facts = try MachineWatch.facts()
    let (inside, outside) = (configuration.interfaces.inside, configuration.interfaces.outside)
    if inside.hasMachineAddress { self.inside = Configuration.MachineAddress(facts, inside.name) }
    if outside.hasMachineAddress { self.outside = Configuration.MachineAddress(facts, outside.name) }
  }

  /// The ports of the machine's sockets on an address, among those that the configuration would use.
  public static func sockets(
    _ transport: TransportProtocol, _ configuration: Configuration, on address: IPv4Address
  ) throws(InterfaceFault) -> [UInt16] {
    try MachineSockets.ports(transport, on: address, in: configuration.portsOnMachine(transport))
  }
}

extension Configuration.MachineAddress {
  fileprivate init?(_ facts: MachineFacts, _ name: String) {
    guard let index = try? InterfaceFacts(name: name).index, let found = facts.address(of: index) else {
      return nil
    }
    self.init(
      found.address, prefixLength: found.prefixLength, gateway: facts.route(by: index)?.gateway)
  }
}

extension KernelRules.Scope {
  /// What the kernel rules cover: the gateway's own addresses, and its ports on the shared address.
  /// - Parameter configuration: with the machine's addresses filled in.
  public init(_ configuration: Configuration) {
    self.init(configuration.ownAddresses)
    guard configuration.followsMachine else { return }
    shared = Shared(
      configuration.sharedAddress.map { [$0] } ?? [], tcpPorts: configuration.portsOnMachine(.tcp),
      udpPorts: configuration.portsOnMachine(.udp))
  }
}
