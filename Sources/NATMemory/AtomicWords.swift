public import Synchronization

/// A trivial handle on words that one thread writes and any thread reads.
///
/// Accesses are atomic and compile to plain moves; bounds are checked.
@safe public struct AtomicWords: BitwiseCopyable, @unchecked Sendable {
  @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>
  public let count: Int

  @usableFromInline init(unsafeBase base: UnsafeMutablePointer<Atomic<UInt64>>, count: Int) {
    unsafe self.base = base
    self.count = count
  }

  @inlinable public subscript(index: Int) -> UInt64 {
    @inline(__always) get {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
      // Safety: checked on the line above.
      return unsafe base[index].load(ordering: .relaxed)
    }
    @inline(__always) nonmutating set {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
      // Safety: checked on the line above.
      unsafe base[index].store(newValue, ordering: .relaxed)
    }
  }

  @inlinable @inline(__always) public func acquire(_ index: Int) -> UInt64 {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    return unsafe base[index].load(ordering: .acquiring)
  }

  @inlinable @inline(__always) public func release(_ value: UInt64, at index: Int) {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    unsafe base[index].store(value, ordering: .releasing)
  }

  /// An atomic addition: several workers may count in one word.
  @inlinable @inline(__always) public func add(_ value: UInt64, at index: Int) {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    unsafe _ = base[index].wrappingAdd(value, ordering: .relaxed)
  }

  /// Eight words from `group * 8` on: one cache line of a table. One bounds check covers all accesses to it.
  @inlinable @inline(__always) public func group(_ group: Int) -> WordGroup {
    precondition(UInt(bitPattern: group) < UInt(bitPattern: count >> 3))
    // Safety: checked on the line above.
    return unsafe WordGroup(base: base + group &* 8)
  }

  /// A store that comes before all later loads of this thread.
  public func exchange(_ value: UInt64, at index: Int) {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    unsafe _ = base[index].exchange(value, ordering: .sequentiallyConsistent)
  }

  /// Stores `new` if the word is still `old`.
  public func replace(_ old: UInt64, with new: UInt64, at index: Int) -> Bool {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    return unsafe base[index].compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent)
      .exchanged
  }

  /// The address of a word, for a prefetch.
  @inlinable @inline(__always) public func address(of index: Int) -> UnsafeRawPointer {
    // Safety: a prefetch reads nothing and never faults, whatever the address.
    unsafe UnsafeRawPointer(base + index)
  }
}

/// Eight neighbouring words. Their bounds were checked when the handle was made.
@safe public struct WordGroup: BitwiseCopyable {
  @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>

  @inlinable @inline(__always) init(base: UnsafeMutablePointer<Atomic<UInt64>>) { unsafe self.base = base }

  /// - Parameter index: only its three low bits are used.
  @inlinable public subscript(index: Int) -> UInt64 {
    // Safety: `AtomicWords.group` checked the eight words.
    @inline(__always) get { unsafe base[index & 7].load(ordering: .relaxed) }
    @inline(__always) nonmutating set { unsafe base[index & 7].store(newValue, ordering: .relaxed) }
  }

  @inlinable @inline(__always) public func acquire(_ index: Int) -> UInt64 {
    // Safety: as above.
    unsafe base[index & 7].load(ordering: .acquiring)
  }
}
