import NATEngine
public import NATMemory
public import NATTable
public import NATWire

/// A snapshot to restore, with the offset to this machine's clock.
public struct HeldTable: Sendable {
  public let snapshot: TableSnapshot
  /// Nanoseconds from the snapshot's clock to the gateway's.
  public let offset: Int64

  public init(snapshot: TableSnapshot, offset: Int64) {
    self.snapshot = snapshot
    self.offset = offset
  }

  /// Whether every session and every hold-down in it has expired.
  /// - Complexity: O(sessions + ports).
  public func isOutdated(at now: Instant) -> Bool {
    let (sessions, ports) = (0..<snapshot.counts.sessions, 0..<snapshot.counts.ports)
    return sessions.allSatisfy {
      (snapshot.session($0)?.session.expires.shifted(by: offset)).map { $0 < now } ?? true
    }
      && ports.allSatisfy { (snapshot.port($0)?.freeFrom.shifted(by: offset)).map { $0 <= now } ?? true }
  }
}

extension Gateway {
  /// Restores the bindings and sessions of a snapshot that the present configuration still allows.
  ///
  /// - Parameters:
  ///   - offset: nanoseconds from the snapshot's clock to this gateway's.
  ///   - repeatsChoice: whether new ports are those that the saved gateway would have chosen. True only for a replay
  ///     of its packets: otherwise anyone who read the snapshot could predict ports.
  /// - Precondition: this gateway is the only worker of its table.
  public mutating func restore(
    _ snapshot: TableSnapshot, offset: Int64, at now: Instant, repeatsChoice: Bool = false
  ) -> RestoredTable {
    clock = max(clock, now)
    started = snapshot.header.started.shifted(by: offset)
    if repeatsChoice, let random = snapshot.header.random { translator.random = random }
    translator.shard.startLifetimes(at: now)
    let networks = insideNetworks
    return translator.shard.restore(
      snapshot, offset: offset, at: clock, shared: settings.sharesOutside ? settings.outsideAddress : nil
    ) { networks.contains($0) }
  }
}

/// Saves the table of a gateway in steps. Each job is one step; the next one continues from its ``walk``.
public struct SaveTable: GatewayJob {
  /// The records that the step saved.
  public private(set) var words: [UInt64] = []
  public private(set) var walk: SavingWalk
  /// The gateway's clock at the step.
  public private(set) var clock = Instant(nanoseconds: 0)
  public private(set) var tracksWindows = false
  /// The state of port choice: secret, except in a recording that is to be replayed.
  public private(set) var random: RandomSource?
  private let limit: Int

  /// Records in a step; it takes a fraction of a millisecond.
  public static let recordsPerStep = 2048

  /// - Parameter limit: records to look at; `.max` saves the whole table at one instant.
  public init(_ walk: SavingWalk = SavingWalk(), limit: Int = recordsPerStep) {
    self.walk = walk
    self.limit = limit
  }

  public mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool {
    clock = gateway.settle(at: now)
    tracksWindows = gateway.translator.shard.savesWindows
    random = gateway.translator.random
    gateway.translator.shard.save(&walk, limit: limit, into: &words)
    return true
  }
}
