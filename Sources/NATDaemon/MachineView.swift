import NATComposition
import NATConfiguration
import NATKernel
import NATWire

/// The machine's addresses and the ports of its sockets, for a gateway that shares its address.
struct MachineView {
  private var tcp = SeenPorts()
  private var udp = SeenPorts()
  private var address: IPv4Address?

  /// - Parameter looksAtSockets: whether to read the ports of the sockets too. The addresses are always read.
  mutating func look(
    _ configuration: Configuration, looksAtSockets: Bool
  ) throws(InterfaceFault) -> Configuration.Machine {
    var machine = try Configuration.Machine(addressesFor: configuration)
    guard let outside = machine.outside else {
      address = nil
      return machine
    }
    if address != outside.address { (tcp, udp) = (SeenPorts(), SeenPorts()) }
    if looksAtSockets || address != outside.address {
      tcp.see(try Configuration.Machine.sockets(.tcp, configuration, on: outside.address))
      udp.see(try Configuration.Machine.sockets(.udp, configuration, on: outside.address))
    }
    address = outside.address
    machine.tcpPorts = tcp.lasting
    machine.udpPorts = udp.lasting
    return machine
  }
}

/// Ports that sockets had in two looks in a row. Short-lived sockets, such as those of DNS queries, must not
/// end sessions. The first look counts as two.
private struct SeenPorts {
  private var last: Set<UInt16>?
  private(set) var lasting: [UInt16] = []

  mutating func see(_ ports: [UInt16]) {
    lasting = ports.filter { last?.contains($0) ?? true }
    last = Set(ports)
  }
}
