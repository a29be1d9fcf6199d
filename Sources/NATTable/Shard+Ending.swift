import NATMemory
public import NATWire

extension Shard {
  /// Ends a live session at `instant`; with the last one that its inside host used, a dynamic binding ends too.
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
      guard bindings.low(binding, 2) == 0 else { return }
      while let left = firstSession(of: binding) {
        remove(left, isScheduled: true, at: instant, because: reason)
      }
      endDynamic(binding, at: instant, because: reason)
    case .oneToOne:
      if firstSession(of: binding) == nil { endOneToOne(binding) }
    case .forward: endIfUsed(binding, at: instant)
    case .free, .resting, .closing: break
    }
  }

  /// Takes back a binding whose first session found no room.
  public mutating func endUnused(_ binding: BindingIndex, at instant: Instant) {
    guard firstSession(of: binding) == nil else { return }
    switch bindings.kind(of: binding) {
    case .dynamic: endDynamic(binding, at: instant, because: .refused)
    case .oneToOne: endOneToOne(binding)
    case .forward, .free, .resting, .closing: break
    }
  }

  mutating func remove(
    _ session: SessionIndex, isScheduled: Bool, at instant: Instant, because reason: EndReason
  ) {
    let binding = sessions.binding(of: session)
    let remote = sessions.remote(of: session)
    if !listeners.isEmpty { noteEnd(of: session, at: instant, because: reason) }
    bySession.remove(hash.ofSession(binding, remote), record: session.rawValue)
    if sessions.flags(of: session).contains(.insideUsed) {
      removePermit(session, of: binding, remote.address)
      bindings.setLow(binding, 2, bindings.low(binding, 2) - 1)
    }
    unlink(session, of: binding)
    if isScheduled { wheel.cancel(session.rawValue) }
    if let host = hosts.find(bindings.privateEndpoint(of: binding).address) {
      hostQueues?.remove(session, from: host)
      hosts[host].sessions -= 1
      hosts.removeIfIdle(host)
    }
    sessions.words.release(0, at: sessions.at(session, 1))
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

  /// The port rests from the instant at which the binding ended, whenever that is noticed.
  mutating func endDynamic(_ binding: BindingIndex, at instant: Instant, because reason: EndReason) {
    if listeners.contains(.events) { note(.bindingEnded, binding, at: instant, because: reason) }
    let endpoint = bindings.privateEndpoint(of: binding)
    unindexPrivate(binding, bindings.transport(of: binding), endpoint)
    let host = bindings.high(binding, 3)
    hosts[host].bindings -= 1
    if hosts[host].bindings == 0, hosts[host].poolAddress != Hosts.none {
      pools[Int(hosts[host].poolAddress)].hosts -= 1
    }
    hosts.removeIfIdle(host)
    counts.dynamicBindings -= 1
    changeUse(of: binding, inUse: -1, resting: 0)
    guard policy.portRest > 0 else {
      free(binding, wasResting: false)
      return
    }
    let until = instant.advanced(by: policy.portRest)
    let map = portMaps[Int(binding.rawValue >> 16)]
    resting.add(
      binding, until: until, isOffered: map.isOffered(UInt16(truncatingIfNeeded: binding.rawValue)))
    changeUse(of: binding, inUse: 0, resting: 1)
    quietUntil = min(quietUntil, Instant(nanoseconds: until.nanoseconds - 1))
  }

  /// Makes a place of the pool available to everybody.
  mutating func free(_ binding: BindingIndex, wasResting: Bool = true) {
    bindings.words.release(0, at: Int(binding.rawValue) * 4)
    portMaps[Int(binding.rawValue >> 16)].free(UInt16(truncatingIfNeeded: binding.rawValue))
    if wasResting { changeUse(of: binding, inUse: 0, resting: -1) }
  }

  func changeUse(of binding: BindingIndex, inUse: Int, resting: Int) {
    let address = Int(binding.rawValue) / BindingIndex.portsPerAddress
    var pool = pools[address]
    func changed(_ count: UInt32, _ change: Int) -> UInt32 { UInt32(Int(count) + change) }
    switch bindings.transport(of: binding) {
    case .icmp:
      pool.inUse.0 = changed(pool.inUse.0, inUse)
      pool.resting.0 = changed(pool.resting.0, resting)
    case .tcp:
      pool.inUse.1 = changed(pool.inUse.1, inUse)
      pool.resting.1 = changed(pool.resting.1, resting)
    case .udp:
      pool.inUse.2 = changed(pool.inUse.2, inUse)
      pool.resting.2 = changed(pool.resting.2, resting)
    }
    pools[address] = pool
  }
}
