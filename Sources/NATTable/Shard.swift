public import NATMemory
public import NATWire
private import Synchronization

/// One worker's part of the table, and the only way to change it.
public struct Shard: ~Copyable {
  /// Never used. A struct with an atomic is always passed by address. Without it the compiler copied the
  /// shard (768 B) to the stack for each call of a non-mutating method: measured, 15 copies and 500
  /// instructions a packet.
  private let addressOnly = Atomic<UInt8>(0)

  let table: TranslationTable
  let worker: Int
  public let bindings: BindingStore
  public let sessions: SessionStore

  @usableFromInline let hash: KeyHash
  @usableFromInline let byPrivate: HashIndex
  @usableFromInline let bySession: HashIndex
  let permits: HashIndex
  @usableFromInline let byPublic: HashIndex
  @usableFromInline let durations: OwnedArray<UInt64>
  var lifetimes: LifetimeTable
  let listLinks: OwnedArray<TimerWheel.Link>
  let retireLinks: OwnedArray<TimerWheel.Link>
  /// By session; nil unless windows are tracked. Meaningless for UDP and ICMP sessions.
  public let windows: OwnedArray<ConnectionWindows>?
  /// Nil unless transitory sessions may be evicted.
  let hostQueues: HostQueues?
  let portMaps: OwnedArray<PortMap>
  let pools: OwnedArray<PoolRecord>
  let published: AtomicWords
  let epochs: Epochs
  let oneToOne: OwnedArray<OneToOneMapping>
  let oneToOneByPublic: HashIndex
  let oneToOneByPrivate: HashIndex
  /// The places of the pool's addresses, in the order of the configuration.
  let poolOrder: OwnedArray<UInt32>
  let offered: OwnedArray<UInt64>
  let endedRing: EventRing
  let eventRing: EventRing

  let firstExtra: Int
  let extraCount: Int
  /// Addresses of the pool.
  var poolCount = 0
  var bindingLimit: Int
  var sessionLimit: Int

  public var policy: PoolPolicy
  var subscribers: Subscribers = []
  var wheel: TimerWheel
  var held: HeldPorts
  var hosts: Hosts
  var portForwardTerms: PortForwardTermsStore

  /// Nothing is due at or before this instant.
  @usableFromInline var quietUntil = Instant.never

  // Free records, and retired records that readers may still look at, oldest first.
  var freeSession: UInt32 = 0
  var firstRetired: UInt32 = 0
  var lastRetired: UInt32 = 0
  var freshSessions = 0
  var freeExtra: UInt32 = 0
  var freshExtra = 0
  var freeOneToOne: UInt32 = 0
  var freshOneToOne = 0
  /// Port forwards in this shard.
  public internal(set) var portForwardCount = 0

  public internal(set) var counts = TableCounts()

  init(table: TranslationTable, memory: ShardMemory, worker: Int) {
    self.table = table
    self.worker = worker
    let settings = table.settings
    bindings = table.bindings
    sessions = memory.sessions
    hash = table.hash
    let indexes = memory.indexes
    byPrivate = indexes.byPrivate
    bySession = indexes.bySession
    permits = indexes.permits
    byPublic = indexes.byPublic
    oneToOneByPublic = indexes.oneToOneByPublic
    oneToOneByPrivate = indexes.oneToOneByPrivate
    lifetimes = LifetimeTable(settings.lifetimes, memory.lifetimes)
    durations = memory.lifetimes.durations
    listLinks = memory.listLinks
    retireLinks = memory.wheelLinks
    windows = memory.windows
    hostQueues = memory.hostQueues
    published = memory.published
    epochs = table.epochs
    oneToOne = memory.oneToOne
    poolOrder = memory.poolOrder
    pools = memory.pools
    portMaps = memory.portMaps
    offered = memory.offered
    endedRing = memory.endedRing
    eventRing = memory.eventRing
    firstExtra = memory.firstExtra
    extraCount = table.capacity.extra
    bindingLimit = TranslationTable.share(settings.bindingLimit, of: settings.workers)
    sessionLimit = TranslationTable.share(settings.sessionLimit, of: settings.workers)
    policy = settings.policy
    wheel = TimerWheel(
      heads: memory.wheelHeads, bitmaps: memory.wheelBitmaps, links: memory.wheelLinks,
      due: memory.sessions.dueTimes)
    held = HeldPorts(bindings: table.bindings, roots: memory.heldRoots, hash: table.hash)
    hosts = Hosts(
      records: memory.hosts, index: indexes.hosts, capacity: memory.hostCapacity, hash: table.hash)
    portForwardTerms = PortForwardTermsStore(
      memory: memory.portForwardTerms, capacity: table.capacity.forwards)

    for place in settings.pool.indices { openPoolAddress(place) }
    for mapping in settings.forwards { installPortForward(mapping) }
    for mapping in settings.oneToOne {
      let isAdded = addOneToOne(mapping)
      precondition(isAdded, "the index of 1:1 mappings is made for their number")
    }
  }

  // MARK: Finding

  /// The binding of a private endpoint; of several port forwards the first of the configuration.
  @inlinable @inline(__always)
  public func findBinding(_ transport: TransportProtocol, private: Endpoint) -> BindingIndex? {
    let bindings = self.bindings
    return byPrivate.find(hash.ofPrivate(transport, `private`)) {
      bindings.matches(BindingIndex($0), transport, `private`)
    }.map { BindingIndex($0) }
  }

  /// The live binding on a port of a pool address. It needs no search.
  @inlinable @inline(__always)
  public func findBinding(
    poolAddress: Int, _ transport: TransportProtocol, port: UInt16
  ) -> BindingIndex? {
    let binding = bindings.direct(poolAddress: poolAddress, transport, port: port)
    return bindings.isLive(binding) ? binding : nil
  }

  /// The live binding on a public endpoint outside the pool.
  public func findBinding(_ transport: TransportProtocol, public: Endpoint) -> BindingIndex? {
    let bindings = self.bindings
    return byPublic.find(hash.ofPublic(transport, `public`)) {
      let binding = BindingIndex($0)
      return bindings.isLive(binding) && bindings.publicEndpoint(of: binding) == `public`
        && bindings.transport(of: binding) == transport
    }.map { BindingIndex($0) }
  }

  /// The session of `binding` with `remote`, if it still lives at `now`, the due time included.
  @inlinable @inline(__always)
  public func findSession(_ binding: BindingIndex, remote: Endpoint, at now: Instant) -> SessionIndex? {
    let sessions = self.sessions
    guard
      let found = bySession.find(
        hash.ofSession(binding, remote),
        { sessions.matches(SessionIndex($0), binding, remote, at: now) })
    else { return nil }
    return SessionIndex(found)
  }

  /// Whether the inside host has a live session with this remote address, whatever the port.
  public func isOpen(_ binding: BindingIndex, to remote: IPv4Address) -> Bool {
    permit(binding, remote) != nil
  }

  func permit(_ binding: BindingIndex, _ remote: IPv4Address) -> UInt32? {
    let sessions = self.sessions
    return permits.find(hash.ofPermit(binding, remote)) {
      let session = SessionIndex($0)
      return sessions.binding(of: session) == binding && sessions.remote(of: session).address == remote
        && sessions.flags(of: session).contains(.insideUsed)
    }
  }

  // MARK: Prefetching

  /// The first of three rounds for an outbound packet: prefetches the index line of its binding.
  @inlinable @inline(__always)
  public func prefetchBinding(_ transport: TransportProtocol, private: Endpoint) -> UInt64 {
    let hash = hash.ofPrivate(transport, `private`)
    byPrivate.prefetch(hash)
    return hash
  }

  /// The first round for an inbound packet: prefetches its binding, whose place needs no search.
  @inlinable @inline(__always)
  public func prefetchBinding(poolAddress: Int, _ transport: TransportProtocol, port: UInt16) -> BindingIndex
  {
    let binding = bindings.direct(poolAddress: poolAddress, transport, port: port)
    bindings.prefetch(binding)
    return binding
  }

  /// The most likely binding of an outbound packet. Prefetches its line.
  @inlinable @inline(__always) public func guessBinding(_ hash: UInt64) -> BindingIndex? {
    guard let record = byPrivate.likelyRecord(hash) else { return nil }
    bindings.prefetch(BindingIndex(record))
    return BindingIndex(record)
  }

  /// The second round: prefetches the index line of the session.
  @inlinable @inline(__always)
  public func prefetchSessionIndex(_ binding: BindingIndex, remote: Endpoint) -> UInt64 {
    let hash = hash.ofSession(binding, remote)
    bySession.prefetch(hash)
    return hash
  }

  /// The third round: prefetches the session itself.
  @inlinable @inline(__always) public func prefetchSession(_ hash: UInt64) {
    if let record = bySession.likelyRecord(hash) { sessions.prefetch(SessionIndex(record)) }
  }

  // MARK: Using

  /// Counts a packet from the private endpoint.
  @inlinable @inline(__always) public func countOut(_ session: SessionIndex, bytes: Int, at now: Instant) {
    count(session, packets: .packetsOut, bytes: .bytesOut, bytes, now)
  }

  /// Counts a packet to the private endpoint.
  @inlinable @inline(__always) public func countIn(_ session: SessionIndex, bytes: Int, at now: Instant) {
    count(session, packets: .packetsIn, bytes: .bytesIn, bytes, now)
  }

  @inlinable @inline(__always)
  func count(
    _ session: SessionIndex, packets: SessionStore.Word, bytes: SessionStore.Word, _ count: Int,
    _ now: Instant
  ) {
    let record = sessions.words.group(Int(session.rawValue))
    record[packets.rawValue] = record[packets.rawValue] &+ 1
    record[bytes.rawValue] = record[bytes.rawValue] &+ UInt64(count)
    record[SessionStore.Word.lastPacket.rawValue] = now.nanoseconds
  }

  /// Restarts the session's timeout. It stays in its slot of the wheel, which is never too late.
  @inlinable @inline(__always) public func restart(_ session: SessionIndex, at now: Instant) {
    let record = sessions.words.group(Int(session.rawValue))
    let word = record[SessionStore.Word.state.rawValue]
    let timeout = RunningTimeout(
      SessionState(rawValue: UInt8(truncatingIfNeeded: word >> 40)),
      LifetimeClass(rawValue: UInt8(truncatingIfNeeded: word >> 24)))
    record[SessionStore.Word.expires.rawValue] = now.advanced(by: durations[timeout.place]).nanoseconds
  }

  /// Updates the session's state by a TCP segment from `side`.
  @inlinable
  public mutating func track(
    _ session: SessionIndex, _ flags: TCPFlags, from side: Side, at now: Instant, resetIsFinal: Bool
  ) {
    let state = sessions.state(of: session)
    let step = TCPTracker.advance(state, on: flags, from: side, resetIsFinal: resetIsFinal)
    if step.state != state { sessions.setState(step.state, of: session) }
    switch step.clock {
    case .keep: break
    case .restartEstablished:
      // The new timeout may be shorter: a port's lifetime may be below the transitory one.
      if step.state == state { restart(session, at: now) } else { startTimeout(session, at: now) }
    case .startTransitory: startTimeout(session, at: now)
    case .reopen:
      startTimeout(session, at: now)
      countReopening(of: session, at: now)
    }
  }

  @usableFromInline mutating func countReopening(of session: SessionIndex, at now: Instant) {
    counts.sessionsCreated += 1
    counts.sessionsExpired += 1
    if subscribers.contains(.events) { noteReopening(of: session, at: now) }
  }

  /// Starts the timeout of the session's new state. It may end before the old one would have, so the session moves to
  /// another slot of the timer wheel.
  @inline(never) @usableFromInline mutating func startTimeout(_ session: SessionIndex, at now: Instant) {
    let timeout = sessions.state(of: session).timeout(sessions.lifetimeClass(of: session))
    wheel.cancel(session.rawValue)
    sessions.setExpires(now.advanced(by: durations[timeout.place]), of: session)
    schedule(session)
  }

  /// Adds a session to the timer wheel or its queue.
  mutating func schedule(_ session: SessionIndex) {
    let isTransitory = sessions.state(of: session).isTransitory
    if isTransitory, wheel.mayEnqueue(dueAt: sessions.expires(session)) {
      wheel.enqueue(session.rawValue)
    } else {
      wheel.schedule(session.rawValue)
    }
    quietUntil = min(quietUntil, sessions.expires(session))
    queueForEviction(session, isTransitory: isTransitory)
  }

  // MARK: Time

  /// Ends everything that is due before `now`, each at its own due time, and frees ports whose hold-down is
  /// over.
  ///
  /// - Complexity: one comparison while nothing is due; amortized O(1) a session.
  @inlinable public mutating func advance(to now: Instant) {
    if now > quietUntil { expire(before: now) }
  }

  @inline(never) @usableFromInline
  mutating func expire(before now: Instant) {
    endPortForwards(before: now)
    endSessions(before: now)
    while let binding = held.popFree(at: now) { free(binding) }
    let nextFree = held.nextFree
    quietUntil = min(
      wheel.quietUntil, portForwardTerms.due,
      nextFree == .never ? .never : Instant(nanoseconds: nextFree.nanoseconds &- 1))
  }

  mutating func endSessions(before now: Instant) {
    let (sessions, durations) = (self.sessions, self.durations)
    while let record = wheel.popDue(
      before: now, earliest: { sessions.earliestEnd(of: SessionIndex($0), at: now, durations) })
    {
      let session = SessionIndex(record)
      end(session, at: sessions.expires(session), isScheduled: false, because: .expired)
    }
  }
}

/// The counts of a shard. The first three are the entries that live now; the others only grow.
public struct TableCounts: BitwiseCopyable, Sendable, Equatable {
  /// Live dynamic bindings.
  public internal(set) var dynamicBindings = 0
  /// Live sessions, over dynamic bindings and static mappings.
  public internal(set) var sessions = 0
  /// Live ports of 1:1 mappings.
  public internal(set) var oneToOneBindings = 0
  public internal(set) var bindingsCreated = 0
  public internal(set) var sessionsCreated = 0
  public internal(set) var sessionsExpired = 0
}
