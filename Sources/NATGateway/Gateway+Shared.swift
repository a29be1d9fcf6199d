import NATEngine
import NATTable
import NATWire

// An address that the kernel of the gateway's machine has too. ARP and echo requests for it are the kernel's, and so is
// every packet that belongs to nothing of the gateway's: it is left to the kernel, which gets every frame as well, and
// counts as no drop. The gateway's are TCP and UDP to ports of the pool and of statics, and the ICMP replies and errors
// that belong to a live session.
extension Gateway {
  /// Whether the kernel has an address of ours too.
  @inline(__always) func isShared(_ address: IPv4Address) -> Bool {
    settings.sharesOutside && address == settings.outsideAddress
      || settings.sharesInside && address == settings.insideAddress
  }

  /// The end of a packet that is the kernel's.
  mutating func leaveToKernel() {
    note(.leftToKernel)
    counters.count(.leftToKernel)
  }

  /// Whether a packet to one of our public addresses is the kernel's, whatever is in the table for it.
  func isKernels(_ packet: Packet, _ role: PublicRole?) -> Bool {
    guard settings.sharesOutside, let role, packet.destination == settings.outsideAddress else {
      return false
    }
    switch packet.kind {
    case .query, .icmpOther, .other: return true
    // Looked for in the table: the kernel gets those as well, and has no use for them.
    case .queryReply, .icmpError: return false
    // They follow the first, which decides.
    case .laterFragment: return false
    case .tcp, .udp:
      guard let transport = packet.transport else { return true }
      let port = packet.destinationPort
      let isOffered =
        role.poolAddress >= 0
        && translator.shard.isOffered(transport, port, poolPlace: Int(role.poolAddress))
      return !isOffered && translator.binding(transport, at: Endpoint(packet.destination, port), role) == nil
    }
  }

  /// A reply that a filter lets through, and nobody asked for: it may be an answer to the kernel.
  func isUnasked(_ packet: Packet, _ resolution: Resolution) -> Bool {
    packet.kind == .queryReply && settings.sharesOutside && packet.destination == settings.outsideAddress
      && resolution.receiver?.session == nil
  }

  /// Takes out of what is to be sent what would show an address that the machine has lost: its bindings end in many
  /// steps, and from the first one on nothing leaves under it. Asked for a batch, so that a packet's way is none longer.
  @inline(never) mutating func withholdLost(_ outbox: inout Outbox) {
    let lost = settings.lostAddress
    var packets = 0
    outbox.removeAll { entry in
      let isARP = entry.frame.uint16(at: Ethernet.typeOffset) == Ethernet.typeARP
      let source = isARP ? ARP.senderAddressOffset : IPv4.sourceOffset
      guard entry.frame.address(at: Ethernet.headerLength + source) == lost else { return false }
      if !isARP { packets += 1 }
      return true
    }
    countUnsent(packets, as: .noBinding)
  }

  /// The end of a packet that nothing in the table lets through: ICMP to a shared address, and fragments of which only
  /// the first says for whom they are, may be for the kernel.
  mutating func refuse(_ packet: Packet, _ reason: DropReason) {
    if isShared(packet.destination) {
      switch packet.kind {
      case .queryReply, .icmpError, .laterFragment: return leaveToKernel()
      case .tcp, .udp, .query, .icmpOther, .other: break
      }
    }
    counters.countDrop(reason)
  }
}
