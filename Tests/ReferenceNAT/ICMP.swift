// Packets for the gateway itself, and the ICMP that it writes: echo replies and errors.

/// A bucket of ICMP errors. It holds one second's worth and refills all the time.
struct Bucket {
  /// One error in the unit of the level, so that a nanosecond adds as many units as the rate per second.
  static let oneError: UInt64 = 1_000_000_000

  var level: UInt64
  var at: UInt64

  mutating func take(at now: UInt64, rate: UInt64) -> Bool {
    let full = rate * Bucket.oneError
    let elapsed = now - at
    level = elapsed >= 1_000_000_000 ? full : min(full, level + elapsed * rate)
    at = now
    guard level >= Bucket.oneError else { return false }
    level -= Bucket.oneError
    return true
  }
}

// MARK: The gateway's own traffic

extension ReferenceNAT {
  /// Row "echo request": from inside an echo request is answered, all else for the inside address is dropped,
  /// from outside all of it.
  mutating func receiveForInsideAddress(_ packet: Packet, on side: ReferenceSide) {
    guard side == .inside, packet.isEchoRequest, !packet.isFragment else { return drop(.toGateway) }
    answerEcho(packet)
  }

  /// Whether a static mapping takes an echo request to a public address: 1:1, or a forward of its identifier.
  /// Queries from inside hairpin over 1:1 mappings only, so no forward takes those.
  func staticTakesEcho(_ packet: Packet, on side: ReferenceSide) -> Bool {
    oneToOne(public: packet.destination) != nil
      || side == .outside
        && forwards.contains { $0.flow == .icmp && $0.publicEnd == packet.receiverEnd(.icmp) }
  }

  /// Row "echo replies the gateway writes": code 0, TOS and payload of the request, no options, TTL 64, DF,
  /// identification 0.
  mutating func answerEcho(_ request: Packet) {
    if !request.icmpChecksumIsRight { return drop(.badEchoChecksum) }
    // An echo request whose answer has no route is no drop.
    guard let route = route(to: request.source) else { return }
    var message = Array(request.payload)
    message[0] = ICMPType.echoReply
    message[1] = 0
    let reply = ownPacket(
      from: request.destination, to: request.source, typeOfService: request.typeOfService, message: message)
    send(reply, by: route, at: now)
  }

  /// An ICMP packet of the gateway's own, with both checksums.
  private func ownPacket(
    from source: ReferenceAddress, to destination: ReferenceAddress, typeOfService: UInt8, message: [UInt8]
  ) -> Packet {
    var header = [UInt8](repeating: 0, count: 20)
    header[0] = 0x45
    header[1] = typeOfService
    setWord(&header, 2, UInt16(20 + message.count))
    setWord(&header, 6, 0x4000)
    header[8] = 64
    header[9] = Transport.icmp
    setAddress(&header, 12, source)
    setAddress(&header, 16, destination)
    var packet = Packet(bytes: header + message)
    packet.fixICMPChecksum()
    packet.fixHeaderChecksum()
    return packet
  }
}

// MARK: Errors

extension ReferenceNAT {
  /// Row "errors the gateway writes": quoting the packet as it came, up to 576 bytes in all.
  /// - field: the last four bytes of the ICMP header, as the MTU of 3/4.
  mutating func sendError(
    type: UInt8, code: UInt8, field: UInt32 = 0, about packet: Packet, at instant: UInt64? = nil
  ) {
    let instant = instant ?? now
    // Never about ICMP other than a query, nor about a later fragment. Broadcasts were dropped earlier.
    if packet.isLaterFragment { return }
    if packet.flow == .icmp && !ICMPType.queries.contains(packet.icmpType) { return }
    // An error without a route takes nothing from the bucket.
    guard let route = route(to: packet.source) else { return }
    guard
      buckets[route.side, default: Bucket(level: 0, at: 0)]
        .take(at: instant, rate: settings.icmpErrorsPerSecond)
    else {
      events.icmpErrorsSuppressed += 1
      return
    }
    var message: [UInt8] = [type, code, 0, 0, 0, 0, 0, 0]
    setWord(&message, 4, UInt16(field >> 16))
    setWord(&message, 6, UInt16(field & 0xFFFF))
    message += packet.bytes.prefix(576 - 28)
    let error = ownPacket(
      from: settings.interface(route.side).address, to: packet.source, typeOfService: 0xC0, message: message)
    send(error, by: route, at: instant)
  }

  /// Rows "limits" and "exhaustion": one answer a host in any second after the last one, all causes together;
  /// the second begins when an answer is due, whether or not the budget lets it out.
  mutating func answerRefusal(_ packet: Packet) {
    let code: UInt8
    switch settings.exhaustion {
    case .silent: return
    case .prohibited: code = 13
    case .hostUnreachable: code = 1
    }
    if let last = lastRefusalAnswer[packet.source], now - last < 1_000_000_000 { return }
    lastRefusalAnswer[packet.source] = now
    sendError(type: 3, code: code, about: packet)
  }
}

// MARK: Unsolicited SYN

/// TCP16: a SYN from outside that the filter refused. It waits for its answer.
struct WaitingSYN {
  let publicEnd: ReferenceEndpoint
  let remote: ReferenceEndpoint
  let due: UInt64
  let packet: Packet
}

extension ReferenceNAT {
  /// One waits for each pair of public and remote endpoint; repetitions change nothing.
  mutating func awaitInsideSYN(
    _ packet: Packet, publicEnd: ReferenceEndpoint, remote: ReferenceEndpoint
  ) {
    guard settings.unsolicitedSYN == .answer, waitingSYNs.count < settings.unsolicitedSYNLimit else { return }
    if waitingSYNs.contains(where: { $0.publicEnd == publicEnd && $0.remote == remote }) { return }
    waitingSYNs.append(
      WaitingSYN(publicEnd: publicEnd, remote: remote, due: now + 6_000_000_000, packet: packet))
  }

  /// Any passing outbound SYN on that pair cancels.
  mutating func cancelWaitingSYN(publicEnd: ReferenceEndpoint, remote: ReferenceEndpoint) {
    waitingSYNs.removeAll { $0.publicEnd == publicEnd && $0.remote == remote }
  }

  /// The answer goes out before the packet of its instant, stamped with its due time. They wait in the order
  /// of their due times.
  mutating func answerWaitingSYNs() {
    while let first = waitingSYNs.first, first.due <= now {
      waitingSYNs.removeFirst()
      sendError(type: 3, code: 3, about: first.packet, at: first.due)
    }
  }
}
