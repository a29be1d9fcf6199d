import NATEngine
import NATTable
import NATWire

/// How a translated packet leaves, and the sessions that it counted on.
struct Passage: BitwiseCopyable {
  var hop: NextHop
  var sender: SessionIndex?
  var receiver: SessionIndex?
}

extension Gateway {
  /// A fragment of a datagram that must be translated (RFC 4787 REQ-14): the first decides, later ones follow it, and
  /// those that came before it have waited.
  mutating func receiveFragment(
    _ packet: inout Packet, _ role: PublicRole?, from side: Side, at now: Instant, _ outbox: inout Outbox
  ) {
    // No first fragment could let it pass.
    if role == nil, side == .outside { return counters.countDrop(.noBinding) }
    guard let datagram = datagrams.open(DatagramKey(of: packet, from: side), at: now) else {
      return counters.countDrop(.fragmentDatagramLimit)
    }
    switch datagrams.place(packet, in: datagram) {
    case .dead: return refuse(packet, .fragmentOfDeadDatagram)
    case .duplicate: return counters.countDrop(.fragmentDuplicate)
    case .contradiction:
      refuse(packet, .fragmentOfDeadDatagram)
      return kill(datagram, of: packet)
    case .first:
      guard let passage = passFirst(&packet, role, in: datagram, from: side, at: now, &outbox) else {
        return kill(datagram, of: packet)
      }
      releaseHeld(datagram, passage, from: side, at: now, &outbox)
    case .follows(let passage):
      guard stillPasses(passage, role, from: side) else { return counters.countDrop(.fragmentOfDeadDatagram) }
      datagrams.follow(packet, in: datagram)
      forwardLater(&packet, passage, from: side, at: now, &outbox)
    case .waits:
      guard datagrams.hold(packet, in: datagram) else { return counters.countDrop(.fragmentMemoryLimit) }
    }
    datagrams.closeIfComplete(datagram)
  }

  /// The first fragment, translated and sent like a whole packet; nil if it was dropped.
  private mutating func passFirst(
    _ packet: inout Packet, _ role: PublicRole?, in datagram: DatagramTable.Index, from side: Side,
    at now: Instant, _ outbox: inout Outbox
  ) -> DatagramPassage? {
    let host = packet.source
    guard let passed = translate(&packet, role, from: side, at: now, &outbox) else { return nil }
    giveIdentification(&packet, of: host, at: now)
    let passage = DatagramPassage(
      source: packet.source, destination: packet.destination, side: passed.hop.side,
      nextHop: passed.hop.address, identification: packet.identification,
      sender: passed.sender.map { translator.counted($0) },
      receiver: passed.receiver.map { translator.counted($0) })
    datagrams.pass(packet, in: datagram, by: passage)
    emit(
      &packet, to: passed.hop, from: side, host: host, keepsIdentification: true, at: now, &outbox)
    return passage
  }

  /// Those that waited leave at once, in order of offset.
  private mutating func releaseHeld(
    _ datagram: DatagramTable.Index, _ passage: DatagramPassage, from side: Side, at now: Instant,
    _ outbox: inout Outbox
  ) {
    while let length = datagrams.nextHeldLength(datagram) {
      let bytes = outbox.build(length: length)
      datagrams.takeHeld(datagram, into: bytes)
      var packet = Packet(frame: bytes)
      let outcome = Packet.decode(bytes, link: .rawIP, wireLength: length, into: &packet)
      guard case .ipv4 = outcome else { preconditionFailure("it was decoded before it was held") }
      forwardLater(&packet, passage, from: side, at: now, &outbox)
    }
  }

  /// A fragment after the first asks for TTL and MTU alone.
  private mutating func forwardLater(
    _ packet: inout Packet, _ passage: DatagramPassage, from side: Side, at now: Instant,
    _ outbox: inout Outbox
  ) {
    let hop = NextHop(side: passage.side, address: passage.nextHop)
    guard isForwardable(packet, to: hop, from: side, at: now, &outbox) else { return }
    translator.countLaterFragment(bytes: packet.totalLength, on: passage, at: now)
    packet.rewrite(
      Rewrite(source: Endpoint(passage.source, 0), destination: Endpoint(passage.destination, 0)))
    packet.rewriteIdentification(to: passage.identification)
    emit(
      &packet, to: hop, from: side, host: packet.source, keepsIdentification: true, at: now, &outbox)
  }

  /// Nothing of the datagram passes any more, until its time is over.
  private mutating func kill(_ datagram: DatagramTable.Index, of packet: Packet) {
    let held = datagrams.kill(datagram)
    if isShared(packet.destination) {
      for _ in 0..<held { leaveToKernel() }
    } else {
      counters.countDrops(held, .fragmentOfDeadDatagram)
    }
  }

  /// Datagrams die without an answer: a router does not put them together, so RFC 792's 11/1 is not for it to send.
  @inline(never)
  mutating func endDueDatagrams(at now: Instant) {
    counters.countDrops(datagrams.expire(before: now), .fragmentTimeout)
  }

  /// The identification that a datagram leaves under: its sender's own, where no other datagram has it.
  mutating func giveIdentification(_ packet: inout Packet, of host: IPv4Address, at now: Instant) {
    let group = Identifications.Group(
      source: packet.source, destination: packet.destination, protocolNumber: packet.protocolNumber)
    packet.rewriteIdentification(
      to: identifications.give(to: host, original: packet.identification, in: group, at: now))
  }

  // MARK: Splitting

  /// Sends a packet, or a fragment, in pieces that the MTU takes, the largest first (RFC 791 section 3.2). Pieces after
  /// the first carry only the options that are marked to be copied.
  mutating func split(_ packet: Packet, to hop: NextHop, at now: Instant, _ outbox: inout Outbox) {
    let mtu = mtu(of: hop.side)
    let network = Packet.networkOffset
    let laterHeaderLength = packet.frame.copiedIPv4HeaderLength(
      at: network, headerLength: packet.headerLength)
    var start = 0
    while start < packet.transportLength {
      let headerLength = start == 0 ? packet.headerLength : laterHeaderLength
      let rest = packet.transportLength - start
      let isLast = headerLength + rest <= mtu
      let length = isLast ? rest : max(8, (mtu - headerLength) / 8 * 8)
      let piece = outbox.build(length: network + headerLength + length)
      if start == 0 {
        piece.copy(packet.frame, from: network, count: headerLength, to: network)
      } else {
        piece.copyIPv4Header(of: packet.frame, at: network, headerLength: packet.headerLength)
      }
      piece.copy(
        packet.frame, from: packet.transportOffset + start, count: length, to: network + headerLength)
      let offset = UInt16(truncatingIfNeeded: (packet.fragmentByteOffset + start) / 8)
      let more = isLast && !packet.hasMoreFragments ? 0 : IPv4.moreFragments
      piece.finishIPv4Fragment(at: network, headerLength: headerLength, fragmentField: more | offset)
      let facts = FrameFacts(
        kind: start == 0 ? packet.kind : .laterFragment, headerLength: UInt8(headerLength),
        transportHeaderLength: start == 0 ? UInt8(packet.transportHeaderLength) : 0)
      sendFrame(piece, facts, to: hop, at: now, &outbox)
      start += length
    }
  }
}
