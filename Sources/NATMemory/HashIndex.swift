public import CLinuxPacket

/// A hash index from keys to record numbers: one writer, wait-free readers, and nothing ever moves.
///
/// A bucket has eight slots of one word: `overflow:8 | tag:28 | record + 1:28`. One store adds or removes an
/// entry. The record holds the key. The tag, 27 bits of the hash, lets one wrong candidate through in 20
/// million lookups. A full bucket passes an entry to the next one and counts it in slot 0. A lookup ends at
/// the first bucket that passed none on, so a miss nearly always reads one cache line. Three bits of the hash
/// choose the first slot of a search, so a hit reads one or two of the eight slots.
///
/// - Complexity: find, insert and remove are O(1) expected, and at most ``maximumProbe`` buckets.
public struct HashIndex: BitwiseCopyable, Sendable {
  @usableFromInline let words: AtomicWords
  @usableFromInline let bucketCount: Int

  /// Bytes for `capacity` entries. At 70 % use, 5 % of the entries lie beyond their own bucket.
  public static func byteCount(capacity: Int) -> Int { bucketCount(capacity: capacity) * 64 }

  /// The largest capacity: a slot has 28 bits for the record number.
  public static let maximumCapacity = 1 << 28 - 2
  /// How many buckets an insertion looks at before it gives up.
  @usableFromInline static let maximumProbe = 64

  static func bucketCount(capacity: Int) -> Int { max(1, (capacity * 10 + 55) / 56) }

  public init(memory: MappedMemory, capacity: Int) {
    precondition(capacity <= HashIndex.maximumCapacity)
    bucketCount = HashIndex.bucketCount(capacity: capacity)
    words = memory.words(count: bucketCount * 8)
  }

  @usableFromInline static let recordMask: UInt64 = 0x0FFF_FFFF
  @usableFromInline static let tagMask: UInt64 = 0x0FFF_FFFF << 28
  @usableFromInline static let overflowUnit: UInt64 = 1 << 56

  @inlinable @inline(__always) func home(_ hash: UInt64) -> Int {
    Int(((hash >> 32) &* UInt64(bucketCount)) >> 32)
  }

  /// The tag in its bits of a slot. It is never zero, so no empty slot matches.
  @inlinable @inline(__always) static func tag(_ hash: UInt64) -> UInt64 { (hash & 0x0FFF_FFFF | 1) << 28 }

  /// Where the search of a bucket begins. The tag does not use these bits, the home bucket hardly.
  @inlinable @inline(__always) static func firstSlot(_ hash: UInt64) -> Int { Int(hash >> 28) & 7 }

  @inlinable @inline(__always) public func prefetch(_ hash: UInt64) {
    unsafe portico_prefetch(words.address(of: home(hash) &* 8))
  }

  /// The first record with the hash's tag: only a guess, for a prefetch.
  @inlinable @inline(__always) public func likelyRecord(_ hash: UInt64) -> UInt32? {
    let word = words.group(home(hash))[HashIndex.firstSlot(hash)]
    if word & HashIndex.tagMask == HashIndex.tag(hash) {
      return UInt32(truncatingIfNeeded: word & HashIndex.recordMask) &- 1
    }
    var step = 1
    return candidate(hash, from: &step)
  }

  /// The record that `matches` confirms.
  @inlinable @inline(__always)
  public func find(_ hash: UInt64, _ matches: (UInt32) -> Bool) -> UInt32? {
    // Most entries lie in the first slot. The rest of the search is out of line to keep this code short.
    let word = words.group(home(hash)).acquire(HashIndex.firstSlot(hash))
    if word & HashIndex.tagMask == HashIndex.tag(hash) {
      let record = UInt32(truncatingIfNeeded: word & HashIndex.recordMask) &- 1
      if matches(record) { return record }
    }
    var step = 1
    while let candidate = candidate(hash, from: &step) {
      if matches(candidate) { return candidate }
    }
    return nil
  }

  /// The next record with the hash's tag. `step` counts the slots read so far, eight to a bucket.
  @inline(never) @usableFromInline
  func candidate(_ hash: UInt64, from step: inout Int) -> UInt32? {
    let tag = HashIndex.tag(hash)
    let first = HashIndex.firstSlot(hash)
    let limit = min(HashIndex.maximumProbe, bucketCount) &* 8
    while step < limit {
      let bucket = home(hash) &+ (step >> 3)
      let slots = words.group(bucket < bucketCount ? bucket : bucket &- bucketCount)
      repeat {
        let word = slots.acquire(first &+ step)
        step &+= 1
        if word & HashIndex.tagMask == tag {
          if step & 7 == 0, slots[0] < HashIndex.overflowUnit { step = limit }
          return UInt32(truncatingIfNeeded: word & HashIndex.recordMask) &- 1
        }
      } while step & 7 != 0
      if slots[0] < HashIndex.overflowUnit { return nil }
    }
    return nil
  }

  /// Adds an entry. False, with nothing changed, if all buckets within reach are full.
  public func insert(_ hash: UInt64, record: UInt32) -> Bool {
    let entry = HashIndex.tag(hash) | UInt64(record) + 1
    let start = home(hash)
    var bucket = start
    for _ in 0..<min(HashIndex.maximumProbe, bucketCount) {
      for step in 0..<8 {
        let slot = (HashIndex.firstSlot(hash) + step) & 7
        let word = words[bucket * 8 + slot]
        if word & HashIndex.recordMask == 0 {
          // Readers must see the overflow counts and the record before the entry.
          var passed = start
          while passed != bucket {
            changeOverflow(of: passed, by: 1)
            passed = passed + 1 == bucketCount ? 0 : passed + 1
          }
          words.release(word | entry, at: bucket * 8 + slot)
          return true
        }
      }
      bucket = bucket + 1 == bucketCount ? 0 : bucket + 1
    }
    return false
  }

  /// Removes the entry of `record`; false if there is none.
  @discardableResult
  public func remove(_ hash: UInt64, record: UInt32) -> Bool {
    guard let (bucket, slot) = locate(hash, record: record) else { return false }
    let at = bucket * 8 + slot
    words.release(words[at] & ~(HashIndex.tagMask | HashIndex.recordMask), at: at)
    var passed = home(hash)
    while passed != bucket {
      changeOverflow(of: passed, by: -1)
      passed = passed + 1 == bucketCount ? 0 : passed + 1
    }
    return true
  }

  /// Changes the entry of `record` to `other`, which has the same key.
  public func replace(_ hash: UInt64, record: UInt32, with other: UInt32) {
    guard let (bucket, slot) = locate(hash, record: record) else { return }
    let at = bucket * 8 + slot
    words.release(words[at] & ~HashIndex.recordMask | UInt64(other) + 1, at: at)
  }

  private func locate(_ hash: UInt64, record: UInt32) -> (bucket: Int, slot: Int)? {
    let entry = HashIndex.tag(hash) | UInt64(record) + 1
    var bucket = home(hash)
    for _ in 0..<min(HashIndex.maximumProbe, bucketCount) {
      for slot in 0..<8
      where words[bucket * 8 + slot] & (HashIndex.tagMask | HashIndex.recordMask) == entry {
        return (bucket, slot)
      }
      bucket = bucket + 1 == bucketCount ? 0 : bucket + 1
    }
    return nil
  }

  /// The count stays at 255 once it gets there. Lookups may then read too many buckets, but never too few.
  private func changeOverflow(of bucket: Int, by change: Int) {
    let word = words[bucket * 8]
    let count = Int(word >> 56)
    guard count < 255 else { return }
    words.release(word & (HashIndex.overflowUnit - 1) | UInt64(count + change) << 56, at: bucket * 8)
  }
}
