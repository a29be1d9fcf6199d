// Ethernet, ARP, neighbours and routes.

/// Where a packet goes next.
struct Route {
  let side: ReferenceSide
  let nextHop: ReferenceAddress
}

// MARK: Our own addresses

extension ReferenceNAT {
  /// The outside address, the pool's addresses and the public addresses of the static mappings in force.
  func isPublic(_ address: ReferenceAddress) -> Bool {
    address == settings.outside.address
      || settings.pool.contains { $0.address == address }
      || oneToOne(public: address) != nil
      || forwards.contains { $0.publicEnd.address == address }
  }

  func isOwn(_ address: ReferenceAddress) -> Bool {
    address == settings.inside.address || isPublic(address)
  }

  func isInside(_ address: ReferenceAddress) -> Bool {
    settings.insideNetworks.contains { $0.contains(address) }
  }

  func isExempt(_ address: ReferenceAddress) -> Bool {
    settings.exempt.contains { $0.contains(address) }
  }
}

// MARK: Addresses

extension ReferenceNAT {
  /// Rows "never a source" and "inside networks as outside source, others as inside source".
  func addressFault(_ packet: Packet, on side: ReferenceSide) -> ReferenceDrop? {
    let source = packet.source
    let destination = packet.destination
    if isNever(source) || isOwn(source) || source == destination { return .invalidSource }
    if isNever(destination) && !isOwn(destination) { return .invalidDestination }
    switch side {
    case .inside: return isInside(source) ? nil : .sourceNotInside
    case .outside: return isInside(source) ? .sourceInside : nil
    }
  }

  /// 0/8, 127/8, 224/3, and the broadcast and network addresses of both networks.
  private func isNever(_ address: ReferenceAddress) -> Bool {
    let firstOctet = address.number >> 24
    if firstOctet == 0 || firstOctet == 127 || firstOctet >= 224 { return true }
    return [settings.inside.network, settings.outside.network].contains { network in
      // Networks of one or two addresses have neither (RFC 3021).
      guard network.prefixLength <= 30 else { return false }
      let lowest = network.address.number & network.mask
      return address.number == lowest || address.number == lowest | ~network.mask
    }
  }
}

// MARK: Routes

extension ReferenceNAT {
  /// Row "route": the longest prefix, connected networks among the others.
  func route(to destination: ReferenceAddress) -> Route? {
    var best: (prefixLength: Int, route: Route)?
    func offer(_ network: ReferenceNetwork, _ route: Route) {
      guard network.contains(destination), network.prefixLength > best?.prefixLength ?? -1 else { return }
      best = (network.prefixLength, route)
    }
    offer(settings.inside.network, Route(side: .inside, nextHop: destination))
    offer(settings.outside.network, Route(side: .outside, nextHop: destination))
    for entry in settings.routes { offer(entry.network, Route(side: .inside, nextHop: entry.via)) }
    let everything = ReferenceNetwork("0.0.0.0", 0)
    if let gateway = settings.outside.gateway { offer(everything, Route(side: .outside, nextHop: gateway)) }
    return best?.route
  }
}

// MARK: Neighbours

extension ReferenceNAT {
  /// Row "neighbours": a frame teaches its Ethernet source for the next hop of its IP source.
  mutating func learn(_ source: ReferenceAddress, at mac: [UInt8], on side: ReferenceSide) {
    guard let route = route(to: source), route.side == side else { return }
    teach(route.nextHop, mac, on: side)
  }

  private mutating func teach(_ address: ReferenceAddress, _ mac: [UInt8], on side: ReferenceSide) {
    let isGroup = mac[0] & 1 == 1
    if !isGroup { neighbours[side, default: [:]][address] = mac }
  }

  /// A well-formed ARP packet is never a drop.
  mutating func receiveARP(_ packet: ARPPacket, on side: ReferenceSide) {
    // From one of our own addresses it teaches nothing and gets no answer.
    if isOwn(packet.sender) { return }
    if packet.sender != "0.0.0.0" { teach(packet.sender, packet.senderMAC, on: side) }
    // ST-13: public addresses on the outside, the inside address on the inside.
    let request: UInt16 = 1
    let isAsked = side == .inside ? packet.target == settings.inside.address : isPublic(packet.target)
    guard packet.operation == request, isAsked else { return }
    sendARP(
      operation: 2, from: packet.target, to: packet.sender, at: packet.senderMAC,
      ethernet: packet.senderMAC, on: side)
  }

  /// ST-13: a gratuitous ARP request for one of our own addresses (RFC 5227 section 3).
  mutating func announce(_ address: ReferenceAddress, on side: ReferenceSide) {
    let nobody = [UInt8](repeating: 0, count: 6)
    let everybody = [UInt8](repeating: 0xFF, count: 6)
    sendARP(operation: 1, from: address, to: address, at: nobody, ethernet: everybody, on: side)
  }

  private mutating func sendARP(
    operation: UInt8, from sender: ReferenceAddress, to target: ReferenceAddress, at targetMAC: [UInt8],
    ethernet destination: [UInt8], on side: ReferenceSide
  ) {
    let own = settings.interface(side).mac
    var frame = destination + own + [0x08, 0x06]
    frame += [0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, operation]
    frame += own + octets(sender) + targetMAC + octets(target)
    send(frame, on: side, at: now)
  }

  private func octets(_ address: ReferenceAddress) -> [UInt8] {
    words(address).flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
  }
}

// MARK: Sending

extension ReferenceNAT {
  mutating func send(_ frame: [UInt8], on side: ReferenceSide, at instant: UInt64) {
    transmitted[side, default: Traffic()].add(frame.count)
    sent.append(ReferenceFrame(side: side, nanoseconds: instant, bytes: frame))
  }

  /// Puts the Ethernet header before a packet; a next hop not seen gets the placeholder.
  mutating func send(_ packet: Packet, by route: Route, at instant: UInt64) {
    let placeholder: [UInt8] = [0x02, 0, 0, 0, 0, route.side == .inside ? 0x01 : 0x02]
    let nextHop = neighbours[route.side]?[route.nextHop] ?? placeholder
    send(
      nextHop + settings.interface(route.side).mac + [0x08, 0x00] + packet.bytes, on: route.side, at: instant)
  }
}
