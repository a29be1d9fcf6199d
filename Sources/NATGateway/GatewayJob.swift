import NATEngine
import NATTable
public import NATWire

/// Work on a gateway between two batches, in short steps that do not hold packets up: what operators ask for.
public protocol GatewayJob: Sendable {
  /// Whether it changes the gateway in a way that no packet does. A recording cannot be replayed across it.
  static var isChange: Bool { get }

  /// Takes one step of at most about a millisecond.
  ///
  /// - Parameter outbox: empty; the frames in it are sent after the step.
  /// - Returns: whether the work is done.
  mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool
}

extension GatewayJob {
  public static var isChange: Bool { false }
}

extension Gateway {
  /// Advances the clock to `now` and ends what is due, as a packet of that instant would. What a job then finds and
  /// makes is exact at that instant.
  mutating func settle(at now: Instant) -> Instant {
    clock = max(clock, now)
    translator.shard.startLifetimes(at: clock)
    translator.shard.advance(to: clock)
    translator.forgetEndedForwards()
    return clock
  }

  /// Invalidates the cached facts of addresses.
  mutating func forgetFacts() { factsCache.invalidate() }
}
