public import NATWire

/// A hierarchical timer wheel over numbered records, with lazy rescheduling and exact due times. Beside it, a
/// queue for records that need no wheel.
///
/// One word of a record holds its due time. The record is in the slot of that time or an earlier one. To
/// postpone it, only the word is written: when the slot comes up, the record moves to its new slot. Six
/// levels of 256 slots cover all times (a slot lasts 65.5 us, 16.8 ms, 4.3 s, 18 min, 78 h, 2.3 years).
/// Records come due in the order of their due times, even if time jumps by hours. Bitmaps skip empty slots.
///
/// The queue holds records with one common lifetime that nothing restarts. Their order of arrival is the
/// order of their due times. It uses the same links.
///
/// - Complexity: schedule, enqueue and cancel O(1). A record moves at most six times before it is due.
public struct TimerWheel: ~Copyable {
  /// Links a record to the next and the previous record of its slot. In the first record, `previous` holds the slot
  /// number.
  public struct Link: BitwiseCopyable {
    public var next: UInt32
    public var previous: UInt32

    @inlinable public init(next: UInt32, previous: UInt32) {
      self.next = next
      self.previous = previous
    }
  }

  /// The word of each record that holds its due time, in nanoseconds.
  public struct DueTimes: BitwiseCopyable {
    let words: AtomicWords
    let wordsPerRecord: Int
    let dueWord: Int

    public init(in words: AtomicWords, wordsPerRecord: Int, dueWord: Int) {
      self.words = words
      self.wordsPerRecord = wordsPerRecord
      self.dueWord = dueWord
    }

    subscript(record: UInt32) -> Instant {
      Instant(nanoseconds: words[Int(record) &* wordsPerRecord &+ dueWord])
    }
  }

  private let heads: OwnedArray<UInt32>
  private let occupied: OwnedArray<UInt64>
  private let links: OwnedArray<Link>
  private let due: DueTimes
  /// In units of 2^16 ns. No record is in a slot of an earlier time.
  private var current: UInt64 = 0
  /// No record in a slot is due at or before this instant.
  private var slotsQuietUntil = Instant.never
  private var lastQueued = TimerWheel.none

  private static let tickBits: UInt64 = 16
  private static let levels = 6
  private static let slots = levels * 256
  /// The list of due records, in the order of their due times.
  private static let dueSlot = slots
  private static let queueSlot = slots + 1
  private static let isSlot: UInt32 = 0x8000_0000
  private static let none = UInt32.max
  /// Bytes of memory for heads and bitmaps.
  public static let headBytes = (slots + 2) * 4
  public static let bitmapBytes = (levels * 4 + 1) * 8

  public init(heads: MappedMemory, bitmaps: MappedMemory, links: OwnedArray<Link>, due: DueTimes) {
    self.heads = heads.array(of: UInt32.self, count: TimerWheel.slots + 2)
    occupied = bitmaps.array(of: UInt64.self, count: TimerWheel.levels * 4)
    self.links = links
    self.due = due
    for slot in 0...TimerWheel.queueSlot { self.heads[slot] = TimerWheel.none }
  }

  /// Puts a record into the slot of its due time or of `instant`, whichever is earlier.
  public mutating func schedule(_ record: UInt32, noLaterThan instant: Instant = .never) {
    let place = min(due[record], instant)
    slotsQuietUntil = min(slotsQuietUntil, place)
    push(record, to: slot(for: place))
  }

  /// Puts a record at the end of the queue.
  /// - Precondition: no record of the queue is due later.
  public mutating func enqueue(_ record: UInt32) {
    if lastQueued == TimerWheel.none {
      links[record] = Link(
        next: TimerWheel.none, previous: TimerWheel.isSlot | UInt32(TimerWheel.queueSlot))
      heads[TimerWheel.queueSlot] = record
    } else {
      links[record] = Link(next: TimerWheel.none, previous: lastQueued)
      links[lastQueued].next = record
    }
    lastQueued = record
  }

  /// Whether a record due at `instant` may join the queue. Not while the last one is due later, because it
  /// was added before the lifetime became shorter.
  public func mayEnqueue(dueAt instant: Instant) -> Bool {
    lastQueued == TimerWheel.none || due[lastQueued] <= instant
  }

  /// The oldest record of the queue.
  public var firstQueued: UInt32? { TimerWheel.record(heads[TimerWheel.queueSlot]) }

  /// - Precondition: `record` is in the queue.
  public func queued(after record: UInt32) -> UInt32? { TimerWheel.record(links[record].next) }

  private static func record(_ node: UInt32) -> UInt32? { node == TimerWheel.none ? nil : node }

  /// Removes a record from its slot or the queue.
  public mutating func cancel(_ record: UInt32) { unlink(record) }

  /// No record is due at or before this instant.
  public var quietUntil: Instant {
    guard let first = firstQueued else { return slotsQuietUntil }
    return min(slotsQuietUntil, due[first])
  }

  /// Removes and returns the next record that is due before `now`, in the order of due times.
  ///
  /// - Parameter earliest: the earliest time to which the due time of a record may still move. A record that
  ///   is not due yet goes into a slot no later than that.
  public mutating func popDue(
    before now: Instant, earliest: (UInt32) -> Instant = { _ in .never }
  ) -> UInt32? {
    if heads[TimerWheel.dueSlot] == TimerWheel.none, now > slotsQuietUntil {
      collect(before: now, earliest)
    }
    var first = TimerWheel.record(heads[TimerWheel.dueSlot])
    if let queued = firstQueued, due[queued] < now {
      let isFirst = first.map { due[queued] < due[$0] } ?? true
      if isFirst { first = queued }
    }
    if let first { unlink(first) }
    return first
  }

  /// Fills the due list from the earliest slot with a record due before `now`, if there is one.
  private mutating func collect(before now: Instant, _ earliest: (UInt32) -> Instant) {
    let nowTick = now.nanoseconds >> TimerWheel.tickBits
    while let (slot, start) = firstOccupied() {
      guard start <= nowTick else {
        slotsQuietUntil = Instant(nanoseconds: start << TimerWheel.tickBits)
        current = max(current, nowTick)
        return
      }
      current = max(current, start)
      var earliestLeft = Instant.never
      var firstDue = TimerWheel.none
      var dueCount = 0
      var at = detach(slot)
      while at != TimerWheel.none {
        let next = links[at].next
        let instant = due[at]
        if instant < now, instant.nanoseconds >> TimerWheel.tickBits <= current {
          links[at] = Link(next: firstDue, previous: 0)
          firstDue = at
          dueCount += 1
        } else {
          let place = min(instant, earliest(at))
          push(at, to: self.slot(for: place))
          earliestLeft = min(earliestLeft, place)
        }
        at = next
      }
      if firstDue != TimerWheel.none {
        appendDue(sorted(firstDue, count: dueCount))
        return
      }
      if start == nowTick, slot < 256 {
        // Only the slot of the current tick can keep records that are not due yet.
        slotsQuietUntil = earliestLeft
        if earliestLeft.nanoseconds >> TimerWheel.tickBits == nowTick { return }
      }
    }
    current = max(current, nowTick)
    slotsQuietUntil = .never
  }

  /// The slot for a due time, by the highest digit (base 256) in which it differs from the current tick.
  private func slot(for instant: Instant) -> Int {
    let tick = max(instant.nanoseconds >> TimerWheel.tickBits, current)
    let difference = tick ^ current
    guard difference > 255 else { return Int(tick & 255) }
    let level = (63 - difference.leadingZeroBitCount) / 8
    return level * 256 + Int(tick >> UInt64(8 * level) & 255)
  }

  /// The earliest occupied slot, with its first tick.
  private func firstOccupied() -> (slot: Int, start: UInt64)? {
    for level in 0..<TimerWheel.levels {
      let shift = UInt64(8 * level)
      let position = Int(current >> shift & 255)
      guard let digit = firstOccupied(level: level, from: position) else { continue }
      let start = ((current >> (shift + 8)) << 8 | UInt64(digit)) << shift
      return (level * 256 + digit, max(start, current))
    }
    return nil
  }

  private func firstOccupied(level: Int, from position: Int) -> Int? {
    var word = position >> 6
    var bits = occupied[level * 4 + word] & (UInt64.max << UInt64(position & 63))
    while bits == 0 {
      word += 1
      guard word < 4 else { return nil }
      bits = occupied[level * 4 + word]
    }
    return word * 64 + bits.trailingZeroBitCount
  }

  private func push(_ node: UInt32, to slot: Int) {
    let first = heads[slot]
    links[node] = Link(next: first, previous: TimerWheel.isSlot | UInt32(slot))
    if first != TimerWheel.none { links[first].previous = node }
    heads[slot] = node
    if slot < TimerWheel.slots { occupied[slot >> 6] |= 1 << UInt64(slot & 63) }
  }

  private mutating func unlink(_ node: UInt32) {
    let link = links[node]
    if node == lastQueued {
      lastQueued = link.previous & TimerWheel.isSlot != 0 ? TimerWheel.none : link.previous
    }
    if link.next != TimerWheel.none { links[link.next].previous = link.previous }
    if link.previous & TimerWheel.isSlot != 0 {
      let slot = Int(link.previous & ~TimerWheel.isSlot)
      heads[slot] = link.next
      if link.next == TimerWheel.none, slot < TimerWheel.slots {
        occupied[slot >> 6] &= ~(1 << UInt64(slot & 63))
      }
    } else {
      links[link.previous].next = link.next
    }
  }

  private func detach(_ slot: Int) -> UInt32 {
    let first = heads[slot]
    heads[slot] = TimerWheel.none
    occupied[slot >> 6] &= ~(1 << UInt64(slot & 63))
    return first
  }

  private func appendDue(_ first: UInt32) {
    heads[TimerWheel.dueSlot] = first
    var previous = TimerWheel.isSlot | UInt32(TimerWheel.dueSlot)
    var at = first
    while at != TimerWheel.none {
      links[at].previous = previous
      previous = at
      at = links[at].next
    }
  }

  /// Merge-sorts a list by due time, in place. A slot of 65 us holds few records.
  private func sorted(_ first: UInt32, count: Int) -> UInt32 {
    guard count > 1 else { return first }
    var width = 1
    var list = first
    while width < count {
      var rest = list
      var head = TimerWheel.none
      var tail = TimerWheel.none
      while rest != TimerWheel.none {
        var left = rest
        var right = skip(left, width)
        rest = skip(right, width)
        var leftCount = width
        var rightCount = width
        while (leftCount > 0 && left != TimerWheel.none) || (rightCount > 0 && right != TimerWheel.none) {
          let takesLeft: Bool
          if leftCount == 0 || left == TimerWheel.none {
            takesLeft = false
          } else if rightCount == 0 || right == TimerWheel.none {
            takesLeft = true
          } else {
            takesLeft = due[left] <= due[right]
          }
          let taken: UInt32
          if takesLeft {
            taken = left
            left = links[left].next
            leftCount -= 1
          } else {
            taken = right
            right = links[right].next
            rightCount -= 1
          }
          if tail == TimerWheel.none { head = taken } else { links[tail].next = taken }
          tail = taken
        }
      }
      links[tail].next = TimerWheel.none
      list = head
      width *= 2
    }
    return list
  }

  private func skip(_ first: UInt32, _ count: Int) -> UInt32 {
    var at = first
    for _ in 0..<count where at != TimerWheel.none { at = links[at].next }
    return at
  }
}
