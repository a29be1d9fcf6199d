import NATMemory
import NATTable
import NATWire

/// Inbound SYNs that the filter refused (RFC 5382 REQ-4). Each waits for six seconds; then one ICMP 3/3
/// answers it. An outbound SYN on the same endpoints in that time cancels the answer: it is a simultaneous
/// open.
///
/// At most ``capacity`` SYNs wait, one for each pair of public and remote endpoint. Others get no answer.
///
/// - Complexity: every operation is O(1).
struct UnsolicitedSYNs: ~Copyable {
  private struct Entry: BitwiseCopyable {
    var publicEndpoint: Endpoint
    var remote: Endpoint
    var due: Instant
    var length: UInt32
    /// The next entry in the queue by due time; in a free entry the next free one plus one.
    var next: UInt32
    var previous: UInt32
  }

  private let entries: OwnedArray<Entry>
  private let bytes: Frame
  private let index: HashIndex
  private let hash: KeyHash
  private var first = none
  private var last = none
  private var firstFree: UInt32 = 0
  private var fresh: UInt32 = 0

  static let capacity = 4096
  /// How long a SYN waits.
  private static let delay: UInt64 = 6_000_000_000
  private static let none = UInt32.max
  /// Bytes of the packet that an ICMP error quotes, with the link header before it.
  private static let slotLength = Packet.networkOffset + 548
  static let entryBytes = capacity * MemoryLayout<Entry>.stride
  static let frameBytes = capacity * slotLength
  static let indexBytes = HashIndex.byteCount(capacity: capacity)

  init(entries: MappedMemory, bytes: MappedMemory, index: MappedMemory, hash: KeyHash) {
    self.entries = entries.array(of: Entry.self, count: UnsolicitedSYNs.capacity)
    self.bytes = bytes.frame
    self.index = HashIndex(memory: index, capacity: UnsolicitedSYNs.capacity)
    self.hash = hash
  }

  /// When the next answer is due.
  var due: Instant { first == UnsolicitedSYNs.none ? .never : entries[first].due }

  var isEmpty: Bool { first == UnsolicitedSYNs.none }

  /// Whether an answer is due. It is sent before a packet of the same instant.
  @inline(__always) func isDue(at now: Instant) -> Bool {
    first != UnsolicitedSYNs.none && entries[first].due <= now
  }

  /// Adds a SYN, unless one of the same pair waits already.
  mutating func add(_ packet: Packet, at now: Instant) {
    let pair = (
      publicEndpoint: Endpoint(packet.destination, packet.destinationPort),
      remote: Endpoint(packet.source, packet.sourcePort)
    )
    guard find(pair.publicEndpoint, pair.remote) == nil else { return }
    let slot: UInt32
    if firstFree != 0 {
      slot = firstFree - 1
      firstFree = entries[slot].next
    } else {
      guard fresh < UnsolicitedSYNs.capacity else { return }
      slot = fresh
      fresh += 1
    }
    let length = min(packet.totalLength, UnsolicitedSYNs.slotLength - Packet.networkOffset)
    bytes.copy(
      packet.frame, from: Packet.networkOffset, count: length,
      to: Int(slot) * UnsolicitedSYNs.slotLength + Packet.networkOffset)
    entries[slot] = Entry(
      publicEndpoint: pair.publicEndpoint, remote: pair.remote, due: now.advanced(by: UnsolicitedSYNs.delay),
      length: UInt32(length), next: UnsolicitedSYNs.none, previous: last)
    let isIndexed = index.insert(hash.ofPair(pair.publicEndpoint, pair.remote), record: slot)
    precondition(isIndexed, "the index has room for every waiting SYN")
    if last == UnsolicitedSYNs.none { first = slot } else { entries[last].next = slot }
    last = slot
  }

  /// Cancels the answer: the inside host sent a SYN on the same endpoints.
  mutating func cancel(_ publicEndpoint: Endpoint, _ remote: Endpoint) {
    if let slot = find(publicEndpoint, remote) { remove(slot) }
  }

  /// Removes the first SYN whose answer is due. Its bytes stay until the next call of `add`.
  mutating func popDue(at now: Instant) -> (packet: Packet, due: Instant)? {
    guard isDue(at: now) else { return nil }
    let slot = first
    let entry = entries[slot]
    remove(slot)
    let length = Int(entry.length)
    var packet = Packet(
      frame: bytes.window(
        at: Int(slot) * UnsolicitedSYNs.slotLength, count: Packet.networkOffset + length))
    packet.describeQuoted(
      kind: .tcp, totalLength: length, source: entry.remote.address, destination: entry.publicEndpoint.address
    )
    return (packet, entry.due)
  }

  private mutating func remove(_ slot: UInt32) {
    let entry = entries[slot]
    index.remove(hash.ofPair(entry.publicEndpoint, entry.remote), record: slot)
    if entry.previous == UnsolicitedSYNs.none {
      first = entry.next
    } else {
      entries[entry.previous].next = entry.next
    }
    if entry.next == UnsolicitedSYNs.none {
      last = entry.previous
    } else {
      entries[entry.next].previous = entry.previous
    }
    entries[slot].next = firstFree
    firstFree = slot + 1
  }

  private func find(_ publicEndpoint: Endpoint, _ remote: Endpoint) -> UInt32? {
    index.find(hash.ofPair(publicEndpoint, remote)) {
      entries[$0].publicEndpoint == publicEndpoint && entries[$0].remote == remote
    }
  }
}
