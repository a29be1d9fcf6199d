import NATMemory
import NATWire
import TestSupport
import Testing

@testable import NATTable

/// The wheel against a list that is searched.
@Suite struct TimerWheelTests {
  /// A wheel over records of which only the due time matters.
  struct Fixture: ~Copyable {
    let sessions: SessionStore
    var wheel: TimerWheel
    let memory: [MappedMemory]

    init(count: Int) {
      let words = MappedMemory(byteCount: count * 64)
      let links = MappedMemory(byteCount: count * 8)
      let heads = MappedMemory(byteCount: TimerWheel.headBytes)
      let bitmaps = MappedMemory(byteCount: TimerWheel.bitmapBytes)
      sessions = SessionStore(words: words.words(count: count * 8), capacity: count)
      wheel = TimerWheel(
        heads: heads, bitmaps: bitmaps, links: links.array(of: TimerWheel.Link.self, count: count),
        due: sessions.dueTimes)
      memory = [words, links, heads, bitmaps]
    }

    func setExpires(_ session: UInt32, _ nanoseconds: UInt64) {
      sessions.words[Int(session) * 8 + 2] = nanoseconds
    }
  }

  static let microsecond: UInt64 = 1000
  static let second: UInt64 = 1_000_000_000
  static let year: UInt64 = 31_557_600 * second

  @Test("what is due comes in the order of due times, before `now` and never later, from 1 us to years")
  func againstSearch() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    for start in [0, 1, Self.year, 54 * Self.year, 500 * Self.year] {
      let count = 64
      var fixture = Fixture(count: count)
      var due: [UInt32: UInt64] = [:]
      /// Those that stand in the queue, the first one first.
      var queued: [UInt32] = []
      var now = start
      let queueLifetime = random.pick([0, 65536, 4 * Self.second, 240 * Self.second])
      for _ in 0..<8000 {
        let session = UInt32(random.below(count))
        func span() -> UInt64 {
          // Years are rare, as the clock ends after 584 of them.
          if random.below(300) == 0 { return Self.year / 2 }
          let unit = random.pick([
            1, Self.microsecond, 65536, 1000 * Self.microsecond, Self.second, 60 * Self.second,
            3600 * Self.second,
          ])
          return unit * UInt64(random.below(300))
        }
        switch random.below(8) {
        case 0, 1:
          if queued.contains(session) { break }
          if due[session] != nil {
            // A packet restarts the clock: the record changes, its place in the wheel does not.
            due[session] = max(now + span(), due[session] ?? 0)
            fixture.setExpires(session, due[session] ?? 0)
          } else {
            due[session] = now + span()
            fixture.setExpires(session, due[session] ?? 0)
            fixture.wheel.schedule(session)
          }
        case 2:
          guard due.removeValue(forKey: session) != nil else { break }
          queued.removeAll { $0 == session }
          fixture.wheel.cancel(session)
        case 3:
          // A shorter clock: out and in again.
          guard due[session] != nil else { break }
          queued.removeAll { $0 == session }
          fixture.wheel.cancel(session)
          due[session] = now + span() / 64
          fixture.setExpires(session, due[session] ?? 0)
          fixture.wheel.schedule(session)
        case 4, 5:
          // Into the queue, from nowhere, from the wheel or from the queue itself.
          if due[session] != nil { fixture.wheel.cancel(session) }
          due[session] = now + queueLifetime
          fixture.setExpires(session, due[session] ?? 0)
          fixture.wheel.enqueue(session)
          queued.removeAll { $0 == session }
          queued.append(session)
        default:
          let next = due.values.min() ?? now
          now = random.percent(40) && next >= now ? next + UInt64(random.below(2)) : now + span()
          var previous: UInt64?
          // As a shard does: it asks only when something can be due.
          while now > fixture.wheel.quietUntil.nanoseconds || previous != nil,
            let popped = fixture.wheel.popDue(before: Instant(nanoseconds: now))
          {
            guard let expires = due.removeValue(forKey: popped) else {
              Issue.record("seed \(seed): \(popped) was not in the wheel")
              return
            }
            queued.removeAll { $0 == popped }
            guard expires < now, expires >= previous ?? 0 else {
              Issue.record("seed \(seed): due \(expires) at \(now) after \(previous ?? 0)")
              return
            }
            // Something else may leave while the due are worked off.
            if random.percent(10), let other = due.keys.min() {
              due[other] = nil
              queued.removeAll { $0 == other }
              fixture.wheel.cancel(other)
            }
            previous = expires
          }
          guard due.values.allSatisfy({ $0 >= now }) else {
            Issue.record("seed \(seed): something due before \(now) stayed")
            return
          }
          var standing: [UInt32] = []
          var at = fixture.wheel.firstQueued
          while let session = at {
            standing.append(session)
            at = fixture.wheel.queued(after: session)
          }
          guard standing == queued else {
            Issue.record("seed \(seed): \(standing) in the queue instead of \(queued)")
            return
          }
        }
      }
    }
  }

  @Test("a session lives at its due instant and not a nanosecond longer")
  func exactInstant() {
    for expires in [1, 65535, 65536, 65537, 16_777_216, 300 * Self.second, 3 * Self.year] {
      var fixture = Fixture(count: 1)
      fixture.setExpires(0, expires)
      fixture.wheel.schedule(0)
      #expect(fixture.wheel.popDue(before: Instant(nanoseconds: expires)) == nil)
      #expect(fixture.wheel.popDue(before: Instant(nanoseconds: expires + 1)) == 0)
      #expect(fixture.wheel.popDue(before: .never) == nil)
    }
  }

  @Test("ten thousand due times in one slot come in order")
  func oneSlot() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    let count = 10_000
    var fixture = Fixture(count: count)
    var times: [UInt64] = []
    for session in 0..<UInt32(count) {
      times.append(5 * 65536 + UInt64(random.below(65536)))
      fixture.setExpires(session, times[Int(session)])
      fixture.wheel.schedule(session)
    }
    var popped: [UInt64] = []
    while let session = fixture.wheel.popDue(before: Instant(nanoseconds: Self.second)) {
      popped.append(times[Int(session)])
    }
    #expect(popped == times.sorted(), "seed \(seed)")
  }
}
