import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// An IPv4 packet that passed the first question. The fast path takes it if it is for us, its ends are ordinary
  /// addresses whose facts are known, and it belongs to a live session; every other packet is asked question by question.
  @inline(__always)
  mutating func receive(
    _ packet: inout Packet, _ entry: FrameBatch.Entry, at now: Instant, _ outbox: inout Outbox
  ) {
    let side = entry.side
    if entry.link == .ethernet, entry.frame.macAddress(at: Ethernet.destinationOffset) != mac(of: side) {
      return counters.countDrop(.notForUs)
    }
    guard !packet.isFragment, let transport = packet.transport,
      let source = facts(of: packet.source), let destination = facts(of: packet.destination),
      entry.link == .rawIP || source.mac == entry.frame.macAddress(at: Ethernet.sourceOffset).rawValue
    else { return receiveSlowly(&packet, entry, at: now, &outbox) }

    if side == .inside {
      guard source.isInsideHost, destination.isOutsideHost,
        fits(packet, from: .inside, to: .outside),
        let hit = translator.hitOutbound(packet, transport, at: now)
      else { return receiveSlowly(&packet, entry, at: now, &outbox) }
      if translator.tracksWindows, !translator.followWindow(hit, packet, from: .inside) {
        return counters.countDrop(.outsideWindow)
      }
      let endpoint = translator.commitOutbound(hit, packet, at: now)
      packet.rewriteSource(to: endpoint)
      if packet.carriesSYN { passSYN(packet, to: .outside, sender: hit.session, receiver: nil) }
      sendTranslated(&packet, hit, to: .outside, MACAddress(destination.mac), at: now, &outbox)
    } else {
      guard source.isOutsideHost, let poolAddress = destination.poolAddress,
        fits(packet, from: .outside, to: .inside),
        packet.kind != .query,
        let hit = translator.hitInbound(packet, transport, poolAddress: poolAddress, at: now),
        let receiver = facts(of: translator.shard.bindings.privateEndpoint(of: hit.binding).address),
        receiver.isInsideHost
      else { return receiveSlowly(&packet, entry, at: now, &outbox) }
      if translator.tracksWindows, !translator.followWindow(hit, packet, from: .outside) {
        return counters.countDrop(.outsideWindow)
      }
      packet.rewriteDestination(to: translator.commitInbound(hit, packet, at: now))
      if packet.carriesSYN { passSYN(packet, to: .inside, sender: nil, receiver: hit.session) }
      sendTranslated(&packet, hit, to: .inside, MACAddress(receiver.mac), at: now, &outbox)
    }
  }

  /// Every packet that does not simply belong to a live session, question by question.
  @inline(never)
  private mutating func receiveSlowly(
    _ packet: inout Packet, _ entry: FrameBatch.Entry, at now: Instant, _ outbox: inout Outbox
  ) {
    let side = entry.side
    packetInHand = nil
    translator.forgetEndedForwards()
    if let reason = addressRefusal(packet, from: side) { return counters.countDrop(reason) }
    if entry.link == .ethernet { learn(packet.source, entry.frame, side, at: now, &outbox) }
    if packet.destination == settings.insideAddress {
      if settings.sharesInside { return leaveToKernel() }
      return receiveOwn(packet, from: side, isAnswered: side == .inside, at: now, &outbox)
    }
    let role = translator.role(of: packet.destination)
    if !packet.isFragment, isEchoToGateway(packet, role, from: side) {
      return receiveOwn(packet, from: side, isAnswered: true, at: now, &outbox)
    }
    // The kernel has it as well, and answers.
    if role == nil, machineAddresses.contains(packet.destination) { return leaveToKernel() }
    if isExempt(packet, from: side) { return forwardPlain(&packet, from: side, at: now, &outbox) }
    if side == .inside {
      if role == nil, let hop = routes.find(packet.destination), hop.side == .inside {
        return forwardPlain(&packet, from: side, at: now, &outbox)
      }
    } else if role == nil, !packet.isFragment, isErrorAboutExempt(packet) {
      return forwardPlain(&packet, from: side, at: now, &outbox)
    }
    if packet.isFragment { return receiveFragment(&packet, role, from: side, at: now, &outbox) }
    let host = packet.source
    if let passage = translate(&packet, role, from: side, at: now, &outbox) {
      emit(
        &packet, to: passage.hop, from: side, host: host,
        largestPacket: translator.largestPacket(sender: passage.sender, receiver: passage.receiver), at: now,
        &outbox)
    }
  }

  /// Asks a packet, or the first fragment of a datagram, everything from the binding on, and rewrites it in place.
  /// - Returns: how it leaves; nil if it was dropped, its sender told.
  mutating func translate(
    _ packet: inout Packet, _ role: PublicRole?, from side: Side, at now: Instant, _ outbox: inout Outbox
  ) -> Passage? {
    if isKernels(packet, role) {
      leaveToKernel()
      return nil
    }
    if let reason = refusal(of: packet, role, from: side) {
      counters.countDrop(reason)
      return nil
    }
    if packet.kind == .icmpError { return translateError(&packet, role, from: side, at: now, &outbox) }
    guard let transport = packet.transport else {
      return translateOther(&packet, role, from: side, at: now, &outbox)
    }
    switch resolve(packet, transport, role, from: side, at: now) {
    case .drop(let reason):
      refuse(packet, reason)
      if reason == .filtered, packet.tcpFlags.isOpening, settings.answersUnsolicitedSYN {
        unsolicited.add(packet, at: now)
        scheduleWakeUp()
      }
      return nil
    case .pass(let resolution):
      if isUnasked(packet, resolution) {
        leaveToKernel()
        return nil
      }
      return translate(&packet, resolution, from: side, at: now, &outbox)
    }
  }

  /// Binding, session and filter: outbound, inbound, or from inside to a public address.
  @inline(__always)
  func resolve(
    _ packet: Packet, _ transport: TransportProtocol, _ role: PublicRole?, from side: Side, at now: Instant
  ) -> ResolveOutcome {
    guard let role else { return translator.resolveOutbound(packet, transport, at: now) }
    return side == .inside
      ? translator.resolveHairpin(packet, transport, role, at: now)
      : translator.resolveInbound(packet, transport, role, at: now)
  }

  /// Route, TTL, MTU; then state is made, and the packet rewritten.
  private mutating func translate(
    _ packet: inout Packet, _ resolution: Resolution, from side: Side, at now: Instant, _ outbox: inout Outbox
  ) -> Passage? {
    guard let hop = egress(packet, to: resolution.destination, from: side, at: now, &outbox) else {
      return nil
    }
    switch translator.commit(resolution, packet, at: now) {
    case .drop(let reason):
      counters.countDrop(reason)
      if side == .inside { answerExhaustion(reason, packet, at: now, &outbox) }
      return nil
    case .forward(let commitment):
      packet.rewrite(commitment.rewrite)
      if packet.carriesSYN {
        passSYN(packet, to: hop.side, sender: commitment.sender, receiver: commitment.receiver)
      }
      return Passage(hop: hop, sender: commitment.sender, receiver: commitment.receiver)
    }
  }

  /// Why a packet is not even looked for in the table.
  func refusal(of packet: Packet, _ role: PublicRole?, from side: Side) -> DropReason? {
    if role == nil { return side == .outside ? .noBinding : nil }
    // Only a fragment comes here: whole ones have been answered.
    if isEchoToGateway(packet, role, from: side) { return .toGateway }
    return side == .inside && !translator.settings.hairpin ? .hairpinDisabled : nil
  }

  @inline(__always)
  private mutating func sendTranslated(
    _ packet: inout Packet, _ hit: Hit, to side: Side, _ mac: MACAddress, at now: Instant,
    _ outbox: inout Outbox
  ) {
    if packet.hasPartialChecksum, settings.completesChecksums { packet.completePartialChecksum() }
    note(.forwarded)
    let largestPacket = translator.shard.sessions.largestPacket(of: hit.session, to: side)
    let facts = packet.facts(isJoined: isSuperFrame(packet, from: side.other))
    sendFrame(packet.frame, facts, to: side, mac, largestPacket: largestPacket, at: now, &outbox)
  }

  /// Sends a packet on its way: a partial checksum is finished where no device will, and what is larger than the MTU of
  /// the way on is split.
  ///
  /// - Parameters:
  ///   - side: where the packet came from.
  ///   - host: its source as it came.
  ///   - keepsIdentification: it has the identification that it leaves with.
  ///   - largestPacket: how large a packet may be for its receiver.
  mutating func emit(
    _ packet: inout Packet, to hop: NextHop, from side: Side, host: IPv4Address,
    keepsIdentification: Bool = false, largestPacket: UInt16 = .max, at now: Instant, _ outbox: inout Outbox
  ) {
    let isWhole = packet.totalLength <= mtu(of: hop.side) || isSuperFrame(packet, from: side)
    if packet.hasPartialChecksum, settings.completesChecksums || !isWhole { packet.completePartialChecksum() }
    note(.forwarded)
    if isWhole {
      let facts = packet.facts(isJoined: isSuperFrame(packet, from: side))
      return sendFrame(packet.frame, facts, to: hop, largestPacket: largestPacket, at: now, &outbox)
    }
    if !keepsIdentification, hop.side == .outside { giveIdentification(&packet, of: host, at: now) }
    split(packet, to: hop, at: now, &outbox)
  }

  /// Whether TTL and MTU let the packet leave as it is.
  @inline(__always)
  func fits(_ packet: Packet, from side: Side, to egress: Side) -> Bool {
    packet.timeToLive > 1
      && (packet.totalLength <= mtu(of: egress) || isSuperFrame(packet, from: side))
  }

  /// A TCP packet larger than the network it came from can only be a super-frame, which its device will cut.
  @inline(__always)
  private func isSuperFrame(_ packet: Packet, from side: Side) -> Bool {
    packet.kind == .tcp && packet.totalLength > mtu(of: side) && !packet.isFragment
  }

  /// Where the packet leaves, if route, TTL and MTU let it; else it is dropped here, and its sender told.
  mutating func egress(
    _ packet: Packet, to destination: IPv4Address, from side: Side, at now: Instant, _ outbox: inout Outbox
  ) -> NextHop? {
    guard let hop = routes.find(destination) else {
      counters.countDrop(.noRoute)
      sendError(.destinationUnreachable(code: 0), about: packet, at: now, &outbox)
      return nil
    }
    return isForwardable(packet, to: hop, from: side, at: now, &outbox) ? hop : nil
  }

  /// Whether TTL and MTU let the packet leave, whole or split; else it is dropped here, and its sender told.
  mutating func isForwardable(
    _ packet: Packet, to hop: NextHop, from side: Side, at now: Instant, _ outbox: inout Outbox
  ) -> Bool {
    if packet.timeToLive <= 1 {
      counters.countDrop(.ttlExceeded)
      sendError(.timeExceeded, about: packet, at: now, &outbox)
      return false
    }
    if packet.doesNotFragment, !fits(packet, from: side, to: hop.side) {
      counters.countDrop(.packetTooBig)
      sendError(.fragmentationNeeded(mtu: mtu(of: hop.side)), about: packet, at: now, &outbox)
      return false
    }
    keepForQuoting(packet, to: hop)
    return true
  }

  /// Between inside networks, and to and from exempt destinations: a router, nothing more.
  mutating func forwardPlain(
    _ packet: inout Packet, from side: Side, at now: Instant, _ outbox: inout Outbox
  ) {
    guard let hop = egress(packet, to: packet.destination, from: side, at: now, &outbox) else { return }
    packet.decrementTimeToLive(carrying: ChecksumDelta())
    emit(&packet, to: hop, from: side, host: packet.source, at: now, &outbox)
  }

  /// What is written for a MAC that is not known and cannot be asked for.
  func placeholder(_ side: Side) -> MACAddress {
    side == .inside ? settings.insidePlaceholder : settings.outsidePlaceholder
  }

  /// Writes the link header and names the frame for sending.
  @inline(__always)
  func sendFrame(
    _ frame: Frame, _ facts: FrameFacts, to side: Side, _ destination: MACAddress,
    largestPacket: UInt16 = .max, at now: Instant, _ outbox: inout Outbox
  ) {
    frame.setEthernet(destination: destination, source: mac(of: side), type: Ethernet.typeIPv4)
    checkSource(of: frame, to: side)
    outbox.send(frame, to: side, at: now, largestPacket: largestPacket, facts: facts)
    counters.countSent(side, bytes: frame.count)
  }

  /// A SYN that passes announces a segment size that fits, and outbound it ends the wait of the one it crosses.
  @inline(never)
  private mutating func passSYN(
    _ packet: Packet, to side: Side, sender: SessionIndex?, receiver: SessionIndex?
  ) {
    clampSegmentSize(packet)
    translator.learnSegmentSize(packet, sender: sender, receiver: receiver)
    if side == .outside, !unsolicited.isEmpty {
      unsolicited.cancel(
        Endpoint(packet.source, packet.sourcePort), Endpoint(packet.destination, packet.destinationPort))
    }
  }

  func clampSegmentSize(_ packet: Packet) {
    let limit = translator.settings.maximumSegmentSize
    guard limit > 0,
      let delta = packet.frame.clampMaximumSegmentSize(
        to: limit, tcpAt: packet.transportOffset, headerLength: packet.transportHeaderLength)
    else { return }
    // A partial checksum covers nothing of the segment itself.
    packet.carryIntoTransportChecksum(delta, pseudoHeader: ChecksumDelta())
  }

  // MARK: Addresses

  /// RFC 1812 sections 5.3.7 and 5.3.8, RFC 2827: who may send, and to whom.
  func addressRefusal(_ packet: Packet, from side: Side) -> DropReason? {
    let source = packet.source
    if isNeverAnEnd(source) || source == packet.destination || source == settings.insideAddress {
      return .invalidSource
    }
    let isInside = insideNetworks.contains(source)
    // No public address lies inside.
    if !isInside, translator.role(of: source) != nil { return .invalidSource }
    if isNeverAnEnd(packet.destination) { return .invalidDestination }
    if isInside == (side == .inside) { return nil }
    return isInside ? .sourceInside : .sourceNotInside
  }

  /// 0/8, 127/8, 224/3, and the network and broadcast addresses of both networks.
  func isNeverAnEnd(_ address: IPv4Address) -> Bool {
    let raw = address.rawValue
    let first = raw >> 24
    if first == 0 || first == 127 || first >= 224 { return true }
    let special = settings.special
    return raw == special.0 || raw == special.1 || raw == special.2 || raw == special.3
  }

  func isExempt(_ packet: Packet, from side: Side) -> Bool {
    side == .inside
      ? exempt.contains(packet.destination)
      : exempt.contains(packet.source) && insideNetworks.contains(packet.destination)
  }

  // MARK: Neighbours

  /// A frame for us teaches where its source is reached: itself, or the router on its way.
  private mutating func learn(
    _ source: IPv4Address, _ frame: Frame, _ side: Side, at now: Instant, _ outbox: inout Outbox
  ) {
    let mac = frame.macAddress(at: Ethernet.sourceOffset)
    guard !mac.isGroup, let hop = routes.find(source), hop.side == side else { return }
    learn(hop, mac, at: now, &outbox)
  }

  /// ARP teaches its sender and asks for our addresses: public ones on the outside, the inside one on the inside.
  mutating func receiveARP(_ frame: Frame, _ entry: FrameBatch.Entry, at now: Instant, _ outbox: inout Outbox)
  {
    note(.arp)
    translator.forgetEndedForwards()
    let body = frame.window(at: Ethernet.headerLength, count: frame.count - Ethernet.headerLength)
    guard let arp = ARPPacket(body) else { return }
    let side = entry.side
    guard arp.sender != settings.insideAddress, translator.role(of: arp.sender) == nil else { return }
    if arp.sender != .any, !arp.senderMAC.isGroup {
      learn(NextHop(side: side, address: arp.sender), arp.senderMAC, at: now, &outbox)
    }
    guard arp.operation == ARP.request else { return }
    let isOurs =
      side == .inside ? arp.target == settings.insideAddress : translator.role(of: arp.target) != nil
    guard isOurs, !isShared(arp.target) else { return }
    sendARP(
      ARP.reply, from: arp.target, to: (arp.senderMAC, arp.sender), arp.senderMAC, side: side, at: now,
      &outbox)
  }

  private mutating func learn(
    _ hop: NextHop, _ mac: MACAddress, at now: Instant, _ outbox: inout Outbox
  ) {
    if neighbours(of: hop.side).learn(hop.address, mac, at: now) { factsCache.invalidate() }
    release(hop, to: mac, at: now, &outbox)
  }
}
