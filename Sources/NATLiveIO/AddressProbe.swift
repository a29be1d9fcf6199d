internal import Glibc
public import NATKernel
public import NATWire

/// Asks which stations have an address, by ARP probes (RFC 5227 section 2.1.1). Neighbour tables do not
/// change.
public struct AddressProbe: ~Copyable {
  private var capture: LiveCapture
  private var transmitter: Transmitter
  private let mac: MACAddress

  /// Opens the interface in the network namespace of the calling thread.
  public init(_ facts: InterfaceFacts) throws(InterfaceFault) {
    let capture = try LiveCapture(interface: facts.name, CaptureOptions(snapLength: 256, ringSize: 1 << 20))
    let transmitter = try Transmitter(facts)
    self.capture = capture
    self.transmitter = transmitter
    mac = facts.mac
  }

  /// Probes each address twice and collects the answers.
  ///
  /// - Parameter milliseconds: how long to wait in all.
  /// - Returns: the MAC addresses that answered, by address. This machine's own answers are not captured.
  public mutating func owners(
    of addresses: [IPv4Address], within milliseconds: Int = 600
  ) throws(InterfaceFault) -> [IPv4Address: MACAddress] {
    var answers = Answers()
    let start = ContinuousClock.now
    let end = start + .milliseconds(milliseconds)
    for part in 0..<2 {
      for address in addresses { ask(for: address) }
      let until = part == 0 ? start + .milliseconds(milliseconds / 2) : end
      while ContinuousClock.now < until {
        if try capture.receive(into: &answers, limit: 64) == 0 { usleep(5000) }
      }
    }
    return answers.macs.filter { addresses.contains($0.key) }
  }

  private mutating func ask(for address: IPv4Address) {
    let length = Ethernet.headerLength + ARP.length
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 8)
    defer { unsafe memory.deallocate() }
    guard let base = memory.baseAddress else { return }
    // Safety: the frame is used until the flush; the memory is freed after it.
    let frame = unsafe Frame(unsafeBase: base, count: length)
    frame.setARP(
      operation: ARP.request, from: (mac, .any), to: (MACAddress(0), address), ethernetDestination: .broadcast
    )
    transmitter.add(frame, .arp)
    transmitter.flush()
  }

  private struct Answers: FrameReceiver {
    var macs: [IPv4Address: MACAddress] = [:]

    mutating func receive(_ frame: Frame, wireLength: Int) {
      guard frame.count >= Ethernet.headerLength + ARP.length,
        let packet = ARPPacket(
          frame.window(at: Ethernet.headerLength, count: frame.count - Ethernet.headerLength)),
        packet.operation == ARP.reply
      else { return }
      macs[packet.sender] = packet.senderMAC
    }
  }
}
