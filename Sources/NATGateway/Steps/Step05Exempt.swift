import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// Does it pass without translation: exempt, between inside networks, or an error about something exempt?
  func recogniseExempt(_ context: inout PacketContext) -> Verdict? {
    if isBetweenInsideNetworks(context) {
      context.way = .plain
      return isSeparated(context.packet) ? .drop(.isolated) : nil
    }
    if isExempt(context.packet, from: context.side) || isErrorAboutExempt(context) { context.way = .plain }
    return nil
  }

  /// Whether an isolated network keeps inside source and destination apart.
  private func isSeparated(_ packet: Packet) -> Bool {
    guard let sender = routes.find(packet.source), let receiver = routes.find(packet.destination) else {
      return false
    }
    return interfaces.separate(sender, receiver)
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
