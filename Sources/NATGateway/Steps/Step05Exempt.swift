import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// Does it pass without translation: exempt, between inside networks, or an error about something exempt?
  func recogniseExempt(_ context: inout PacketContext) -> Verdict? {
    if let receiver = nextHopBetweenInsideNetworks(context) {
      context.way = .plain
      return isSeparated(context.packet.source, from: receiver) ? .drop(.isolated) : nil
    }
    if isExempt(context.packet, from: context.side) || isErrorAboutExempt(context) { context.way = .plain }
    return nil
  }

  /// Whether an isolated network keeps an inside source apart from a next hop inside.
  private func isSeparated(_ source: IPv4Address, from receiver: NextHop) -> Bool {
    guard interfaces.hasIsolated, let sender = routes.find(source) else { return false }
    return interfaces.separate(sender, receiver)
  }

  private func isExempt(_ packet: Packet, from side: Side) -> Bool {
    side == .inside
      ? exempt.contains(packet.destination)
      : exempt.contains(packet.source) && insideNetworks.contains(packet.destination)
  }

  /// The next hop of a packet from inside to an inside network; nil for every other packet.
  private func nextHopBetweenInsideNetworks(_ context: PacketContext) -> NextHop? {
    guard context.side == .inside, context.role == nil, let hop = routes.find(context.packet.destination),
      hop.side == .inside
    else { return nil }
    return hop
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
