import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// Is it for the gateway itself, or for the machine that the gateway runs on? Echo requests are answered, from the
  /// inside by the inside addresses too; other packets for an inside address are dropped.
  func recogniseOwnTraffic(_ context: inout PacketContext) -> Verdict? {
    let packet = context.packet
    if let own = interfaces.network(of: packet.destination, on: .inside) {
      if own.isShared { return .leaveToKernel }
      return answerEcho(packet, isAllowed: context.side == .inside)
    }
    if !packet.isFragment, isEchoToGateway(packet, context.role, from: context.side) {
      return answerEcho(packet, isAllowed: true)
    }
    if context.role == nil, machineAddresses.contains(packet.destination) { return .leaveToKernel }
    return nil
  }

  private func answerEcho(_ packet: Packet, isAllowed: Bool) -> Verdict {
    guard isAllowed, packet.kind == .query, packet.icmpType == ICMPv4.echoRequest, !packet.isFragment else {
      return .drop(.toGateway)
    }
    let sum = packet.frame.sum(from: packet.transportOffset, count: packet.transportLength)
    return sum.folded == 0xFFFF ? .answer : .drop(.badEchoChecksum)
  }

  /// Whether a packet is an echo request to one of our public addresses that no static mapping takes.
  func isEchoToGateway(_ packet: Packet, _ role: PublicRole?, from side: Side) -> Bool {
    guard let role, packet.kind == .query, packet.icmpType == ICMPv4.echoRequest,
      !isShared(packet.destination)
    else { return false }
    return !isTakenByStatic(packet, role, from: side)
  }

  /// Whether a static mapping takes the echo request: a 1:1 mapping always, a port forward only from outside.
  private func isTakenByStatic(_ packet: Packet, _ role: PublicRole, from side: Side) -> Bool {
    if role.isOneToOne { return true }
    guard side == .outside else { return false }
    let target = Endpoint(packet.destination, packet.destinationPort)
    guard let binding = translator.binding(.icmp, at: target, role) else { return false }
    return translator.shard.bindings.isStatic(binding)
  }
}
