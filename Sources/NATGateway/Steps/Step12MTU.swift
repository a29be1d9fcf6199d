import NATEngine
import NATWire

extension Gateway {
  /// Does it fit into the MTU of the way on, or may it be split (RFC 1191 section 3)?
  @inline(__always)
  func checkMTU(_ context: inout PacketContext) -> Verdict? {
    guard let hop = context.hop else { preconditionFailure("the step before found a route") }
    let mtu = mtu(of: hop.interface)
    context.packet.facts.isJoined = isJoined(context.packet, from: context.interface)
    context.mustSplit = context.packet.totalLength > mtu && !context.packet.facts.isJoined
    guard context.mustSplit, context.packet.doesNotFragment else { return nil }
    return .drop(.packetTooBig, .error(.fragmentationNeeded(mtu: mtu)))
  }

  /// Whether a packet is a joined one: a TCP packet larger than the MTU of the interface that it came from.
  @inline(__always)
  func isJoined(_ packet: Packet, from interface: InterfaceIndex) -> Bool {
    packet.kind == .tcp && packet.totalLength > mtu(of: interface) && !packet.isFragment
  }

  /// Whether TTL and MTU let a packet of the fast path leave as it is.
  @inline(__always)
  func fits(_ packet: Packet, from ingress: InterfaceIndex, to egress: InterfaceIndex) -> Bool {
    packet.timeToLive > 1 && (packet.totalLength <= mtu(of: egress) || isJoined(packet, from: ingress))
  }
}
