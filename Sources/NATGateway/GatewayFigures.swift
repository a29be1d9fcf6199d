public import NATEngine
public import NATTable
public import NATWire

/// What only the worker of a gateway may read, as it stands at one moment; the counters themselves anyone may read.
public struct GatewayFigures: Sendable {
  /// The first stamp, nil before any frame.
  public var started: Instant?
  public var clock: Instant
  public var table: TableCounts
  /// Port forwards of the operator's.
  public var forwards: Int
  public var pool: [PoolUse] = []
  public var counters: Counters

  public init(_ gateway: borrowing Gateway) {
    started = gateway.started
    clock = gateway.clock
    table = gateway.translator.shard.counts
    forwards = gateway.translator.shard.forwardCount
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
