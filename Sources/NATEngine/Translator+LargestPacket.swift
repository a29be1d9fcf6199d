public import NATTable
public import NATWire

/// The largest packet of a TCP session. Live, joined packets are cut to this size, because capture does not
/// report their segment size.
extension Translator {
  /// The packet size in bytes for the smallest accepted MSS: 48, as in Linux (RFC 9293 sets no minimum).
  private static let leastAnnounced: UInt16 = 88
  /// The smallest path MTU that Linux accepts. Below it, a sender lets routers split its packets.
  private static let leastPathMTU: UInt16 = 552

  /// Learns from a SYN that passes how large packets to its sender may be: the MSS plus both headers.
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

  /// Learns the path MTU of a session from an ICMP error 3/4 that passes (RFC 1191 section 4).
  ///
  /// - Parameter mtu: as in the error; 0 from routers older than RFC 1191, which is ignored.
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
