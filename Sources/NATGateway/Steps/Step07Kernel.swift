import NATEngine
import NATTable
import NATWire

// An address that the machine's kernel has too (`address: host`). ARP and echo requests for it are the
// kernel's, and so is every packet that belongs to nothing of the gateway's. Such a packet is left to the
// kernel, which gets every frame as well; it is no drop. The gateway takes TCP and UDP to ports of the pool
// and of static mappings, and ICMP replies and errors of live sessions.
extension Gateway {
  /// Is a packet for the shared address the kernel's?
  func recogniseKernelTraffic(_ context: PacketContext) -> Verdict? {
    belongsToKernel(context.packet, context.role) ? .leaveToKernel : nil
  }

  /// Whether a packet to one of our public addresses is the kernel's, whatever the table holds for it.
  private func belongsToKernel(_ packet: Packet, _ role: PublicRole?) -> Bool {
    guard settings.sharesOutside, let role, packet.destination == settings.outsideAddress else {
      return false
    }
    switch packet.kind {
    case .query, .icmpOther, .other: return true
    // Looked up in the table: the kernel gets them as well, and has no use for those of our sessions.
    case .queryReply, .icmpError: return false
    // The first fragment decides.
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

  /// Whether a reply passes the filter without a session: it may answer a request of the kernel.
  func isUnsolicitedReply(_ packet: Packet, _ resolution: Resolution) -> Bool {
    packet.kind == .queryReply && settings.sharesOutside && packet.destination == settings.outsideAddress
      && resolution.receiver?.session == nil
  }

  /// The end of a packet that nothing in the table lets through. ICMP to a shared address may be for the
  /// kernel, and so may fragments, of which only the first one shows the port.
  func refusal(of packet: Packet, _ reason: DropReason) -> Verdict {
    if isShared(packet.destination) {
      switch packet.kind {
      case .queryReply, .icmpError, .laterFragment: return .leaveToKernel
      case .tcp, .udp, .query, .icmpOther, .other: break
      }
    }
    return .drop(reason)
  }
}
