// Datagrams that come in fragments: they are translated fragment by fragment, never put together.

/// Row "datagram": side, source, destination, identification, protocol.
struct DatagramKey: Hashable {
  let side: ReferenceSide
  let source: ReferenceAddress
  let destination: ReferenceAddress
  let identification: UInt16
  let transport: UInt8
}

/// A datagram from its first arrival until it is complete or its time is over.
struct Datagram {
  struct Piece: Equatable {
    let start: Int
    let end: Int
    let isLast: Bool
  }

  let opened: UInt64
  var pieces: [Piece] = []
  var held: [Packet] = []
  var isDead = false
  /// What the first fragment decided, once it has passed.
  var passage: Passage?

  var knownEnd: Int? { pieces.first { $0.isLast }?.end }

  /// The same offset and length again, with MF set or as the known last one.
  func repeats(_ piece: Piece) -> Bool {
    pieces.contains {
      $0.start == piece.start && $0.end == piece.end && (!piece.isLast || $0.isLast)
    }
  }

  /// Any other overlap, or a contradiction about the end.
  func contradicts(_ piece: Piece) -> Bool {
    if pieces.contains(where: { $0.start == piece.start && $0.end == piece.end }) { return true }
    if pieces.contains(where: { $0.start < piece.end && piece.start < $0.end }) { return true }
    if let knownEnd { return piece.isLast || piece.end > knownEnd }
    return piece.isLast && pieces.contains { $0.end > piece.end }
  }

  var isComplete: Bool {
    guard let knownEnd else { return false }
    var reached = 0
    for piece in pieces.sorted(by: { $0.start < $1.start }) where piece.start == reached {
      reached = piece.end
    }
    return reached == knownEnd
  }
}

/// An outgoing identification that was given to a datagram.
struct IdentificationGrant {
  let source: ReferenceAddress
  let destination: ReferenceAddress
  let transport: UInt8
  let identification: UInt16
  let host: ReferenceAddress
  let original: UInt16
  var given: UInt64
}

extension ReferenceNAT {
  mutating func receiveFragment(_ packet: Packet, on side: ReferenceSide) {
    if side == .outside && !isPublic(packet.destination) { return drop(.noBinding) }
    let key = DatagramKey(
      side: side, source: packet.source, destination: packet.destination,
      identification: packet.identification, transport: packet.transport)
    if datagrams[key] == nil {
      if datagrams.count >= settings.fragmentDatagrams { return drop(.fragmentDatagramLimit) }
      datagrams[key] = Datagram(opened: now)
    }
    guard var datagram = datagrams[key] else { return }
    if datagram.isDead { return drop(.fragmentOfDeadDatagram) }
    let piece = Datagram.Piece(
      start: packet.fragmentOffset, end: packet.fragmentOffset + packet.payload.count,
      isLast: !packet.moreFragments)
    // FR6.
    if datagram.repeats(piece) { return drop(.fragmentDuplicate) }
    if datagram.contradicts(piece) { return kill(key, with: .fragmentOfDeadDatagram) }

    if !packet.isLaterFragment {
      switch translate(packet, from: side) {
      case .drop(let reason): return kill(key, with: reason)
      case .pass(let translated, var passage):
        passage.identification = grantIdentification(
          host: packet.source, original: packet.identification, source: passage.source,
          destination: passage.destination, transport: packet.transport)
        datagram.passage = passage
        datagram.pieces.append(piece)
        emit(translated, passage: passage, original: packet, from: side)
        // Those that waited leave at once in order of offset.
        for later in datagram.held.sorted(by: { $0.fragmentOffset < $1.fragmentOffset }) {
          forwardLater(later, passage, from: side)
        }
        datagram.held = []
      }
    } else if let passage = datagram.passage {
      if !stillPasses(passage, packet, from: side) { return drop(.fragmentOfDeadDatagram) }
      datagram.pieces.append(piece)
      forwardLater(packet, passage, from: side)
    } else {
      // FR3, FR9.
      let heldBytes = datagrams.values.flatMap(\.held).reduce(0) { $0 + $1.totalLength }
      if heldBytes + packet.totalLength > settings.fragmentMemory { return drop(.fragmentMemoryLimit) }
      datagram.pieces.append(piece)
      datagram.held.append(packet)
    }
    // Forgotten when complete.
    datagrams[key] = datagram.isComplete ? nil : datagram
  }

  /// Marks the datagram dead. Drops this fragment for `reason`, and all held ones.
  private mutating func kill(_ key: DatagramKey, with reason: ReferenceDrop) {
    drop(reason)
    for _ in datagrams[key]?.held ?? [] { drop(.fragmentOfDeadDatagram) }
    datagrams[key]?.held = []
    datagrams[key]?.isDead = true
  }

  /// RC1: whether the addresses under which the first fragment passed are still ours after a reload.
  private func stillPasses(_ passage: Passage, _ packet: Packet, from side: ReferenceSide) -> Bool {
    if side == .inside && !isPublic(passage.source) { return false }
    let leaves = side == .inside && passage.route.side == .outside
    return leaves || isPublic(packet.destination)
  }

  /// A later fragment follows the first one. If TTL or MTU refuse it, it is dropped alone. It adds packets, bytes and
  /// idle time to the sessions, restarts no lifetime and moves no state.
  private mutating func forwardLater(_ packet: Packet, _ passage: Passage, from side: ReferenceSide) {
    if case .refused(let reason) = egress(packet, by: passage.route, from: side) { return drop(reason) }
    for (key, direction) in passage.counted { sessions[key]?.count(packet, direction, at: now) }
    var translated = packet
    translated.rewriteAddresses(source: passage.source, destination: passage.destination)
    emit(translated, passage: passage, original: packet, from: side)
  }

  /// Dies at `lifetimes.fragment` after its first arrival, without 11/1 (FR8).
  mutating func endDueDatagrams() {
    for (key, datagram) in datagrams where datagram.opened + settings.lifetimes.fragment < now {
      for _ in datagram.held { drop(.fragmentTimeout) }
      datagrams[key] = nil
    }
  }

  /// Row "identification" (FR4, FR5): the sender's own unless another (host, original identification) was given
  /// it within `lifetimes.fragment` for the same translated source, destination and protocol, else the next one
  /// free.
  mutating func grantIdentification(
    host: ReferenceAddress, original: UInt16, source: ReferenceAddress, destination: ReferenceAddress,
    transport: UInt8
  ) -> UInt16 {
    let rivals = identifications.filter {
      $0.source == source && $0.destination == destination && $0.transport == transport
        && ($0.host != host || $0.original != original)
    }
    let taken = Set(rivals.map(\.identification))
    var identification = original
    // With all 65,536 given to others the sender keeps its own.
    for _ in 0..<65536 where taken.contains(identification) { identification &+= 1 }
    identifications.removeAll {
      $0.source == source && $0.destination == destination && $0.transport == transport && $0.host == host
        && $0.original == original && $0.identification == identification
    }
    identifications.append(
      IdentificationGrant(
        source: source, destination: destination, transport: transport, identification: identification,
        host: host, original: original, given: now))
    return identification
  }
}
