import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// Addresses, ports, identifiers, TTL, MSS, and the checksums over them.
  mutating func rewrite(_ context: inout PacketContext) -> Verdict? {
    keepForQuoting(&context)
    switch context.way {
    case .undecided: break
    case .plain: context.packet.decrementTimeToLive(carrying: ChecksumDelta())
    case .sessions:
      guard let commitment = context.commitment else { preconditionFailure("the step before made it") }
      context.packet.rewrite(commitment.rewrite)
      if context.packet.carriesSYN { rewriteSYN(context, commitment) }
    case .quote(let quote, let rewrite):
      context.packet.rewriteQuote(quote, source: rewrite.quotedSource, destination: rewrite.quotedDestination)
      context.packet.rewrite(
        Rewrite(source: Endpoint(rewrite.source, 0), destination: Endpoint(rewrite.destination, 0)))
    case .addresses(let rewrite): context.packet.rewrite(rewrite)
    case .follows(let passage):
      context.packet.rewrite(
        Rewrite(source: Endpoint(passage.source, 0), destination: Endpoint(passage.destination, 0)))
      context.packet.rewriteIdentification(to: passage.identification)
    }
    return nil
  }

  private mutating func rewriteSYN(_ context: PacketContext, _ commitment: Commitment) {
    guard let hop = context.hop else { return }
    if context.isRehearsed { return clampSegmentSize(context.packet) }
    passSYN(context.packet, to: hop.side, sender: commitment.sender, receiver: commitment.receiver)
  }

  /// Clamps the MSS of a SYN. An outbound SYN also cancels the pending ICMP error of an inbound SYN on the same
  /// endpoints (simultaneous open, RFC 5382 REQ-2a).
  @inline(never)
  mutating func passSYN(
    _ packet: Packet, to side: Side, sender: SessionIndex?, receiver: SessionIndex?
  ) {
    clampSegmentSize(packet)
    translator.learnSegmentSize(packet, sender: sender, receiver: receiver)
    if side == .outside, !unsolicited.isEmpty {
      unsolicited.cancel(
        Endpoint(packet.source, packet.sourcePort), Endpoint(packet.destination, packet.destinationPort))
    }
  }

  private func clampSegmentSize(_ packet: Packet) {
    let limit = translator.settings.maximumSegmentSize
    guard limit > 0,
      let delta = packet.frame.clampMaximumSegmentSize(
        to: limit, tcpAt: packet.transportOffset, headerLength: packet.transportHeaderLength)
    else { return }
    // A partial checksum covers no byte of the segment.
    packet.carryIntoTransportChecksum(delta, pseudoHeader: ChecksumDelta())
  }

  /// Bytes of a packet that an ICMP error of 576 bytes can quote.
  static let quoteLength = 548

  /// Keeps the packet as it came, where its next hop has to be asked for: an error may have to quote it.
  private func keepForQuoting(_ context: inout PacketContext) {
    guard let hop = context.hop, mustAsk(for: hop), neighbourMAC(hop, for: context) == nil else {
      return
    }
    let packet = context.packet
    let length = min(packet.totalLength, Gateway.quoteLength) + Packet.networkOffset
    quoteBytes.copy(packet.frame, from: 0, count: length, to: 0)
    var quote = Packet(frame: quoteBytes.window(at: 0, count: length))
    quote.describeQuoted(
      kind: packet.kind, totalLength: length - Packet.networkOffset, source: packet.source,
      destination: packet.destination)
    context.quoted = quote
  }
}
