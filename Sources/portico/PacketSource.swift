import Glibc
import NATComposition
import NATKernel
import NATLab
import NATLiveIO
import NATWire

/// Sends UDP packets of 60 bytes to the discard port, over many flows in turn.
@safe struct PacketSource: ~Copyable {
  struct Flow {
    /// The source port.
    var port: UInt16
    var destination = IPv4Address(203, 0, 113, 9)
  }

  private var transmitter: Transmitter
  private let frames: UnsafeMutableRawBufferPointer
  private let flows: Int
  /// The next flow to send.
  private var next = 0

  private static let frameLength = 60
  private static let stride = 64
  /// Frames in one system call.
  private static let batch = 64

  /// - Parameters:
  ///   - interface: in the network namespace of the calling thread.
  ///   - hop: the MAC address of the next hop.
  init(_ interface: String, to hop: String, flows: [Flow]) throws {
    let facts = try InterfaceFacts(name: interface)
    guard let mac = MACAddress(hop), let address = facts.addresses.first?.address else {
      throw LabFailure(description: "\(interface) has no address, or \(hop) is no MAC address")
    }
    transmitter = try Transmitter(facts)
    self.flows = flows.count
    unsafe frames = .allocate(byteCount: flows.count * PacketSource.stride, alignment: 64)
    for (index, flow) in flows.enumerated() {
      let frame = frame(index)
      for offset in 0..<PacketSource.frameLength { frame.setUInt8(0, at: offset) }
      frame.setEthernet(destination: mac, source: facts.mac, type: Ethernet.typeIPv4)
      // No UDP checksum, so no offload applies.
      frame.setUDP(from: Endpoint(address, flow.port), to: Endpoint(flow.destination, 9))
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
  /// - Parameter rate: packets a second; nil for no limit.
  mutating func sendEachOnce(rate: Int = .max) {
    send(flows, rate: rate)
  }

  /// Sends as fast as one thread can, or at `rate`.
  mutating func send(for nanoseconds: UInt64, rate: Int = .max) {
    let start = monotonicNanoseconds()
    var sent = 0
    while monotonicNanoseconds() - start < nanoseconds {
      sendBatch(PacketSource.batch)
      sent += PacketSource.batch
      wait(since: start, sent, rate)
    }
  }

  private mutating func send(_ count: Int, rate: Int) {
    let start = monotonicNanoseconds()
    var sent = 0
    while sent < count {
      let batch = min(PacketSource.batch, count - sent)
      sendBatch(batch)
      sent += batch
      wait(since: start, sent, rate)
    }
  }

  private static let facts = FrameFacts(
    kind: .udp, headerLength: UInt8(IPv4.minimumHeaderLength),
    transportHeaderLength: UInt8(UDP.headerLength))

  private mutating func sendBatch(_ count: Int) {
    for _ in 0..<count {
      transmitter.add(frame(next), PacketSource.facts)
      next = next + 1 == flows ? 0 : next + 1
    }
    transmitter.flush()
  }

  /// Sends more for a while if it has fallen behind.
  private func wait(since start: UInt64, _ sent: Int, _ rate: Int) {
    guard rate < .max else { return }
    let due = start + UInt64(sent) * 1_000_000_000 / UInt64(rate)
    let now = monotonicNanoseconds()
    if due > now + 50_000 { usleep(UInt32((due - now) / 1000)) }
  }
}
