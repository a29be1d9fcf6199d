import NATMemory
public import NATWire

extension Shard {
  /// Which room a packet lacks.
  public enum Shortage: BitwiseCopyable, Sendable {
    /// The table's limit of sessions.
    case sessions
    case sessionsOfHost(IPv4Address)
    /// The table's limit of dynamic bindings.
    case bindings
    case bindingsOfHost(IPv4Address)
    /// The pool has no port for the host.
    case ports(TransportProtocol, of: IPv4Address)
  }

  /// The bindings and sessions that the packet already uses; they are not evicted.
  public struct Kept: BitwiseCopyable, Sendable {
    public var bindings: (BindingIndex?, BindingIndex?)
    public var sessions: (SessionIndex?, SessionIndex?)

    @inlinable
    public init(bindings: (BindingIndex?, BindingIndex?), sessions: (SessionIndex?, SessionIndex?)) {
      self.bindings = bindings
      self.sessions = sessions
    }
  }

  /// How many of the oldest transitory sessions are looked at.
  private static let reach = 32

  /// Ends the session that has had the transitory timeout for longest among those whose end helps: only with
  /// `evict: oldest-transitory`, and never an established one (RFC 6888 REQ-11 would have none end).
  ///
  /// For the table's limit of sessions any will do, for a host's own limit one of its own. For bindings it must be the last
  /// session that its inside host used on a dynamic binding, because that ends the binding. Its port goes into hold-down,
  /// so it helps only its own host; without hold-down, every host that may use its address. Only TCP is ever transitory,
  /// so nothing ends for ports of other protocols.
  ///
  /// - Returns: whether one was found among the 32 oldest of the table, or of the host.
  /// - Complexity: O(1).
  public mutating func evict(for shortage: Shortage, keeping kept: Kept, at now: Instant) -> Bool {
    guard let session = sessionToEvict(for: shortage, keeping: kept) else { return false }
    end(session, at: now, because: .evicted)
    return true
  }

  /// Whether ``evict(for:keeping:at:)`` would find one.
  public func couldEvict(for shortage: Shortage, keeping kept: Kept) -> Bool {
    sessionToEvict(for: shortage, keeping: kept) != nil
  }

  private func sessionToEvict(for shortage: Shortage, keeping kept: Kept) -> SessionIndex? {
    guard let hostQueues else { return nil }
    switch shortage {
    case .sessions: return oldest { !isNeeded($0, kept) }
    case .sessionsOfHost(let host): return oldest(of: host, hostQueues) { !isNeeded($0, kept) }
    case .bindings: return oldest { endsDynamicBinding($0) && !isNeeded($0, kept) }
    case .bindingsOfHost(let host):
      return oldest(of: host, hostQueues) { endsDynamicBinding($0) && !isNeeded($0, kept) }
    case .ports(let transport, let host):
      guard transport == .tcp else { return nil }
      if let own = oldest(of: host, hostQueues, where: { endsDynamicBinding($0) && !isNeeded($0, kept) }) {
        return own
      }
      guard policy.portRest == 0 else { return nil }
      return oldest { endsDynamicBinding($0) && !isNeeded($0, kept) && isOnAddress($0, of: host) }
    }
  }

  private func oldest(where isOfUse: (SessionIndex) -> Bool) -> SessionIndex? {
    var at = wheel.firstQueued
    for _ in 0..<Shard.reach {
      guard let record = at else { return nil }
      if isOfUse(SessionIndex(record)) { return SessionIndex(record) }
      at = wheel.queued(after: record)
    }
    return nil
  }

  private func oldest(
    of host: IPv4Address, _ queues: HostQueues, where isOfUse: (SessionIndex) -> Bool
  ) -> SessionIndex? {
    guard let record = hosts.find(host) else { return nil }
    var at = queues.first(of: record)
    for _ in 0..<Shard.reach {
      guard let session = at else { return nil }
      if isOfUse(session) { return session }
      at = queues.session(after: session)
    }
    return nil
  }

  /// Whether the packet travels over it, or over its binding, and that would end as well.
  private func isNeeded(_ session: SessionIndex, _ kept: Kept) -> Bool {
    if session == kept.sessions.0 || session == kept.sessions.1 { return true }
    let binding = sessions.binding(of: session)
    guard binding == kept.bindings.0 || binding == kept.bindings.1 else { return false }
    if bindings.kind(of: binding) == .oneToOne {
      return firstSession(of: binding) == session && self.session(after: session) == nil
    }
    return endsDynamicBinding(session)
  }

  /// Whether it is the last session of a dynamic binding that the inside host used: with it the binding ends.
  func endsDynamicBinding(_ session: SessionIndex) -> Bool {
    let binding = sessions.binding(of: session)
    return bindings.kind(of: binding) == .dynamic && sessions.flags(of: session).contains(.insideUsed)
      && bindings.usedSessions(of: binding) == 1
  }

  /// Whether the session's binding lies on an address of the pool that the host may use.
  private func isOnAddress(_ session: SessionIndex, of host: IPv4Address) -> Bool {
    guard policy.paired, let record = hosts.find(host), hosts[record].bindings > 0,
      hosts[record].poolAddress != Hosts.none
    else { return true }
    return PortSpace(of: sessions.binding(of: session)).poolPlace == Int(hosts[record].poolAddress)
  }

  // MARK: The order in which sessions became transitory

  /// Keeps the queue of the session's host in step with its timeout.
  func queueForEviction(_ session: SessionIndex, _ lifetime: LifetimeClass) {
    guard let hostQueues else { return }
    let binding = sessions.binding(of: session)
    guard let host = hosts.find(bindings.privateEndpoint(of: binding).address) else { return }
    hostQueues.remove(session, from: host)
    if lifetime == .tcpTransitory { hostQueues.append(session, to: host) }
  }
}
