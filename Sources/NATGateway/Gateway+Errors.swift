import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// An ICMP error of somebody else's, on its way through (RFC 5508 section 4).
  /// - Returns: how it leaves, rewritten; nil if it was dropped.
  mutating func translateError(
    _ packet: inout Packet, _ role: PublicRole?, from side: Side, at now: Instant, _ outbox: inout Outbox
  ) -> Passage? {
    let refusal: DropReason? =
      packet.isFragment ? .fragmentedICMPError : passes(packet.icmpType) ? nil : .icmpTypeNotTranslated
    if let refusal {
      refuse(packet, refusal)
      return nil
    }
    guard let quote = QuotedPacket(in: packet),
      let rewrite = resolveError(packet, quote, role, from: side, at: now)
    else {
      refuse(packet, .icmpErrorUnmatched)
      return nil
    }
    guard let hop = egress(packet, to: rewrite.destination, from: side, at: now, &outbox) else { return nil }
    if packet.icmpType == ICMPv4.destinationUnreachable,
      packet.frame.uint8(at: packet.transportOffset + 1) == ICMPv4.fragmentationNeeded
    {
      translator.learnPathMTU(
        packet.frame.uint16(at: packet.transportOffset + ICMPv4.nextHopMTUOffset), rewrite)
    }
    packet.rewriteQuote(quote, source: rewrite.quotedSource, destination: rewrite.quotedDestination)
    packet.rewrite(
      Rewrite(source: Endpoint(rewrite.source, 0), destination: Endpoint(rewrite.destination, 0)))
    return Passage(hop: hop, sender: nil, receiver: nil)
  }

  /// Errors that concern the sender of what they quote; source quench and redirect do not pass.
  private func passes(_ type: UInt8) -> Bool {
    type == ICMPv4.destinationUnreachable || type == ICMPv4.timeExceeded || type == ICMPv4.parameterProblem
  }

  private func resolveError(
    _ packet: Packet, _ quote: QuotedPacket, _ role: PublicRole?, from side: Side, at now: Instant
  ) -> ErrorRewrite? {
    if side == .inside {
      return translator.resolveErrorFromInside(
        packet, quote, role, outsideAddress: settings.outsideAddress, at: now)
    }
    guard let role else { return nil }
    return translator.resolveInboundError(packet, quote, role, at: now)
  }

  /// Whether a packet from outside is an error about what an inside host sent to an exempt destination: a router on
  /// the way is not exempt itself.
  func isErrorAboutExempt(_ packet: Packet) -> Bool {
    guard packet.kind == .icmpError, passes(packet.icmpType), insideNetworks.contains(packet.destination),
      let quote = QuotedPacket(in: packet)
    else { return false }
    return quote.source == packet.destination && exempt.contains(quote.destination)
  }
}
