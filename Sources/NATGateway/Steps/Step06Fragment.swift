import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// Where does a fragment belong in its datagram (RFC 4787 REQ-14)? The first one is translated like a whole packet,
  /// later ones follow it, and those that come before it wait.
  mutating func placeFragment(_ context: inout PacketContext) -> Verdict? {
    let packet = context.packet
    guard packet.isFragment else { return nil }
    // No first fragment could let it pass.
    if context.role == nil, context.side == .outside { return .drop(.noBinding) }
    let key = DatagramKey(of: packet, from: context.side)
    if context.isRehearsed {
      context.datagram = datagrams.find(key)
      if context.datagram == nil, datagrams.isFull { return .drop(.fragmentDatagramLimit) }
    } else {
      context.datagram = datagrams.open(key, at: context.now)
      if context.datagram == nil { return .drop(.fragmentDatagramLimit) }
    }
    switch datagrams.place(packet, in: context.datagram) {
    case .dead: return refusal(of: packet, .fragmentOfDeadDatagram)
    case .duplicate: return .drop(.fragmentDuplicate)
    case .contradiction:
      context.isContradiction = true
      return refusal(of: packet, .fragmentOfDeadDatagram)
    case .first: context.isFirstFragment = true
    case .follows(let passage):
      guard stillPasses(passage, context.role, from: context.side) else {
        return .drop(.fragmentOfDeadDatagram)
      }
      context.follow(passage)
    case .waits: return datagrams.canHold(packet) ? .hold : .drop(.fragmentMemoryLimit)
    }
    return nil
  }

  /// Whether the first fragment of a datagram would still pass, after statics, the pool or networks have changed.
  func stillPasses(_ passage: DatagramPassage, _ role: PublicRole?, from side: Side) -> Bool {
    if side == .inside, translator.role(of: passage.source) == nil { return false }
    return role != nil || side == .inside && passage.interface.side == .outside
  }
}
