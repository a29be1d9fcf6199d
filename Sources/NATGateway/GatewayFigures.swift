public import NATEngine
public import NATTable
public import NATWire

/// The figures of a gateway at one moment. Only its worker may take them; the counters can be read from any thread.
public struct GatewayFigures: Sendable {
  /// The first stamp, nil before any frame.
  public var started: Instant?
  public var clock: Instant
  public var table: TableCounts
  /// Configured port forwards.
  public var forwards: Int
  public var pool: [PoolUse] = []
  public var counters: Counters

  public init(_ gateway: borrowing Gateway) {
    started = gateway.started
    clock = gateway.clock
    table = gateway.translator.shard.counts
    forwards = gateway.translator.shard.portForwardCount
    counters = gateway.counters
    var pool: [PoolUse] = []
    gateway.translator.shard.poolUse { pool.append($0) }
    self.pool = pool
  }
}

/// Reads the figures of a gateway.
/// - Complexity: O(pool addresses).
public struct ReadFigures: GatewayJob {
  public private(set) var figures: GatewayFigures?

  public init() {}

  public mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool {
    _ = gateway.settle(at: now)
    figures = GatewayFigures(gateway)
    return true
  }
}
