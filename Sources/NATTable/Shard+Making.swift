public import NATMemory
public import NATWire

extension Shard {
  /// Whether the table has room for `count` more sessions.
  public func hasRoom(sessions count: Int) -> Bool {
    counts.sessions + count <= sessionLimit
  }

  public var hasRoomForBinding: Bool { counts.dynamicBindings < bindingLimit }

  /// The dynamic bindings and sessions of the host now.
  public func use(of host: IPv4Address) -> (bindings: Int, sessions: Int) {
    guard let record = hosts.find(host) else { return (0, 0) }
    return (Int(hosts[record].bindings), Int(hosts[record].sessions))
  }

  // MARK: Bindings

  /// Chooses a public endpoint for a new dynamic binding of `private`; nil if the pool has none for this
  /// host. It takes nothing yet.
  ///
  /// - Complexity: O(1) for a host that has a pool address; for a new host O(pool addresses), times the full
  ///   addresses.
  public func choosePublic(
    _ transport: TransportProtocol, for private: Endpoint, _ random: inout RandomSource
  ) -> BindingIndex? {
    if policy.paired, let host = hosts.find(`private`.address), hosts[host].bindings > 0,
      isOpen(hosts[host].poolAddress)
    {
      let address = Int(hosts[host].poolAddress)
      return choosePort(transport, for: `private`, poolAddress: address, &random).map {
        bindings.direct(poolAddress: address, transport, port: $0)
      }
    }
    // Addresses with the fewest hosts first, ties in the order of the configuration. This selection needs no
    // memory.
    var previous: (hosts: UInt32, order: Int) = (0, -1)
    for _ in 0..<poolCount {
      var best: (hosts: UInt32, order: Int)?
      for order in 0..<poolCount {
        let pool = pools[Int(poolOrder[order])]
        let candidate = (hosts: pool.hosts, order: order)
        guard pool.isOpen, candidate > previous else { continue }
        if let known = best, known <= candidate { continue }
        best = candidate
      }
      guard let best else { return nil }
      let address = Int(poolOrder[best.order])
      if let port = choosePort(transport, for: `private`, poolAddress: address, &random) {
        return bindings.direct(poolAddress: address, transport, port: port)
      }
      previous = best
    }
    return nil
  }

  /// Tries the private port, then its class and parity, then its class, then any port (RFC 4787 REQ-3,
  /// REQ-4).
  private func choosePort(
    _ transport: TransportProtocol, for private: Endpoint, poolAddress: Int, _ random: inout RandomSource
  ) -> UInt16? {
    let map = portMaps[PortSpace(poolPlace: poolAddress, transport).rawValue]
    let host = `private`.address
    if policy.portChoice == .preserve {
      if map.isFree(`private`.port) { return `private`.port }
      let own = bindings.direct(poolAddress: poolAddress, transport, port: `private`.port)
      if held.isOwn(own, of: host), map.isOffered(`private`.port) { return `private`.port }
    }
    func pick(_ portClass: PortMap.Class, _ parity: PortMap.Parity) -> UInt16? {
      if policy.portChoice == .sequential {
        let free = map.lowest(portClass, parity)
        let own = held.ownLowest(of: host, poolAddress: poolAddress, transport, portClass, parity)
        guard let free, let own else { return free ?? own }
        return min(free, own)
      }
      return map.random(portClass, parity, &random)
        ?? held.ownLowest(of: host, poolAddress: poolAddress, transport, portClass, parity)
    }
    if transport != .icmp {
      let portClass = PortMap.Class.of(`private`.port)
      if policy.parity, let port = pick(portClass, `private`.port & 1 == 0 ? .even : .odd) { return port }
      if let port = pick(portClass, .any) { return port }
    }
    return pick(.all, .any)
  }

  /// Makes the dynamic binding that ``choosePublic(_:for:_:)`` chose. False, with nothing changed, if an
  /// index or the table of hosts is full.
  public mutating func insertBinding(_ binding: BindingIndex, for private: Endpoint, at now: Instant) -> Bool
  {
    let transport = bindings.transport(of: binding)
    guard let host = hosts.findOrAdd(`private`.address) else { return false }
    // Port forwards with conditions come first in the list of the private endpoint.
    let specific = portForwardCount > 0 ? findBinding(transport, private: `private`) : nil
    let isIndexed =
      if let specific {
        bindings.kind(of: last(from: specific)) == .portForward
      } else {
        byPrivate.insert(hash.ofPrivate(transport, `private`), record: binding.rawValue)
      }
    guard isIndexed else {
      hosts.removeIfIdle(host)
      return false
    }
    let address = PortSpace(of: binding).poolPlace
    if bindings.kind(of: binding) == .held {
      held.remove(binding)
      changeUse(of: binding, inUse: 0, held: -1)
    } else {
      portMap(of: binding).take(binding.poolPort)
    }
    bindings.begin(binding, at: now)
    bindings.setHost(host, of: binding)
    bindings.publish(binding, `private`, transport, .dynamic)
    if let specific { insertIntoChain(of: specific, binding) }
    var record = hosts[host]
    if record.bindings == 0 || !isOpen(record.poolAddress) {
      // A host gives up an address that leaves the pool.
      if record.bindings > 0, record.poolAddress != Hosts.none { pools[Int(record.poolAddress)].hosts -= 1 }
      record.poolAddress = UInt32(address)
      pools[address].hosts += 1
    }
    record.bindings += 1
    hosts[host] = record
    changeUse(of: binding, inUse: 1, held: 0)
    counts.dynamicBindings += 1
    counts.bindingsCreated += 1
    if subscribers.contains(.events) { note(.bindingCreated, binding, at: now) }
    return true
  }

  private func isOpen(_ poolAddress: UInt32) -> Bool {
    poolAddress != Hosts.none && pools[Int(poolAddress)].isOpen
  }

  // MARK: Sessions

  /// Makes a session. Nil, with nothing changed, if the table is full.
  ///
  /// - Parameters:
  ///   - opener: the destination port, before translation, of the packet that makes it. The port may have a
  ///     lifetime.
  ///   - state: decides the timeout. A TCP session that is not established yet has the transitory timeout.
  public mutating func insertSession(
    _ binding: BindingIndex, remote: Endpoint, state: SessionState, flags: SessionFlags, opener port: UInt16,
    at now: Instant
  ) -> SessionIndex? {
    let lifetime = lifetimes.lifetimeClass(bindings.transport(of: binding), port: port)
    return insertSession(
      binding, remote: remote, state: state, flags: flags, lifetime,
      expires: now.advanced(by: durations[state.timeout(lifetime).place]), at: now)
  }

  /// - Parameter lifetime: the class of its timeout while it is in use.
  mutating func insertSession(
    _ binding: BindingIndex, remote: Endpoint, state: SessionState, flags: SessionFlags,
    _ lifetime: LifetimeClass, expires: Instant, at now: Instant
  ) -> SessionIndex? {
    let host: UInt32
    let isDynamic = bindings.kind(of: binding) == .dynamic
    if isDynamic {
      host = bindings.host(of: binding)
    } else {
      guard let found = hosts.findOrAdd(bindings.privateEndpoint(of: binding).address) else { return nil }
      host = found
    }
    guard counts.sessions < sessionLimit, let record = takeRecord() else {
      hosts.removeIfIdle(host)
      return nil
    }
    let session = SessionIndex(record)
    if let windows { windows[record] = ConnectionWindows() }
    sessions.setExpires(expires, of: session)
    sessions.setLastPacket(now, of: session)
    sessions.setCounters(SessionCounters(), of: session)
    sessions.publish(
      session, binding, remote: remote, state, flags.subtracting(.insideUsed), lifetime)
    guard bySession.insert(hash.ofSession(binding, remote), record: record) else {
      sessions.clear(session)
      retire(session)
      hosts.removeIfIdle(host)
      return nil
    }
    pushFirst(session, of: binding)
    if !isDynamic { noteUse(of: binding) }
    hosts[host].sessions += 1
    counts.sessions += 1
    counts.sessionsCreated += 1
    schedule(session)
    if flags.contains(.insideUsed) { markInsideUsed(session) }
    if subscribers.contains(.events) { note(.sessionCreated, binding, remote, at: now) }
    return session
  }

  /// From now on the session keeps its binding alive and opens the filter for its remote address.
  public mutating func markInsideUsed(_ session: SessionIndex) {
    let flags = sessions.flags(of: session)
    guard !flags.contains(.insideUsed) else { return }
    let binding = sessions.binding(of: session)
    let remote = sessions.remote(of: session).address
    // Sessions that opened the filter for one address are adjacent in the binding's list. The index points to
    // the first; when it ends, the next one takes its place.
    if let head = permit(binding, remote) {
      unlink(session, of: binding)
      insert(session, after: head, of: binding)
    } else {
      unlink(session, of: binding)
      pushFirst(session, of: binding)
      let isIndexed = permits.insert(hash.ofPermit(binding, remote), record: session.rawValue)
      precondition(isIndexed, "the index of permits has room for every session")
    }
    sessions.setFlags(flags.union(.insideUsed), of: session)
    bindings.setUsedSessions(bindings.usedSessions(of: binding) + 1, of: binding)
  }

  // MARK: The list of a binding's sessions

  private static var none: UInt32 { BindingStore.none }

  func pushFirst(_ session: SessionIndex, of binding: BindingIndex) {
    let first = bindings.firstSession(of: binding)
    listLinks[session.rawValue] = TimerWheel.Link(next: first?.rawValue ?? Shard.none, previous: Shard.none)
    if let first { listLinks[first.rawValue].previous = session.rawValue }
    bindings.setFirstSession(session, of: binding)
  }

  private func insert(_ session: SessionIndex, after head: UInt32, of binding: BindingIndex) {
    let next = listLinks[head].next
    listLinks[session.rawValue] = TimerWheel.Link(next: next, previous: head)
    listLinks[head].next = session.rawValue
    if next != Shard.none { listLinks[next].previous = session.rawValue }
  }

  func unlink(_ session: SessionIndex, of binding: BindingIndex) {
    let link = listLinks[session.rawValue]
    if link.previous == Shard.none {
      bindings.setFirstSession(link.next == Shard.none ? nil : SessionIndex(link.next), of: binding)
    } else {
      listLinks[link.previous].next = link.next
    }
    if link.next != Shard.none { listLinks[link.next].previous = link.previous }
  }

  public func firstSession(of binding: BindingIndex) -> SessionIndex? { bindings.firstSession(of: binding) }

  public func session(after session: SessionIndex) -> SessionIndex? {
    let next = listLinks[session.rawValue].next
    return next == Shard.none ? nil : SessionIndex(next)
  }

  // MARK: Records

  private mutating func takeRecord() -> UInt32? {
    if freeSession == 0, firstRetired != 0 { reclaim() }
    if freeSession != 0 {
      let record = freeSession - 1
      freeSession = retireLinks[record].next
      return record
    }
    guard freshSessions < sessions.capacity else { return nil }
    freshSessions += 1
    published.release(UInt64(freshSessions), at: 0)
    return UInt32(freshSessions - 1)
  }

  /// Retires a record that no index finds any more. Readers may still look at it.
  mutating func retire(_ session: SessionIndex) {
    let epoch = epochs.retire()
    if table.readerClaims.acquire(0) == 0 {
      // There are no readers. One that begins now begins after the fence and does not find the record.
      retireLinks[session.rawValue] = TimerWheel.Link(next: freeSession, previous: 0)
      freeSession = session.rawValue + 1
      return
    }
    sessions.setRetired(in: epoch, session)
    retireLinks[session.rawValue] = TimerWheel.Link(next: 0, previous: 0)
    if lastRetired == 0 {
      firstRetired = session.rawValue + 1
    } else {
      retireLinks[lastRetired - 1].next = session.rawValue + 1
    }
    lastRetired = session.rawValue + 1
  }

  /// Frees the retired records that no reader can still look at. It runs when records run out; callers may at
  /// any time.
  public mutating func reclaim() {
    guard firstRetired != 0 else { return }
    epochs.advance()
    let oldest = epochs.oldestReader()
    while firstRetired != 0, sessions.epoch(of: SessionIndex(firstRetired - 1)) < oldest {
      let record = firstRetired - 1
      firstRetired = retireLinks[record].next
      if firstRetired == 0 { lastRetired = 0 }
      retireLinks[record] = TimerWheel.Link(next: freeSession, previous: 0)
      freeSession = record + 1
    }
  }
}
