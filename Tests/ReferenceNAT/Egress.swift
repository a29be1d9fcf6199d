// Route, TTL and MTU, and the last steps of a packet on its way out.

extension ReferenceNAT {
  /// The questions of route, TTL and MTU for a packet that came from `side` and goes to `destination`.
  /// Answers a refused packet with an ICMP error. The caller counts the drop.
  mutating func egress(_ packet: Packet, to destination: ReferenceAddress, from side: ReferenceSide) -> Egress
  {
    guard let route = route(to: destination) else {
      // Off-link without a gateway: 3/0.
      sendError(type: 3, code: 0, about: packet)
      return .refused(.noRoute)
    }
    return egress(packet, by: route, from: side)
  }

  /// The questions of TTL and MTU, where the route is known: later fragments take that of the first.
  mutating func egress(_ packet: Packet, by route: Route, from side: ReferenceSide) -> Egress {
    // FW4.
    if packet.timeToLive <= 1 {
      sendError(type: 11, code: 0, about: packet)
      return .refused(.ttlExceeded)
    }
    let mtu = settings.interface(route.side).mtu
    // FR11: the sender learns the MTU of the next link.
    if packet.totalLength > mtu && packet.dontFragment && !isSuperFrame(packet, from: side) {
      sendError(type: 3, code: 4, field: UInt32(mtu), about: packet)
      return .refused(.packetTooBig)
    }
    return .open(route)
  }

  /// Row "super-frame".
  private func isSuperFrame(_ packet: Packet, from side: ReferenceSide) -> Bool {
    packet.flow == .tcp && !packet.isFragment && packet.totalLength > settings.interface(side).mtu
  }

  /// Sends a translated packet on: TTL, partial checksum, identification, header checksum, splitting.
  mutating func emit(_ translated: Packet, passage: Passage, original: Packet, from side: ReferenceSide) {
    var packet = translated
    packet.bytes[8] -= 1
    if original.hasPartialChecksum { packet.completeChecksum() }
    if let identification = passage.identification { packet.setIdentification(identification) }
    let mtu = settings.interface(passage.route.side).mtu
    if packet.totalLength <= mtu || isSuperFrame(original, from: side) {
      packet.fixHeaderChecksum()
      return send(packet, by: passage.route, at: now)
    }
    // Row "identification": what is split here towards the outside.
    if passage.identification == nil && passage.route.side == .outside {
      packet.setIdentification(
        grantIdentification(
          host: original.source, original: original.identification, source: packet.source,
          destination: packet.destination, transport: packet.transport))
    }
    for piece in split(packet, mtu: mtu) { send(piece, by: passage.route, at: now) }
  }

  /// RFC 791: later pieces carry only the options that are marked to be copied.
  private func split(_ packet: Packet, mtu: Int) -> [Packet] {
    let firstHeader = Array(packet.bytes[..<packet.headerLength])
    let laterHeader = copiedHeader(firstHeader)
    let payload = Array(packet.payload)
    var pieces: [Packet] = []
    var start = 0
    while start < payload.count {
      let header = start == 0 ? firstHeader : laterHeader
      var end = payload.count
      if header.count + payload.count - start > mtu { end = start + max(8, (mtu - header.count) / 8 * 8) }
      let isLast = end == payload.count
      var piece = Packet(bytes: header + payload[start..<end])
      setWord(&piece.bytes, 2, UInt16(piece.bytes.count))
      let more: UInt16 = !isLast || packet.moreFragments ? 0x2000 : 0
      setWord(&piece.bytes, 6, more | UInt16((packet.fragmentOffset + start) / 8))
      piece.fixHeaderChecksum()
      pieces.append(piece)
      start = end
    }
    return pieces
  }

  private func copiedHeader(_ header: [UInt8]) -> [UInt8] {
    var copied = Array(header[..<20])
    var place = 20
    while place < header.count, header[place] != 0 {
      if header[place] == 1 {
        place += 1
        continue
      }
      let option = header[place..<place + Int(header[place + 1])]
      if header[place] & 0x80 != 0 { copied += option }
      place += option.count
    }
    while copied.count % 4 != 0 { copied.append(0) }
    copied[0] = 0x40 | UInt8(copied.count / 4)
    return copied
  }
}

// MARK: Without translation

extension ReferenceNAT {
  /// Whether a packet is forwarded without translation and without state, fragments too (FW2, FW3, FW5): inside to
  /// inside, and `exempt` both ways.
  func goesUntranslated(_ packet: Packet, on side: ReferenceSide) -> Bool {
    if isPublic(packet.destination) { return false }
    switch side {
    case .inside:
      return isExempt(packet.destination) || isInside(packet.destination)
        || route(to: packet.destination)?.side == .inside
    case .outside:
      guard isInside(packet.destination) else { return false }
      if isExempt(packet.source) { return true }
      // An ICMP error to an inside host that quotes an exempt destination.
      guard packet.transport == Transport.icmp, !packet.isFragment,
        ICMPType.passingErrors.contains(packet.icmpType), let quote = Quote(of: packet)
      else { return false }
      return quote.source == packet.destination && isExempt(quote.destination)
    }
  }

  mutating func forwardUntranslated(_ packet: Packet, from side: ReferenceSide) {
    switch egress(packet, to: packet.destination, from: side) {
    case .refused(let reason): drop(reason)
    case .open(let route):
      let passage = Passage(source: packet.source, destination: packet.destination, route: route)
      emit(packet, passage: passage, original: packet, from: side)
    }
  }
}

// MARK: MSS

extension ReferenceNAT {
  /// `mss-clamp` (TCP20, TCP21, CS8): every translated SYN and SYN-ACK.
  func clampMSS(_ packet: inout Packet) {
    guard packet.flow == .tcp, packet.tcpFlags.contains(.syn) else { return }
    let limit: Int
    switch settings.mssClamp {
    case .off: return
    case .limit(let number): limit = number
    case .auto: limit = min(settings.inside.mtu, settings.outside.mtu) - 40
    }
    for option in tcpOptions(packet) where option.kind == 2 && option.length == 4 {
      guard Int(word(packet.bytes, option.place + 2)) > limit else { continue }
      // The value may lie across two words of the sum.
      let value = option.place + 2
      let first = value - (value - packet.headerLength) % 2
      let covered = [first, first + 2].filter { $0 < value + 2 }
      let old = covered.map { word(packet.bytes, $0) }
      setWord(&packet.bytes, value, UInt16(limit))
      let new = covered.map { word(packet.bytes, $0) }
      packet.carryIntoTransportChecksum(from: old, to: new)
      return
    }
  }
}

/// The options of a TCP header. A length below 2 or beyond the header ends the list (TCP21).
func tcpOptions(_ packet: Packet) -> [(kind: UInt8, place: Int, length: Int)] {
  var options: [(kind: UInt8, place: Int, length: Int)] = []
  let end = packet.headerLength + packet.tcpHeaderLength
  var place = packet.headerLength + 20
  while place < end, packet.bytes[place] != 0 {
    if packet.bytes[place] == 1 {
      place += 1
      continue
    }
    guard place + 1 < end else { break }
    let length = Int(packet.bytes[place + 1])
    if length < 2 || place + length > end { break }
    options.append((packet.bytes[place], place, length))
    place += length
  }
  return options
}
