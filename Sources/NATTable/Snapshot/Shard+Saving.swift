import NATMemory
import NATWire

/// Saves a shard in steps. Packets pass between the steps.
///
/// Entries that live during the whole walk are saved exactly once. An entry that is made, ends or changes
/// meanwhile may be saved in its old or its new state. If two entries then contradict each other,
/// ``Shard/restore(_:offset:at:isInside:)`` takes the first.
public struct SavingWalk: BitwiseCopyable, Sendable {
  enum Part: BitwiseCopyable, Sendable { case lifetimes, sessions, ports, hosts, end }

  var part = Part.lifetimes
  var next = 0
  public internal(set) var counts = SnapshotCounts()

  public init() {}

  public var isAtEnd: Bool { part == .end }

  mutating func begin(_ part: Part) {
    self.part = part
    next = 0
  }
}

extension Shard {
  /// Whether the snapshots of this table hold windows.
  public var savesWindows: Bool { windows != nil }

  /// Continues a walk.
  ///
  /// - Parameter limit: the most records to read.
  /// - Complexity: O(limit).
  public func save(_ walk: inout SavingWalk, limit: Int, into words: inout [UInt64]) {
    // `.max` would overflow below.
    var left = min(limit, 1 << 40)
    while left > 0 {
      switch walk.part {
      case .lifetimes:
        walk.counts.lifetimes = lifetimes.overrides
        for number in 0..<walk.counts.lifetimes {
          words.append(durations[LifetimeTable.firstOverride + number])
        }
        walk.begin(.sessions)
      case .sessions:
        let end = min(freshSessions, walk.next + min(left, freshSessions))
        left -= end - walk.next
        while walk.next < end {
          save(session: SessionIndex(UInt32(walk.next)), &walk, into: &words)
          walk.next += 1
        }
        if walk.next >= freshSessions { walk.begin(.ports) }
      case .ports: savePorts(&walk, &left, into: &words)
      case .hosts:
        let before = walk.next
        let isDone = hosts.save(from: &walk.next, limit: left) { address, place in
          let poolAddress = place == Hosts.none ? 0 : bindings.poolAddresses[Int(place)]
          walk.counts.hosts += 1
          SavedHost(address, poolAddress: IPv4Address(UInt32(truncatingIfNeeded: poolAddress)))
            .append(to: &words)
        }
        left -= walk.next - before
        if isDone { walk.begin(.end) }
      case .end: return
      }
    }
  }

  private func save(session: SessionIndex, _ walk: inout SavingWalk, into words: inout [UInt64]) {
    guard let snapshot = SessionSnapshot(session, in: sessions, bindings), snapshot.kind.isLive else {
      return
    }
    SavedSession(snapshot, session, in: sessions, windows?[session.rawValue]).append(to: &words)
    walk.counts.sessions += 1
  }

  /// A port space without held ports takes one step.
  private func savePorts(_ walk: inout SavingWalk, _ left: inout Int, into words: inout [UInt64]) {
    let end = pools.count * PortSpace.portsPerAddress
    while left > 0, walk.next < end {
      let space = PortSpace(of: BindingIndex(walk.next))
      let next = (space.rawValue + 1) * PortSpace.ports
      if pools[space.poolPlace].held[space.transport] == 0 {
        walk.next = next
        left -= 1
        continue
      }
      // Reading eight places takes no longer than saving a session.
      let stop = min(next, walk.next + left * 8)
      left -= (stop - walk.next + 7) / 8
      while walk.next < stop {
        let binding = BindingIndex(walk.next)
        walk.next += 1
        guard bindings.kind(of: binding) == .held else { continue }
        SavedPort(binding, in: bindings).append(to: &words)
        walk.counts.ports += 1
      }
    }
    if walk.next >= end { walk.begin(.hosts) }
  }
}

extension Hosts {
  /// Calls `body` for each host with dynamic bindings, with the place of its pool address or ``none``.
  ///
  /// - Parameter next: the record to begin with; afterwards the one to continue with.
  /// - Returns: whether the walk is at its end.
  func save(from next: inout Int, limit: Int, _ body: (IPv4Address, UInt32) -> Void) -> Bool {
    let end = min(next + limit, used)
    while next < end {
      let record = self[UInt32(next)]
      // The address of a free record is out of date.
      if record.bindings > 0 { body(IPv4Address(record.address), record.poolAddress) }
      next += 1
    }
    return next >= used
  }
}
