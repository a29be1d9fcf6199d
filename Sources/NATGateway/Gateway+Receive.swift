import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// An IPv4 packet that decoded well. The fast path takes it if it is for us, both addresses are ordinary
  /// with known facts, and it belongs to a live session: then every step of `Steps/PacketPath.swift` would
  /// pass. Every other packet takes the slow path.
  @inline(__always)
  mutating func receivePacket(
    _ packet: inout Packet, _ entry: FrameBatch.Entry, at now: Instant, _ outbox: inout Outbox
  ) {
    let side = entry.side
    if entry.link == .ethernet, entry.frame.macAddress(at: Ethernet.destinationOffset) != mac(of: side) {
      return counters.countDrop(.notForUs)
    }
    guard !packet.isFragment, let transport = packet.transport,
      let source = facts(of: packet.source), let destination = facts(of: packet.destination),
      entry.link == .rawIP || source.mac == entry.frame.macAddress(at: Ethernet.sourceOffset).rawValue
    else { return takeSlowPath(packet, entry, at: now, &outbox) }

    if side == .inside {
      guard source.isInsideHost, destination.isOutsideHost,
        fits(packet, from: .inside, to: .outside),
        let hit = translator.hitOutbound(packet, transport, at: now)
      else { return takeSlowPath(packet, entry, at: now, &outbox) }
      if translator.tracksWindows, !translator.followWindow(hit, packet, from: .inside) {
        return counters.countDrop(.outsideWindow)
      }
      let endpoint = translator.commitOutbound(hit, packet, at: now)
      packet.rewriteSource(to: endpoint)
      if packet.carriesSYN { passSYN(packet, to: .outside, sender: hit.session, receiver: nil) }
      forwardHit(&packet, hit, to: .outside, MACAddress(destination.mac), at: now, &outbox)
    } else {
      guard source.isOutsideHost, let poolAddress = destination.poolAddress,
        fits(packet, from: .outside, to: .inside),
        packet.kind != .query,
        let hit = translator.hitInbound(packet, transport, poolAddress: poolAddress, at: now),
        let receiver = facts(of: translator.shard.bindings.privateEndpoint(of: hit.binding).address),
        receiver.isInsideHost
      else { return takeSlowPath(packet, entry, at: now, &outbox) }
      if translator.tracksWindows, !translator.followWindow(hit, packet, from: .outside) {
        return counters.countDrop(.outsideWindow)
      }
      packet.rewriteDestination(to: translator.commitInbound(hit, packet, at: now))
      if packet.carriesSYN { passSYN(packet, to: .inside, sender: nil, receiver: hit.session) }
      forwardHit(&packet, hit, to: .inside, MACAddress(receiver.mac), at: now, &outbox)
    }
  }

  /// Sends a packet of the fast path.
  @inline(__always)
  private mutating func forwardHit(
    _ packet: inout Packet, _ hit: Hit, to side: Side, _ mac: MACAddress, at now: Instant,
    _ outbox: inout Outbox
  ) {
    if packet.hasPartialChecksum, settings.completesChecksums { packet.completePartialChecksum() }
    note(.forwarded)
    var leaving = OutgoingFrame(packet.frame, packet.facts)
    if isJoined(packet, from: side.other) { leaving.facts.isJoined = true }
    leaving.largestPacket = translator.shard.sessions.largestPacket(of: hit.session, to: side)
    sendOnInterface(leaving, side, to: mac, at: now, &outbox)
  }

  /// Runs the list of steps and carries its verdict out.
  @inline(never)
  private mutating func takeSlowPath(
    _ packet: Packet, _ entry: FrameBatch.Entry, at now: Instant, _ outbox: inout Outbox
  ) {
    translator.forgetEndedForwards()
    var context = PacketContext(packet, entry, translator.role(of: packet.destination), at: now)
    var observer = NoObserver()
    let verdict = runSteps(&context, &observer)
    carryOut(verdict, &context, &outbox)
  }

  // MARK: ARP

  /// What the gateway does with an ARP packet.
  struct ARPMeaning {
    var packet: ARPPacket
    /// The neighbour that it teaches.
    var taught: NextHop?
    var isAnswered: Bool
  }

  /// The gateway learns the sender, and answers requests for its public addresses outside and its inside
  /// address inside. It ignores ARP from one of its own addresses.
  func meaning(ofARP frame: Frame, from side: Side) -> ARPMeaning? {
    let body = frame.window(at: Ethernet.headerLength, count: frame.count - Ethernet.headerLength)
    guard let arp = ARPPacket(body) else { return nil }
    guard arp.sender != settings.insideAddress, translator.role(of: arp.sender) == nil else {
      return ARPMeaning(packet: arp, taught: nil, isAnswered: false)
    }
    let teaches = arp.sender != .any && !arp.senderMAC.isGroup
    let isOurs =
      side == .inside ? arp.target == settings.insideAddress : translator.role(of: arp.target) != nil
    return ARPMeaning(
      packet: arp, taught: teaches ? NextHop(side: side, address: arp.sender) : nil,
      isAnswered: arp.operation == ARP.request && isOurs && !isShared(arp.target))
  }

  mutating func receiveARP(_ frame: Frame, from side: Side, at now: Instant, _ outbox: inout Outbox) {
    note(.arp)
    translator.forgetEndedForwards()
    guard let meaning = meaning(ofARP: frame, from: side) else { return }
    let arp = meaning.packet
    if let taught = meaning.taught { learnNeighbour(taught, arp.senderMAC, at: now, &outbox) }
    guard meaning.isAnswered else { return }
    let reply = OutgoingARP(
      operation: ARP.reply, sender: arp.target, targetMAC: arp.senderMAC, target: arp.sender,
      destination: arp.senderMAC)
    sendARP(reply, side, at: now, &outbox)
  }

  /// Learns a next hop from a frame, and sends the frames that waited for it.
  mutating func learnNeighbour(
    _ hop: NextHop, _ mac: MACAddress, at now: Instant, _ outbox: inout Outbox
  ) {
    if neighbours(of: hop.side).learn(hop.address, mac, at: now) { factsCache.invalidate() }
    releaseWaiting(for: hop, to: mac, at: now, &outbox)
  }
}
