public import NATConfiguration
public import NATKernel
public import NATWire

extension Configuration.Machine {
  /// The host's addresses for a configuration, in the network namespace of the calling thread; nil for an interface
  /// that is not there or has none.
  public init(addressesFor configuration: Configuration) throws(InterfaceFault) {
    self.init()
    guard configuration.followsMachine else { return }
    let facts = try MachineWatch.facts()
    let (inside, outside) = (configuration.interfaces.inside, configuration.interfaces.outside)
    if inside.hasMachineAddress { self.inside = Configuration.MachineAddress(facts, inside.name) }
    if outside.hasMachineAddress { self.outside = Configuration.MachineAddress(facts, outside.name) }
  }

  /// Asks for the ports of the host's sockets on an address, as far as the configuration could take them.
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
  /// What is to be kept from the kernel: all of the gateway's own addresses, and its ports on the host's.
  ///
  /// - Parameter configuration: with the host's addresses in it.
  public init(_ configuration: Configuration) {
    self.init(configuration.ownAddresses)
    guard configuration.followsMachine else { return }
    shared = Shared(
      configuration.sharedAddress.map { [$0] } ?? [], tcpPorts: configuration.portsOnMachine(.tcp),
      udpPorts: configuration.portsOnMachine(.udp))
  }
}
