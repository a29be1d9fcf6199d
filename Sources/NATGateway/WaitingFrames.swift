import NATMemory
import NATTable
import NATWire

/// Frames that wait until the MAC of their next hop is known (RFC 826; RFC 1122 section 2.3.2.2).
///
/// The number of next hops, the frames for each, and the memory are bounded. A frame beyond a bound is
/// refused.
///
/// - Complexity: O(next hops being resolved), at most ``hopCapacity``; only for packets without a known MAC.
struct WaitingFrames: ~Copyable {
  /// A next hop that is being resolved.
  struct Hop: BitwiseCopyable {
    var next: NextHop
    /// When to send the next request, or to give up.
    var due: Instant
    var asked: UInt8
    var frames: UInt8
    var first: UInt32
    var last: UInt32
  }

  private struct Slot: BitwiseCopyable {
    var length: UInt16
    var next: UInt32
    var quoteLength: UInt16
    var totalLength: UInt16
    var kind: PacketKind
    var facts: FrameFacts
    var source: IPv4Address
    var destination: IPv4Address
  }

  private let hops: OwnedArray<Hop>
  private let slots: OwnedArray<Slot>
  private let bytes: Frame
  private let memory: (MappedMemory, MappedMemory, MappedMemory)
  private var count = 0
  private var free = none
  private var fresh: UInt32 = 0
  /// When the next request is due, or a next hop is to be given up.
  private(set) var due = Instant.never

  static let hopCapacity = 256
  static let framesPerHop = 16
  private static let slotCapacity = 1024
  private static let longestFrame = 2048
  /// Bytes of a packet that an ICMP error quotes, with the link header before it.
  private static let quoteLength = 576
  private static let slotLength = longestFrame + quoteLength
  private static let none = UInt32.max
  /// ARP requests before a next hop is given up, one a second.
  static let requests = 3
  private static let interval: UInt64 = 1_000_000_000

  enum Outcome {
    /// Send a request now.
    case ask
    case waits
    case full
  }

  init() {
    memory = (
      MappedMemory(byteCount: WaitingFrames.hopCapacity * MemoryLayout<Hop>.stride),
      MappedMemory(byteCount: WaitingFrames.slotCapacity * MemoryLayout<Slot>.stride),
      MappedMemory(byteCount: WaitingFrames.slotCapacity * WaitingFrames.slotLength)
    )
    hops = memory.0.array(of: Hop.self, count: WaitingFrames.hopCapacity)
    slots = memory.1.array(of: Slot.self, count: WaitingFrames.slotCapacity)
    bytes = memory.2.frame
  }

  var isEmpty: Bool { count == 0 }

  /// Begins to resolve a next hop, unless it is being resolved already.
  mutating func ask(for next: NextHop, at now: Instant) -> Outcome {
    if find(next) != nil { return .waits }
    guard count < WaitingFrames.hopCapacity else { return .full }
    hops[count] = Hop(
      next: next, due: now.advanced(by: WaitingFrames.interval), asked: 1, frames: 0,
      first: WaitingFrames.none, last: WaitingFrames.none)
    due = min(due, hops[count].due)
    count += 1
    return .ask
  }

  /// Holds a frame while its next hop is resolved; false if there is no room.
  mutating func hold(_ leaving: OutgoingFrame, for next: NextHop) -> Bool {
    let frame = leaving.frame
    guard let hop = find(next), Int(hops[hop].frames) < WaitingFrames.framesPerHop,
      frame.count <= WaitingFrames.longestFrame, let slot = takeSlot()
    else { return false }
    let start = Int(slot) * WaitingFrames.slotLength
    bytes.copy(frame, from: 0, count: frame.count, to: start)
    var record = Slot(
      length: UInt16(frame.count), next: WaitingFrames.none, quoteLength: 0, totalLength: 0, kind: .other,
      facts: leaving.facts, source: .any, destination: .any)
    if let quoted = leaving.quoted {
      let length = min(quoted.frame.count, WaitingFrames.quoteLength)
      bytes.copy(quoted.frame, from: 0, count: length, to: start + WaitingFrames.longestFrame)
      record.quoteLength = UInt16(length)
      record.totalLength = UInt16(clamping: quoted.totalLength)
      record.kind = quoted.kind
      record.source = quoted.source
      record.destination = quoted.destination
    }
    slots[slot] = record
    if hops[hop].last == WaitingFrames.none {
      hops[hop].first = slot
    } else {
      slots[hops[hop].last].next = slot
    }
    hops[hop].last = slot
    hops[hop].frames += 1
    return true
  }

  /// The next hop that is due: for another request, or to be given up. One that is given up is removed.
  mutating func popDue(at now: Instant) -> (hop: Hop, isGivenUp: Bool)? {
    guard due <= now, let place = (0..<count).first(where: { hops[$0].due <= now }) else { return nil }
    if Int(hops[place].asked) < WaitingFrames.requests {
      hops[place].asked += 1
      hops[place].due = hops[place].due.advanced(by: WaitingFrames.interval)
      findDue()
      return (hops[place], false)
    }
    return (remove(place), true)
  }

  /// Removes a next hop whose MAC is known now.
  mutating func resolve(_ next: NextHop) -> Hop? { find(next).map { remove($0) } }

  /// Removes the first frame of a next hop that was removed. Its bytes stay until the next frame is held.
  mutating func popFrame(_ hop: inout Hop) -> OutgoingFrame? {
    let slot = hop.first
    guard slot != WaitingFrames.none else { return nil }
    let record = slots[slot]
    hop.first = record.next
    slots[slot].next = free
    free = slot
    let start = Int(slot) * WaitingFrames.slotLength
    var leaving = OutgoingFrame(bytes.window(at: start, count: Int(record.length)), record.facts)
    if record.quoteLength > 0 {
      var packet = Packet(
        frame: bytes.window(at: start + WaitingFrames.longestFrame, count: Int(record.quoteLength)))
      packet.describeQuoted(
        kind: record.kind, totalLength: Int(record.totalLength), source: record.source,
        destination: record.destination)
      leaving.quoted = packet
    }
    return leaving
  }

  /// Whether a frame of `length` bytes could wait for a next hop now.
  func hasRoom(for next: NextHop, length: Int) -> Bool {
    guard length <= WaitingFrames.longestFrame,
      free != WaitingFrames.none || fresh < WaitingFrames.slotCapacity
    else { return false }
    guard let hop = find(next) else { return count < WaitingFrames.hopCapacity }
    return Int(hops[hop].frames) < WaitingFrames.framesPerHop
  }

  private func find(_ next: NextHop) -> Int? {
    for place in 0..<count
    where hops[place].next == next { return place }
    return nil
  }

  private mutating func remove(_ place: Int) -> Hop {
    let hop = hops[place]
    count -= 1
    hops[place] = hops[count]
    findDue()
    return hop
  }

  private mutating func findDue() {
    due = .never
    for place in 0..<count { due = min(due, hops[place].due) }
  }

  private mutating func takeSlot() -> UInt32? {
    if free != WaitingFrames.none {
      let slot = free
      free = slots[slot].next
      return slot
    }
    guard fresh < WaitingFrames.slotCapacity else { return nil }
    fresh += 1
    return fresh - 1
  }
}
