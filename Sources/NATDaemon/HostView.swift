import NATComposition
import NATConfiguration
import NATKernel
import NATWire

/// What the host has for a gateway that shares its address: addresses as of each question, ports of sockets as of the
/// last look at them.
struct HostView {
  private var tcp = SeenPorts()
  private var udp = SeenPorts()
  private var address: IPv4Address?

  /// - Parameter looksAtSockets: once a second or so.
  mutating func look(
    _ configuration: Configuration, looksAtSockets: Bool
  ) throws(InterfaceFault) -> Configuration.Machine {
    var host = try Configuration.Machine(addressesFor: configuration)
    guard let outside = host.outside else {
      address = nil
      return host
    }
    if address != outside.address { (tcp, udp) = (SeenPorts(), SeenPorts()) }
    if looksAtSockets || address != outside.address {
      tcp.see(try Configuration.Machine.sockets(.tcp, configuration, on: outside.address))
      udp.see(try Configuration.Machine.sockets(.udp, configuration, on: outside.address))
    }
    address = outside.address
    host.tcpPorts = tcp.lasting
    host.udpPorts = udp.lasting
    return host
  }
}

/// Ports that sockets have had in two looks, one after the other: programs take some for one question and its answer,
/// and nothing that lives is to end for those. The first look counts as two.
private struct SeenPorts {
  private var last: Set<UInt16>?
  private(set) var lasting: [UInt16] = []

  mutating func see(_ ports: [UInt16]) {
    lasting = ports.filter { last?.contains($0) ?? true }
    last = Set(ports)
  }
}
