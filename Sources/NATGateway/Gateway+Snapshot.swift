import NATEngine
public import NATTable
public import NATWire

/// A snapshot that is to be taken up, by this machine's clock.
public struct HeldTable: Sendable {
  public let snapshot: TableSnapshot
  /// From the snapshot's clock to the gateway's.
  public let offset: Int64

  public init(snapshot: TableSnapshot, offset: Int64) {
    self.snapshot = snapshot
    self.offset = offset
  }

  /// Whether nothing in it lives any more.
  /// - Complexity: O(what it holds).
  public func isOutdated(at now: Instant) -> Bool {
    let (sessions, ports) = (0..<snapshot.counts.sessions, 0..<snapshot.counts.ports)
    return sessions.allSatisfy {
      (snapshot.session($0)?.session.expires.shifted(by: offset)).map { $0 < now } ?? true
    }
      && ports.allSatisfy { (snapshot.port($0)?.freeFrom.shifted(by: offset)).map { $0 <= now } ?? true }
  }
}

extension Gateway {
  /// Takes over what a snapshot holds, as far as the configuration gives it to the same hosts still.
  ///
  /// - Parameters:
  ///   - offset: from the snapshot's clock to this gateway's.
  ///   - repeatsChoice: whether new ports are those that the saved gateway would have chosen. To be true only where its
  ///     packets are worked on again: else whoever read the snapshot could foresee them.
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

/// Saves the table of a gateway, a step at a time: each job is one step, and the next one goes on from its ``walk``.
public struct SaveTable: GatewayJob {
  /// What the step saved.
  public private(set) var words: [UInt64] = []
  public private(set) var walk: SavingWalk
  /// The gateway's, when the step was taken.
  public private(set) var clock = Instant(nanoseconds: 0)
  public private(set) var tracksWindows = false
  /// What chooses the next ports: a secret, but where packets are to be worked on again.
  public private(set) var random: RandomSource?
  private let limit: Int

  /// Records of a step: a fraction of a millisecond.
  public static let recordsPerStep = 2048

  /// - Parameter limit: records that are looked at; `.max` saves the whole table as it stands at one instant.
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
