import NATEngine
import NATTable
public import NATWire

// Next hops whose MAC nobody taught yet: asked for while their frames wait. A replay has nobody to ask; it writes the
// placeholder.
extension Gateway {
  /// How long a neighbour is believed without being heard, or asked again. As often flows on the fast path come by the
  /// slow one, where their neighbours are heard.
  private static let reachableTime: UInt64 = 30_000_000_000

  /// Whether a neighbour need not be asked again.
  func isFresh(_ neighbour: Neighbours.Neighbour) -> Bool {
    !settings.asksForNextHops || clock <= neighbour.heard.advanced(by: Gateway.reachableTime)
  }

  /// Sends a frame to a next hop, now or as soon as its MAC is known.
  ///
  /// - Parameter largestPacket: for its receiver; forgotten by a frame that has to wait.
  mutating func sendFrame(
    _ frame: Frame, _ facts: FrameFacts, to hop: NextHop, largestPacket: UInt16 = .max, at now: Instant,
    _ outbox: inout Outbox
  ) {
    guard let neighbour = neighbours(of: hop.side).find(hop.address) else {
      if settings.asksForNextHops { return wait(frame, facts, for: hop, at: now, &outbox) }
      return sendFrame(
        frame, facts, to: hop.side, placeholder(hop.side), largestPacket: largestPacket, at: now, &outbox)
    }
    if !isFresh(neighbour) { ask(for: hop, at: now, &outbox) }
    sendFrame(frame, facts, to: hop.side, neighbour.mac, largestPacket: largestPacket, at: now, &outbox)
  }

  /// Keeps the packet as it came, where the error may have to quote it that says its next hop does not answer.
  mutating func keepForQuoting(_ packet: Packet, to hop: NextHop) {
    guard settings.asksForNextHops, neighbours(of: hop.side).find(hop.address) == nil else { return }
    let length = min(packet.totalLength, Gateway.quoteLength) + Packet.networkOffset
    quoteBytes.copy(packet.frame, from: 0, count: length, to: 0)
    var quote = Packet(frame: quoteBytes.window(at: 0, count: length))
    quote.describeQuoted(
      kind: packet.kind, totalLength: length - Packet.networkOffset, source: packet.source,
      destination: packet.destination)
    packetInHand = quote
  }

  static let quoteLength = 548

  private mutating func wait(
    _ frame: Frame, _ facts: FrameFacts, for hop: NextHop, at now: Instant, _ outbox: inout Outbox
  ) {
    ask(for: hop, at: now, &outbox)
    if waiting.hold(frame, facts, for: hop, quoted: packetInHand) {
      wakeUp = min(wakeUp, waiting.due)
    } else if packetInHand != nil {
      revoke(.forwarded)
      counters.countDrop(.nextHopQueueFull)
    }
    // Further pieces of the same packet have one end with it.
    packetInHand = nil
  }

  private mutating func ask(for hop: NextHop, at now: Instant, _ outbox: inout Outbox) {
    guard case .ask = waiting.ask(for: hop, at: now) else { return }
    sendRequest(for: hop, at: now, &outbox)
    wakeUp = min(wakeUp, waiting.due)
  }

  private mutating func sendRequest(for hop: NextHop, at now: Instant, _ outbox: inout Outbox) {
    sendARP(
      ARP.request, from: address(of: hop.side), to: (MACAddress(0), hop.address), .broadcast, side: hop.side,
      at: now, &outbox)
  }

  mutating func sendARP(
    _ operation: UInt16, from address: IPv4Address, to target: (mac: MACAddress, address: IPv4Address),
    _ destination: MACAddress, side: Side, at now: Instant, _ outbox: inout Outbox
  ) {
    let frame = outbox.build(length: Ethernet.headerLength + ARP.length)
    frame.setARP(
      operation: operation, from: (mac(of: side), address), to: target, ethernetDestination: destination)
    outbox.send(frame, to: side, at: now, facts: .arp)
    counters.countSent(side, bytes: frame.count)
  }

  /// A neighbour was heard: what waited for it leaves.
  mutating func release(_ hop: NextHop, to mac: MACAddress, at now: Instant, _ outbox: inout Outbox) {
    guard !waiting.isEmpty, var released = waiting.resolve(hop) else { return }
    while let waited = waiting.popFrame(&released) {
      if hasLostSource(waited.frame, to: hop.side) {
        // Further pieces of a packet have one end with it.
        if waited.quoted != nil {
          revoke(.forwarded)
          counters.countDrop(.noBinding)
        }
        continue
      }
      // Its place may be taken by another frame before the outbox is sent.
      let frame = outbox.build(length: waited.frame.count)
      frame.copy(waited.frame, from: 0, count: waited.frame.count, to: 0)
      sendFrame(frame, waited.facts, to: hop.side, mac, at: now, &outbox)
    }
  }

  /// Everything that falls due without a packet, one thing at a time.
  @inline(never)
  mutating func wake(at now: Instant, _ outbox: inout Outbox) {
    if unsolicited.isDue(at: now) {
      answerUnsolicited(at: now, &outbox)
    } else if let (hop, isGivenUp) = waiting.popDue(at: now) {
      if isGivenUp { giveUp(hop, at: now, &outbox) } else { sendRequest(for: hop.next, at: now, &outbox) }
    } else if factsDue <= now {
      factsCache.invalidate()
      factsDue = now.advanced(by: Gateway.reachableTime)
    }
    scheduleWakeUp()
  }

  /// To be called after each change of what falls due.
  mutating func scheduleWakeUp() { wakeUp = min(unsolicited.due, waiting.due, factsDue) }

  /// A next hop does not answer: whoever sent it something hears 3/1 (RFC 1812 section 5.2.7.1).
  private mutating func giveUp(
    _ hop: WaitingFrames.Hop, at now: Instant, _ outbox: inout Outbox
  ) {
    var hop = hop
    neighbours(of: hop.next.side).forget(hop.next.address)
    factsCache.invalidate()
    while let waited = waiting.popFrame(&hop) {
      guard let packet = waited.quoted else { continue }
      revoke(.forwarded)
      counters.countDrop(.nextHopUnreachable)
      sendError(.destinationUnreachable(code: 1), about: packet, at: now, &outbox)
    }
  }

  // MARK: Without packets

  /// Does what is due by `now` without a packet: called in the idle gaps of a live gateway.
  public mutating func advance(to now: Instant, into outbox: inout Outbox) {
    clock = max(clock, now)
    translator.shard.startLifetimes(at: clock)
    translator.shard.advance(to: clock)
    translator.forgetEndedForwards()
    if clock > datagrams.quietUntil { endDueDatagrams(at: clock) }
    while wakeUp <= clock, outbox.hasRoomForAnyPacket { wake(at: clock, &outbox) }
    if settings.lostAddress != .any { withholdLost(&outbox) }
  }

  /// To be called when an interface is attached anew: what stands at the other end of its cable may be another
  /// device under the same address, with another MAC. The next frame to each neighbour waits until it has been asked
  /// for.
  /// - Complexity: O(neighbours that can be remembered).
  public mutating func forgetNeighbours(on side: Side) {
    neighbours(of: side).forgetAll()
    factsCache.invalidate()
  }

  /// Tells the neighbours on both sides which addresses are here (RFC 5227 section 3): the inside address inside, all
  /// public ones outside. Those that the kernel has too are the kernel's to announce.
  ///
  /// - Parameter next: 0 at first; then what the call before returned.
  /// - Returns: where to go on when the outbox has been sent; nil at the end.
  public mutating func announce(from next: Int = 0, at now: Instant, into outbox: inout Outbox) -> Int? {
    if next == 0, !settings.sharesInside { announce(settings.insideAddress, on: .inside, at: now, &outbox) }
    var place = next
    while let address = translator.publicAddress(from: &place) {
      if isShared(address) { continue }
      announce(address, on: .outside, at: now, &outbox)
      if !outbox.hasRoomForAnyPacket { return place }
    }
    return nil
  }

  mutating func announce(
    _ address: IPv4Address, on side: Side, at now: Instant, _ outbox: inout Outbox
  ) {
    sendARP(
      ARP.request, from: address, to: (MACAddress(0), address), .broadcast, side: side, at: now, &outbox)
  }
}
