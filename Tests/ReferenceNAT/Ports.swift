// Port choice, pooling and limits.

extension ReferenceNAT {
  /// Row "several pool addresses": the public endpoint a new dynamic binding would get, or nil where no
  /// address that the host may use has a port.
  func chooseEnd(for privateEnd: ReferenceEndpoint, _ flow: ReferenceProtocol) -> ReferenceEndpoint? {
    let host = privateEnd.address
    let places: [Int]
    if settings.pooling == .paired, let address = poolAddressOfHost[host] {
      places = settings.pool.indices.filter { settings.pool[$0].address == address }
    } else {
      // From the fewest hosts up; ties in the order of the configuration.
      places = settings.pool.indices.sorted { (hosts(at: $0), $0) < (hosts(at: $1), $1) }
    }
    for place in places {
      if let port = choosePort(at: place, for: privateEnd, flow) {
        return ReferenceEndpoint(settings.pool[place].address, port)
      }
    }
    return nil
  }

  private func hosts(at place: Int) -> Int {
    poolAddressOfHost.values.filter { $0 == settings.pool[place].address }.count
  }

  /// Row "port preference": preserve; then same class and parity; then same class; then any in the range.
  private func choosePort(
    at place: Int, for privateEnd: ReferenceEndpoint, _ flow: ReferenceProtocol
  ) -> UInt16? {
    let address = settings.pool[place].address
    let space = spaces[place][flow] ?? []
    let wanted = privateEnd.port
    let isFree: (UInt16) -> Bool = { port in
      self.isFree(FlowEnd(flow: flow, end: ReferenceEndpoint(address, port)), for: privateEnd.address)
    }
    if settings.portChoice == .preserve && space.contains(wanted) && isFree(wanted) { return wanted }

    var steps: [(UInt16) -> Bool] = []
    // Row "ICMP identifiers": no classes, no parity.
    if flow != .icmp {
      let sameClass: (UInt16) -> Bool = { ($0 < 1024) == (wanted < 1024) }
      if settings.parity { steps.append { sameClass($0) && $0 % 2 == wanted % 2 } }
      steps.append(sameClass)
    }
    steps.append { _ in true }
    for step in steps {
      if settings.portChoice == .sequential {
        if let lowest = space.first(where: { step($0) && isFree($0) }) { return lowest }
      } else {
        let candidates = space.filter { step($0) && isFree($0) }
        if !candidates.isEmpty { return choosePort(candidates) }
      }
    }
    return nil
  }

  /// The ports of a pool address that dynamic bindings may get, in rising order: for ICMP every identifier,
  /// else the ranges less the ports of static forwards.
  func space(of pool: ReferenceSettings.PoolAddress, _ flow: ReferenceProtocol) -> [UInt16] {
    let all =
      flow == .icmp
      ? Array(0...65535) : pool.ports.sorted { $0.lowerBound < $1.lowerBound }.flatMap { Array($0) }
    let taken = Set(
      forwards.filter { $0.flow == flow && $0.publicEnd.address == pool.address }.map(\.publicEnd.port))
    return taken.isEmpty ? all : all.filter { !taken.contains($0) }
  }

  /// The ports that dynamic bindings may get, after the pool or the forwards changed.
  mutating func choosePoolPorts() {
    spaces = settings.pool.map { pool in
      Dictionary(uniqueKeysWithValues: ReferenceProtocol.allCases.map { ($0, space(of: pool, $0)) })
    }
  }

  /// PA11: a port in hold-down is free for the host that had it.
  private func isFree(_ end: FlowEnd, for host: ReferenceAddress) -> Bool {
    if byPublicEnd[end] != nil { return false }
    guard let holdDown = holdDowns.first(where: { $0.port == end }) else { return true }
    return holdDown.host == host
  }
}

// MARK: Limits

/// All that one packet would make, and what it uses already.
struct Wanted {
  let flow: ReferenceProtocol
  var dynamicBindingOf: ReferenceAddress?
  /// New sessions by inside host: the sender's host first.
  var sessions: [(host: ReferenceAddress, count: Int)] = []
  var keptBindings: Set<Int> = []
  var keptSessions: Set<SessionKey> = []

  init(_ flow: ReferenceProtocol) { self.flow = flow }

  mutating func addSession(of host: ReferenceAddress) {
    if let place = sessions.firstIndex(where: { $0.host == host }) {
      sessions[place].count += 1
    } else {
      sessions.append((host, 1))
    }
  }

  /// Notes that the packet uses the session of `owner` with `remote`. If there is none, the packet must make it.
  mutating func travel(
    over owner: Owner, of host: ReferenceAddress, towards remote: ReferenceEndpoint?, _ nat: ReferenceNAT
  ) {
    if case .binding(let binding) = owner { keptBindings.insert(binding.number) }
    if let remote, let session = nat.session(of: owner, towards: remote) {
      keptSessions.insert(session.key)
    } else {
      addSession(of: host)
    }
  }
}

/// Why a packet may not make what it needs.
struct Refusal {
  let reason: ReferenceDrop
  /// The inside host whose limit it is; nil for the limits of the table.
  var host: ReferenceAddress?
}

extension ReferenceNAT {
  /// How many of the oldest transitory sessions are looked at, and how many one packet may end.
  private static let evictionReach = 32
  static let mostEvictions = 8

  /// Rows "limits" and "exhaustion": why the packet may not make what it needs, or nil.
  func refusal(of wanted: Wanted) -> Refusal? {
    let limits = settings.limits
    let dynamic = bindings.values.filter { $0.kind == .dynamic }
    if wanted.dynamicBindingOf != nil && dynamic.count + 1 > limits.bindings {
      return Refusal(reason: .bindingLimit)
    }
    let newSessions = wanted.sessions.reduce(0) { $0 + $1.count }
    if newSessions > 0 && sessions.count + newSessions > limits.sessions {
      return Refusal(reason: .sessionLimit)
    }
    if let host = wanted.dynamicBindingOf,
      dynamic.filter({ $0.privateEnd.address == host }).count + 1 > limits.hostPorts
    {
      return Refusal(reason: .hostPortLimit, host: host)
    }
    for (host, count) in wanted.sessions {
      if sessionCount(of: host) + count > limits.hostSessions {
        return Refusal(reason: .hostSessionLimit, host: host)
      }
      if isTooFast(host, count) { return Refusal(reason: .hostSessionRate) }
    }
    return nil
  }

  func sessionCount(of host: ReferenceAddress) -> Int {
    sessions.values.filter { bindings[$0.key.binding]?.privateEnd.address == host }.count
  }

  /// `evict: oldest-transitory` (LIM5): ends the session that has been transitory for longest among those whose end
  /// would help. For a host's own limits and for ports it must be a session of that host. Without hold-down it may be
  /// another host's port. What the packet itself uses stays. Returns false if no session helps.
  mutating func evict(for refusal: Refusal, _ wanted: Wanted) -> Bool {
    guard settings.evict == .oldestTransitory, let oldest = sessionToEvict(for: refusal, wanted) else {
      return false
    }
    endSession(oldest, at: now)
    return true
  }

  private func sessionToEvict(for refusal: Refusal, _ wanted: Wanted) -> SessionKey? {
    let all = transitory.prefix(Self.evictionReach)
    let own = transitory.filter { bindings[$0.binding]?.privateEnd.address == refusal.host }
      .prefix(Self.evictionReach)
    let isKept: (SessionKey) -> Bool = { key in
      wanted.keptSessions.contains(key)
        || wanted.keptBindings.contains(key.binding) && (endsDynamicBinding(key) || endsOneToOneBinding(key))
    }
    let freesPort: (SessionKey) -> Bool = { endsDynamicBinding($0) && !isKept($0) }
    switch refusal.reason {
    case .sessionLimit: return all.first { !isKept($0) }
    case .hostSessionLimit: return own.first { !isKept($0) }
    case .bindingLimit: return all.first(where: freesPort)
    case .hostPortLimit: return own.first(where: freesPort)
    case .portsExhausted:
      // Transitory sessions hold TCP ports alone.
      guard wanted.flow == .tcp, let host = refusal.host else { return nil }
      if let key = own.first(where: freesPort) { return key }
      return settings.portRest > 0 ? nil : all.first { freesPort($0) && isOnAddress($0, for: host) }
    default: return nil
    }
  }

  /// Row "a binding ends": with its last session that the inside host used.
  private func endsDynamicBinding(_ key: SessionKey) -> Bool {
    guard let binding = bindings[key.binding], binding.kind == .dynamic else { return false }
    let used = binding.remotes.filter {
      sessions[SessionKey(binding: binding.number, remote: $0)]?.usedByInside == true
    }
    return used == [key.remote]
  }

  private func endsOneToOneBinding(_ key: SessionKey) -> Bool {
    bindings[key.binding].map { $0.kind == .oneToOne && $0.remotes == [key.remote] } ?? false
  }

  /// Whether the binding lies on an address that the host may use.
  private func isOnAddress(_ key: SessionKey, for host: ReferenceAddress) -> Bool {
    guard settings.pooling == .paired, let address = poolAddressOfHost[host] else { return true }
    return bindings[key.binding]?.publicEnd.address == address
  }
}
