import NATWire

/// A hierarchical timer wheel over the sessions of a shard, with lazy rescheduling and exact due times, and beside it a
/// queue for those that need no wheel.
///
/// A session lies in the slot of a time at which it may be due, never later than its `expires`. A packet that
/// restarts the clock only writes `expires`; when the slot comes up, a session that lives on is put where it now
/// belongs, and no later than a packet of that moment could make it due: its lifetime may have become shorter. Six levels of 256 slots reach from 65.5 us to the end of the clock (16.8 ms, 4.3 s,
/// 18 min, 78 h, 2.3 years a slot). What comes due leaves in the order of its due times, also across a jump of hours;
/// empty stretches are skipped by bitmaps.
///
/// Sessions on the transitory clock all have the same lifetime, and nothing restarts it: they stand in one queue, in the
/// order in which they came to it, which is that of their due times. The links are the same.
///
/// - Complexity: schedule, enqueue and cancel O(1); a session is touched at most six times on its way down.
struct TimerWheel: ~Copyable {
  /// A session's place: next and previous session in its slot. `previous` of the first names the slot.
  struct Link: BitwiseCopyable {
    var next: UInt32
    var previous: UInt32
  }

  private let heads: OwnedArray<UInt32>
  private let occupied: OwnedArray<UInt64>
  private let links: OwnedArray<Link>
  private let sessions: SessionStore
  /// Of each lifetime class, in nanoseconds; nil where they never change.
  private let durations: OwnedArray<UInt64>?
  /// Units of 2^16 ns; every session lies in a slot of this time or later.
  private var current: UInt64 = 0
  /// No session in a slot is due at or before this instant.
  private var slotsQuietUntil = Instant.never
  private var lastQueued = TimerWheel.none

  private static let tickBits: UInt64 = 16
  private static let levels = 6
  private static let slots = levels * 256
  /// The list of those that are due, in the order of their due times.
  private static let dueSlot = slots
  private static let queueSlot = slots + 1
  private static let isSlot: UInt32 = 0x8000_0000
  static let none = UInt32.max
  /// Bytes of memory for heads and bitmaps.
  static let headBytes = (slots + 2) * 4
  static let bitmapBytes = (levels * 4 + 1) * 8

  init(
    heads: MappedMemory, bitmaps: MappedMemory, links: OwnedArray<Link>, sessions: SessionStore,
    durations: OwnedArray<UInt64>? = nil
  ) {
    self.heads = heads.array(of: UInt32.self, count: TimerWheel.slots + 2)
    occupied = bitmaps.array(of: UInt64.self, count: TimerWheel.levels * 4)
    self.links = links
    self.sessions = sessions
    self.durations = durations
    for slot in 0...TimerWheel.queueSlot { self.heads[slot] = TimerWheel.none }
  }

  /// Puts a session into the slot of its `expires`.
  mutating func schedule(_ session: SessionIndex) { schedule(session, noLaterThan: .never) }

  /// Puts a session into a slot that comes up by `instant`, and no later than its `expires`.
  mutating func schedule(_ session: SessionIndex, noLaterThan instant: Instant) {
    let expires = min(sessions.expires(session), instant)
    slotsQuietUntil = min(slotsQuietUntil, expires)
    push(session.rawValue, to: slot(for: expires))
  }

  /// Puts a session behind all others of the queue.
  /// - Precondition: none of them is due later.
  mutating func enqueue(_ session: SessionIndex) {
    let node = session.rawValue
    if lastQueued == TimerWheel.none {
      links[node] = Link(
        next: TimerWheel.none, previous: TimerWheel.isSlot | UInt32(TimerWheel.queueSlot))
      heads[TimerWheel.queueSlot] = node
    } else {
      links[node] = Link(next: TimerWheel.none, previous: lastQueued)
      links[lastQueued].next = node
    }
    lastQueued = node
  }

  /// Whether a session due at `instant` may stand last in the queue: not while one is due later, from before the
  /// transitory lifetime became shorter.
  func mayEnqueue(dueAt instant: Instant) -> Bool {
    lastQueued == TimerWheel.none || sessions.expires(SessionIndex(lastQueued)) <= instant
  }

  /// The session that has stood in the queue for longest.
  var firstQueued: SessionIndex? { TimerWheel.session(heads[TimerWheel.queueSlot]) }

  /// The one behind it.
  /// - Precondition: `session` stands in the queue.
  func queued(after session: SessionIndex) -> SessionIndex? {
    TimerWheel.session(links[session.rawValue].next)
  }

  private static func session(_ node: UInt32) -> SessionIndex? {
    node == TimerWheel.none ? nil : SessionIndex(node)
  }

  /// Takes a session out, wherever it lies.
  mutating func cancel(_ session: SessionIndex) { unlink(session.rawValue) }

  /// No session is due at or before this instant.
  var quietUntil: Instant {
    guard let first = firstQueued else { return slotsQuietUntil }
    return min(slotsQuietUntil, sessions.expires(first))
  }

  /// The next session that is due before `now`, taken out; they come in the order of their due times.
  mutating func popDue(before now: Instant) -> SessionIndex? {
    if heads[TimerWheel.dueSlot] == TimerWheel.none, now > slotsQuietUntil { collect(before: now) }
    var first = TimerWheel.session(heads[TimerWheel.dueSlot])
    if let queued = firstQueued, sessions.expires(queued) < now {
      let isFirst = first.map { sessions.expires(queued) < sessions.expires($0) } ?? true
      if isFirst { first = queued }
    }
    if let first { unlink(first.rawValue) }
    return first
  }

  /// Fills the due list with the earliest slot that holds anything due before `now`, or finds that there is none.
  private mutating func collect(before now: Instant) {
    let nowTick = now.nanoseconds >> TimerWheel.tickBits
    while let (slot, start) = firstOccupied() {
      guard start <= nowTick else {
        slotsQuietUntil = Instant(nanoseconds: start << TimerWheel.tickBits)
        current = max(current, nowTick)
        return
      }
      current = max(current, start)
      var earliestLeft = Instant.never
      var due = TimerWheel.none
      var dueCount = 0
      var at = detach(slot)
      while at != TimerWheel.none {
        let next = links[at].next
        let expires = sessions.expires(SessionIndex(at))
        if expires < now, expires.nanoseconds >> TimerWheel.tickBits <= current {
          links[at] = Link(next: due, previous: 0)
          due = at
          dueCount += 1
        } else {
          let place = min(expires, nearestEnd(of: SessionIndex(at), at: now))
          push(at, to: self.slot(for: place))
          earliestLeft = min(earliestLeft, place)
        }
        at = next
      }
      if due != TimerWheel.none {
        appendDue(sorted(due, count: dueCount))
        return
      }
      if start == nowTick, slot < 256 {
        // Only the slot of the present itself can keep sessions that are not due yet.
        slotsQuietUntil = earliestLeft
        if earliestLeft.nanoseconds >> TimerWheel.tickBits == nowTick { return }
      }
    }
    current = max(current, nowTick)
    slotsQuietUntil = .never
  }

  /// How near a packet from `now` on may bring the end of a session: not below its `expires`, unless its lifetime has
  /// become shorter since that was set.
  private func nearestEnd(of session: SessionIndex, at now: Instant) -> Instant {
    guard let durations, sessions.isRestartedByPackets(session) else { return .never }
    return now.advanced(by: durations[Int(sessions.lifetimeClass(of: session).rawValue)])
  }

  /// The slot for a due time, by the highest digit (base 256) in which it differs from the present.
  private func slot(for expires: Instant) -> Int {
    let tick = max(expires.nanoseconds >> TimerWheel.tickBits, current)
    let difference = tick ^ current
    guard difference > 255 else { return Int(tick & 255) }
    let level = (63 - difference.leadingZeroBitCount) / 8
    return level * 256 + Int(tick >> UInt64(8 * level) & 255)
  }

  /// The occupied slot whose time comes first, with the tick at which it begins.
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

  /// A merge sort of a chain by due time, without memory of its own. A slot of 65 us holds few sessions.
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
            takesLeft = sessions.expires(SessionIndex(left)) <= sessions.expires(SessionIndex(right))
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
