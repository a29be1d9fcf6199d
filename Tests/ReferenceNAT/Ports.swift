// Port choice, pooling and limits.

extension ReferenceNAT {
  /// Row "several pool addresses": the public endpoint a new dynamic binding would get, or nil where no
  /// address that the host may use has a port.
  func chooseEnd(for privateEnd: ReferenceEndpoint, _ flow: ReferenceProtocol) -> ReferenceEndpoint? {
    let host = privateEnd.address
    let places: [Int]
    if settings.pooling == .paired, let place = poolPlaceOfHost[host] {
      places = [place]
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
    poolPlaceOfHost.values.filter { $0 == place }.count
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

  /// PA11: a resting port is free for the host that had it.
  private func isFree(_ end: FlowEnd, for host: ReferenceAddress) -> Bool {
    if byPublicEnd[end] != nil { return false }
    guard let rest = resting[end] else { return true }
    return rest.host == host || now >= rest.until
  }
}

// MARK: Limits

/// Everything that one packet would make together.
struct Wanted {
  var dynamicBindingOf: ReferenceAddress?
  /// Whether a port was found for the dynamic binding.
  var portFound = true
  /// New sessions by inside host.
  var sessions: [ReferenceAddress: Int] = [:]
}

extension ReferenceNAT {
  /// Rows "limits" and "exhaustion": why what the packet would make may not be made, or nil.
  func refusal(of wanted: Wanted) -> ReferenceDrop? {
    let limits = settings.limits
    let dynamic = bindings.values.filter { $0.kind == .dynamic }
    if wanted.dynamicBindingOf != nil && dynamic.count + 1 > limits.bindings { return .bindingLimit }
    let newSessions = wanted.sessions.values.reduce(0, +)
    if newSessions > 0 && sessions.count + newSessions > limits.sessions { return .sessionLimit }
    if let host = wanted.dynamicBindingOf,
      dynamic.filter({ $0.privateEnd.address == host }).count + 1 > limits.hostPorts
    {
      return .hostPortLimit
    }
    for (host, count) in wanted.sessions where sessionCount(of: host) + count > limits.hostSessions {
      return .hostSessionLimit
    }
    if wanted.dynamicBindingOf != nil && !wanted.portFound { return .portsExhausted }
    return nil
  }

  private func sessionCount(of host: ReferenceAddress) -> Int {
    sessions.values.filter { bindings[$0.key.binding]?.privateEnd.address == host }.count
  }

  /// `evict: oldest-transitory` (LIM5): ends the transitory TCP session whose clock is the oldest among
  /// those whose end would help. Returns false where there is none.
  mutating func evict(for reason: ReferenceDrop, _ wanted: Wanted, keeping kept: Owner) -> Bool {
    guard settings.evict == .oldestTransitory else { return false }
    // What the packet itself uses stays.
    var keptNumber: Int?
    if case .binding(let binding) = kept { keptNumber = binding.number }
    let oldest = sessions.values
      .filter { $0.isTransitory && $0.flow == .tcp && $0.key.binding != keptNumber }
      .filter { endHelps($0, against: reason, wanted) }
      .min {
        ($0.clockStarted, $0.key.binding, $0.key.remote) < ($1.clockStarted, $1.key.binding, $1.key.remote)
      }
    guard let oldest else { return false }
    endSession(oldest.key, at: now)
    return true
  }

  private func endHelps(_ session: Session, against reason: ReferenceDrop, _ wanted: Wanted) -> Bool {
    guard let binding = bindings[session.key.binding] else { return false }
    let host = binding.privateEnd.address
    let othersInUse = binding.remotes.contains { remote in
      remote != session.key.remote
        && sessions[SessionKey(binding: binding.number, remote: remote)]?.usedByInside == true
    }
    let endsBinding = binding.kind == .dynamic && session.usedByInside && !othersInUse
    switch reason {
    case .sessionLimit: return true
    case .hostSessionLimit: return wanted.sessions[host] != nil
    case .bindingLimit: return endsBinding
    case .hostPortLimit: return endsBinding && host == wanted.dynamicBindingOf
    // A port that rests helps only the host that had it.
    case .portsExhausted:
      return endsBinding && (host == wanted.dynamicBindingOf || settings.portRest == 0)
    default: return false
    }
  }
}
