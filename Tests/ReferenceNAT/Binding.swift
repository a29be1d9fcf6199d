// Bindings and sessions: finding, making, ending.

/// An endpoint of one protocol.
struct FlowEnd: Hashable {
  let flow: ReferenceProtocol
  let end: ReferenceEndpoint
}

/// A private endpoint of one protocol, and its public endpoint.
struct Binding {
  enum Kind { case dynamic, forward, oneToOne }

  let number: Int
  let flow: ReferenceProtocol
  let kind: Kind
  let privateEnd: ReferenceEndpoint
  let publicEnd: ReferenceEndpoint
  /// Nil for a forward of the first configuration.
  let made: UInt64?
  var remotes: Set<ReferenceEndpoint> = []

  // Port forwards alone.
  var rule: ReferenceSettings.Static?
  /// A one-shot forward has had its session.
  var isUsed = false
  /// At this very instant the forward is still in force; nil: for ever, or its lifetime has not begun.
  var expires: UInt64?

  var isStatic: Bool { kind != .dynamic }
}

/// PA11: a released port is not given to another host before `until`.
struct HoldDown {
  let port: FlowEnd
  let host: ReferenceAddress
  let until: UInt64
}

/// The live binding or the rule to which an endpoint belongs.
enum Owner {
  case binding(Binding)
  /// A 1:1 mapping without a session on that port yet.
  case oneToOne(private: ReferenceEndpoint, public: ReferenceEndpoint)
  case nobody
}

// MARK: Finding

extension ReferenceNAT {
  /// In the order of the file. A forward that a reload adds stands behind the others.
  var forwards: [Binding] {
    forwardNumbers.compactMap { bindings[$0] }
  }

  /// The owner of a private endpoint, for a packet towards `remote`. The binding that has the session goes first.
  /// Without a session: the first forward that takes the packet, then the 1:1 mapping or the dynamic binding (ST-4:
  /// the most specific rule wins).
  func owner(
    private privateEnd: ReferenceEndpoint, _ flow: ReferenceProtocol, towards remote: ReferenceEndpoint
  ) -> Owner {
    let candidates = forwards.filter { $0.flow == flow && $0.privateEnd == privateEnd }
    let other = byPrivateEnd[FlowEnd(flow: flow, end: privateEnd)].flatMap { bindings[$0] }
    let all = candidates + (other.map { [$0] } ?? [])
    if let binding = all.first(where: { $0.remotes.contains(remote) }) { return .binding(binding) }
    if let forward = candidates.first(where: { takesFromInside($0, towards: remote) }) {
      return .binding(forward)
    }
    if let other { return .binding(other) }
    if let rule = oneToOne(private: privateEnd.address) {
      return .oneToOne(
        private: privateEnd, public: ReferenceEndpoint(rule.publicAddress, privateEnd.port))
    }
    return .nobody
  }

  /// The owner of a public endpoint: a forward first, as the more specific.
  /// - sender: who sends, as sessions know it; nil for an inside host whose public endpoint is not chosen yet.
  func owner(
    public publicEnd: ReferenceEndpoint, _ flow: ReferenceProtocol, from sender: ReferenceEndpoint?,
    isOutside: Bool
  ) -> Owner {
    let wider = ownerWithoutForwards(public: publicEnd, flow)
    guard let forward = forwards.first(where: { $0.flow == flow && $0.publicEnd == publicEnd }) else {
      return wider
    }
    if let sender, forward.remotes.contains(sender) { return .binding(forward) }
    // A session over the 1:1 mapping goes before a forward that does not take every session.
    if forward.rule?.terms != ReferenceSettings.Terms(), let sender,
      session(of: wider, towards: sender) != nil
    {
      return wider
    }
    return takesFromOutside(forward, from: isOutside ? sender : nil) ? .binding(forward) : wider
  }

  /// The dynamic binding or the 1:1 mapping of a public endpoint.
  func ownerWithoutForwards(public publicEnd: ReferenceEndpoint, _ flow: ReferenceProtocol) -> Owner {
    if let number = byPublicEnd[FlowEnd(flow: flow, end: publicEnd)], let binding = bindings[number] {
      return .binding(binding)
    }
    if let rule = oneToOne(public: publicEnd.address) {
      return .oneToOne(
        private: ReferenceEndpoint(rule.privateAddress, publicEnd.port), public: publicEnd)
    }
    return .nobody
  }

  func oneToOne(private address: ReferenceAddress) -> ReferenceSettings.Static? {
    settings.statics.first { $0.publicPort == nil && $0.privateAddress == address }
  }

  func oneToOne(public address: ReferenceAddress) -> ReferenceSettings.Static? {
    settings.statics.first { $0.publicPort == nil && $0.publicAddress == address }
  }

  func session(of owner: Owner, towards remote: ReferenceEndpoint) -> Session? {
    guard case .binding(let binding) = owner else { return nil }
    return sessions[SessionKey(binding: binding.number, remote: remote)]
  }
}

// MARK: Making

extension ReferenceNAT {
  mutating func makeBinding(
    _ flow: ReferenceProtocol, _ kind: Binding.Kind, private privateEnd: ReferenceEndpoint,
    public publicEnd: ReferenceEndpoint
  ) -> Int {
    lastBindingNumber += 1
    let number = lastBindingNumber
    bindings[number] = Binding(
      number: number, flow: flow, kind: kind, privateEnd: privateEnd, publicEnd: publicEnd, made: now)
    byPrivateEnd[FlowEnd(flow: flow, end: privateEnd)] = number
    byPublicEnd[FlowEnd(flow: flow, end: publicEnd)] = number
    if kind == .dynamic {
      events.bindingsCreated += 1
      holdDowns.removeAll { $0.port == FlowEnd(flow: flow, end: publicEnd) }
      // Row "several pool addresses": a host counts where its first binding was made.
      if poolAddressOfHost[privateEnd.address] == nil {
        poolAddressOfHost[privateEnd.address] = publicEnd.address
      }
    }
    return number
  }

  /// Makes a session; `destinationPort` is that of the packet that makes it, before translation.
  mutating func makeSession(
    _ key: SessionKey, _ flow: ReferenceProtocol, opener: Direction, destinationPort: UInt16, hairpin: Bool,
    state: ReferenceState
  ) {
    let lifetimes = settings.lifetimes
    var session = Session(
      key: key, flow: flow, hairpin: hairpin,
      portLifetime: flow == .icmp
        ? nil : lifetimes.ports[ReferenceSettings.PortKey(flow, destinationPort)],
      state: state, lastPassed: now)
    session.opener = opener
    session.restart(lifetimes, at: now)
    sessions[key] = session
    if session.isTransitory { transitory.append(key) }
    bindings[key.binding]?.remotes.insert(key.remote)
    useForward(key.binding)
    countNewSession(of: key)
    earliestDue = min(earliestDue, session.due)
    events.sessionsCreated += 1
  }

  /// One passing packet on its session: counters, both stamps, TCP state.
  mutating func pass(_ packet: Packet, on key: SessionKey, _ direction: Direction) {
    guard var session = sessions[key] else { return }
    session.count(packet, direction, at: now)
    let isReset = session.flow == .tcp && packet.tcpFlags.contains(.rst)
    if direction == .outbound && !isReset { session.usedByInside = true }
    switch session.flow {
    case .tcp:
      let before = session.state
      defer {
        if session.state != before {
          transitory.removeAll { $0 == key }
          if session.isTransitory { transitory.append(key) }
        }
      }
      if session.advance(packet.tcpFlags, direction, settings, at: now) {
        events.sessionsExpired += 1
        events.sessionsCreated += 1
      }
      if settings.windowTracking { session.windows.learn(Segment(packet), direction) }
    case .icmp, .udp:
      // UT2, UT3, D5.
      let refreshes =
        switch settings.inboundRefresh {
        case .off: direction == .outbound
        case .peers: direction == .outbound || session.packetsOut > 0
        case .all: true
        }
      if refreshes { session.restart(settings.lifetimes, at: now) }
    }
    sessions[key] = session
    earliestDue = min(earliestDue, session.due)
  }
}

// MARK: Ending

extension ReferenceNAT {
  /// Ends every session that was due before `instant`, each at its own due time.
  mutating func endDueSessions(before instant: UInt64) {
    guard earliestDue < instant else { return }
    let due = sessions.values.filter { $0.due < instant }.sorted { $0.due < $1.due }
    for session in due { endSession(session.key, at: session.due) }
    earliestDue = sessions.values.map(\.due).min() ?? .max
  }

  /// Ends one session, and its binding where the page says so.
  mutating func endSession(_ key: SessionKey, at instant: UInt64) {
    guard removeSession(key) else { return }
    bindings[key.binding]?.remotes.remove(key.remote)
    guard let binding = bindings[key.binding] else { return }
    switch binding.kind {
    case .forward: endForwardIfUsed(binding)
    case .oneToOne: if binding.remotes.isEmpty { forget(binding) }
    case .dynamic:
      // Row "a binding ends": with its last session that the inside host used.
      let left = binding.remotes.map { SessionKey(binding: binding.number, remote: $0) }
      if left.contains(where: { sessions[$0]?.usedByInside == true }) { return }
      end(binding, at: instant)
    }
  }

  /// Ends a binding with all its sessions.
  mutating func end(_ binding: Binding, at instant: UInt64) {
    let remotes = bindings[binding.number]?.remotes ?? []
    for remote in remotes { _ = removeSession(SessionKey(binding: binding.number, remote: remote)) }
    forget(binding)
    if binding.kind == .dynamic { release(binding, at: instant) }
  }

  private mutating func removeSession(_ key: SessionKey) -> Bool {
    guard sessions.removeValue(forKey: key) != nil else { return false }
    transitory.removeAll { $0 == key }
    events.sessionsExpired += 1
    if let binding = bindings[key.binding] { forgetPace(of: binding.privateEnd.address) }
    return true
  }

  private mutating func forget(_ binding: Binding) {
    bindings[binding.number] = nil
    if binding.kind == .forward {
      forwardNumbers.removeAll { $0 == binding.number }
      return choosePoolPorts()
    }
    byPrivateEnd[FlowEnd(flow: binding.flow, end: binding.privateEnd)] = nil
    byPublicEnd[FlowEnd(flow: binding.flow, end: binding.publicEnd)] = nil
  }

  /// The port is in hold-down from the binding's end, and a host without a dynamic binding has no address any more.
  /// After `port-rest` became shorter, a port is not free before those that were released earlier.
  private mutating func release(_ binding: Binding, at instant: UInt64) {
    let host = binding.privateEnd.address
    let until = instant + settings.portRest
    if settings.portRest > 0 {
      holdDowns.append(
        HoldDown(
          port: FlowEnd(flow: binding.flow, end: binding.publicEnd), host: host,
          until: max(until, holdDowns.last?.until ?? 0)))
    }
    if !bindings.values.contains(where: { $0.kind == .dynamic && $0.privateEnd.address == host }) {
      poolAddressOfHost[host] = nil
    }
    forgetPace(of: host)
  }
}
