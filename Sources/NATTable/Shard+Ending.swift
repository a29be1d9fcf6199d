import NATMemory
public import NATWire

extension Shard {
  /// Ends a live session. If it is the last one that the inside host used, its dynamic binding ends too.
  public mutating func end(_ session: SessionIndex, at instant: Instant, because reason: EndReason = .ended) {
    end(session, at: instant, isScheduled: true, because: reason)
  }

  mutating func end(
    _ session: SessionIndex, at instant: Instant, isScheduled: Bool, because reason: EndReason
  ) {
    let binding = sessions.binding(of: session)
    remove(session, isScheduled: isScheduled, at: instant, because: reason)
    switch bindings.kind(of: binding) {
    case .dynamic:
      guard bindings.usedSessions(of: binding) == 0 else { return }
      while let left = firstSession(of: binding) {
        remove(left, isScheduled: true, at: instant, because: reason)
      }
      endDynamic(binding, at: instant, because: reason)
    case .oneToOne:
      if firstSession(of: binding) == nil { endOneToOne(binding) }
    case .portForward: endIfUsed(binding, at: instant)
    case .free, .held, .closing: break
    }
  }

  /// Ends a binding that has no session, because the first one found no room.
  public mutating func endUnused(_ binding: BindingIndex, at instant: Instant) {
    guard firstSession(of: binding) == nil else { return }
    switch bindings.kind(of: binding) {
    case .dynamic: endDynamic(binding, at: instant, because: .refused)
    case .oneToOne: endOneToOne(binding)
    case .portForward, .free, .held, .closing: break
    }
  }

  mutating func remove(
    _ session: SessionIndex, isScheduled: Bool, at instant: Instant, because reason: EndReason
  ) {
    let binding = sessions.binding(of: session)
    let remote = sessions.remote(of: session)
    if !subscribers.isEmpty { noteEnd(of: session, at: instant, because: reason) }
    bySession.remove(hash.ofSession(binding, remote), record: session.rawValue)
    if sessions.flags(of: session).contains(.insideUsed) {
      removePermit(session, of: binding, remote.address)
      bindings.setUsedSessions(bindings.usedSessions(of: binding) - 1, of: binding)
    }
    unlink(session, of: binding)
    if isScheduled { wheel.cancel(session.rawValue) }
    if let host = hosts.find(bindings.privateEndpoint(of: binding).address) {
      hostQueues?.remove(session, from: host)
      hosts[host].sessions -= 1
      hosts.removeIfIdle(host)
    }
    sessions.clear(session)
    counts.sessions -= 1
    counts.sessionsExpired += 1
    retire(session)
  }

  private func removePermit(_ session: SessionIndex, of binding: BindingIndex, _ remote: IPv4Address) {
    let hash = hash.ofPermit(binding, remote)
    guard permit(binding, remote) == session.rawValue else { return }
    if let next = self.session(after: session), sessions.remote(of: next).address == remote,
      sessions.flags(of: next).contains(.insideUsed)
    {
      permits.replace(hash, record: session.rawValue, with: next.rawValue)
    } else {
      permits.remove(hash, record: session.rawValue)
    }
  }

  /// The hold-down begins when the binding ended, even if that is noticed later.
  mutating func endDynamic(_ binding: BindingIndex, at instant: Instant, because reason: EndReason) {
    if subscribers.contains(.events) { note(.bindingEnded, binding, at: instant, because: reason) }
    let endpoint = bindings.privateEndpoint(of: binding)
    unindexPrivate(binding, bindings.transport(of: binding), endpoint)
    let host = bindings.host(of: binding)
    hosts[host].bindings -= 1
    if hosts[host].bindings == 0, hosts[host].poolAddress != Hosts.none {
      pools[Int(hosts[host].poolAddress)].hosts -= 1
    }
    hosts.removeIfIdle(host)
    counts.dynamicBindings -= 1
    changeUse(of: binding, inUse: -1, held: 0)
    guard policy.portRest > 0 else {
      free(binding, wasHeld: false)
      return
    }
    let until = instant.advanced(by: policy.portRest)
    held.add(binding, until: until, isOffered: portMap(of: binding).isOffered(binding.poolPort))
    changeUse(of: binding, inUse: 0, held: 1)
    quietUntil = min(quietUntil, Instant(nanoseconds: until.nanoseconds - 1))
  }

  /// Frees a port of the pool for all hosts.
  mutating func free(_ binding: BindingIndex, wasHeld: Bool = true) {
    bindings.clear(binding)
    portMap(of: binding).free(binding.poolPort)
    if wasHeld { changeUse(of: binding, inUse: 0, held: -1) }
  }

  func changeUse(of binding: BindingIndex, inUse: Int, held: Int) {
    let space = PortSpace(of: binding)
    func changed(_ count: UInt32, _ change: Int) -> UInt32 { UInt32(Int(count) + change) }
    var pool = pools[space.poolPlace]
    pool.inUse[space.transport] = changed(pool.inUse[space.transport], inUse)
    pool.held[space.transport] = changed(pool.held[space.transport], held)
    pools[space.poolPlace] = pool
  }

  /// The ports of a binding's pool address and protocol.
  func portMap(of binding: BindingIndex) -> PortMap { portMaps[PortSpace(of: binding).rawValue] }
}
