public import CLinuxPacket
import Glibc
public import NATWire
public import Synchronization

/// Zeroed memory of a fixed size from the kernel. Pages cost nothing until they are touched.
///
/// Type-stable by construction: it is never unmapped while the table lives, so a reader that holds an old index
/// reads an old or a new record, never foreign memory.
@safe public final class MappedMemory: @unchecked Sendable {
  // Safety of all handles below: they carry `base` and a count, and the table that made them keeps this object.
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  /// - Parameter hugePages: asks for 2 MiB pages, which spares a table of many pages most of its TLB misses.
  public init(byteCount: Int, hugePages: Bool = false) {
    let hugePage = 2 << 20
    let pageSize = hugePages && byteCount >= hugePage ? hugePage : 4096
    let size = max(byteCount, 1)
    let rounded = (size + pageSize - 1) / pageSize * pageSize
    // Safety: a fresh private mapping; failure is checked on the next line.
    let mapped = unsafe mmap(
      nil, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      fatalError("cannot map \(rounded) bytes for the translation table: errno \(errno)")
    }
    if pageSize == hugePage { unsafe _ = madvise(mapped, rounded, MADV_HUGEPAGE) }
    unsafe base = mapped
    self.byteCount = rounded
  }

  deinit { unsafe _ = munmap(base, byteCount) }

  public func words(count: Int, at byteOffset: Int = 0) -> AtomicWords {
    precondition(byteOffset >= 0 && byteOffset + count * 8 <= byteCount)
    // Safety: inside the mapping by the line above; zeroed bytes are valid `Atomic<UInt64>` values.
    return unsafe AtomicWords(
      unsafeBase: (base + byteOffset).assumingMemoryBound(to: Atomic<UInt64>.self), count: count)
  }

  /// The mapping as bytes.
  public var frame: Frame {
    // Safety: the mapping lives as long as this object, which the holder of the frame keeps.
    unsafe Frame(unsafeBase: base, count: byteCount)
  }

  public func array<Element: BitwiseCopyable>(of type: Element.Type, count: Int) -> OwnedArray<Element> {
    precondition(count * MemoryLayout<Element>.stride <= byteCount)
    // Safety: inside the mapping by the line above; callers use types of which all zeros is a value.
    return unsafe OwnedArray(unsafeBase: base.assumingMemoryBound(to: Element.self), count: count)
  }
}

/// A trivial handle on words that one thread writes and any thread reads.
///
/// Accesses are atomic and compile to plain moves; bounds are checked.
@safe public struct AtomicWords: BitwiseCopyable, @unchecked Sendable {
  @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>
  @usableFromInline let count: Int

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

  @inlinable @inline(__always) func acquire(_ index: Int) -> UInt64 {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    return unsafe base[index].load(ordering: .acquiring)
  }

  @inlinable @inline(__always) func release(_ value: UInt64, at index: Int) {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    unsafe base[index].store(value, ordering: .releasing)
  }

  /// An addition that loses nothing when several workers count in one word.
  @inlinable @inline(__always) func add(_ value: UInt64, at index: Int) {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    unsafe _ = base[index].wrappingAdd(value, ordering: .relaxed)
  }

  /// Eight words from `group * 8` on: one cache line of a table. One check serves all accesses to it.
  @inlinable @inline(__always) func group(_ group: Int) -> WordGroup {
    precondition(UInt(bitPattern: group) < UInt(bitPattern: count >> 3))
    // Safety: checked on the line above.
    return unsafe WordGroup(base: base + group &* 8)
  }

  /// A store that no later load of this thread overtakes.
  func exchange(_ value: UInt64, at index: Int) {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    unsafe _ = base[index].exchange(value, ordering: .sequentiallyConsistent)
  }

  /// Stores `new` if the word is still `old`.
  func replace(_ old: UInt64, with new: UInt64, at index: Int) -> Bool {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    // Safety: checked on the line above.
    return unsafe base[index].compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent)
      .exchanged
  }

  /// The address of a word, for a prefetch.
  @inlinable @inline(__always) func address(of index: Int) -> UnsafeRawPointer {
    // Safety: a prefetch reads nothing and never faults, whatever the address.
    unsafe UnsafeRawPointer(base + index)
  }
}

/// Eight neighbouring words, checked to exist when the handle was made.
@safe @usableFromInline struct WordGroup: BitwiseCopyable {
  @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>

  @inlinable @inline(__always) init(base: UnsafeMutablePointer<Atomic<UInt64>>) { unsafe self.base = base }

  /// - Parameter index: its three low bits count.
  @inlinable subscript(index: Int) -> UInt64 {
    // Safety: `AtomicWords.group` made sure of eight words.
    @inline(__always) get { unsafe base[index & 7].load(ordering: .relaxed) }
    @inline(__always) nonmutating set { unsafe base[index & 7].store(newValue, ordering: .relaxed) }
  }

  @inlinable @inline(__always) func acquire(_ index: Int) -> UInt64 {
    // Safety: as above.
    unsafe base[index & 7].load(ordering: .acquiring)
  }
}

/// A trivial handle on memory that only its shard's worker touches; bounds are checked.
@safe public struct OwnedArray<Element: BitwiseCopyable>: BitwiseCopyable {
  @usableFromInline let base: UnsafeMutablePointer<Element>
  public let count: Int

  @usableFromInline init(unsafeBase base: UnsafeMutablePointer<Element>, count: Int) {
    unsafe self.base = base
    self.count = count
  }

  @inlinable public subscript(index: Int) -> Element {
    @inline(__always) get {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
      // Safety: checked on the line above.
      return unsafe base[index]
    }
    @inline(__always) nonmutating set {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
      // Safety: checked on the line above.
      unsafe base[index] = newValue
    }
  }

  /// Asks for the cache line of an element.
  @inlinable @inline(__always) public func prefetch(_ index: Int) {
    // Safety: a prefetch reads nothing and never faults, whatever the address.
    unsafe portico_prefetch(base + index)
  }

  @inlinable public subscript(index: UInt32) -> Element {
    get { self[Int(index)] }
    nonmutating set { self[Int(index)] = newValue }
  }
}
