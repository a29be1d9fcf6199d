import Synchronization

/// Decides when a removed record can be used again: quiescent-state based reclamation.
///
/// A reader publishes the epoch in which it entered. A retired record is free when every active reader has
/// entered, or passed a quiescent point, since. A removal costs the writer one fence; a quiescent point costs
/// the reader one exchange. Nobody waits.
public struct Epochs: BitwiseCopyable, Sendable {
  /// Readers at one time: other workers and control threads.
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

  /// Begins to read, or passes a quiescent point: this reader no longer needs what was retired before.
  public func enter(_ reader: Int) { words.exchange(current, at: line(reader)) }

  public func leave(_ reader: Int) { words.release(0, at: line(reader)) }

  /// The epoch to store for a record that has just been made unreachable.
  public func retire() -> UInt64 {
    // Orders the removal before the check of the readers. The reader's exchange is the other half.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    return current
  }

  /// Begins a new epoch, so that retired records become free when all readers have passed.
  public func advance() { words.add(1, at: 0) }

  /// Records retired before this epoch are free. `.max` while nobody reads.
  public func oldestReader() -> UInt64 {
    var oldest = UInt64.max
    for reader in 0..<Epochs.maximumReaders {
      let epoch = words.acquire(line(reader))
      if epoch != 0 { oldest = min(oldest, epoch) }
    }
    return oldest
  }
}
