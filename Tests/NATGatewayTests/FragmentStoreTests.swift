import NATMemory
import NATTable
import NATWire
import Testing

@testable import NATGateway

/// The stores behind fragments, each beside a slow and obvious one.
@Suite struct FragmentStoreTests {
  private static func hash(_ seed: UInt64) -> KeyHash {
    var random = RandomSource(seed: seed)
    return KeyHash(from: &random)
  }

  @Test(
    "FR6 the map of pieces tells new, same and overlapping fragments apart",
    arguments: 1...3 as ClosedRange<UInt64>)
  func pieces(seed: UInt64) {
    var random = RandomSource(seed: seed)
    let memory = MappedMemory(byteCount: PieceMaps.byteCount(datagrams: 3))
    let maps = PieceMaps(memory: memory, datagrams: 3)
    for _ in 0..<50 {
      var known: [Range<Int>] = []
      for _ in 0..<40 {
        // A few places near each other, at the beginning or at the end of the largest datagram.
        let start = Int(random.next() % 24) * 8 + (random.next() % 2 == 0 ? 0 : 65_312)
        let end = min(start + 1 + Int(random.next() % 40), 65_535)
        guard start < end else { continue }
        let expected: PieceMaps.Fit =
          known.contains(start..<end)
          ? .same : known.contains { $0.overlaps(start..<end) } ? .overlap : .new
        #expect(
          maps.fit(1, start: start, end: end) == expected, "seed \(seed): \(start)..<\(end) among \(known)")
        if expected == .new {
          maps.add(1, start: start, end: end)
          known.append(start..<end)
        }
      }
      maps.clear(1, end: known.map(\.upperBound).max() ?? 0)
      #expect(maps.fit(1, start: 0, end: 65_535) == .new, "seed \(seed)")
    }
    #expect(maps.fit(0, start: 0, end: 65_535) == .new)
    #expect(maps.fit(2, start: 0, end: 65_535) == .new)
  }

  @Test(
    "FR9 held fragments come back byte for byte, within the memory", arguments: 1...3 as ClosedRange<UInt64>)
  func held(seed: UInt64) {
    var random = RandomSource(seed: seed)
    let limit = 64 << 10
    var store = HeldFragments(limit: limit)
    let source = MappedMemory(byteCount: 4096 + 70_000)
    let target = MappedMemory(byteCount: 70_000)
    var known: [(index: HeldFragments.Index, bytes: [UInt8])] = []
    var refused = 0
    var total = 0
    for _ in 0..<4_000 {
      if random.next() % 5 < 3 {
        // Mostly the shortest that there are, which cost the most chunks a byte.
        let length = random.next() % 4 > 0 ? 21 : 21 + Int(random.next() % 3000)
        let frame = source.frame.window(at: 0, count: Packet.networkOffset + length)
        let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        for (place, byte) in bytes.enumerated() { frame.setUInt8(byte, at: Packet.networkOffset + place) }
        var packet = Packet(frame: frame)
        packet.describeQuoted(kind: .laterFragment, totalLength: length, source: .any, destination: .any)
        let index = store.hold(packet, before: HeldFragments.none)
        #expect((index != nil) == (total + length <= limit), "seed \(seed)")
        if let index {
          known.append((index, bytes))
          total += length
        } else {
          refused += 1
        }
      } else if !known.isEmpty {
        let taken = known.remove(at: Int(random.next() % UInt64(known.count)))
        #expect(store.length(of: taken.index) == taken.bytes.count)
        total -= taken.bytes.count
        _ = store.take(taken.index, into: target.frame)
        for (place, byte) in taken.bytes.enumerated() where target.frame.uint8(at: place) != byte {
          Issue.record("seed \(seed): byte \(place) of \(taken.bytes.count)")
        }
      }
    }
    #expect(refused > 0, "the limit was never reached")
    for fragment in known { _ = store.remove(fragment.index) }
    #expect(store.heldBytes == 0 && store.count == 0)
  }

  @Test("FR2 held fragments leave in order of offset", arguments: 1...3 as ClosedRange<UInt64>)
  func order(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var store = HeldFragments(limit: 1 << 20)
    let memory = MappedMemory(byteCount: 4096)
    for count in [0, 1, 2, 3, 100, 8191] {
      var units = (1..<count + 1).map { UInt16($0) }
      for place in units.indices.reversed() {
        units.swapAt(place, Int(random.next() % UInt64(place + 1)))
      }
      var list = HeldFragments.none
      for unit in units {
        var packet = Packet(frame: memory.frame.window(at: 0, count: Packet.networkOffset + 28))
        packet.describeQuoted(kind: .laterFragment, totalLength: 28, source: .any, destination: .any)
        packet.fragmentField = unit
        packet.frame.setUInt16(unit, at: Packet.networkOffset)
        list = store.hold(packet, before: list) ?? HeldFragments.none
        #expect(list != HeldFragments.none)
      }
      list = store.sorted(list)
      var seen: [UInt16] = []
      while list != HeldFragments.none {
        list = store.take(list, into: memory.frame.window(at: 2048, count: 28))
        seen.append(memory.frame.uint16(at: 2048))
      }
      #expect(seen == units.sorted(), "seed \(seed), \(count) fragments")
    }
  }

  /// The rule as the page has it, by looking through all that were given.
  private struct SlowIdentifications {
    struct Grant {
      var host: IPv4Address
      var original: UInt16
      var identification: UInt16
      var destination: IPv4Address
      var given: UInt64
    }

    var grants: [Grant] = []
    let lifetime: UInt64

    mutating func give(
      to host: IPv4Address, original: UInt16, destination: IPv4Address, at now: UInt64
    ) -> UInt16 {
      grants.removeAll { now > $0.given + lifetime }
      let rivals = grants.filter {
        $0.destination == destination && ($0.host != host || $0.original != original)
      }
      let taken = Set(rivals.map(\.identification))
      var identification = original
      while taken.contains(identification) { identification &+= 1 }
      grants.removeAll {
        $0.destination == destination && $0.host == host && $0.original == original
          && $0.identification == identification
      }
      grants.append(
        Grant(
          host: host, original: original, identification: identification, destination: destination, given: now
        )
      )
      return identification
    }
  }

  @Test(
    "FR5 identifications of merged hosts do not collide, RFC 7857 section 10",
    arguments: 1...3 as ClosedRange<UInt64>)
  func identifications(seed: UInt64) {
    var random = RandomSource(seed: seed)
    let lifetime: UInt64 = 400
    var slow = SlowIdentifications(lifetime: lifetime)
    var fast = Identifications(lifetime: lifetime, hash: Self.hash(seed), capacity: 4096)
    var now: UInt64 = 0
    for step in 0..<1500 {
      now += random.next() % 4
      if random.next() % 500 == 0 { now += lifetime }
      let host = IPv4Address(0xC0A8_0102 + UInt32(random.next() % 3))
      // Around the end of the numbers, so that the search wraps.
      let original = UInt16(truncatingIfNeeded: 65_400 + Int(random.next() % 300))
      let destination = IPv4Address(0xC633_6407 + UInt32(random.next() % 2))
      let group = Identifications.Group(source: .any, destination: destination, protocolNumber: 17)
      let expected = slow.give(to: host, original: original, destination: destination, at: now)
      let given = fast.give(
        to: host, original: original, in: group, at: Instant(nanoseconds: now))
      guard given == expected else {
        Issue.record("seed \(seed), step \(step): \(given), not \(expected)")
        return
      }
    }
  }

  @Test(
    "FR5 with all identifications given away a sender keeps its own, and with the store full the oldest goes")
  func allTaken() {
    let group = Identifications.Group(source: .any, destination: IPv4Address(1), protocolNumber: 17)
    let other = Identifications.Group(source: .any, destination: IPv4Address(2), protocolNumber: 17)
    var store = Identifications(lifetime: 1000, hash: Self.hash(1), capacity: 65_536)
    let now = Instant(nanoseconds: 0)
    let kept = (0...UInt16.max).allSatisfy {
      store.give(to: IPv4Address(10), original: $0, in: group, at: now) == $0
    }
    #expect(kept)
    #expect(store.give(to: IPv4Address(11), original: 7, in: group, at: now) == 7)
    // 0 of the first host is the oldest; what takes its place stands in another group.
    #expect(store.give(to: IPv4Address(11), original: 7, in: other, at: now) == 7)
    #expect(store.give(to: IPv4Address(12), original: 7, in: group, at: now) == 0)
  }
}
