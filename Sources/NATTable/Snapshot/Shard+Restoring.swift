import NATMemory
public import NATWire

/// The result of restoring a snapshot.
public struct RestoredTable: BitwiseCopyable, Equatable, Sendable {
  public internal(set) var sessions = 0
  /// Dynamic bindings.
  public internal(set) var bindings = 0
  /// Ports whose hold-down continues.
  public internal(set) var heldPorts = 0
  /// Sessions whose timeout is over.
  public internal(set) var expired = 0
  /// Sessions that the configuration no longer allows.
  public internal(set) var notAllowed = 0
  /// Sessions beyond a limit.
  public internal(set) var withoutRoom = 0
  /// Sessions that contradict another, or whose record is invalid.
  public internal(set) var contradicting = 0

  public init() {}

  /// Whether neither a session nor a hold-down was restored.
  public var isEmpty: Bool { sessions == 0 && heldPorts == 0 }

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

  /// Makes the bindings and sessions of a snapshot as packets would have made them. Then ends those whose
  /// time is over, each at its own due time.
  ///
  /// Bindings of the table win over those of the snapshot. A binding on a port that the pool no longer offers
  /// lives on, as it does when the pool changes at run time.
  ///
  /// - Parameters:
  ///   - offset: nanoseconds from the snapshot's clock to this table's.
  ///   - shared: a pool address whose other ports the kernel uses.
  ///   - isInside: whether an address is in an inside network.
  /// - Precondition: the table has only this shard.
  /// - Complexity: O(n log n) in the size of the snapshot.
  public mutating func restore(
    _ snapshot: TableSnapshot, offset: Int64, at now: Instant, shared: IPv4Address? = nil,
    isInside: (IPv4Address) -> Bool
  ) -> RestoredTable {
    var restored = RestoredTable()
    advance(to: now)
    let before = counts
    let rules = RestoreRules(offset: offset, now: now, shared: shared)
    var transitory: [(expires: Instant, session: Int)] = []
    for number in 0..<snapshot.counts.sessions {
      guard let saved = snapshot.session(number) else {
        restored.contradicting += 1
        continue
      }
      if saved.session.state.isTransitory {
        transitory.append((saved.session.expires, number))
      } else {
        restore(saved, snapshot, rules, isInside, &restored)
      }
    }
    // Transitory sessions share one queue in the order of their due times.
    transitory.sort { $0.expires < $1.expires }
    for (_, number) in transitory {
      if let saved = snapshot.session(number) { restore(saved, snapshot, rules, isInside, &restored) }
    }
    let orphans = endOrphans(at: min(now, snapshot.header.clock.shifted(by: offset)))
    restored.contradicting += orphans
    advance(to: now)
    restored.expired = counts.sessionsExpired - before.sessionsExpired - orphans
    restored.sessions = counts.sessions - before.sessions
    restored.bindings = counts.dynamicBindings - before.dynamicBindings
    for number in 0..<snapshot.counts.hosts { restore(snapshot.host(number)) }
    restored.heldPorts = restorePorts(snapshot, rules)
    return restored
  }

  /// Ends dynamic bindings without a session that the inside host used. While the table was saved in steps,
  /// that session ended before it could be saved, and its binding with it.
  /// - Returns: how many sessions ended.
  private mutating func endOrphans(at instant: Instant) -> Int {
    let before = counts.sessions
    for record in 0..<freshSessions {
      let session = SessionIndex(UInt32(record))
      guard sessions.state(of: session).phase != .free else { continue }
      let binding = sessions.binding(of: session)
      guard bindings.kind(of: binding) == .dynamic, bindings.usedSessions(of: binding) == 0 else { continue }
      end(session, at: instant)
    }
    return before - counts.sessions
  }

  private mutating func restore(
    _ saved: SavedSession, _ snapshot: TableSnapshot, _ rules: RestoreRules,
    _ isInside: (IPv4Address) -> Bool, _ restored: inout RestoredTable
  ) {
    let offset = rules.offset
    var saved = saved
    saved.session.expires = saved.session.expires.shifted(by: offset)
    saved.session.lastPacket = min(saved.session.lastPacket.shifted(by: offset), rules.now)
    saved.session.bindingCreated = min(saved.session.bindingCreated.shifted(by: offset), rules.now)
    saved.lifetime = lifetimes.known(
      saved.lifetime, lasting: snapshot.lifetime(of: saved.lifetime), saved.session.transport)
    do throws(RestoreRefusal) {
      let binding = try restoreBinding(saved.session, rules, isInside)
      guard findSession(binding, remote: saved.session.remote, at: Instant(nanoseconds: 0)) == nil else {
        throw .contradiction
      }
      guard restoreSession(saved, binding, at: rules.now) else {
        endUnused(binding, at: saved.session.lastPacket)
        throw .noRoom
      }
    } catch {
      restored.count(error)
    }
  }

  /// Finds or makes the binding of a saved session.
  private mutating func restoreBinding(
    _ session: SessionSnapshot, _ rules: RestoreRules, _ isInside: (IPv4Address) -> Bool
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
      case .portForward: throw .notAllowed
      case .held:
        guard held.isOwn(binding, of: session.private.address) else { throw .contradiction }
      case .oneToOne, .closing: throw .contradiction
      case .free: break
      }
      guard rules.keeps(session.public, portMap(of: binding)) else { throw .notAllowed }
      if let other = findBinding(transport, private: session.private) {
        guard bindings.isStatic(other) else { throw .contradiction }
        guard leavesRoomForDynamic(behind: other) else { throw .notAllowed }
      }
      guard hasRoomForBinding, insertBinding(binding, for: session.private, at: session.bindingCreated) else {
        throw .noRoom
      }
      return binding
    case .portForward:
      guard let binding = findPortForward(transport, public: session.public),
        bindings.privateEndpoint(of: binding) == session.private,
        takes(
          binding, from: .outside, session.flags.contains(.hairpin) ? nil : session.remote)
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
    case .free, .held, .closing: throw .contradiction
    }
  }

  /// - Returns: whether there was room.
  private mutating func restoreSession(
    _ saved: SavedSession, _ binding: BindingIndex, at now: Instant
  ) -> Bool {
    let session = saved.session
    guard
      let index = insertSession(
        binding, remote: session.remote, state: session.state, flags: session.flags, saved.lifetime,
        expires: session.expires, at: session.lastPacket)
    else { return false }
    // The lifetime may be shorter by now. Then the next packet brings the end forward.
    if session.expires > now.advanced(by: durations[RunningTimeout(session.state, saved.lifetime).place]) {
      reschedule(index, at: now)
    }
    sessions.setCounters(session.counters, of: index)
    for (bytes, side) in [(saved.largestPacket.inside, Side.inside), (saved.largestPacket.outside, .outside)]
    where bytes != .max && bytes != 0 {
      sessions.setLargestPacket(bytes, of: index, to: side)
    }
    if let windows, let known = saved.windows { windows[index.rawValue] = known }
    return true
  }

  /// Restores the pool address of a host. It is that of its first binding, which may not be the first one
  /// restored.
  private mutating func restore(_ saved: SavedHost) {
    guard let host = hosts.find(saved.address), hosts[host].bindings > 0,
      let place = poolPlace(of: saved.poolAddress), hosts[host].poolAddress != UInt32(place)
    else { return }
    if hosts[host].poolAddress != Hosts.none { pools[Int(hosts[host].poolAddress)].hosts -= 1 }
    hosts[host].poolAddress = UInt32(place)
    pools[place].hosts += 1
  }

  /// Continues the hold-down of the snapshot's ports, together with that of the ports released since.
  /// - Returns: how many ports are in hold-down.
  private mutating func restorePorts(_ snapshot: TableSnapshot, _ rules: RestoreRules) -> Int {
    var ports: [(freeFrom: Instant, binding: BindingIndex)] = []
    // The queue is in the order of time, so all held ports are taken out, sorted and added again.
    while let binding = held.popFree(at: .never) { ports.append((bindings.instant(of: binding), binding)) }
    for number in 0..<snapshot.counts.ports {
      guard let saved = snapshot.port(number), let place = poolPlace(of: saved.public.address) else {
        continue
      }
      let freeFrom = min(
        saved.freeFrom.shifted(by: rules.offset), rules.now.advanced(by: RestoreRules.longestHoldDown))
      let binding = bindings.direct(poolAddress: place, saved.transport, port: saved.public.port)
      let map = portMap(of: binding)
      guard freeFrom > rules.now, bindings.kind(of: binding) == .free, rules.keeps(saved.public, map) else {
        continue
      }
      map.take(saved.public.port)
      bindings.publish(binding, saved.owner, saved.transport, .held)
      changeUse(of: binding, inUse: 0, held: 1)
      ports.append((freeFrom, binding))
    }
    ports.sort { $0.freeFrom < $1.freeFrom }
    for (freeFrom, binding) in ports {
      held.add(binding, until: freeFrom, isOffered: portMap(of: binding).isOffered(binding.poolPort))
    }
    if let first = ports.first {
      quietUntil = min(quietUntil, Instant(nanoseconds: first.freeFrom.nanoseconds &- 1))
    }
    return ports.count
  }
}

struct RestoreRules {
  /// Nanoseconds from the snapshot's clock to the table's.
  var offset: Int64
  var now: Instant
  /// A pool address whose other ports the kernel uses.
  var shared: IPv4Address?

  /// The longest that `port-rest` may be, in nanoseconds.
  static let longestHoldDown: UInt64 = 600_000_000_000

  /// Whether a binding may keep its public endpoint.
  func keeps(_ endpoint: Endpoint, _ map: PortMap) -> Bool {
    endpoint.address != shared || map.isOffered(endpoint.port)
  }
}

extension LifetimeTable {
  /// The class of a saved session today: that of the same port lifetime, if there still is one, otherwise
  /// that of the protocol.
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
