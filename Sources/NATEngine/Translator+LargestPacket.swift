public import NATTable
public import NATWire

/// How large the packets of a TCP session may be. Only super-frames are cut by it, and only live: a sender that cuts its
/// segments itself knows all this.
extension Translator {
  /// No sender cuts smaller, whatever its peer announces (RFC 9293 leaves it open; Linux: an MSS of 48).
  private static let leastAnnounced: UInt16 = 88
  /// What Linux takes for the least path MTU: below it, a sender lets routers split its packets.
  private static let leastPathMTU: UInt16 = 552

  /// A SYN that passes announces how large packets to its sender may be, both headers around the MSS.
  ///
  /// - Parameters:
  ///   - packet: as it leaves, after the MSS was clamped.
  ///   - sender: the session of the inside host that sent it, if one did.
  ///   - receiver: the session of the inside host that gets it, if one does.
  @inline(never)
  public func learnSegmentSize(_ packet: Packet, sender: SessionIndex?, receiver: SessionIndex?) {
    let headers = UInt16(IPv4.minimumHeaderLength + TCP.minimumHeaderLength)
    let bytes = max(Translator.leastAnnounced, min(packet.maximumSegmentSize, .max - headers) + headers)
    if let sender { shard.announceLargestPacket(bytes, of: sender, to: .inside) }
    if let receiver { shard.announceLargestPacket(bytes, of: receiver, to: .outside) }
  }

  /// An error 3/4 that passes says how large packets like the one that it quotes may be (RFC 1191 section 4).
  ///
  /// - Parameter mtu: as the error has it; routers before RFC 1191 say 0, which says nothing.
  @inline(never)
  public func learnPathMTU(_ mtu: UInt16, _ rewrite: ErrorRewrite) {
    guard mtu > 0 else { return }
    let bytes = max(Translator.leastPathMTU, mtu)
    if let sender = rewrite.quotedSender { shard.lowerLargestPacket(bytes, of: sender, to: .outside) }
    if let receiver = rewrite.quotedReceiver { shard.lowerLargestPacket(bytes, of: receiver, to: .inside) }
  }

  /// How large a packet may be for its receiver.
  ///
  /// - Parameters:
  ///   - sender: the session of the inside host that sent it, if one did.
  ///   - receiver: the session of the inside host that gets it, if one does.
  @inlinable
  public func largestPacket(sender: SessionIndex?, receiver: SessionIndex?) -> UInt16 {
    min(
      sender.map { shard.sessions.largestPacket(of: $0, to: .outside) } ?? .max,
      receiver.map { shard.sessions.largestPacket(of: $0, to: .inside) } ?? .max)
  }
}
