import NATMemory
import NATWire

/// Datagrams that come in fragments, from the first arrival of each until it is complete or its lifetime is over.
///
/// Fragments are translated one by one and never reassembled (RFC 4787 REQ-14). The first one decides, those before it
/// wait, those after it follow. Two limits bound the table: the number of datagrams, and the bytes that wait.
///
/// - Complexity: every operation is O(length of the fragment), and O(1) amortized for ending.
struct DatagramTable: ~Copyable {
  typealias Index = UInt32

  private struct Record: BitwiseCopyable {
    var key: DatagramKey
    var opened: Instant
    var passage: DatagramPassage?
    /// Links of the queue by time of opening; of a free record `next` is the next free one.
    var next: Index
    var previous: Index
    var held: HeldFragments.Index
    /// Bytes received.
    var received: Int32
    /// The highest end of a fragment received.
    var highest: Int32
    /// The end of the datagram; -1 until its last fragment has come.
    var end: Int32
    var isDead: Bool
  }

  /// What to do with a fragment.
  enum Place: BitwiseCopyable {
    /// It decides for its datagram.
    case first
    /// It takes the way of the first one.
    case follows(DatagramPassage)
    case waits
    /// It came before, and is dropped alone (RFC 5722 section 4, for IPv4).
    case duplicate
    /// It overlaps another or contradicts what is known of the end: the datagram is dead.
    case contradiction
    case dead
  }

  private let records: OwnedArray<Record>
  private let index: HashIndex
  private let pieces: PieceMaps
  private var held: HeldFragments
  private let hash: KeyHash
  private let limit: Int
  private let lifetime: UInt64
  private var oldest = none
  private var newest = none
  private var firstFree = none
  private var fresh: Index = 0
  private var count = 0
  /// Nothing falls due at or before this instant.
  private(set) var quietUntil = Instant.never

  private let memory: (MappedMemory, MappedMemory, MappedMemory)
  private static let none = Index.max

  init(_ settings: FragmentSettings, hash: KeyHash) {
    limit = settings.datagrams
    lifetime = settings.lifetime
    self.hash = hash
    memory = (
      MappedMemory(byteCount: limit * MemoryLayout<Record>.stride),
      MappedMemory(byteCount: HashIndex.byteCount(capacity: limit)),
      MappedMemory(byteCount: PieceMaps.byteCount(datagrams: limit))
    )
    records = memory.0.array(of: Record.self, count: limit)
    index = HashIndex(memory: memory.1, capacity: limit)
    pieces = PieceMaps(memory: memory.2, datagrams: limit)
    held = HeldFragments(limit: settings.memory)
  }

  /// Fragments that wait.
  var heldCount: Int { held.count }

  /// The datagram of a fragment, opened if it is new; nil if there are too many.
  mutating func open(_ key: DatagramKey, at now: Instant) -> Index? {
    let hashed = key.hash(hash)
    let records = self.records
    if let known = index.find(hashed, { records[$0].key == key }) { return known }
    let datagram = firstFree != DatagramTable.none ? firstFree : fresh
    guard count < limit, index.insert(hashed, record: datagram) else { return nil }
    if firstFree != DatagramTable.none { firstFree = records[datagram].next } else { fresh += 1 }
    records[datagram] = Record(
      key: key, opened: now, passage: nil, next: DatagramTable.none, previous: newest,
      held: HeldFragments.none, received: 0, highest: 0, end: -1, isDead: false)
    if newest == DatagramTable.none {
      oldest = datagram
      quietUntil = now.advanced(by: lifetime)
    } else {
      records[newest].next = datagram
    }
    newest = datagram
    count += 1
    return datagram
  }

  /// Whether no further datagram can be opened.
  var isFull: Bool { count == limit }

  /// The datagram of a fragment, if it is open.
  func find(_ key: DatagramKey) -> Index? {
    let records = self.records
    return index.find(key.hash(hash)) { records[$0].key == key }
  }

  /// Whether the memory suffices to let a fragment wait.
  func canHold(_ packet: Packet) -> Bool { held.canHold(packet) }

  /// What a fragment is to its datagram; to a new one, where `datagram` is nil. Nothing is changed.
  func place(_ packet: Packet, in datagram: Index?) -> Place {
    guard let datagram else { return packet.fragmentByteOffset == 0 ? .first : .waits }
    let record = records[datagram]
    if record.isDead { return .dead }
    let start = packet.fragmentByteOffset
    let end = start + packet.transportLength
    let isLast = !packet.hasMoreFragments
    switch pieces.fit(datagram, start: start, end: end) {
    case .same: return !isLast || Int32(end) == record.end ? .duplicate : .contradiction
    case .overlap: return .contradiction
    case .new: break
    }
    if record.end >= 0 {
      if isLast || Int32(end) > record.end { return .contradiction }
    } else if isLast, Int32(end) < record.highest {
      return .contradiction
    }
    if start == 0 { return .first }
    return record.passage.map { .follows($0) } ?? .waits
  }

  /// Records a fragment that has passed or waits.
  private mutating func add(_ packet: Packet, to datagram: Index) {
    let start = packet.fragmentByteOffset
    let end = start + packet.transportLength
    pieces.add(datagram, start: start, end: end)
    records[datagram].received += Int32(end - start)
    records[datagram].highest = max(records[datagram].highest, Int32(end))
    if !packet.hasMoreFragments { records[datagram].end = Int32(end) }
  }

  /// Holds a fragment until the first one comes; false if the memory does not suffice.
  mutating func hold(_ packet: Packet, in datagram: Index) -> Bool {
    guard let fragment = held.hold(packet, before: records[datagram].held) else { return false }
    records[datagram].held = fragment
    add(packet, to: datagram)
    return true
  }

  /// Records the first fragment, which has passed.
  mutating func pass(_ packet: Packet, in datagram: Index, by passage: DatagramPassage) {
    add(packet, to: datagram)
    records[datagram].passage = passage
    records[datagram].held = held.sorted(records[datagram].held)
  }

  /// Records a later fragment, which follows the first one.
  mutating func follow(_ packet: Packet, in datagram: Index) { add(packet, to: datagram) }

  /// IPv4 total length of the waiting fragment that leaves next, in order of offset; nil if none waits.
  func nextHeldLength(_ datagram: Index) -> Int? {
    let fragment = records[datagram].held
    return fragment == HeldFragments.none ? nil : held.length(of: fragment)
  }

  /// Copies the waiting fragment that leaves next to the start of `frame`, and forgets it.
  mutating func takeHeld(_ datagram: Index, into frame: Frame) {
    records[datagram].held = held.take(records[datagram].held, into: frame)
  }

  /// Marks the datagram dead: no fragment of it passes until its lifetime is over.
  /// - Returns: how many fragments had waited.
  mutating func kill(_ datagram: Index) -> Int {
    records[datagram].isDead = true
    return removeHeld(datagram)
  }

  /// Forgets the datagram if it is complete.
  mutating func closeIfComplete(_ datagram: Index) {
    let record = records[datagram]
    if record.received == record.end { remove(datagram) }
  }

  /// Forgets the datagrams whose lifetime is over.
  /// - Returns: how many fragments had waited.
  mutating func expire(before now: Instant) -> Int {
    var dropped = 0
    while oldest != DatagramTable.none, records[oldest].opened.advanced(by: lifetime) < now {
      dropped += removeHeld(oldest)
      remove(oldest)
    }
    return dropped
  }

  private mutating func removeHeld(_ datagram: Index) -> Int {
    var removed = 0
    var fragment = records[datagram].held
    while fragment != HeldFragments.none {
      fragment = held.remove(fragment)
      removed += 1
    }
    records[datagram].held = HeldFragments.none
    return removed
  }

  private mutating func remove(_ datagram: Index) {
    let record = records[datagram]
    index.remove(record.key.hash(hash), record: datagram)
    pieces.clear(datagram, end: Int(record.highest))
    if record.previous == DatagramTable.none {
      oldest = record.next
    } else {
      records[record.previous].next = record.next
    }
    if record.next == DatagramTable.none {
      newest = record.previous
    } else {
      records[record.next].previous = record.previous
    }
    quietUntil =
      oldest == DatagramTable.none ? .never : records[oldest].opened.advanced(by: lifetime)
    records[datagram].next = firstFree
    firstFree = datagram
    count -= 1
  }
}

/// The limits on datagrams that come in fragments.
public struct FragmentSettings: BitwiseCopyable, Sendable, Equatable {
  /// Datagrams that may be open at a time.
  public var datagrams = 4096
  /// Bytes (IPv4 total lengths) that may wait for first fragments.
  public var memory = 8 << 20
  /// Nanoseconds from its first arrival after which a datagram is forgotten, and for which an identification is not
  /// given to another datagram.
  public var lifetime: UInt64 = 30_000_000_000

  public init() {}
}
