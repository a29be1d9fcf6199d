import NATMemory
public import NATWire

/// A walk over the sessions of a shard that ends those that are meant, in steps that take no longer than a millisecond
/// or so: packets are worked on between the steps.
///
/// A session that is meant and lives all the while ends; one that is made meanwhile may.
///
/// - Complexity: O(sessions that there have been at a time), O(1) a step.
public struct Sweep: BitwiseCopyable, Sendable {
  /// What ends where a session is meant.
  public enum Scope: BitwiseCopyable, Sendable {
    case session
    /// Its binding, with all sessions; the walk begins again until there is nothing left to find, so that no session
    /// escapes that was made behind it.
    case binding
  }

  private let scope: Scope
  private let reason: EndReason
  private var record = 0
  private var hasFound = false
  private var closing: Shard.Closing?

  /// Records that a step looks at, and sessions that it ends at most.
  static let recordsPerStep = 2048
  public static let endsPerStep = 512

  public init(_ scope: Scope, because reason: EndReason) {
    self.scope = scope
    self.reason = reason
  }

  /// - Returns: whether the walk is at its end.
  public mutating func step(
    _ shard: inout Shard, at now: Instant, where isMeant: (borrowing Shard, SessionSnapshot) -> Bool
  ) -> Bool {
    var limit = Sweep.endsPerStep
    if let binding = closing {
      guard shard.end(binding, at: now, limit: &limit) else { return false }
      closing = nil
    }
    let end = min(record + Sweep.recordsPerStep, shard.freshSessions)
    while record < end {
      guard limit > 0 else { return false }
      let session = SessionIndex(UInt32(record))
      record += 1
      guard let snapshot = SessionSnapshot(session, in: shard.sessions, shard.bindings), snapshot.kind.isLive,
        isMeant(shard, snapshot)
      else { continue }
      hasFound = true
      switch scope {
      // With the last session that its inside host used a binding ends, and all sessions that only remotes used.
      case .session where !shard.endsDynamicBinding(session):
        shard.end(session, at: now, because: reason)
        limit -= 1
      case .session, .binding:
        let binding = shard.close(shard.sessions.binding(of: session), because: reason)
        guard shard.end(binding, at: now, limit: &limit) else {
          closing = binding
          return false
        }
      }
    }
    guard record >= shard.freshSessions else { return false }
    guard scope == .binding, hasFound else { return true }
    record = 0
    hasFound = false
    return false
  }
}

/// Ends all that draws from an address of the pool, place by place: nothing new comes to them, for the address is closed.
///
/// - Complexity: O(ports of the address), O(1) a step.
public struct PoolSweep: BitwiseCopyable, Sendable {
  private let poolPlace: Int
  private let reason: EndReason
  private var first: Int { poolPlace * BindingIndex.portsPerAddress }
  private var place = 0
  private var host = 0
  private var closing: Shard.Closing?

  private static let placesPerStep = 8192

  /// - Precondition: `Shard.closePoolAddress(_:)` was called.
  public init(poolPlace: Int, because reason: EndReason) {
    self.poolPlace = poolPlace
    self.reason = reason
  }

  /// - Returns: whether nothing is left.
  public mutating func step(_ shard: inout Shard, at now: Instant) -> Bool {
    var limit = Sweep.endsPerStep
    if let binding = closing {
      guard shard.end(binding, at: now, limit: &limit) else { return false }
      shard.forgetRest(of: binding.binding)
      closing = nil
    }
    let end = min(place + PoolSweep.placesPerStep, BindingIndex.portsPerAddress)
    while place < end {
      guard limit > 0 else { return false }
      let binding = BindingIndex(first + place)
      place += 1
      switch shard.bindings.kind(of: binding) {
      case .dynamic:
        let closed = shard.close(binding, because: reason)
        guard shard.end(closed, at: now, limit: &limit) else {
          closing = closed
          return false
        }
        shard.forgetRest(of: binding)
      case .resting: shard.forgetRest(of: binding)
      case .free, .closing, .forward, .oneToOne: break
      }
    }
    return place == BindingIndex.portsPerAddress
      && shard.hosts.forget(poolAddress: poolPlace, from: &host, limit: PoolSweep.placesPerStep)
  }
}

/// Puts sessions where the timer finds them in time when lifetimes have become shorter: a packet may restart a clock to
/// an earlier end than it had.
///
/// - Complexity: O(sessions that there have been at a time), O(1) a step.
public struct LifetimeSweep: BitwiseCopyable, Sendable {
  private var record = 0

  public init() {}

  /// - Returns: whether the walk is at its end.
  public mutating func step(_ shard: inout Shard, at now: Instant) -> Bool {
    let end = min(record + Sweep.recordsPerStep, shard.freshSessions)
    while record < end {
      shard.reschedule(SessionIndex(UInt32(record)), at: now)
      record += 1
    }
    return record >= shard.freshSessions
  }
}
