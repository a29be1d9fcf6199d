import NATEngine
import NATTable
import NATWire

/// An ICMP error that the gateway writes itself.
enum OwnError: BitwiseCopyable {
  case destinationUnreachable(code: UInt8)
  /// 3/4 with the MTU of the next hop (RFC 1191 section 4).
  case fragmentationNeeded(mtu: Int)
  /// 11/0.
  case timeExceeded
}

extension Gateway {
  /// The largest ICMP error, IPv4 header included (RFC 1812 section 4.3.2.3).
  private static let maximumErrorLength = 576

  /// Answers an echo request. An answer without a route is not sent, and its request is no drop.
  mutating func sendEchoReply(to packet: Packet, at now: Instant, _ outbox: inout Outbox) {
    note(.answered)
    guard let hop = routes.find(packet.source) else { return }
    let message = packet.frame.window(at: packet.transportOffset, count: packet.transportLength)
    let reply = outbox.build(
      length: Packet.networkOffset + IPv4.minimumHeaderLength + message.count)
    let transport = Packet.networkOffset + IPv4.minimumHeaderLength
    reply.copy(message, from: 0, count: message.count, to: transport)
    reply.setUInt16(UInt16(ICMPv4.echoReply) << 8, at: transport)
    writeICMPHeaders(
      reply, typeOfService: packet.frame.uint8(at: Packet.networkOffset + IPv4.typeOfServiceOffset),
      from: packet.destination, to: packet.source)
    sendToNextHop(OutgoingFrame(reply, Gateway.ownICMP), hop, at: now, &outbox)
  }

  /// Sends an ICMP error about `packet`, as it came, to its sender.
  ///
  /// Never about an ICMP error, a later fragment or a broadcast (RFC 1812 section 4.3.2.7), and only within the budget
  /// of the side where it leaves.
  @inline(never)
  mutating func sendError(
    _ error: OwnError, about packet: Packet, at now: Instant, _ outbox: inout Outbox
  ) {
    switch packet.kind {
    case .icmpError, .icmpOther, .laterFragment: return
    case .tcp, .udp, .query, .queryReply, .other: break
    }
    guard let hop = routes.find(packet.source) else { return }
    let isAllowed =
      hop.side == .inside ? insideBudget.take(at: now) : outsideBudget.take(at: now)
    guard isAllowed else { return counters.count(.icmpErrorsSuppressed) }

    let headers = IPv4.minimumHeaderLength + ICMPv4.headerLength
    let quoted = min(packet.totalLength, Gateway.maximumErrorLength - headers)
    let frame = outbox.build(length: Packet.networkOffset + headers + quoted)
    let transport = Packet.networkOffset + IPv4.minimumHeaderLength
    var type = ICMPv4.destinationUnreachable
    var code: UInt8 = 0
    var rest: UInt32 = 0
    switch error {
    case .destinationUnreachable(let reason): code = reason
    case .fragmentationNeeded(let mtu):
      code = ICMPv4.fragmentationNeeded
      rest = UInt32(min(mtu, IPv4.maximumLength))
    case .timeExceeded: type = ICMPv4.timeExceeded
    }
    frame.setUInt16(UInt16(type) << 8 | UInt16(code), at: transport)
    frame.setUInt32(rest, at: transport + 4)
    frame.copy(
      packet.frame, from: Packet.networkOffset, count: quoted, to: transport + ICMPv4.headerLength)
    writeICMPHeaders(frame, typeOfService: 0xC0, from: interfaces.address(towards: hop), to: packet.source)
    sendToNextHop(OutgoingFrame(frame, Gateway.ownICMP), hop, at: now, &outbox)
  }

  /// The facts of an ICMP message that the gateway writes itself.
  private static let ownICMP = FrameFacts(
    kind: .icmpOther, headerLength: UInt8(IPv4.minimumHeaderLength),
    transportHeaderLength: UInt8(ICMPv4.headerLength))

  /// Writes the IPv4 header of an ICMP message of our own (no options, TTL 64, DF, identification 0) and both
  /// checksums. Type, code and body are in place already.
  private func writeICMPHeaders(
    _ frame: Frame, typeOfService: UInt8, from source: IPv4Address, to destination: IPv4Address
  ) {
    let network = Packet.networkOffset
    frame.setUInt8(0x45, at: network)
    frame.setUInt8(typeOfService, at: network + IPv4.typeOfServiceOffset)
    frame.setUInt16(UInt16(frame.count - network), at: network + IPv4.totalLengthOffset)
    frame.setUInt16(0, at: network + IPv4.identificationOffset)
    frame.setUInt16(IPv4.dontFragment, at: network + IPv4.fragmentOffset)
    frame.setUInt8(64, at: network + IPv4.timeToLiveOffset)
    frame.setUInt8(IPv4.protocolICMP, at: network + IPv4.protocolOffset)
    frame.setUInt16(0, at: network + IPv4.checksumOffset)
    frame.setAddress(source, at: network + IPv4.sourceOffset)
    frame.setAddress(destination, at: network + IPv4.destinationOffset)
    frame.setUInt16(
      frame.sum(from: network, count: IPv4.minimumHeaderLength).checksum, at: network + IPv4.checksumOffset)
    let transport = network + IPv4.minimumHeaderLength
    frame.setUInt16(0, at: transport + ICMPv4.checksumOffset)
    frame.setUInt16(
      frame.sum(from: transport, count: frame.count - transport).checksum,
      at: transport + ICMPv4.checksumOffset)
  }

  /// Answers an unsolicited SYN after six seconds, with the time at which that was due.
  @inline(never)
  mutating func answerUnsolicited(at now: Instant, _ outbox: inout Outbox) {
    guard let (packet, due) = unsolicited.popDue(at: now) else { return }
    sendError(.destinationUnreachable(code: 3), about: packet, at: due, &outbox)
  }

  /// Tells an inside sender that a limit or the pool refused its packet, at most once a second for each host.
  mutating func answerExhaustion(_ packet: Packet, at now: Instant, _ outbox: inout Outbox) {
    let code: UInt8
    switch settings.exhaustion {
    case .prohibited: code = 13
    case .hostUnreachable: code = 1
    case .silent: return
    }
    guard answers.isDue(packet.source, at: now) else { return }
    sendError(.destinationUnreachable(code: code), about: packet, at: now, &outbox)
  }
}
