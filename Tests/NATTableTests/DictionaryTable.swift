import NATWire

@testable import NATTable

/// One worker's part of the table as one would write it without a thought of speed: dictionaries, and a scan over
/// everything for every question. It shares no code with the table but its vocabulary.
struct DictionaryTable {
  struct Place: Hashable {
    var transport: TransportProtocol
    var `public`: Endpoint
  }

  struct Binding {
    var kind: BindingKind
    var `private`: Endpoint
    var created: UInt64
  }

  struct SessionKey: Hashable {
    var place: Place
    var remote: Endpoint
  }

  struct Session {
    /// Nil for UDP and ICMP.
    var connection: PlainConnection?
    var isInsideUsed = false
    var isHairpin = false
    /// What a restart of the clock gives, in nanoseconds.
    var lifetime: UInt64
    var expires: UInt64
    var lastPacket: UInt64
    var counters = SessionCounters()
  }

  struct Rest {
    var host: IPv4Address
    var freeFrom: UInt64
  }

  /// Where a new dynamic binding may go: the ports that the first step with any allows.
  struct Choice {
    var poolAddress: Int
    /// With `sequential` the only answer.
    var lowest: UInt16
    var isAllowed: (UInt16) -> Bool
  }

  let settings: TableSettings
  let worker: Int
  let resetIsFinal: Bool
  var bindings: [Place: Binding] = [:]
  var sessions: [SessionKey: Session] = [:]
  var resting: [Place: Rest] = [:]
  /// The keys of `bindings` and `sessions` in the order in which they were made: a seed repeats what is picked.
  private(set) var places: [Place] = []
  private(set) var keys: [SessionKey] = []
  /// The pool address of each host that has a dynamic binding.
  var homes: [IPv4Address: Int] = [:]
  var bindingsCreated = 0
  var sessionsCreated = 0
  var sessionsExpired = 0

  init(_ settings: TableSettings, worker: Int, resetIsFinal: Bool, owns: (IPv4Address) -> Bool) {
    self.settings = settings
    self.worker = worker
    self.resetIsFinal = resetIsFinal
    for forward in settings.forwards where owns(forward.private.address) {
      add(
        Place(transport: forward.transport, public: forward.public),
        Binding(kind: .portForward, private: forward.private, created: 0))
    }
  }

  private mutating func add(_ place: Place, _ binding: Binding) {
    bindings[place] = binding
    places.append(place)
  }

  private mutating func remove(_ place: Place) {
    bindings[place] = nil
    places.removeAll { $0 == place }
  }

  private mutating func remove(_ key: SessionKey) {
    sessions[key] = nil
    keys.removeAll { $0 == key }
    sessionsExpired += 1
  }

  // MARK: Limits

  var sessionLimit: Int { (settings.sessionLimit + settings.workers - 1) / settings.workers }
  var bindingLimit: Int { (settings.bindingLimit + settings.workers - 1) / settings.workers }
  var dynamicBindings: Int { bindings.values.count { $0.kind == .dynamic } }
  var oneToOneBindings: Int { bindings.values.count { $0.kind == .oneToOne } }

  func use(of host: IPv4Address) -> (bindings: Int, sessions: Int) {
    var dynamic = 0
    var used = 0
    for (place, binding) in bindings where binding.private.address == host {
      if binding.kind == .dynamic { dynamic += 1 }
      for key in sessions.keys where key.place == place { used += 1 }
    }
    return (dynamic, used)
  }

  // MARK: Finding

  /// Of several forwards the first of the configuration.
  func find(_ transport: TransportProtocol, private: Endpoint) -> Place? {
    for forward in settings.forwards where forward.transport == transport && forward.private == `private` {
      let place = Place(transport: transport, public: forward.public)
      if bindings[place] != nil { return place }
    }
    for (place, binding) in bindings where place.transport == transport && binding.private == `private` {
      return place
    }
    return nil
  }

  /// At its due time a session still lives.
  func find(_ place: Place, remote: Endpoint, at now: UInt64) -> Session? {
    guard let session = sessions[SessionKey(place: place, remote: remote)], session.expires >= now else {
      return nil
    }
    return session
  }

  func isOpen(_ place: Place, to remote: IPv4Address) -> Bool {
    for (key, session) in sessions where key.place == place && key.remote.address == remote {
      if session.isInsideUsed { return true }
    }
    return false
  }

  // MARK: Ports

  private func mayHave(_ place: Place, poolAddress: Int, _ host: IPv4Address) -> Bool {
    let port = place.public.port
    guard Int(port) / 512 % settings.workers == worker else { return false }
    if place.transport != .icmp {
      guard settings.pool[poolAddress].ports.contains(where: { $0.contains(port) }) else { return false }
    }
    for forward in settings.forwards {
      if forward.transport == place.transport && forward.public == place.public { return false }
    }
    if bindings[place] != nil { return false }
    if let rest = resting[place] { return rest.host == host }
    return true
  }

  private func choosePort(_ transport: TransportProtocol, for private: Endpoint, poolAddress: Int) -> Choice?
  {
    let address = settings.pool[poolAddress].address
    func isFree(_ port: UInt16) -> Bool {
      mayHave(
        Place(transport: transport, public: Endpoint(address, port)), poolAddress: poolAddress,
        `private`.address)
    }
    let own = `private`.port
    if settings.policy.portChoice == .preserve, isFree(own) {
      return Choice(poolAddress: poolAddress, lowest: own, isAllowed: { $0 == own })
    }
    func isSameClass(_ port: UInt16) -> Bool { (port < 1024) == (own < 1024) }
    var steps: [(UInt16) -> Bool] = []
    if transport != .icmp {
      if settings.policy.parity { steps.append { isSameClass($0) && $0 % 2 == own % 2 } }
      steps.append(isSameClass)
    }
    steps.append { _ in true }
    let ranges = transport == .icmp ? [0...65535] : settings.pool[poolAddress].ports
    for step in steps {
      var lowest: UInt16?
      for range in ranges {
        if let found = range.first(where: { step($0) && isFree($0) }) { lowest = min(lowest ?? found, found) }
      }
      if let lowest {
        return Choice(poolAddress: poolAddress, lowest: lowest, isAllowed: { step($0) && isFree($0) })
      }
    }
    return nil
  }

  func choosePublic(_ transport: TransportProtocol, for private: Endpoint) -> Choice? {
    if settings.policy.paired, let home = homes[`private`.address] {
      return choosePort(transport, for: `private`, poolAddress: home)
    }
    let order = settings.pool.indices.sorted { a, b in
      let (hostsOfA, hostsOfB) = (homes.values.count { $0 == a }, homes.values.count { $0 == b })
      return hostsOfA == hostsOfB ? a < b : hostsOfA < hostsOfB
    }
    for address in order {
      if let choice = choosePort(transport, for: `private`, poolAddress: address) { return choice }
    }
    return nil
  }

  // MARK: Making

  mutating func insertDynamic(_ place: Place, for private: Endpoint, poolAddress: Int, at now: UInt64) {
    resting[place] = nil
    add(place, Binding(kind: .dynamic, private: `private`, created: now))
    if homes[`private`.address] == nil { homes[`private`.address] = poolAddress }
    bindingsCreated += 1
  }

  mutating func insertOneToOne(_ place: Place, for private: Endpoint, at now: UInt64) {
    add(place, Binding(kind: .oneToOne, private: `private`, created: now))
  }

  /// False if the table is full.
  mutating func insertSession(
    _ key: SessionKey, _ connection: PlainConnection?, isHairpin: Bool, opener: UInt16, at now: UInt64
  ) -> Bool {
    guard sessions.count < sessionLimit else { return false }
    let lifetimes = settings.lifetimes
    let lifetime =
      switch key.place.transport {
      case .icmp: lifetimes.icmp
      case .tcp: lifetimes.tcpPorts[opener] ?? lifetimes.tcpEstablished
      case .udp: lifetimes.udpPorts[opener] ?? lifetimes.udp
      }
    let first = connection?.phase == .synSent ? lifetimes.tcpTransitory : lifetime
    sessions[key] = Session(
      connection: connection, isHairpin: isHairpin, lifetime: lifetime, expires: now + first, lastPacket: now)
    keys.append(key)
    sessionsCreated += 1
    return true
  }

  // MARK: Using

  mutating func packet(_ key: SessionKey, from side: Side, bytes: Int, flags: TCPFlags, at now: UInt64) {
    guard var session = sessions[key] else { return }
    session.lastPacket = now
    if side == .inside {
      session.counters.packetsOut += 1
      session.counters.bytesOut += UInt64(bytes)
    } else {
      session.counters.packetsIn += 1
      session.counters.bytesIn += UInt64(bytes)
    }
    if var connection = session.connection {
      switch connection.segment(flags, from: side, resetIsFinal: resetIsFinal) {
      case .none: break
      case .established:
        let isHalfClosed = connection.phase == .halfClosed
        session.expires =
          now + (isHalfClosed ? min(session.lifetime, settings.lifetimes.tcpHalfClosed) : session.lifetime)
      case .transitory: session.expires = now + settings.lifetimes.tcpTransitory
      case .reopened:
        session.expires = now + session.lifetime
        sessionsCreated += 1
        sessionsExpired += 1
      }
      session.connection = connection
    } else if side == .inside {
      session.expires = now + session.lifetime
    }
    if side == .inside, !flags.contains(.rst) { session.isInsideUsed = true }
    sessions[key] = session
  }

  // MARK: Ending

  mutating func end(_ key: SessionKey, at instant: UInt64) {
    guard sessions[key] != nil else { return }
    remove(key)
    let place = key.place
    guard let binding = bindings[place] else { return }
    switch binding.kind {
    case .dynamic:
      for (other, session) in sessions where other.place == place && session.isInsideUsed { return }
      for other in keys where other.place == place { remove(other) }
      endDynamic(place, at: instant)
    case .oneToOne:
      if !keys.contains(where: { $0.place == place }) { remove(place) }
    case .portForward, .free, .held, .closing: break
    }
  }

  mutating func endUnused(_ place: Place, at instant: UInt64) {
    if keys.contains(where: { $0.place == place }) { return }
    if bindings[place]?.kind == .dynamic { endDynamic(place, at: instant) }
  }

  private mutating func endDynamic(_ place: Place, at instant: UInt64) {
    guard let binding = bindings[place] else { return }
    remove(place)
    let host = binding.private.address
    if !bindings.values.contains(where: { $0.kind == .dynamic && $0.private.address == host }) {
      homes[host] = nil
    }
    if settings.policy.portRest > 0 {
      resting[place] = Rest(host: host, freeFrom: instant + settings.policy.portRest)
    }
  }

  // MARK: Time

  /// Ends what is due before `now`, one by one in the order of due times, and frees ports at their exact time.
  mutating func advance(to now: UInt64) {
    while let first = firstDue, first.session.expires < now { end(first.key, at: first.session.expires) }
    for (place, rest) in resting where rest.freeFrom <= now { resting[place] = nil }
  }

  /// The session that is due first.
  var firstDue: (key: SessionKey, session: Session)? {
    var first: (key: SessionKey, session: Session)?
    for (key, session) in sessions {
      if session.expires < first?.session.expires ?? .max { first = (key, session) }
    }
    return first
  }

  /// The due times and the times at which ports become free.
  var dueTimes: [UInt64] { (sessions.values.map(\.expires) + resting.values.map(\.freeFrom)).sorted() }
}
