import NATEngine
import NATTable
import NATWire
import TestSupport
import Testing

@testable import NATGateway

/// Two inside interfaces, and an outside link without link addresses. The first inside interface is that of ``Gate``.
@Suite struct InterfaceTests {
  private static let office = InterfaceIndex(.inside, 1)
  private static let officeMAC: [UInt8] = [2, 0x50, 0, 0, 0, 3]
  private static let insideMAC: [UInt8] = [2, 0x50, 0, 0, 0, 1]
  private static let host = (mac: [UInt8]([0x52, 0x54, 0, 0, 0, 2]), address: [UInt8]([192, 168, 1, 2]))
  private static let printer = (mac: [UInt8]([0x52, 0x54, 0, 0, 2, 9]), address: [UInt8]([192, 168, 2, 9]))
  private static let server: [UInt8] = [198, 51, 100, 7]
  private static let publicAddress: [UInt8] = [203, 0, 113, 5]

  private static func gate(_ change: (inout GatewaySettings) -> Void = { _ in }) -> Gate {
    Gate { settings in
      settings.asksForNextHops = true
      var office = Interface(
        office, address: IPv4Address(192, 168, 2, 1), prefixLength: 24, mac: MACAddress(0x0250_0000_0003))
      office.mtu = 1400
      settings.interfaces.insert(office, at: 1)
      settings.insideNetworks = [IPv4Network(IPv4Address(192, 168, 0, 0), prefixLength: 16)]
      settings.outside.link = .rawIP
      change(&settings)
    }
  }

  private static func udp(
    _ source: [UInt8], _ destination: [UInt8], ports: (UInt16, UInt16) = (5000, 53), bytes: Int = 4
  ) -> PacketBuilder {
    PacketBuilder(source, destination, .udp(ports.0, ports.1, data: [UInt8](repeating: 7, count: bytes)))
  }

  private static func arrives(_ packet: PacketBuilder, from sender: [UInt8], to mac: [UInt8]) -> [UInt8] {
    EthernetFrame.bytes(to: mac, from: sender, type: 0x0800, packet.bytes)
  }

  @Test("each inside interface answers ARP for the inside addresses with its own MAC")
  func answersARP() {
    var gate = Self.gate()
    for (interface, mac, station) in [
      (InterfaceIndex.inside, Self.insideMAC, Self.host), (Self.office, Self.officeMAC, Self.printer),
    ] {
      for own: [UInt8] in [[192, 168, 1, 1], [192, 168, 2, 1]] {
        gate.receive(EthernetFrame.arpRequest(from: station, for: own), from: interface)
        let sent = gate.takeSent()
        #expect(sent.map(\.interface) == [interface])
        #expect(sent.map(\.bytes) == [EthernetFrame.arpReply(from: (mac, own), to: station)])
      }
    }
  }

  @Test("a packet between inside interfaces is routed without translation, by the neighbours of its way out")
  func routesBetweenInsideInterfaces() {
    var gate = Self.gate()
    let packet = Self.udp(Self.host.address, Self.printer.address)
    gate.receive(Self.arrives(packet, from: Self.host.mac, to: Self.insideMAC), from: .inside)
    // The MAC of the host is known on its own interface only; the printer's is asked for on the other.
    #expect(gate.takeSent().map(\.interface) == [Self.office])
    gate.receive(
      EthernetFrame.arpReply(from: Self.printer, to: (Self.officeMAC, [192, 168, 2, 1])), from: Self.office)
    let sent = gate.takeSent()
    #expect(sent.map(\.interface) == [Self.office])
    let expected = Self.arrives(
      packet.with { $0.timeToLive = 63 }, from: Self.officeMAC, to: Self.printer.mac)
    #expect(sent.map(\.bytes) == [expected])
    #expect(gate.gateway.translator.shard.counts.sessions == 0)
    #expect(gate.counters.interface(.inside).packetsReceived == 1)
    #expect(gate.counters.interface(Self.office).packetsReceived == 1)
    #expect(gate.counters.interface(Self.office).packetsSent == 2)
    // Both are inside.
    #expect(gate.counters.side(.inside).packetsReceived == 2)
    #expect(gate.counters.side(.outside).packetsSent == 0)
  }

  @Test("an answer finds the inside interface of its host; a link without link addresses needs no ARP")
  func sharesThePublicAddress() {
    var gate = Self.gate()
    let senders = [
      (InterfaceIndex.inside, Self.host, Self.insideMAC), (Self.office, Self.printer, Self.officeMAC),
    ]
    for (interface, sender, mac) in senders {
      // Twice: the second packet takes the fast path.
      for _ in 0..<2 {
        let request = Self.udp(sender.address, Self.server)
        gate.receive(Self.arrives(request, from: sender.mac, to: mac), from: interface)
        let sent = gate.takeSent()
        #expect(sent.map(\.interface) == [.outside])
        // No Ethernet header: the frame begins with the IPv4 header.
        let port = UInt16(sent[0].bytes[20]) << 8 | UInt16(sent[0].bytes[21])
        let left = Self.udp(Self.publicAddress, Self.server, ports: (port, 53)).with { $0.timeToLive = 63 }
        #expect(sent[0].bytes == left.bytes)
        gate.receive(
          Self.udp(Self.server, Self.publicAddress, ports: (53, port)).bytes, from: .outside, link: .rawIP)
        let back = Self.udp(Self.server, sender.address, ports: (53, 5000)).with { $0.timeToLive = 63 }
        let received = gate.takeSent()
        #expect(received.map(\.interface) == [interface])
        #expect(received.map(\.bytes) == [Self.arrives(back, from: mac, to: sender.mac)])
      }
    }
    #expect(gate.gateway.translator.shard.counts.sessions == 2)
    #expect(gate.counters.totalDrops == 0)
  }

  @Test("the MTU is that of the interface where a packet leaves, and the error comes from where it came in")
  func interfaceOfError() {
    var gate = Self.gate()
    let large = Self.udp(Self.host.address, Self.printer.address, bytes: 1380).with {
      $0.doesNotFragment = true
    }
    gate.receive(Self.arrives(large, from: Self.host.mac, to: Self.insideMAC), from: .inside)
    let sent = gate.takeSent()
    #expect(sent.map(\.interface) == [.inside])
    // From 192.168.1.1 to the host: 3/4 with the MTU of the office.
    #expect(sent.map { Array($0.bytes[26..<34]) } == [[192, 168, 1, 1] + Self.host.address])
    #expect(sent.map { Array($0.bytes[34..<36] + $0.bytes[40..<42]) } == [[3, 4, 1400 >> 8, 1400 & 0xFF]])
    #expect(gate.counters.drops(.packetTooBig) == 1)
  }

  @Test(
    "D13 nothing passes between an isolated inside network and the others, whatever the TTL; no error is sent",
    arguments: [InterfaceIndex.inside, office])
  func isolated(network: InterfaceIndex) {
    var gate = Self.gate { settings in
      settings.exempt = [IPv4Network(IPv4Address(192, 168, 0, 0), prefixLength: 16)]
      for place in settings.interfaces.indices where settings.interfaces[place].index == network {
        settings.interfaces[place].isIsolated = true
      }
    }
    let packet = Self.udp(Self.host.address, Self.printer.address).with { $0.timeToLive = 1 }
    let there = Self.arrives(packet, from: Self.host.mac, to: Self.insideMAC)
    let back = Self.arrives(
      Self.udp(Self.printer.address, Self.host.address), from: Self.printer.mac, to: Self.officeMAC)
    gate.receive(there, from: .inside)
    gate.receive(back, from: Self.office)
    #expect(gate.takeSent() == [])
    #expect(gate.counters.drops(.isolated) == 2 && gate.counters.totalDrops == 2)
  }

  @Test("D13 an isolated network reaches itself, the gateway, and by hairpin a public endpoint")
  func isolatedReaches() {
    var gate = Self.gate {
      $0.interfaces[1].isIsolated = true
      $0.translator.udpFiltering = .endpointIndependent
    }
    let neighbour: [UInt8] = [192, 168, 2, 10]
    for destination in [neighbour, Self.server, [192, 168, 1, 1]] {
      let echo = PacketBuilder(Self.printer.address, destination, .query(8, 7))
      gate.receive(Self.arrives(echo, from: Self.printer.mac, to: Self.officeMAC), from: Self.office)
    }
    #expect(gate.counters.totalDrops == 0)
    let request = Self.udp(Self.host.address, Self.server)
    gate.receive(Self.arrives(request, from: Self.host.mac, to: Self.insideMAC), from: .inside)
    let left = gate.takeSent().last?.bytes ?? []
    let port = UInt16(left[20]) << 8 | UInt16(left[21])
    let hairpin = Self.udp(Self.printer.address, Self.publicAddress, ports: (6000, port))
    gate.receive(Self.arrives(hairpin, from: Self.printer.mac, to: Self.officeMAC), from: Self.office)
    #expect(gate.takeSent().last?.interface == .inside)
    #expect(gate.counters.totalDrops == 0)
  }

  @Test("each interface announces its address, a link without link addresses none")
  func announces() {
    var gate = Self.gate()
    gate.announce()
    let sent = gate.takeSent()
    #expect(sent.map(\.interface) == [.inside, Self.office])
    #expect(sent.map { Array($0.bytes[28..<32]) } == [[192, 168, 1, 1], [192, 168, 2, 1]])
  }
}
