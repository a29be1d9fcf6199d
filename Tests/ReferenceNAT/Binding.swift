// What is remembered of bindings, and how it ends.

/// An endpoint of one protocol.
struct FlowEnd: Hashable {
  let flow: ReferenceProtocol
  let end: ReferenceEndpoint
}

/// Protocol and private endpoint to public endpoint.
struct Binding {
  enum Kind { case dynamic, forward, oneToOne }

  let number: Int
  let flow: ReferenceProtocol
  let kind: Kind
  let privateEnd: ReferenceEndpoint
  let publicEnd: ReferenceEndpoint
  let made: UInt64
  var remotes: Set<ReferenceEndpoint> = []

  var isStatic: Bool { kind != .dynamic }
}

/// PA11: a released port is not given to another host before `until`.
struct Rest {
  let host: ReferenceAddress
  let until: UInt64
}

/// Who answers for an endpoint, live binding or rule.
enum Owner {
  case binding(Binding)
  /// A 1:1 mapping without a session on that port yet.
  case oneToOne(private: ReferenceEndpoint, public: ReferenceEndpoint)
  case nobody
}

// MARK: Finding

extension ReferenceNAT {
  /// In the order of the file.
  var forwards: [Binding] {
    forwardNumbers.compactMap { bindings[$0] }
  }

  /// The owner of a private endpoint, for a packet towards `remote`. Of two forwards of one private endpoint, and of
  /// a 1:1 mapping behind them, the one that has the session; else the first forward in the file (ST-4: the most
  /// specific rule wins).
  func owner(
    private privateEnd: ReferenceEndpoint, _ flow: ReferenceProtocol, towards remote: ReferenceEndpoint
  ) -> Owner {
    let candidates = forwards.filter { $0.flow == flow && $0.privateEnd == privateEnd }
    if let forward = candidates.first(where: { $0.remotes.contains(remote) }) { return .binding(forward) }
    if let number = byPrivateEnd[FlowEnd(flow: flow, end: privateEnd)], let binding = bindings[number],
      candidates.isEmpty || binding.remotes.contains(remote)
    {
      return .binding(binding)
    }
    if let forward = candidates.first { return .binding(forward) }
    if let rule = oneToOne(private: privateEnd.address) {
      return .oneToOne(
        private: privateEnd, public: ReferenceEndpoint(rule.publicAddress, privateEnd.port))
    }
    return .nobody
  }

  /// The owner of a public endpoint: forwards first, as the more specific.
  func owner(
    public publicEnd: ReferenceEndpoint, _ flow: ReferenceProtocol, forwardsToo: Bool = true
  ) -> Owner {
    if forwardsToo, let forward = forwards.first(where: { $0.flow == flow && $0.publicEnd == publicEnd }) {
      return .binding(forward)
    }
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
      resting[FlowEnd(flow: flow, end: publicEnd)] = nil
      // Row "several pool addresses": a host counts where its first binding was made.
      if poolPlaceOfHost[privateEnd.address] == nil {
        poolPlaceOfHost[privateEnd.address] = settings.pool.firstIndex { $0.address == publicEnd.address }
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
    let ordinary: UInt64
    switch flow {
    case .icmp: ordinary = lifetimes.icmp
    case .tcp: ordinary = lifetimes.tcpEstablished
    case .udp: ordinary = lifetimes.udp
    }
    let ofPort =
      flow == .icmp ? nil : lifetimes.ports[ReferenceSettings.PortKey(flow, destinationPort)]
    var session = Session(
      key: key, flow: flow, hairpin: hairpin, longLifetime: ofPort ?? ordinary,
      transitoryLifetime: lifetimes.tcpTransitory, state: state, lastPassed: now, clockStarted: now)
    session.opener = opener
    sessions[key] = session
    if session.isTransitory { transitory.append(key) }
    bindings[key.binding]?.remotes.insert(key.remote)
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
      if session.advance(packet.tcpFlags, direction, afterReset: settings.afterReset, at: now) {
        events.sessionsExpired += 1
        events.sessionsCreated += 1
      }
    case .icmp, .udp:
      // UT2, UT3.
      if direction == .outbound || settings.inboundRefresh { session.clockStarted = now }
    }
    sessions[key] = session
    earliestDue = min(earliestDue, session.due)
  }
}

// MARK: Ending

extension ReferenceNAT {
  /// Ends every session whose time was over before now, each at its own due time.
  mutating func endDueSessions() {
    guard earliestDue < now else { return }
    let due = sessions.values.filter { $0.due < now }.sorted { $0.due < $1.due }
    for session in due { endSession(session.key, at: session.due) }
    earliestDue = sessions.values.map(\.due).min() ?? .max
  }

  /// Ends one session, and its binding where the page says so.
  mutating func endSession(_ key: SessionKey, at instant: UInt64) {
    guard removeSession(key) else { return }
    bindings[key.binding]?.remotes.remove(key.remote)
    guard let binding = bindings[key.binding] else { return }
    switch binding.kind {
    case .forward: break
    case .oneToOne: if binding.remotes.isEmpty { forget(binding) }
    case .dynamic:
      // Row "a binding ends": with its last session that the inside host used.
      let left = binding.remotes.map { SessionKey(binding: binding.number, remote: $0) }
      if left.contains(where: { sessions[$0]?.usedByInside == true }) { return }
      for key in left { _ = removeSession(key) }
      forget(binding)
      release(binding, at: instant)
    }
  }

  private mutating func removeSession(_ key: SessionKey) -> Bool {
    guard sessions.removeValue(forKey: key) != nil else { return false }
    transitory.removeAll { $0 == key }
    events.sessionsExpired += 1
    return true
  }

  private mutating func forget(_ binding: Binding) {
    bindings[binding.number] = nil
    byPrivateEnd[FlowEnd(flow: binding.flow, end: binding.privateEnd)] = nil
    byPublicEnd[FlowEnd(flow: binding.flow, end: binding.publicEnd)] = nil
  }

  /// The port rests from the binding's end, and a host without a dynamic binding has no address any more.
  private mutating func release(_ binding: Binding, at instant: UInt64) {
    let host = binding.privateEnd.address
    let until = instant + settings.portRest
    if now < until {
      resting[FlowEnd(flow: binding.flow, end: binding.publicEnd)] = Rest(host: host, until: until)
    }
    if !bindings.values.contains(where: { $0.kind == .dynamic && $0.privateEnd.address == host }) {
      poolPlaceOfHost[host] = nil
    }
  }
}
