import NATWire
import Testing

/// The example of the module's opening page, which ModuleExampleTests compares with it.
@Suite struct NATWireExample {
  @Test("the example of NATWire decodes a frame")
  func example() {
    // 10.0.0.1:1000 to 10.0.0.2:53, a UDP datagram without data and without checksum.
    let bytes: [UInt8] =
      [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]
      + [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x66, 0xCF, 10, 0, 0, 1, 10, 0, 0, 2]
      + [3, 232, 0, 53, 0, 8, 0, 0]
    var outbox = Outbox()
    let frame = outbox.build(length: bytes.count)
    for (offset, byte) in bytes.enumerated() { frame.setUInt8(byte, at: offset) }
    var packet = Packet(frame: frame)
    switch Packet.decode(frame, link: .ethernet, wireLength: frame.count, into: &packet) {
    case .ipv4:
      print("\(packet.source):\(packet.sourcePort) to \(packet.destination):\(packet.destinationPort)")
    case .arp: print("ARP")
    case .fault(let fault): print("dropped: \(fault)")
    }
    #expect(packet.kind == .udp)
    #expect(packet.destinationPort == 53)
  }
}
