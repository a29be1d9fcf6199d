import NATEngine
import NATWire

extension Gateway {
  /// Gives a datagram in fragments a unique identification (RFC 6864 section 4.3, RFC 7857 section 10): one
  /// that came in fragments and is translated, or one that is split here towards the outside. It keeps its
  /// sender's identification if no other datagram has it. Later fragments use that of the first.
  mutating func giveIdentification(_ context: inout PacketContext) -> Verdict? {
    if case .follows = context.way { return nil }
    guard context.isFirstFragment || context.mustSplit && context.hop?.side == .outside, !context.isRehearsed
    else { return nil }
    let packet = context.packet
    let group = Identifications.Group(
      source: packet.source, destination: packet.destination, protocolNumber: packet.protocolNumber)
    packet.rewriteIdentification(
      to: identifications.give(
        to: context.originalSource, original: packet.identification, in: group, at: context.now))
    return nil
  }
}
