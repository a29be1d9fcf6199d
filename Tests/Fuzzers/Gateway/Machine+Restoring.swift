import FuzzerSupport
import NATComposition
import NATControl
import NATTable
import NATWire

@testable import NATGateway

/// A snapshot that is being made.
struct Saving {
  /// Records that a step looks at.
  var limit: Int
  var walk = SavingWalk()
  var words: [UInt64] = []
}

/// How a gateway is restored.
struct Restoration {
  /// From a snapshot of this instant, also where one was begun before.
  var isFresh: Bool
  /// Bits that are not as they were.
  var damage: [Int]
  /// The checksum is that of what was damaged.
  var isMended: Bool
  /// New ports are chosen as they would have been.
  var repeatsChoice: Bool
  /// By how much the clock is another one, in nanoseconds.
  var offset: Int64
}

extension Machine {
  /// A step of a snapshot.
  mutating func save(at now: Instant, _ buffers: inout Buffers, _ sent: inout [Sent]) {
    guard var saving, !saving.walk.isAtEnd else { return }
    var job = SaveTable(saving.walk, limit: saving.limit)
    _ = step(&job, at: now, &buffers, &sent)
    if saving.words.isEmpty {
      // As the daemon does: the clock is that of the first step.
      var header = SnapshotHeader(
        clock: job.clock, unixNanoseconds: job.clock.nanoseconds, started: gateway.started ?? job.clock)
      header.tracksWindows = job.tracksWindows
      header.random = job.random
      header.append(to: &saving.words)
    }
    saving.words += job.words
    saving.walk = job.walk
    self.saving = saving
  }

  mutating func restore(
    _ restoration: Restoration, at now: Instant, _ buffers: inout Buffers, _ sent: inout [Sent]
  ) {
    let isFresh = restoration.isFresh || saving == nil
    if isFresh { saving = Saving(limit: .max) }
    while let saving, !saving.walk.isAtEnd { save(at: now, &buffers, &sent) }
    guard let saved = saving else { return }
    saving = nil
    var words = saved.words
    TableSnapshot.appendCounts(saved.walk.counts, to: &words)
    words.append(sum(words))
    let whole = words
    for bit in restoration.damage { words[bit / 64 % words.count] ^= 1 << UInt64(bit % 64) }
    if restoration.isMended { words[words.count - 1] = sum(words.dropLast()) }
    let snapshot: TableSnapshot
    do {
      snapshot = try TableSnapshot(words)
    } catch {
      require(words != whole, "a whole snapshot is refused: \(error)")
      return
    }
    require(words == whole || restoration.isMended, "a damaged snapshot passes")
    forgetEndedStatics()
    let (before, pool, clock) = (lines, statsDocument.pool, max(now, gateway.clock))
    startAgain()
    let restored = gateway.restore(
      snapshot, offset: restoration.offset, at: clock, repeatsChoice: restoration.repeatsChoice)
    _ = gateway.settle(at: clock)
    checkTable()
    checkConfigured()
    let sessions =
      restored.sessions + restored.expired + restored.notAllowed + restored.withoutRoom
      + restored.contradicting
    require(sessions == snapshot.counts.sessions, "\(restored) of \(snapshot.counts)")
    guard words == whole, isFresh else { return }
    require(restored.contradicting == 0, "\(restored)")
    if !hasChanged { require(restored.notAllowed + restored.withoutRoom == 0, "\(restored)") }
    guard restoration.offset == 0 else { return }
    let listed = lines.filter { $0.session != nil }
    require(listed.isSubset(of: before), "\(listed.subtracting(before)) come of \(before)")
    guard restored.notAllowed + restored.withoutRoom == 0 else { return }
    require(lines == before, "\(before.subtracting(lines)) are lost")
    if !hasChanged { require(statsDocument.pool == pool, "\(statsDocument.pool), before \(pool)") }
  }

  private func sum(_ words: [UInt64]) -> UInt64 {
    var sum = Checksum64()
    sum.add(words[...])
    return sum.value
  }

  /// A session, or a static mapping without one, as the table lists it.
  private struct Line: Hashable {
    var transport: TransportName
    var kind: BindingDocument.Kind
    var ends: [EndpointDocument]
    /// Of a static, the gateway's age is as good.
    var age: Seconds?
    var session: SessionDocument?
  }

  private var lines: Set<Line> {
    var lines: Set<Line> = []
    for binding in tableDocument.bindings {
      let line = Line(
        transport: binding.transport, kind: binding.kind,
        ends: [binding.privateEndpoint, binding.publicEndpoint],
        age: binding.kind == .dynamic ? binding.age : nil, session: nil)
      if binding.sessions.isEmpty { lines.insert(line) }
      for session in binding.sessions {
        var line = line
        line.session = session
        lines.insert(line)
      }
    }
    return lines
  }
}
