import NATEngine
public import NATTable
public import NATWire

/// Sessions that a change ended.
public struct EndedSessions: Sendable {
  public private(set) var sessions = 0
  public private(set) var bindings = 0
  /// The first ``mostListed`` of them.
  public private(set) var listed: [TableEvent] = []

  public static let mostListed = 1000

  init() {}

  /// Runs `body` and adds the sessions that it ends.
  mutating func count(_ gateway: inout Gateway, _ body: (inout Gateway) -> Bool) -> Bool {
    let before = gateway.translator.shard.counts
    gateway.translator.shard.noteEndings()
    let isDone = body(&gateway)
    let after = gateway.translator.shard.counts
    sessions += before.sessions - after.sessions
    bindings +=
      before.dynamicBindings + before.oneToOneBindings - after.dynamicBindings - after.oneToOneBindings
    gateway.translator.shard.takeEnded { event in
      if listed.count < EndedSessions.mostListed { listed.append(event) }
    }
    return isDone
  }
}

/// Ends the dynamic sessions that a filter matches: one walk over the sessions, in short steps.
public struct EndSessions: GatewayJob {
  public static var isChange: Bool { true }
  public private(set) var ended = EndedSessions()
  private let filter: SessionFilter
  private var sweep = Sweep(.session, because: .ended)

  public init(_ filter: SessionFilter) { self.filter = filter }

  public mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool {
    let now = gateway.settle(at: now)
    let filter = filter
    var sweep = sweep
    let isDone = ended.count(&gateway) { gateway in
      sweep.step(&gateway.translator.shard, at: now) { _, session in
        session.kind == .dynamic && filter.matches(session)
      }
    }
    self.sweep = sweep
    return isDone
  }
}

/// A change of static mappings, pool or rules at run time: a list of operations, each in short steps.
public struct GatewayChange: GatewayJob {
  public enum Operation: Sendable {
    /// No frame leaves with this source until ``setInterfaces``.
    case loseAddress(IPv4Address)
    /// Removes a port forward and its sessions.
    case removeForward(PortForward, EndReason)
    /// Its bindings live on until ``endBindingsOfClosedOneToOne``.
    case closeOneToOne(OneToOneMapping)
    /// Ends the bindings of closed 1:1 mappings.
    case endBindingsOfClosedOneToOne
    /// Gives up the public address of a closed 1:1 mapping, after ``endBindingsOfClosedOneToOne``.
    case forgetOneToOne(OneToOneMapping)
    /// Closes a pool address to new bindings.
    case closePoolAddress(IPv4Address)
    /// Removes a closed pool address and all its dynamic bindings. Its static mappings must have been removed
    /// before.
    case removePoolAddress(IPv4Address, EndReason)
    case setRules(GatewaySettings)
    /// Addresses, MAC addresses and MTUs of the interfaces. Bindings on removed addresses must have ended
    /// before.
    case setInterfaces(GatewaySettings)
    /// Ends dynamic bindings on ports that no longer belong to the pool of an address.
    case endUnoffered(IPv4Address)
    /// Ends dynamic bindings of hosts outside all inside networks.
    case endBindingsOutsideInsideNetworks
    /// Applies lifetimes that became shorter.
    case sweepLifetimes
    case addPoolAddress(PoolAddress)
    case setPorts(PoolAddress)
    /// Sets the order of the pool: of equally used addresses, the first is taken.
    case orderPool([IPv4Address])
    /// Adds a port forward. Dynamic bindings on its endpoints end.
    case addForward(PortForward)
    /// Adds a 1:1 mapping. Dynamic bindings of its host live on until ``endDynamicOfOneToOne``.
    case addOneToOne(OneToOneMapping)
    case endDynamicOfOneToOne
    /// Announces a public address to the neighbours outside.
    case announce(IPv4Address)
  }

  public private(set) var ended = EndedSessions()
  /// Operations that found no room and changed nothing.
  public private(set) var refused = 0
  /// The result of restoring the held table.
  public private(set) var restored: RestoredTable?
  private let operations: [Operation]
  private var held: HeldTable?
  private var next = 0
  // The progress of the current operation.
  private var closing: Shard.Closing?
  private var sweep: Sweep?
  private var poolSweep: PoolSweep?
  private var lifetimeSweep: LifetimeSweep?

  /// - Parameter held: a table to restore after the operations, before packets can take its ports. All
  ///   operations then run in one step, so they must end few sessions.
  public init(_ operations: [Operation], takingUp held: HeldTable? = nil) {
    self.operations = operations
    self.held = held
  }

  public static var isChange: Bool { true }

  /// The most small operations in one step.
  private static let operationsPerStep = 32

  public mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool {
    let now = gateway.settle(at: now)
    var ended = ended
    repeat {
      advance(&gateway, &outbox, &ended, at: now)
    } while held != nil && next < operations.count
      && outbox.hasRoomForAnyPacket
    self.ended = ended
    if next == operations.count, let held {
      restored = gateway.restore(held.snapshot, offset: held.offset, at: now)
      self.held = nil
    }
    gateway.forgetFacts()
    return next == operations.count
  }

  private mutating func advance(
    _ gateway: inout Gateway, _ outbox: inout Outbox, _ ended: inout EndedSessions, at now: Instant
  ) {
    _ = ended.count(&gateway) { gateway in
      for _ in 0..<GatewayChange.operationsPerStep where next < operations.count {
        guard outbox.hasRoomForAnyPacket else { return false }
        let (isDone, isSmall) = advance(operations[next], &gateway, &outbox, at: now)
        if isDone { next += 1 }
        if !isDone || !isSmall { return false }
      }
      return true
    }
  }

  /// - Returns: whether the operation is done, and whether it took negligible time.
  private mutating func advance(
    _ operation: Operation, _ gateway: inout Gateway, _ outbox: inout Outbox, at now: Instant
  ) -> (isDone: Bool, isSmall: Bool) {
    switch operation {
    case .loseAddress(let address):
      gateway.settings.lostAddress = address
      return (true, true)
    case .removeForward(let mapping, let reason):
      if closing == nil {
        closing = gateway.translator.closeForward(mapping.transport, public: mapping.public, because: reason)
      }
      let isSmall = closing == nil
      return (endClosing(&gateway, at: now), isSmall)
    case .closeOneToOne(let mapping): return (count(gateway.translator.closeOneToOne(mapping)), true)
    case .endBindingsOfClosedOneToOne:
      guard gateway.translator.shard.counts.oneToOneBindings > 0 else { return (true, true) }
      return (
        run(.staticMappingRemoved, &gateway, at: now) { shard, session in
          session.kind == .oneToOne
            && shard.oneToOne(public: session.public.address)?.private != session.private.address
        }, false
      )
    case .forgetOneToOne(let mapping):
      gateway.translator.forget(mapping)
      return (true, true)
    case .closePoolAddress(let address):
      if let place = gateway.translator.shard.poolPlace(of: address) {
        gateway.translator.shard.closePoolAddress(place)
      }
      return (true, true)
    case .removePoolAddress(let address, let reason):
      return (removePoolAddress(address, because: reason, &gateway, at: now), false)
    case .setRules(let settings):
      gateway.setRules(settings)
      return (true, false)
    case .setInterfaces(let settings):
      gateway.setInterfaces(settings)
      return (true, false)
    case .endUnoffered(let address):
      guard let place = gateway.translator.shard.poolPlace(of: address) else { return (true, true) }
      return (
        run(.portOfHost, &gateway, at: now) { shard, session in
          session.kind == .dynamic && session.public.address == address && session.transport != .icmp
            && !shard.isOffered(session.transport, session.public.port, poolPlace: place)
        }, false
      )
    case .endBindingsOutsideInsideNetworks:
      let networks = gateway.insideNetworks
      return (
        run(.insideNetworkRemoved, &gateway, at: now) { _, session in
          session.kind == .dynamic && !networks.contains(session.private.address)
        }, false
      )
    case .sweepLifetimes:
      var walk = lifetimeSweep ?? LifetimeSweep()
      let isDone = walk.step(&gateway.translator.shard, at: now)
      lifetimeSweep = isDone ? nil : walk
      return (isDone, false)
    case .addPoolAddress(let pool): return (count(gateway.translator.addPoolAddress(pool)), false)
    case .setPorts(let pool):
      if let place = gateway.translator.shard.poolPlace(of: pool.address) {
        gateway.translator.shard.setPorts(pool.ports, poolPlace: place)
      }
      return (true, false)
    case .orderPool(let addresses):
      gateway.translator.shard.orderPool(addresses)
      return (true, true)
    case .addForward(let mapping): return addForward(mapping, &gateway, at: now)
    case .addOneToOne(let mapping): return (count(gateway.translator.addOneToOne(mapping)), true)
    case .endDynamicOfOneToOne:
      return (
        run(.staticMappingAdded, &gateway, at: now) { shard, session in
          session.kind == .dynamic && shard.oneToOne(private: session.private.address) != nil
        }, false
      )
    case .announce(let address):
      gateway.announce(address, on: .outside, at: now, &outbox)
      return (true, true)
    }
  }

  /// Ends the dynamic bindings on the endpoints of a port forward, at most two, then adds it. The last end
  /// and the addition are one step. Otherwise a busy host could make another binding in between, each time.
  private mutating func addForward(
    _ mapping: PortForward, _ gateway: inout Gateway, at now: Instant
  ) -> (isDone: Bool, isSmall: Bool) {
    var isSmall = true
    while true {
      if closing == nil, let other = gateway.translator.shard.bindingInTheWay(of: mapping) {
        closing = gateway.translator.shard.close(other, because: .staticMappingAdded)
      }
      guard closing != nil else { break }
      isSmall = false
      guard endClosing(&gateway, at: now) else { return (false, false) }
    }
    return (count(gateway.translator.addForward(mapping, at: now)), isSmall)
  }

  /// Counts an operation that found no room. It counts as done.
  private mutating func count(_ isDone: Bool) -> Bool {
    if !isDone { refused += 1 }
    return true
  }

  private mutating func endClosing(_ gateway: inout Gateway, at now: Instant) -> Bool {
    guard let closing else { return true }
    var limit = Sweep.endsPerStep
    guard gateway.translator.shard.end(closing, at: now, limit: &limit) else { return false }
    self.closing = nil
    return true
  }

  private mutating func run(
    _ reason: EndReason, _ gateway: inout Gateway, at now: Instant,
    where matches: (borrowing Shard, SessionSnapshot) -> Bool
  ) -> Bool {
    var walk = sweep ?? Sweep(.binding, because: reason)
    let isDone = walk.step(&gateway.translator.shard, at: now, where: matches)
    sweep = isDone ? nil : walk
    return isDone
  }

  private mutating func removePoolAddress(
    _ address: IPv4Address, because reason: EndReason, _ gateway: inout Gateway, at now: Instant
  ) -> Bool {
    guard let place = gateway.translator.shard.poolPlace(of: address) else { return true }
    var walk = poolSweep ?? PoolSweep(poolPlace: place, because: reason)
    guard walk.step(&gateway.translator.shard, at: now) else {
      poolSweep = walk
      return false
    }
    poolSweep = nil
    gateway.translator.removePoolAddress(address)
    return true
  }
}
