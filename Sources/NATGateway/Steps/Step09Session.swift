import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// Binding, session, filter and window; for an ICMP error, the session of the packet that it quotes.
  func findSession(_ context: inout PacketContext) -> Verdict? {
    let packet = context.packet
    if packet.kind == .icmpError { return findQuotedSession(&context) }
    guard let transport = packet.transport else { return findOneToOne(&context) }
    switch resolve(packet, transport, context) {
    case .drop(let reason):
      let isUnsolicited =
        reason == .filtered && packet.tcpFlags.isOpening && settings.answersUnsolicitedSYN
      if isUnsolicited { return .drop(reason, .unsolicitedSYN) }
      return refusal(of: packet, reason)
    case .pass(let resolution):
      if translator.tracksWindows, !context.isDescribed, !translator.isInWindow(resolution, packet) {
        return .drop(.outsideWindow)
      }
      if isUnsolicitedReply(packet, resolution) { return .leaveToKernel }
      context.way = .sessions(resolution)
      return nil
    }
  }

  /// Outbound, inbound, or from inside to a public address (hairpin).
  @inline(__always)
  private func resolve(
    _ packet: Packet, _ transport: TransportProtocol, _ context: PacketContext
  ) -> ResolveOutcome {
    guard let role = context.role else {
      return translator.resolveOutbound(packet, transport, at: context.now)
    }
    return context.side == .inside
      ? translator.resolveHairpin(packet, transport, role, at: context.now)
      : translator.resolveInbound(packet, transport, role, at: context.now)
  }

  /// An ICMP error on its way through (RFC 5508 section 4).
  private func findQuotedSession(_ context: inout PacketContext) -> Verdict? {
    let packet = context.packet
    if packet.isFragment { return refusal(of: packet, .fragmentedICMPError) }
    guard passes(packet.icmpType) else { return refusal(of: packet, .icmpTypeNotTranslated) }
    guard let quote = QuotedPacket(in: packet), let rewrite = resolve(quote, context) else {
      return refusal(of: packet, .icmpErrorUnmatched)
    }
    context.way = .quote(quote, rewrite)
    return nil
  }

  /// Whether an error concerns the sender of the packet that it quotes. Source quench and redirect do not pass.
  func passes(_ type: UInt8) -> Bool {
    type == ICMPv4.destinationUnreachable || type == ICMPv4.timeExceeded || type == ICMPv4.parameterProblem
  }

  private func resolve(_ quote: QuotedPacket, _ context: PacketContext) -> ErrorRewrite? {
    if context.side == .inside {
      return translator.resolveErrorFromInside(
        context.packet, quote, context.role, outsideAddress: settings.outsideAddress, at: context.now)
    }
    guard let role = context.role else { return nil }
    return translator.resolveInboundError(context.packet, quote, role, at: context.now)
  }

  /// Other transport protocols have neither port nor identifier: they pass over 1:1 mappings, by address.
  private func findOneToOne(_ context: inout PacketContext) -> Verdict? {
    if context.packet.kind == .icmpOther { return .drop(.icmpTypeNotTranslated) }
    guard let rewrite = translator.resolveOther(context.packet, context.role, from: context.side) else {
      return .drop(.unknownProtocol)
    }
    context.way = .addresses(rewrite)
    return nil
  }
}
