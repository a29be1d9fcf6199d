import NATWire
import TestSupport
import Testing

@testable import NATMemory
@testable import NATTable

@Suite struct HashIndexTests {
  private func makeIndex(_ capacity: Int) -> (HashIndex, MappedMemory) {
    let memory = MappedMemory(byteCount: HashIndex.byteCount(capacity: capacity))
    return (HashIndex(memory: memory, capacity: capacity), memory)
  }

  /// A hash whose home is `bucket` of `index` and whose tag comes from `tag`.
  private func hash(bucket: Int, tag: UInt64, slot: UInt64 = 0, in index: HashIndex) -> UInt64 {
    let count = UInt64(index.bucketCount)
    let high = ((UInt64(bucket) << 32) + count - 1) / count
    let hash = high << 32 | slot << 28 | (tag << 1 & 0x0FFF_FFFF)
    precondition(index.home(hash) == bucket)
    return hash
  }

  private func overflow(_ index: HashIndex, _ bucket: Int) -> Int { Int(index.words[bucket * 8] >> 56) }

  @Test("random insertions and removals, few hashes and many records: as a dictionary would answer")
  func againstDictionary() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    for capacity in [1, 5, 6, 40, 400] {
      let (index, memory) = makeIndex(capacity)
      // A key is (hash, record); few hashes make long chains of equal tags.
      let hashes = (0..<max(1, capacity / 3)).map { _ in random.next() }
      var present: [UInt32: UInt64] = [:]
      for _ in 0..<20_000 {
        let record = UInt32(random.below(capacity))
        if let hash = present[record] {
          switch random.below(3) {
          case 0:
            #expect(index.remove(hash, record: record), "seed \(seed)")
            present[record] = nil
          case 1:
            #expect(!index.remove(hash, record: record &+ 1000), "seed \(seed)")
          default:
            #expect(index.find(hash, { $0 == record }) == record, "seed \(seed)")
          }
        } else {
          let hash = random.pick(hashes)
          #expect(index.find(hash, { $0 == record }) == nil, "seed \(seed)")
          if random.percent(60) {
            #expect(index.insert(hash, record: record), "seed \(seed), capacity \(capacity)")
            present[record] = hash
          }
        }
      }
      for (record, hash) in present { #expect(index.find(hash, { $0 == record }) == record, "seed \(seed)") }
      for (record, hash) in present { index.remove(hash, record: record) }
      // Counts of overflow and slots go back to nothing, unless a count had reached its end.
      #expect(
        (0..<index.bucketCount * 8).allSatisfy { index.words[$0] == 0 }, "seed \(seed), capacity \(capacity)")
      withExtendedLifetime(memory) {}
    }
  }

  @Test("a candidate is confirmed by its key, not by its tag")
  func equalTags() {
    let (index, memory) = makeIndex(100)
    let one = hash(bucket: 3, tag: 77, in: index)
    for record in UInt32(0)..<20 { #expect(index.insert(one, record: record)) }
    for record in UInt32(0)..<20 { #expect(index.find(one) { $0 == record } == record) }
    #expect(index.find(one) { $0 == 20 } == nil)
    #expect(index.find(hash(bucket: 3, tag: 78, in: index)) { _ in true } == nil)
    withExtendedLifetime(memory) {}
  }

  @Test("a full bucket passes entries to the next ones, the last to the first, and counts them")
  func overflowCounts() {
    let (index, memory) = makeIndex(50)
    let last = index.bucketCount - 1
    #expect(index.bucketCount == 9)
    for record in UInt32(0)..<20 {
      #expect(
        index.insert(
          hash(bucket: last, tag: UInt64(record), slot: UInt64(record & 7), in: index), record: record))
    }
    // Eight fit, eight go on to bucket 0, four to bucket 1 by way of both.
    #expect(overflow(index, last) == 12)
    #expect(overflow(index, 0) == 4)
    #expect(overflow(index, 1) == 0)
    // An entry that leaves the home bucket makes room there, and moves nobody.
    func key(_ record: UInt32) -> UInt64 {
      hash(bucket: last, tag: UInt64(record), slot: UInt64(record & 7), in: index)
    }
    #expect(index.remove(key(0), record: 0))
    #expect(overflow(index, last) == 12)
    for record in UInt32(1)..<20 { #expect(index.find(key(record)) { $0 == record } == record) }
    for record in UInt32(8)..<20 { #expect(index.remove(key(record), record: record)) }
    #expect(overflow(index, last) == 0)
    #expect(overflow(index, 0) == 0)
    for record in UInt32(1)..<8 { #expect(index.find(key(record)) { $0 == record } == record) }
    withExtendedLifetime(memory) {}
  }

  @Test("a count of overflow that reached its end stays, so that a lookup walks too far but never too short")
  func saturatedOverflow() {
    let (index, memory) = makeIndex(4000)
    let one = hash(bucket: 10, tag: 1, in: index)
    for record in UInt32(0)..<400 { #expect(index.insert(one, record: record)) }
    #expect(overflow(index, 10) == 255)
    for record in UInt32(0)..<399 { #expect(index.remove(one, record: record)) }
    #expect(index.find(one) { $0 == 399 } == 399)
    #expect(overflow(index, 10) == 255)
    withExtendedLifetime(memory) {}
  }

  @Test("an insertion beyond the reach of 64 buckets fails and changes nothing")
  func failsCleanly() {
    let (index, memory) = makeIndex(4000)
    let one = hash(bucket: 100, tag: 5, in: index)
    for record in UInt32(0)..<512 { #expect(index.insert(one, record: record)) }
    let before = (0..<index.bucketCount * 8).map { index.words[$0] }
    #expect(!index.insert(one, record: 512))
    #expect((0..<index.bucketCount * 8).map { index.words[$0] } == before)
    #expect(index.find(one) { $0 == 512 } == nil)
    #expect(index.find(one) { $0 == 511 } == 511)
    #expect(index.remove(one, record: 17))
    #expect(index.insert(one, record: 512))
    #expect(index.find(one) { $0 == 512 } == 512)
    withExtendedLifetime(memory) {}
  }

  @Test("a small index that is full to the last slot fails cleanly and finds everything")
  func fullToTheLastSlot() {
    let (index, memory) = makeIndex(6)
    #expect(index.bucketCount == 2)
    for record in UInt32(0)..<16 { #expect(index.insert(UInt64(record) << 27, record: record)) }
    #expect(!index.insert(1 << 60, record: 16))
    for record in UInt32(0)..<16 { #expect(index.find(UInt64(record) << 27) { $0 == record } == record) }
    #expect(index.find(5) { $0 == 99 } == nil)
    withExtendedLifetime(memory) {}
  }

  @Test("a key that gets another record stays where it is")
  func replaced() {
    let (index, memory) = makeIndex(50)
    let one = hash(bucket: 2, tag: 9, in: index)
    for record in UInt32(0)..<12 { #expect(index.insert(one, record: record)) }
    index.replace(one, record: 11, with: 40)
    #expect(index.find(one) { $0 == 40 } == 40)
    #expect(index.find(one) { $0 == 11 } == nil)
    #expect(index.remove(one, record: 40))
    #expect(overflow(index, 2) == 3)
    withExtendedLifetime(memory) {}
  }
}
