import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// Carries out what the steps decided: counts, answers, holds or sends. Nothing else ends a packet of the
  /// slow path.
  ///
  /// The neighbour that the frame taught comes first: frames that waited for it leave before this one.
  @inline(never)
  mutating func carryOut(_ verdict: Verdict, _ context: inout PacketContext, _ outbox: inout Outbox) {
    if let taught = context.taught { learnNeighbour(taught, context.sourceMAC, at: context.now, &outbox) }
    switch verdict {
    case .forward: forward(&context, &outbox)
    case .answer: sendEchoReply(to: context.packet, at: context.now, &outbox)
    case .hold:
      guard let datagram = context.datagram, datagrams.hold(context.packet, in: datagram) else {
        preconditionFailure("the step looked whether there is room")
      }
    case .leaveToKernel: leaveToKernel()
    case .drop(let reason, let answer):
      counters.countDrop(reason)
      self.answer(answer, context, &outbox)
    }
    if let datagram = context.datagram { settle(datagram, verdict, context) }
  }

  private mutating func answer(
    _ answer: Verdict.Answer, _ context: PacketContext, _ outbox: inout Outbox
  ) {
    switch answer {
    case .none: break
    case .error(let error): sendError(error, about: context.packet, at: context.now, &outbox)
    case .exhaustion: answerExhaustion(context.packet, at: context.now, &outbox)
    case .unsolicitedSYN:
      unsolicited.add(context.packet, at: context.now)
      scheduleWakeUp()
    }
  }

  /// The end of a packet that is the kernel's.
  mutating func leaveToKernel() {
    note(.leftToKernel)
    counters.count(.leftToKernel)
  }

  // MARK: Forwarding

  /// Sends a packet on its way. Finishes a partial checksum if no device will do it.
  private mutating func forward(_ context: inout PacketContext, _ outbox: inout Outbox) {
    guard let hop = context.hop else { preconditionFailure("a packet that passed all steps has a route") }
    let passage = context.isFirstFragment ? recordPassage(context, hop) : nil
    if context.packet.hasPartialChecksum, settings.completesChecksums || context.mustSplit {
      context.packet.completePartialChecksum()
    }
    note(.forwarded)
    var leaving = OutgoingFrame(context.packet.frame, context.packet.facts)
    leaving.quoted = context.quoted
    if context.mustSplit {
      sendInPieces(context, leaving, to: hop, &outbox)
    } else {
      if !context.isFragmentOfDatagram, let commitment = context.commitment {
        leaving.largestPacket = translator.largestPacket(
          sender: commitment.sender, receiver: commitment.receiver)
      }
      sendToNextHop(leaving, hop, at: context.now, &outbox)
    }
    if let passage, let datagram = context.datagram {
      releaseHeld(datagram, passage, context, &outbox)
    }
  }

  /// Sends a packet, or a fragment, in pieces that fit the MTU, the largest first (RFC 791 section 3.2).
  /// Pieces after the first carry only the options that are marked to be copied.
  private mutating func sendInPieces(
    _ context: PacketContext, _ whole: OutgoingFrame, to hop: NextHop, _ outbox: inout Outbox
  ) {
    let packet = context.packet
    let mtu = mtu(of: hop.interface)
    let network = Packet.networkOffset
    let laterHeaderLength = packet.frame.copiedIPv4HeaderLength(
      at: network, headerLength: packet.headerLength)
    var leaving = whole
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
        leaving.facts = FrameFacts(
          kind: .laterFragment, headerLength: UInt8(headerLength), transportHeaderLength: 0)
      }
      piece.copy(
        packet.frame, from: packet.transportOffset + start, count: length, to: network + headerLength)
      let offset = UInt16(truncatingIfNeeded: (packet.fragmentByteOffset + start) / 8)
      let more = isLast && !packet.hasMoreFragments ? 0 : IPv4.moreFragments
      piece.finishIPv4Fragment(at: network, headerLength: headerLength, fragmentField: more | offset)
      leaving.frame = piece
      sendToNextHop(leaving, hop, at: context.now, &outbox)
      // All pieces end as their packet does, so only the first one is quoted and counted.
      leaving.quoted = nil
      start += length
    }
  }

  // MARK: Datagrams in fragments

  /// What the later fragments of the datagram follow.
  private mutating func recordPassage(_ context: PacketContext, _ hop: NextHop) -> DatagramPassage? {
    guard let datagram = context.datagram else { return nil }
    let passage = DatagramPassage(
      source: context.packet.source, destination: context.packet.destination, interface: hop.interface,
      nextHop: hop.address, identification: context.packet.identification,
      sender: context.commitment?.sender.map { translator.counted($0) },
      receiver: context.commitment?.receiver.map { translator.counted($0) })
    datagrams.pass(context.packet, in: datagram, by: passage)
    return passage
  }

  /// The fragments that waited for the first one leave at once, in order of offset. They meet the steps from
  /// TTL on.
  private mutating func releaseHeld(
    _ datagram: DatagramTable.Index, _ passage: DatagramPassage, _ first: PacketContext,
    _ outbox: inout Outbox
  ) {
    while let length = datagrams.nextHeldLength(datagram) {
      let bytes = outbox.build(length: length)
      datagrams.takeHeld(datagram, into: bytes)
      var packet = Packet(frame: bytes)
      let outcome = Packet.decode(bytes, link: .rawIP, wireLength: length, into: &packet)
      guard case .ipv4 = outcome else { preconditionFailure("it was decoded before it was held") }
      var context = PacketContext(held: packet, of: first, following: passage)
      var observer = NoObserver()
      let verdict = runSteps(&context, from: .timeToLive, &observer)
      carryOut(verdict, &context, &outbox)
    }
  }

  /// What the end of a fragment means for its datagram.
  private mutating func settle(
    _ datagram: DatagramTable.Index, _ verdict: Verdict, _ context: PacketContext
  ) {
    if case .follows = context.way {
      datagrams.follow(context.packet, in: datagram)
    } else if case .forward = verdict {
      // The first fragment: its passage is recorded.
    } else if case .hold = verdict {
      // It waits, and its place is recorded.
    } else {
      if context.isFirstFragment || context.isContradiction { kill(datagram, of: context.packet) }
      return
    }
    datagrams.closeIfComplete(datagram)
  }

  /// Drops all fragments of the datagram until its lifetime is over.
  private mutating func kill(_ datagram: DatagramTable.Index, of packet: Packet) {
    let held = datagrams.kill(datagram)
    if isShared(packet.destination) {
      for _ in 0..<held { leaveToKernel() }
    } else {
      counters.countDrops(held, .fragmentOfDeadDatagram)
    }
  }

  /// Sends no 11/1 (RFC 792) for a dropped datagram: a router does not reassemble.
  @inline(never)
  mutating func endDueDatagrams(at now: Instant) {
    counters.countDrops(datagrams.expire(before: now), .fragmentTimeout)
  }
}
