import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// A packet that has neither port nor identifier: other transport protocols pass over 1:1 mappings, by address.
  mutating func translateOther(
    _ packet: inout Packet, _ role: PublicRole?, from side: Side, at now: Instant, _ outbox: inout Outbox
  ) -> Passage? {
    if packet.kind == .icmpOther {
      counters.countDrop(.icmpTypeNotTranslated)
      return nil
    }
    guard let rewrite = translator.resolveOther(packet, role, from: side) else {
      counters.countDrop(.unknownProtocol)
      return nil
    }
    guard let hop = egress(packet, to: rewrite.destination.address, from: side, at: now, &outbox) else {
      return nil
    }
    packet.rewrite(rewrite)
    return Passage(hop: hop)
  }
}
