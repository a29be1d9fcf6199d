import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// Does it pass without translation: exempt, between inside networks, or an error about something exempt?
  func recogniseExempt(_ context: inout PacketContext) -> Verdict? {
    if isExempt(context.packet, from: context.side) || isBetweenInsideNetworks(context)
      || isErrorAboutExempt(context)
    {
      context.way = .plain
    }
    return nil
  }

  private func isExempt(_ packet: Packet, from side: Side) -> Bool {
    side == .inside
      ? exempt.contains(packet.destination)
      : exempt.contains(packet.source) && insideNetworks.contains(packet.destination)
  }

  private func isBetweenInsideNetworks(_ context: PacketContext) -> Bool {
    guard context.side == .inside, context.role == nil else { return false }
    return routes.find(context.packet.destination).map { $0.side == .inside } ?? false
  }

  /// Whether a packet from outside is an error about what an inside host sent to an exempt destination. The router that
  /// sends it need not be exempt itself.
  private func isErrorAboutExempt(_ context: PacketContext) -> Bool {
    let packet = context.packet
    guard context.side == .outside, context.role == nil, packet.kind == .icmpError, !packet.isFragment,
      passes(packet.icmpType), insideNetworks.contains(packet.destination),
      let quote = QuotedPacket(in: packet)
    else { return false }
    return quote.source == packet.destination && exempt.contains(quote.destination)
  }
}
