public import NATTable
public import NATWire

extension Translator {
  /// Counts an outbound packet on its session.
  /// - Returns: its public endpoint.
  @inlinable @inline(__always)
  public mutating func commitOutbound(_ hit: Hit, _ packet: Packet, at now: Instant) -> Endpoint {
    useOutbound(hit.session, packet, at: now)
    return shard.bindings.publicEndpoint(of: hit.binding)
  }

  /// Counts an inbound packet on its session.
  /// - Returns: its private endpoint.
  @inlinable @inline(__always)
  public mutating func commitInbound(_ hit: Hit, _ packet: Packet, at now: Instant) -> Endpoint {
    useInbound(hit.session, packet, at: now)
    return shard.bindings.privateEndpoint(of: hit.binding)
  }

  /// A packet that the inside host sent over `session`.
  @inlinable @inline(__always)
  mutating func useOutbound(_ session: SessionIndex, _ packet: Packet, at now: Instant) {
    shard.countOut(session, bytes: packet.totalLength, at: now)
    if packet.kind == .tcp {
      shard.track(session, packet.tcpFlags, from: .inside, at: now, resetIsFinal: settings.resetIsFinal)
    } else {
      shard.restart(session, at: now)
    }
    if !shard.sessions.flags(of: session).contains(.insideUsed), !packet.tcpFlags.contains(.rst) {
      shard.markInsideUsed(session)
    }
  }

  /// A packet that goes to the inside host over `session`.
  @inlinable @inline(__always)
  mutating func useInbound(_ session: SessionIndex, _ packet: Packet, at now: Instant) {
    shard.countIn(session, bytes: packet.totalLength, at: now)
    if packet.kind == .tcp {
      shard.track(session, packet.tcpFlags, from: .outside, at: now, resetIsFinal: settings.resetIsFinal)
    } else if isRefreshedInbound(session) {
      shard.restart(session, at: now)
    }
  }

  /// Whether an inbound packet restarts the timeout of a UDP or ICMP session (RFC 4787 REQ-6).
  @inlinable @inline(__always) func isRefreshedInbound(_ session: SessionIndex) -> Bool {
    switch settings.inboundRefresh {
    case .off: false
    case .peers: shard.sessions.flags(of: session).contains(.insideUsed)
    case .all: true
    }
  }

  /// The most sessions that may end for one packet. A packet never needs as many.
  private static let mostEvictions = 8

  /// The slow path: makes missing bindings and sessions, counts the packet on its sessions, and returns the
  /// rewrite.
  ///
  /// Limits and ports are checked for everything that the packet needs before anything is made: a refusal
  /// leaves no trace.
  @inline(never)
  public mutating func commit(_ resolution: Resolution, _ packet: Packet, at now: Instant) -> CommitOutcome {
    var resolution = resolution
    var chosen: BindingIndex?
    var evicted = 0
    while let refusal = settle(&resolution, &chosen, packet, at: now) {
      guard evicted < Translator.mostEvictions, let shortage = refusal.shortage,
        shard.evict(for: shortage, keeping: resolution.kept, at: now)
      else { return .drop(refusal.reason) }
      evicted += 1
    }
    var commitment = Commitment(
      rewrite: Rewrite(
        source: Endpoint(packet.source, packet.sourcePort),
        destination: Endpoint(packet.destination, packet.destinationPort)))

    if let sender = resolution.sender {
      guard let binding = makeBinding(sender, chosen, at: now) else { return .drop(.bindingLimit) }
      commitment.rewrite.source = shard.bindings.publicEndpoint(of: binding)
      guard
        let session = makeSession(
          sender, binding, packet, from: .inside, isHairpin: resolution.receiver != nil, at: now)
      else { return .drop(.sessionLimit) }
      useOutbound(session, packet, at: now)
      learnWindow(session, packet, from: .inside)
      commitment.sender = session
    }
    if var receiver = resolution.receiver {
      if resolution.sender != nil {
        let source = commitment.rewrite.source
        receiver.remote = Translator.remote(receiver.transport, source.address, source.port)
      }
      guard let binding = makeBinding(receiver, nil, at: now) else { return .drop(.bindingLimit) }
      commitment.rewrite.destination = shard.bindings.privateEndpoint(of: binding)
      // A host that sends to its own public endpoint has one session for both directions.
      receiver.session = receiver.session ?? shard.findSession(binding, remote: receiver.remote, at: now)
      guard
        let session = makeSession(
          receiver, binding, packet, from: .outside, isHairpin: resolution.sender != nil, at: now)
      else { return .drop(.sessionLimit) }
      useInbound(session, packet, at: now)
      learnWindow(session, packet, from: .outside)
      commitment.receiver = session
    }
    if resolution.sender != nil, resolution.receiver != nil { counters.count(.hairpins) }
    return .forward(commitment)
  }

  /// Checks the limits for all that the packet would make, and chooses the public endpoint of a new dynamic
  /// binding. It makes nothing.
  ///
  /// The limits of table and sender come first, so that a refused packet chooses no port. The limits of a
  /// hairpinned packet's receiver come last: whether it has a session with the sender depends on the port.
  ///
  /// - Returns: why the packet is refused, or nil.
  mutating func settle(
    _ resolution: inout Resolution, _ chosen: inout BindingIndex?, _ packet: Packet, at now: Instant
  ) -> Refusal? {
    guard let sender = resolution.sender, sender.needsPublicEndpoint else {
      return refusal(of: resolution, at: now)
    }
    let ofSender = Resolution(sender: sender, receiver: nil, destination: resolution.destination)
    if let refusal = refusal(of: ofSender, at: now) { return refusal }
    chosen = choosePublic(&resolution, packet, at: now)
    guard chosen != nil else {
      return Refusal(
        reason: .portsExhausted, shortage: .ports(sender.transport, of: sender.private.address))
    }
    return resolution.receiver == nil ? nil : refusal(of: resolution, at: now)
  }

  /// Chooses the public endpoint of the sender's new binding, and with it the receiver's session by hairpin.
  mutating func choosePublic(
    _ resolution: inout Resolution, _ packet: Packet, at now: Instant
  ) -> BindingIndex? {
    guard let sender = resolution.sender, sender.needsPublicEndpoint,
      let chosen = shard.choosePublic(sender.transport, for: sender.private, &random)
    else { return nil }
    if resolution.receiver != nil, let role = role(of: packet.destination) {
      let translated = shard.bindings.publicEndpoint(of: chosen)
      resolution.receiver = findHairpinReceiver(packet, sender.transport, role, from: translated, at: now)
    }
    return chosen
  }

  private mutating func makeBinding(_ leg: Leg, _ chosen: BindingIndex?, at now: Instant) -> BindingIndex? {
    if let binding = leg.binding { return binding }
    if let mapping = leg.mapping {
      // A host that sends to itself has already made the binding as the sender.
      return shard.findOneToOne(leg.transport, mapping, port: leg.private.port)
        ?? shard.insertOneToOne(leg.transport, mapping, port: leg.private.port, at: now)
    }
    guard let chosen, shard.insertBinding(chosen, for: leg.private, at: now) else { return nil }
    return chosen
  }

  private mutating func makeSession(
    _ leg: Leg, _ binding: BindingIndex, _ packet: Packet, from side: Side, isHairpin: Bool, at now: Instant
  ) -> SessionIndex? {
    if let session = leg.session { return session }
    let state: SessionState =
      if packet.kind != .tcp { .active } else if packet.tcpFlags.isOpening { .opened(by: side) } else {
        .established
      }
    let made = shard.insertSession(
      binding, remote: leg.remote, state: state, flags: isHairpin ? .hairpin : [],
      opener: packet.destinationPort, at: now)
    if made == nil {
      shard.endUnused(binding, at: now)
    } else if settings.sessionsPerSecond > 0 {
      shard.countPace(of: binding, perSecond: settings.sessionsPerSecond, at: now)
    }
    return made
  }

  struct Refusal {
    var reason: DropReason
    /// Nil if no eviction would help.
    var shortage: Shard.Shortage?
  }

  /// The limit that the packet would exceed with all that it would make; nil if none. The table's limits come
  /// first, then the sender's, then the receiver's.
  private func refusal(of resolution: Resolution, at now: Instant) -> Refusal? {
    let sender = resolution.sender
    let receiver = resolution.receiver
    let needsPublicEndpoint = sender?.needsPublicEndpoint ?? false
    let meetsItself = sender?.binding == receiver?.binding && sender?.private == receiver?.private
    let sent = sender != nil && sender?.session == nil ? 1 : 0
    let received = receiver != nil && receiver?.session == nil && !meetsItself ? 1 : 0
    if needsPublicEndpoint, !shard.hasRoomForBinding {
      return Refusal(reason: .bindingLimit, shortage: .bindings)
    }
    // A lowered limit may be below the present count: a packet that makes nothing passes (LIM7).
    if sent + received > 0, !shard.hasRoom(sessions: sent + received) {
      return Refusal(reason: .sessionLimit, shortage: .sessions)
    }
    if let host = sender?.private.address {
      if needsPublicEndpoint, shard.use(of: host).bindings >= settings.portsPerHost {
        return Refusal(reason: .hostPortLimit, shortage: .bindingsOfHost(host))
      }
      let more = sent + (receiver?.private.address == host ? received : 0)
      if sent > 0, shard.use(of: host).sessions + more > settings.sessionsPerHost {
        return Refusal(reason: .hostSessionLimit, shortage: .sessionsOfHost(host))
      }
      if sent > 0, isTooFast(host, sessions: more, at: now) { return Refusal(reason: .hostSessionRate) }
    }
    if let host = receiver?.private.address, received > 0,
      shard.use(of: host).sessions + received > settings.sessionsPerHost
    {
      return Refusal(reason: .hostSessionLimit, shortage: .sessionsOfHost(host))
    }
    if let host = receiver?.private.address, received > 0, isTooFast(host, sessions: received, at: now) {
      return Refusal(reason: .hostSessionRate)
    }
    return nil
  }

  private func isTooFast(_ host: IPv4Address, sessions count: Int, at now: Instant) -> Bool {
    settings.sessionsPerSecond > 0
      && !shard.isWithinPace(host, sessions: count, perSecond: settings.sessionsPerSecond, at: now)
  }
}

extension Resolution {
  /// The bindings and sessions found so far.
  var kept: Shard.Kept {
    Shard.Kept(
      bindings: (sender?.binding, receiver?.binding), sessions: (sender?.session, receiver?.session))
  }
}

extension Leg {
  /// Whether the host needs an endpoint of the pool.
  fileprivate var needsPublicEndpoint: Bool { binding == nil && mapping == nil }
}
