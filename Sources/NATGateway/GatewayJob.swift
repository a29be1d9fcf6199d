import NATEngine
import NATTable
public import NATWire

/// Work on a gateway between two batches: what operators ask of it, in steps none of which holds packets up for long.
public protocol GatewayJob: Sendable {
  /// Whether it does what no packet does: what was recorded before it cannot be put through the gateway again.
  static var isChange: Bool { get }

  /// Takes one step, of a millisecond or so.
  ///
  /// - Parameter outbox: empty; what is left in it is sent after the step.
  /// - Returns: whether the work is done.
  mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool
}

extension GatewayJob {
  public static var isChange: Bool { false }
}

extension Gateway {
  /// Brings the clock to `now` and ends what is due, as a packet of that instant would: what a job then finds and
  /// makes is right at that instant.
  mutating func settle(at now: Instant) -> Instant {
    clock = max(clock, now)
    translator.shard.startLifetimes(at: clock)
    translator.shard.advance(to: clock)
    translator.forgetEndedForwards()
    return clock
  }

  /// What was known of addresses may be otherwise now.
  mutating func forgetFacts() { factsCache.invalidate() }
}
