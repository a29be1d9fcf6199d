import NATMemory
public import NATWire

extension Shard {
  /// The limit that a packet meets.
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

  /// How many of the oldest transitory sessions a search reads.
  private static let reach = 32

  /// Ends the oldest transitory session whose end makes room. It works only with `evict: oldest-transitory`
  /// and never ends an established session (RFC 6888 REQ-11 would end none).
  ///
  /// Any session makes room under the table's limit, a host's own session under the host's limit. A binding
  /// ends with the last session that the inside host used, so for bindings and ports it must be that session.
  /// The port then goes into hold-down for the same host; without hold-down, other hosts of the address may
  /// have it. Only TCP sessions are transitory, so ports of other protocols are never freed.
  ///
  /// - Returns: whether one was found among the 32 oldest of the table, or of the host.
  /// - Complexity: O(1).
  public mutating func evict(for shortage: Shortage, keeping kept: Kept, at now: Instant) -> Bool {
    guard let session = sessionToEvict(for: shortage, keeping: kept) else { return false }
    end(session, at: now, because: .evicted)
    return true
  }

  /// Whether ``evict(for:keeping:at:)`` would find a session.
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

  /// Whether the packet uses the session, or uses its binding and the binding would end with it.
  private func isNeeded(_ session: SessionIndex, _ kept: Kept) -> Bool {
    if session == kept.sessions.0 || session == kept.sessions.1 { return true }
    let binding = sessions.binding(of: session)
    guard binding == kept.bindings.0 || binding == kept.bindings.1 else { return false }
    if bindings.kind(of: binding) == .oneToOne {
      return firstSession(of: binding) == session && self.session(after: session) == nil
    }
    return endsDynamicBinding(session)
  }

  /// Whether a dynamic binding ends with the session: it is the last one that the inside host used.
  func endsDynamicBinding(_ session: SessionIndex) -> Bool {
    let binding = sessions.binding(of: session)
    return bindings.kind(of: binding) == .dynamic && sessions.flags(of: session).contains(.insideUsed)
      && bindings.usedSessions(of: binding) == 1
  }

  /// Whether the host may use the pool address of the session's binding.
  private func isOnAddress(_ session: SessionIndex, of host: IPv4Address) -> Bool {
    guard policy.paired, let record = hosts.find(host), hosts[record].bindings > 0,
      hosts[record].poolAddress != Hosts.none
    else { return true }
    return PortSpace(of: sessions.binding(of: session)).poolPlace == Int(hosts[record].poolAddress)
  }

  // MARK: The order in which sessions became transitory

  /// Adds the session to its host's queue when it becomes transitory, and removes it when it leaves that
  /// timeout.
  func queueForEviction(_ session: SessionIndex, isTransitory: Bool) {
    guard let hostQueues else { return }
    let binding = sessions.binding(of: session)
    guard let host = hosts.find(bindings.privateEndpoint(of: binding).address) else { return }
    hostQueues.remove(session, from: host)
    if isTransitory { hostQueues.append(session, to: host) }
  }
}
