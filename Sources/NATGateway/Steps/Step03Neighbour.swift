import NATWire

extension Gateway {
  /// Notes the next hop that the frame tells the MAC address of: its sender, or the router on the sender's
  /// way. A group address tells nothing.
  func noteNeighbour(_ context: inout PacketContext) -> Verdict? {
    guard context.link == .ethernet, !context.sourceMAC.isGroup, let hop = routes.find(context.packet.source),
      hop.interface == context.interface
    else { return nil }
    context.taught = hop
    return nil
  }

  /// The MAC address of a next hop, as the current packet finds it.
  func neighbourMAC(_ hop: NextHop, for context: PacketContext) -> MACAddress? {
    if let taught = context.taught, taught == hop { return context.sourceMAC }
    return neighbours(of: hop.interface).find(hop.address)?.mac
  }
}
