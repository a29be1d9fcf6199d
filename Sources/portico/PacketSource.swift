import NATLab
import NATPacketIO
import NATWire

/// Sends UDP packets of 60 bytes to the discard port of 203.0.113.9, as fast as one thread can, over many flows in turn.
@safe struct PacketSource: ~Copyable {
  private var transmitter: Transmitter
  private let frames: UnsafeMutableRawBufferPointer
  private let flows: Int

  private static let frameLength = 60
  private static let stride = 64
  /// Frames of one system call.
  private static let batch = 64

  /// - Parameters:
  ///   - interface: in the network namespace of the calling thread.
  ///   - hop: the MAC address of the next hop.
  init(_ interface: String, to hop: String, flows: Int) throws {
    let facts = try InterfaceFacts(name: interface)
    guard let mac = MACAddress(hop), let address = facts.addresses.first?.address else {
      throw LabFailure(description: "\(interface) has no address, or \(hop) is no MAC address")
    }
    transmitter = try Transmitter(facts)
    self.flows = flows
    unsafe frames = .allocate(byteCount: flows * PacketSource.stride, alignment: 64)
    for flow in 0..<flows {
      let frame = frame(flow)
      let network = Ethernet.headerLength
      for offset in 0..<PacketSource.frameLength { frame.setUInt8(0, at: offset) }
      frame.setEthernet(destination: mac, source: facts.mac, type: Ethernet.typeIPv4)
      frame.setUInt32(0x4500_0000 | UInt32(PacketSource.frameLength - network), at: network)
      frame.setUInt32(64 << 24 | UInt32(IPv4.protocolUDP) << 16, at: network + 8)
      frame.setAddress(address, at: network + IPv4.sourceOffset)
      frame.setAddress(IPv4Address(203, 0, 113, 9), at: network + IPv4.destinationOffset)
      frame.setUInt16(
        frame.sum(from: network, count: IPv4.minimumHeaderLength).checksum, at: network + IPv4.checksumOffset)
      // Without a checksum of UDP (RFC 768), there is nothing that an offload could do.
      frame.setUInt16(UInt16(20_000 + flow), at: network + 20)
      frame.setUInt16(9, at: network + 22)
      frame.setUInt16(UInt16(PacketSource.frameLength - network - 20), at: network + 24)
    }
  }

  // Safety: owned, freed once.
  deinit { unsafe frames.deallocate() }

  private func frame(_ flow: Int) -> Frame {
    // Safety: there is room for every flow.
    unsafe Frame(
      unsafeBase: frames.baseAddress! + flow * PacketSource.stride, count: PacketSource.frameLength)
  }

  /// One packet of each flow.
  mutating func sendEachOnce() {
    for flow in 0..<flows { transmitter.add(frame(flow)) }
    transmitter.flush()
  }

  mutating func send(for nanoseconds: UInt64) {
    let end = monotonicNanoseconds() + nanoseconds
    var flow = 0
    while monotonicNanoseconds() < end {
      for _ in 0..<PacketSource.batch {
        transmitter.add(frame(flow))
        flow = flow + 1 == flows ? 0 : flow + 1
      }
      transmitter.flush()
    }
  }
}
