public import NATWire

/// What became of a snapshot.
public struct RestoredTable: BitwiseCopyable, Equatable, Sendable {
  public internal(set) var sessions = 0
  /// Dynamic ones.
  public internal(set) var bindings = 0
  /// Ports that rest on.
  public internal(set) var restingPorts = 0
  /// Sessions that ended since, at their time.
  public internal(set) var expired = 0
  /// Sessions whose public endpoint the configuration does not give to their host any more.
  public internal(set) var notAllowed = 0
  /// Sessions beyond a limit.
  public internal(set) var withoutRoom = 0
  /// Sessions that contradict another, or that are none.
  public internal(set) var contradicting = 0

  public init() {}

  /// Whether nothing of it is left.
  public var isEmpty: Bool { sessions == 0 && restingPorts == 0 }

  mutating func count(_ refusal: Shard.RestoreRefusal) {
    switch refusal {
    case .notAllowed: notAllowed += 1
    case .noRoom: withoutRoom += 1
    case .contradiction: contradicting += 1
    }
  }
}

extension Shard {
  enum RestoreRefusal: Error { case notAllowed, noRoom, contradiction }

  /// Makes what a snapshot holds as packets would have made it, then ends what has fallen due since, each at its own time.
  ///
  /// - Parameters:
  ///   - offset: from the clock of the snapshot to that of this table.
  ///   - isInside: whether the address is in a network that is translated.
  /// - Precondition: the shard is the only one of its table, and fresh.
  /// - Complexity: O(n log n) in what the snapshot holds.
  public mutating func restore(
    _ snapshot: TableSnapshot, offset: Int64, at now: Instant, isInside: (IPv4Address) -> Bool
  ) -> RestoredTable {
    var restored = RestoredTable()
    var transitory: [(expires: Instant, session: Int)] = []
    for number in 0..<snapshot.counts.sessions {
      guard let saved = snapshot.session(number) else {
        restored.contradicting += 1
        continue
      }
      if saved.session.state.isTransitory {
        transitory.append((saved.session.expires, number))
      } else {
        restore(saved, snapshot, offset, isInside, &restored)
      }
    }
    // They stand in one queue, in the order in which they end.
    transitory.sort { $0.expires < $1.expires }
    for (_, number) in transitory {
      if let saved = snapshot.session(number) { restore(saved, snapshot, offset, isInside, &restored) }
    }
    let before = counts.sessionsExpired
    advance(to: now)
    restored.expired = counts.sessionsExpired - before
    restored.sessions = counts.sessions
    restored.bindings = counts.dynamicBindings
    for number in 0..<snapshot.counts.hosts { restore(snapshot.host(number)) }
    restored.restingPorts = restorePorts(snapshot, offset, at: now)
    return restored
  }

  private mutating func restore(
    _ saved: SavedSession, _ snapshot: TableSnapshot, _ offset: Int64, _ isInside: (IPv4Address) -> Bool,
    _ restored: inout RestoredTable
  ) {
    var saved = saved
    saved.session.expires = saved.session.expires.shifted(by: offset)
    saved.session.lastPacket = saved.session.lastPacket.shifted(by: offset)
    saved.session.bindingCreated = saved.session.bindingCreated.shifted(by: offset)
    saved.lifetime = lifetimes.known(
      saved.lifetime, lasting: snapshot.lifetime(of: saved.lifetime), saved.session.transport)
    do throws(RestoreRefusal) {
      let binding = try restoreBinding(saved.session, isInside)
      guard findSession(binding, remote: saved.session.remote, at: Instant(nanoseconds: 0)) == nil else {
        throw .contradiction
      }
      guard restoreSession(saved, binding) else {
        endUnused(binding, at: saved.session.lastPacket)
        throw .noRoom
      }
    } catch {
      restored.count(error)
    }
  }

  /// The binding of a saved session, made if it is not there yet.
  private mutating func restoreBinding(
    _ session: SessionSnapshot, _ isInside: (IPv4Address) -> Bool
  ) throws(RestoreRefusal) -> BindingIndex {
    let transport = session.transport
    switch session.kind {
    case .dynamic:
      guard isInside(session.private.address), oneToOne(private: session.private.address) == nil,
        let place = poolPlace(of: session.public.address), pools[place].isOpen
      else { throw .notAllowed }
      let binding = bindings.direct(poolAddress: place, transport, port: session.public.port)
      switch bindings.kind(of: binding) {
      case .dynamic:
        guard bindings.privateEndpoint(of: binding) == session.private else { throw .contradiction }
        return binding
      case .forward: throw .notAllowed
      case .oneToOne, .resting, .closing: throw .contradiction
      case .free: break
      }
      guard portMaps[Int(binding.rawValue >> 16)].isFree(session.public.port) else { throw .notAllowed }
      if let other = findBinding(transport, private: session.private) {
        guard bindings.isStatic(other) else { throw .contradiction }
        guard leavesRoomForDynamic(behind: other) else { throw .notAllowed }
      }
      guard hasRoomForBinding, insertBinding(binding, for: session.private, at: session.bindingCreated) else {
        throw .noRoom
      }
      return binding
    case .forward:
      guard let binding = findForward(transport, public: session.public),
        bindings.privateEndpoint(of: binding) == session.private
      else { throw .notAllowed }
      return binding
    case .oneToOne:
      guard let mapping = oneToOne(public: session.public.address),
        mapping.private == session.private.address, session.public.port == session.private.port
      else { throw .notAllowed }
      if let known = findOneToOne(transport, mapping, port: session.public.port) { return known }
      guard
        let binding = insertOneToOne(
          transport, mapping, port: session.public.port, at: session.bindingCreated)
      else { throw .noRoom }
      return binding
    case .free, .resting, .closing: throw .contradiction
    }
  }

  /// - Returns: whether there was room.
  private mutating func restoreSession(_ saved: SavedSession, _ binding: BindingIndex) -> Bool {
    let session = saved.session
    guard
      let index = insertSession(
        binding, remote: session.remote, state: session.state, flags: session.flags, saved.lifetime,
        clock: session.state.isTransitory ? .tcpTransitory : saved.lifetime, expires: session.expires,
        at: session.lastPacket)
    else { return false }
    let words = sessions.words
    words[sessions.at(index, 4)] = session.counters.packetsOut
    words[sessions.at(index, 5)] = session.counters.bytesOut
    words[sessions.at(index, 6)] = session.counters.packetsIn
    words[sessions.at(index, 7)] = session.counters.bytesIn
    for (bytes, side) in [(saved.largestPacket.inside, Side.inside), (saved.largestPacket.outside, .outside)]
    where bytes != .max && bytes != 0 {
      sessions.setLargestPacket(bytes, of: index, to: side)
    }
    if let windows, let known = saved.windows { windows[index.rawValue] = known }
    return true
  }

  /// A host counts where its first binding was made, which may be another address than that of the first one restored.
  private mutating func restore(_ saved: SavedHost) {
    guard let host = hosts.find(saved.address), hosts[host].bindings > 0,
      let place = poolPlace(of: saved.poolAddress), hosts[host].poolAddress != UInt32(place)
    else { return }
    if hosts[host].poolAddress != Hosts.none { pools[Int(hosts[host].poolAddress)].hosts -= 1 }
    hosts[host].poolAddress = UInt32(place)
    pools[place].hosts += 1
  }

  /// Lets ports rest on, those that the snapshot names together with those that were freed since.
  /// - Returns: how many rest.
  private mutating func restorePorts(_ snapshot: TableSnapshot, _ offset: Int64, at now: Instant) -> Int {
    var ports: [(freeFrom: Instant, binding: BindingIndex)] = []
    // The queue is in the order of time, so all of them go through it again.
    while let binding = resting.popFree(at: .never) { ports.append((bindings.instant(of: binding), binding)) }
    for number in 0..<snapshot.counts.ports {
      guard let saved = snapshot.port(number), let place = poolPlace(of: saved.public.address) else {
        continue
      }
      let freeFrom = saved.freeFrom.shifted(by: offset)
      let binding = bindings.direct(poolAddress: place, saved.transport, port: saved.public.port)
      let map = portMaps[Int(binding.rawValue >> 16)]
      guard freeFrom > now, bindings.kind(of: binding) == .free, map.isFree(saved.public.port) else {
        continue
      }
      map.take(saved.public.port)
      bindings.set(binding, 0, BindingStore.describe(saved.owner, saved.transport, .resting))
      changeUse(of: binding, inUse: 0, resting: 1)
      ports.append((freeFrom, binding))
    }
    ports.sort { $0.freeFrom < $1.freeFrom }
    for (freeFrom, binding) in ports { resting.add(binding, until: freeFrom) }
    if let first = ports.first {
      quietUntil = min(quietUntil, Instant(nanoseconds: first.freeFrom.nanoseconds &- 1))
    }
    return ports.count
  }
}

extension SessionState {
  /// Whether a session in it runs on the transitory clock.
  var isTransitory: Bool {
    switch phase {
    case .synSent, .closed, .reset: true
    case .free, .established, .halfClosed, .active: false
    }
  }
}

extension LifetimeTable {
  /// The class that a saved one is today: the same of the protocols, that of the same lifetime of a port, or where no
  /// port has that any more the protocol's own.
  func known(_ saved: LifetimeClass, lasting duration: UInt64?, _ transport: TransportProtocol)
    -> LifetimeClass
  {
    if let duration, let known = lifetimeClass(lasting: duration) { return known }
    switch transport {
    case .icmp: return .icmp
    case .tcp: return .tcpEstablished
    case .udp: return .udp
    }
  }
}
