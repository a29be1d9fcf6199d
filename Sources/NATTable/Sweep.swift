import NATMemory
public import NATWire

/// Ends selected sessions of a shard in steps of about a millisecond. Packets pass between the steps.
///
/// A selected session that lives during the whole walk ends. A session made during the walk may end.
///
/// - Complexity: O(most sessions that ever lived at a time), O(1) a step.
public struct Sweep: BitwiseCopyable, Sendable {
  /// What ends with a selected session.
  public enum Scope: BitwiseCopyable, Sendable {
    case session
    /// Its binding with all sessions. The walk repeats until it finds nothing, because a packet may make a
    /// session behind it.
    case binding
  }

  private let scope: Scope
  private let reason: EndReason
  private var record = 0
  private var hasFound = false
  private var closing: Shard.Closing?

  /// The most records that a step reads, and the most sessions that it ends.
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
      // The last session that the inside host used ends with its binding, and with all other sessions of it.
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

/// Ends all bindings and hold-downs on a closed pool address, port by port.
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

  /// - Returns: whether the walk is at its end.
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

/// Reschedules sessions after lifetimes became shorter: a packet may now bring the end of a session forward.
///
/// - Complexity: O(most sessions that ever lived at a time), O(1) a step.
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
