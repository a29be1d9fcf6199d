import NATMemory
import NATWire

/// The identifications of datagrams that leave in fragments (RFC 6864 section 4.3, RFC 7857 section 10). Two
/// hosts behind one address must not use the same identification towards the same receiver at a time.
///
/// A datagram keeps its sender's identification, unless it was given to another datagram within the lifetime;
/// then it gets the next free one. At most ``capacity`` are remembered; the oldest are forgotten early.
///
/// - Complexity: O(1) while the sender's own is free, otherwise one look-up for each 64 taken in a row.
struct Identifications: ~Copyable {
  /// The datagrams among which identifications must differ.
  struct Group: BitwiseCopyable, Equatable {
    let source: IPv4Address
    let destination: IPv4Address
    let protocolNumber: UInt8
  }

  /// An identification that was given to a datagram.
  private struct Grant: BitwiseCopyable {
    var group: Group
    var host: IPv4Address
    var original: UInt16
    var identification: UInt16
    var given: Instant
    /// Links of the queue by time; of a free record `next` is the next free one.
    var next: UInt32
    var previous: UInt32
  }

  /// Which of 64 adjacent identifications are taken.
  private struct Block: BitwiseCopyable {
    var group: Group
    var number: UInt16
    var taken: UInt64
    var nextFree: UInt32
  }

  private let grants: OwnedArray<Grant>
  private let blocks: OwnedArray<Block>
  private let grantIndex: HashIndex
  private let blockIndex: HashIndex
  private let hash: KeyHash
  private let lifetime: UInt64
  private var oldest = none
  private var newest = none
  private var freeGrant = none
  private var freshGrants: UInt32 = 0
  private var freeBlock = none
  private var freshBlocks: UInt32 = 0

  private let memory: (MappedMemory, MappedMemory, MappedMemory, MappedMemory)
  private static let none = UInt32.max
  /// 30 seconds of 8,700 datagrams in fragments a second.
  static let capacity = 1 << 18

  init(lifetime: UInt64, hash: KeyHash, capacity: Int = Identifications.capacity) {
    self.lifetime = lifetime
    self.hash = hash
    memory = (
      MappedMemory(byteCount: capacity * MemoryLayout<Grant>.stride),
      MappedMemory(byteCount: capacity * MemoryLayout<Block>.stride),
      MappedMemory(byteCount: HashIndex.byteCount(capacity: capacity)),
      MappedMemory(byteCount: HashIndex.byteCount(capacity: capacity))
    )
    grants = memory.0.array(of: Grant.self, count: capacity)
    blocks = memory.1.array(of: Block.self, count: capacity)
    grantIndex = HashIndex(memory: memory.2, capacity: capacity)
    blockIndex = HashIndex(memory: memory.3, capacity: capacity)
  }

  /// The identification of a datagram of `host` as it leaves. No other datagram gets it until the lifetime is
  /// over, the exact end included.
  mutating func give(
    to host: IPv4Address, original: UInt16, in group: Group, at now: Instant
  ) -> UInt16 {
    while oldest != Identifications.none, grants[oldest].given.advanced(by: lifetime) < now { remove(oldest) }
    let own = nearestOwn(host, original, group)
    let free = nearestFree(original, group)
    if let own, free.map({ own.distance < $0 }) ?? true {
      unlink(own.grant)
      append(own.grant, at: now)
      return grants[own.grant].identification
    }
    // With all 65,536 given to others the sender keeps its own.
    guard let free else { return original }
    let identification = original &+ free
    insert(host, original, identification, group, at: now)
    return identification
  }

  /// The first identification, from the sender's own on, that this datagram was given before.
  private func nearestOwn(
    _ host: IPv4Address, _ original: UInt16, _ group: Group
  ) -> (grant: UInt32, distance: UInt16)? {
    var nearest: (grant: UInt32, distance: UInt16)?
    let grants = self.grants
    _ = grantIndex.find(hashOfGrant(host, original, group)) { candidate in
      let grant = grants[candidate]
      guard grant.host == host, grant.original == original, grant.group == group else { return false }
      let distance = grant.identification &- original
      if nearest.map({ distance < $0.distance }) ?? true { nearest = (candidate, distance) }
      return false
    }
    return nearest
  }

  /// The distance from `original` to the first free identification.
  private func nearestFree(_ original: UInt16, _ group: Group) -> UInt16? {
    var distance = 0
    while distance < 65536 {
      let identification = original &+ UInt16(distance)
      let bit = UInt64(identification & 63)
      let taken = findBlock(identification >> 6, group).map { blocks[$0].taken } ?? 0
      let run = (~(taken >> bit)).trailingZeroBitCount
      if run < 64 - Int(bit) {
        let found = distance + run
        return found < 65536 ? UInt16(found) : nil
      }
      distance += 64 - Int(bit)
    }
    return nil
  }

  private mutating func insert(
    _ host: IPv4Address, _ original: UInt16, _ identification: UInt16, _ group: Group, at now: Instant
  ) {
    if freeGrant == Identifications.none, freshGrants == grants.count { remove(oldest) }
    let grant = freeGrant != Identifications.none ? freeGrant : freshGrants
    // A datagram that is sent repeatedly while others with its identification end may fill the index.
    guard grantIndex.insert(hashOfGrant(host, original, group), record: grant) else { return }
    if freeGrant != Identifications.none { freeGrant = grants[grant].next } else { freshGrants += 1 }
    grants[grant] = Grant(
      group: group, host: host, original: original, identification: identification, given: now,
      next: Identifications.none, previous: Identifications.none)
    append(grant, at: now)
    take(identification, group)
  }

  private mutating func append(_ grant: UInt32, at now: Instant) {
    grants[grant].given = now
    grants[grant].next = Identifications.none
    grants[grant].previous = newest
    if newest == Identifications.none { oldest = grant } else { grants[newest].next = grant }
    newest = grant
  }

  private mutating func unlink(_ grant: UInt32) {
    let (next, previous) = (grants[grant].next, grants[grant].previous)
    if previous == Identifications.none { oldest = next } else { grants[previous].next = next }
    if next == Identifications.none { newest = previous } else { grants[next].previous = previous }
  }

  private mutating func remove(_ grant: UInt32) {
    let record = grants[grant]
    unlink(grant)
    grantIndex.remove(hashOfGrant(record.host, record.original, record.group), record: grant)
    release(record.identification, record.group)
    grants[grant].next = freeGrant
    freeGrant = grant
  }

  // MARK: Blocks

  private func findBlock(_ number: UInt16, _ group: Group) -> UInt32? {
    let blocks = self.blocks
    return blockIndex.find(hashOfBlock(number, group)) {
      blocks[$0].number == number && blocks[$0].group == group
    }
  }

  private mutating func take(_ identification: UInt16, _ group: Group) {
    let bit = UInt64(1) << UInt64(identification & 63)
    if let known = findBlock(identification >> 6, group) {
      blocks[known].taken |= bit
      return
    }
    let block: UInt32
    if freeBlock != Identifications.none {
      block = freeBlock
      freeBlock = blocks[block].nextFree
    } else {
      block = freshBlocks
      freshBlocks += 1
    }
    blocks[block] = Block(
      group: group, number: identification >> 6, taken: bit, nextFree: Identifications.none)
    let isIndexed = blockIndex.insert(hashOfBlock(identification >> 6, group), record: block)
    precondition(isIndexed, "the index has room for every block")
  }

  private mutating func release(_ identification: UInt16, _ group: Group) {
    guard let block = findBlock(identification >> 6, group) else { return }
    blocks[block].taken &= ~(UInt64(1) << UInt64(identification & 63))
    guard blocks[block].taken == 0 else { return }
    blockIndex.remove(hashOfBlock(identification >> 6, group), record: block)
    blocks[block].nextFree = freeBlock
    freeBlock = block
  }

  // MARK: Hashes

  private func hashOfGrant(_ host: IPv4Address, _ original: UInt16, _ group: Group) -> UInt64 {
    // The destination is enough to separate groups: the source is one of few public addresses.
    hash(
      UInt64(host.rawValue) << 32 | UInt64(group.destination.rawValue),
      UInt64(original) << 16 | UInt64(group.protocolNumber) << 8 | 9)
  }

  private func hashOfBlock(_ number: UInt16, _ group: Group) -> UInt64 {
    hash(
      UInt64(group.source.rawValue) << 32 | UInt64(group.destination.rawValue),
      UInt64(number) << 16 | UInt64(group.protocolNumber) << 8 | 10)
  }
}
