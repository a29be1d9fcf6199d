import NATMemory
public import NATWire

/// Ends selected sessions of a shard in steps of about a millisecond, so that packets pass between the steps.
///
/// A selected session that lives during the whole walk ends. One that is made meanwhile may end.
///
/// - Complexity: O(sessions that there have been at a time), O(1) a step.
public struct Sweep: BitwiseCopyable, Sendable {
  /// What ends with a selected session.
  public enum Scope: BitwiseCopyable, Sendable {
    case session
    /// Its binding, with all sessions. The walk is repeated until it finds nothing, because sessions may be made where
    /// it has already been.
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
    _ shard: inout Shard, at now: Instant, where isSelected: (borrowing Shard, SessionSnapshot) -> Bool
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
        isSelected(shard, snapshot)
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
  private var first: Int { poolPlace * PortSpace.portsPerAddress }
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
      shard.releaseHeld(of: binding.binding)
      closing = nil
    }
    let end = min(place + PoolSweep.placesPerStep, PortSpace.portsPerAddress)
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
        shard.releaseHeld(of: binding)
      case .held: shard.releaseHeld(of: binding)
      case .free, .closing, .portForward, .oneToOne: break
      }
    }
    return place == PortSpace.portsPerAddress
      && shard.hosts.forget(poolAddress: poolPlace, from: &host, limit: PoolSweep.placesPerStep)
  }
}

/// Reschedules sessions after lifetimes became shorter: a packet may now give a session an earlier end than it had.
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
