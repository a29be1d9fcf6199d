internal import CLinuxPacket
internal import Glibc
public import NATKernel
internal import NATSystem
public import NATWire

/// Asks the kernel of this machine itself whether it answers for an address on an interface.
///
/// A frame that this machine sends never arrives at it. A program for bpf(2), run once for each frame, puts ARP probes
/// (RFC 5227 section 2.1.1) before the interface instead, as if they came from the wire: a capture sees them, a guard
/// drops them, and what the kernel answers is seen on its way out. They teach nobody anything, and an answer goes to
/// the interface's own MAC, which no switch passes on. The frames of a gateway that runs there are not taken for the
/// kernel's: they do not pass where the kernel's are seen, for ``Transmitter`` bypasses the queue of the interface.
///
/// It asks for ARP alone. Whether the kernel would answer an echo request or a SYN cannot be asked without a remote
/// host, which it would then look for on the wire.
public struct KernelProbe: ~Copyable {
  private var capture: LiveCapture
  private let program: Int32
  private let facts: InterfaceFacts

  /// Opens the interface in the network namespace of the calling thread.
  /// - Throws: ``InterfaceFault`` where bpf(2) may not be used, too: it needs CAP_BPF and CAP_NET_ADMIN, and may be
  ///   locked or not built in.
  public init(_ facts: InterfaceFacts) throws(InterfaceFault) {
    var options = CaptureOptions(snapLength: 256, ringSize: 1 << 20)
    options.isOutgoing = true
    let capture = try LiveCapture(interface: facts.name, options)
    let program = portico_load_arrival(facts.index)
    guard program >= 0 else {
      throw InterfaceFault(.refused, facts.name, "bpf(2): \(errorText(errno))")
    }
    self.capture = capture
    self.program = program
    self.facts = facts
  }

  deinit { close(program) }

  /// Asks for each address once, and listens. An answer comes at once; the time is for a busy machine.
  ///
  /// - Returns: the addresses for which the kernel answers.
  public mutating func answered(
    _ addresses: [IPv4Address], within milliseconds: Int = 100
  ) throws(InterfaceFault) -> Set<IPv4Address> {
    for address in addresses { try ask(for: address) }
    var answers = Answers()
    let end = ContinuousClock.now + .milliseconds(milliseconds)
    while ContinuousClock.now < end {
      if try capture.receive(into: &answers, limit: 64) == 0 { usleep(5000) }
    }
    return answers.senders.intersection(addresses)
  }

  private func ask(for address: IPv4Address) throws(InterfaceFault) {
    let length = Ethernet.headerLength + ARP.length
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 8)
    defer { unsafe memory.deallocate() }
    guard let base = memory.baseAddress else { return }
    // Safety: the frame is used during this call, while the memory is there.
    let frame = unsafe Frame(unsafeBase: base, count: length)
    frame.setARP(
      operation: ARP.request, from: (facts.mac, .any), to: (MACAddress(0), address),
      ethernetDestination: facts.mac)
    // Safety: the kernel copies as many bytes during the call.
    guard unsafe portico_run_arrival(program, base, UInt32(length)) == 0 else {
      throw InterfaceFault(.refused, facts.name, "bpf(2): \(errorText(errno))")
    }
  }

  private struct Answers: FrameReceiver {
    var senders: Set<IPv4Address> = []

    mutating func receive(_ frame: Frame, wireLength: Int) {
      guard frame.count >= Ethernet.headerLength + ARP.length,
        let packet = ARPPacket(
          frame.window(at: Ethernet.headerLength, count: frame.count - Ethernet.headerLength)),
        packet.operation == ARP.reply
      else { return }
      senders.insert(packet.sender)
    }
  }
}
