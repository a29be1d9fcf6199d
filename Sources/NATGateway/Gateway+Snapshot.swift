import NATEngine
public import NATTable
public import NATWire

extension Gateway {
  /// Takes over what a snapshot holds, as far as the configuration gives it to the same hosts still.
  ///
  /// - Parameters:
  ///   - offset: from the snapshot's clock to this gateway's.
  ///   - repeatsChoice: whether new ports are those that the saved gateway would have chosen. To be true only where its
  ///     packets are worked on again: else whoever read the snapshot could foresee them.
  /// - Precondition: nothing has come to this gateway yet, which is the only worker of its table.
  public mutating func restore(
    _ snapshot: TableSnapshot, offset: Int64, at now: Instant, repeatsChoice: Bool = false
  ) -> RestoredTable {
    clock = now
    started = snapshot.header.started.shifted(by: offset)
    if repeatsChoice, let random = snapshot.header.random { translator.random = random }
    translator.shard.startLifetimes(at: now)
    let networks = insideNetworks
    return translator.shard.restore(snapshot, offset: offset, at: now) { networks.contains($0) }
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
