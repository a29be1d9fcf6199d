import NATEngine
import NATMemory
import NATTable
public import NATWire

// Sending, and resolving next hops by ARP while their frames wait (RFC 826). A replay sends no requests; it
// writes a placeholder MAC instead.
extension Gateway {
  /// How long a neighbour counts as reachable after its last frame, in nanoseconds. Flows of the fast path
  /// take the slow path once in this time, to confirm their neighbours.
  private static let reachableTime: UInt64 = 30_000_000_000

  /// Whether a neighbour need not be confirmed by an ARP request.
  func isFresh(_ neighbour: Neighbours.Neighbour) -> Bool {
    !settings.asksForNextHops || clock <= neighbour.heard.advanced(by: Gateway.reachableTime)
  }

  /// Sends a frame to a next hop, now or as soon as its MAC is known. A frame that has to wait forgets its
  /// ``OutgoingFrame/largestPacket``.
  mutating func sendToNextHop(
    _ leaving: OutgoingFrame, _ hop: NextHop, at now: Instant, _ outbox: inout Outbox
  ) {
    guard let neighbour = neighbours(of: hop.interface).find(hop.address) else {
      if mustAsk(for: hop) { return wait(leaving, for: hop, at: now, &outbox) }
      return sendOnInterface(leaving, hop.interface, to: placeholder(hop.interface), at: now, &outbox)
    }
    if !isFresh(neighbour) { ask(for: hop, at: now, &outbox) }
    sendOnInterface(leaving, hop.interface, to: neighbour.mac, at: now, &outbox)
  }

  /// Writes the link header and names the frame for sending. On a link without link headers the frame begins with the
  /// IPv4 packet.
  @inline(__always)
  func sendOnInterface(
    _ leaving: OutgoingFrame, _ interface: InterfaceIndex, to destination: MACAddress, at now: Instant,
    _ outbox: inout Outbox
  ) {
    var frame = leaving.frame
    checkSource(of: frame, to: interface)
    let link = interfaces[interface]
    if link.layer == .ethernet {
      frame.setEthernet(destination: destination, source: link.mac, type: Ethernet.typeIPv4)
    } else {
      frame = frame.window(at: Packet.networkOffset, count: frame.count &- Packet.networkOffset)
    }
    outbox.send(frame, to: interface, at: now, largestPacket: leaving.largestPacket, facts: leaving.facts)
    counters.countSent(interface, bytes: frame.count)
  }

  /// Whether a next hop without a known MAC has to be resolved before a frame can leave.
  func mustAsk(for hop: NextHop) -> Bool {
    settings.asksForNextHops && interfaces[hop.interface].layer == .ethernet
  }

  /// The placeholder for a MAC that is not known and cannot be resolved.
  func placeholder(_ interface: InterfaceIndex) -> MACAddress { interfaces[interface].placeholder }

  private mutating func wait(
    _ leaving: OutgoingFrame, for hop: NextHop, at now: Instant, _ outbox: inout Outbox
  ) {
    ask(for: hop, at: now, &outbox)
    if waiting.hold(leaving, for: hop) {
      wakeUp = min(wakeUp, waiting.due)
    } else if leaving.quoted != nil {
      revoke(.forwarded)
      counters.countDrop(.nextHopQueueFull)
    }
  }

  private mutating func ask(for hop: NextHop, at now: Instant, _ outbox: inout Outbox) {
    guard case .ask = waiting.ask(for: hop, at: now) else { return }
    sendRequest(for: hop, at: now, &outbox)
    wakeUp = min(wakeUp, waiting.due)
  }

  private mutating func sendRequest(for hop: NextHop, at now: Instant, _ outbox: inout Outbox) {
    let request = OutgoingARP(
      operation: ARP.request, sender: interfaces.address(towards: hop), targetMAC: MACAddress(0),
      target: hop.address,
      destination: .broadcast)
    sendARP(request, hop.interface, at: now, &outbox)
  }

  mutating func sendARP(
    _ arp: OutgoingARP, _ interface: InterfaceIndex, at now: Instant, _ outbox: inout Outbox
  ) {
    let frame = outbox.build(length: Ethernet.headerLength + ARP.length)
    frame.setARP(
      operation: arp.operation, from: (mac(of: interface), arp.sender), to: (arp.targetMAC, arp.target),
      ethernetDestination: arp.destination)
    outbox.send(frame, to: interface, at: now, facts: .arp)
    counters.countSent(interface, bytes: frame.count)
  }

  /// The MAC of a next hop is known: the frames that waited for it leave.
  mutating func releaseWaiting(
    for hop: NextHop, to mac: MACAddress, at now: Instant, _ outbox: inout Outbox
  ) {
    guard !waiting.isEmpty, var released = waiting.resolve(hop) else { return }
    while var leaving = waiting.popFrame(&released) {
      if hasLostSource(leaving.frame, to: hop.interface) {
        // All pieces of a packet end together; only the first one carries the quote.
        if leaving.quoted != nil {
          revoke(.forwarded)
          counters.countDrop(.noBinding)
        }
        continue
      }
      // Another frame may take its memory before the outbox is sent.
      let frame = outbox.build(length: leaving.frame.count)
      frame.copy(leaving.frame, from: 0, count: leaving.frame.count, to: 0)
      leaving.frame = frame
      sendOnInterface(leaving, hop.interface, to: mac, at: now, &outbox)
    }
  }

  /// Does one thing that is due without a packet.
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

  /// Call it after each change of a due time.
  mutating func scheduleWakeUp() { wakeUp = min(unsolicited.due, waiting.due, factsDue) }

  /// Gives up a next hop that does not answer. The senders of the frames that waited get 3/1 (RFC 1812
  /// section 5.2.7.1).
  private mutating func giveUp(
    _ hop: WaitingFrames.Hop, at now: Instant, _ outbox: inout Outbox
  ) {
    var hop = hop
    neighbours(of: hop.next.interface).forget(hop.next.address)
    factsCache.invalidate()
    while let waited = waiting.popFrame(&hop) {
      guard let packet = waited.quoted else { continue }
      revoke(.forwarded)
      counters.countDrop(.nextHopUnreachable)
      sendError(.destinationUnreachable(code: 1), about: packet, at: now, &outbox)
    }
  }

  // MARK: Without packets

  /// Does what is due by `now` without a packet. A live gateway calls it when no packet arrives.
  public mutating func advance(to now: Instant, into outbox: inout Outbox) {
    clock = max(clock, now)
    translator.shard.startLifetimes(at: clock)
    translator.shard.advance(to: clock)
    translator.forgetEndedForwards()
    if clock > datagrams.quietUntil { endDueDatagrams(at: clock) }
    while wakeUp <= clock, outbox.hasRoomForAnyPacket { wake(at: clock, &outbox) }
    if settings.lostAddress != .any { removeFramesFromLostAddress(&outbox) }
  }

  /// Forgets the neighbours of an interface. Call it when the interface is attached again: another device may
  /// have the same address. The next frame to each neighbour waits for an ARP reply.
  /// - Complexity: O(neighbour capacity).
  public mutating func forgetNeighbours(on interface: InterfaceIndex) {
    neighbours(of: interface).forgetAll()
    factsCache.invalidate()
  }

  /// Announces our addresses by ARP (RFC 5227 section 3): each inside address on its interface, all public addresses
  /// outside. Addresses that the kernel has too are announced by the kernel.
  ///
  /// - Parameter next: 0 first, then the result of the call before.
  /// - Returns: where to continue after the outbox has been sent; nil at the end.
  public mutating func announce(from next: Int = 0, at now: Instant, into outbox: inout Outbox) -> Int? {
    if next == 0 {
      for place in 0..<interfaces.networks.count {
        let own = interfaces.networks[place]
        if own.interface.side == .inside, !own.isShared {
          announce(own.address, on: own.interface, at: now, &outbox)
        }
      }
    }
    var place = next
    while let address = translator.publicAddress(from: &place) {
      if isShared(address) { continue }
      announce(address, on: .outside, at: now, &outbox)
      if !outbox.hasRoomForAnyPacket { return place }
    }
    return nil
  }

  mutating func announce(
    _ address: IPv4Address, on interface: InterfaceIndex, at now: Instant, _ outbox: inout Outbox
  ) {
    guard interfaces[interface].layer == .ethernet else { return }
    let claim = OutgoingARP(
      operation: ARP.request, sender: address, targetMAC: MACAddress(0), target: address,
      destination: .broadcast)
    sendARP(claim, interface, at: now, &outbox)
  }
}
