import Synchronization

/// When memory that readers may still look at can be used again: quiescent-state based reclamation.
///
/// A reader publishes the epoch it entered in; a record retired in an epoch is free once every reader that is inside
/// has entered, or passed a quiescent point, since. A writer pays one fence for a removal, a reader one exchange for each
/// of its quiescent points. Nobody waits.
public struct Epochs: BitwiseCopyable, Sendable {
  /// Readers at one time: workers besides the owner and control threads.
  public static let maximumReaders = 63
  public static let byteCount = (maximumReaders + 1) * 64

  private let words: AtomicWords

  public init(memory: MappedMemory) {
    words = memory.words(count: (Epochs.maximumReaders + 1) * 8)
    // Epoch 0 means "not inside", so the count begins at 1.
    words[0] = 1
  }

  private func line(_ reader: Int) -> Int { (reader + 1) * 8 }

  public var current: UInt64 { words.acquire(0) }

  /// Begins, or goes on, reading: everything retired before may be used again.
  public func enter(_ reader: Int) { words.exchange(current, at: line(reader)) }

  public func leave(_ reader: Int) { words.release(0, at: line(reader)) }

  /// The epoch to note for a record that was just made unreachable.
  public func retire() -> UInt64 {
    // Orders the removal before the look at the readers; the reader's exchange is the other half.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    return current
  }

  /// Lets the epochs go on, so that what was retired becomes free when all readers have passed.
  public func advance() { words.add(1, at: 0) }

  /// What was retired before this epoch is free; `.max` while nobody reads.
  public func oldestReader() -> UInt64 {
    var oldest = UInt64.max
    for reader in 0..<Epochs.maximumReaders {
      let epoch = words.acquire(line(reader))
      if epoch != 0 { oldest = min(oldest, epoch) }
    }
    return oldest
  }
}
