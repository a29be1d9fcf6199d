import Glibc
public import NATWire
import Synchronization

/// Zeroed memory of a fixed size from the kernel. Pages cost nothing until they are touched.
///
/// It stays mapped while this object lives: a reader with an old index never reads other memory.
@safe public final class MappedMemory: @unchecked Sendable {
  // Safety of all handles: they carry `base` and a count, and the holder of a handle keeps this object.
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  /// - Parameter hugePages: asks for 2 MiB pages, which saves a large table most TLB misses.
  public init(byteCount: Int, hugePages: Bool = false) {
    let hugePage = 2 << 20
    let pageSize = hugePages && byteCount >= hugePage ? hugePage : 4096
    let size = max(byteCount, 1)
    let rounded = (size + pageSize - 1) / pageSize * pageSize
    // Safety: a fresh private mapping; failure is checked on the next line.
    let mapped = unsafe mmap(
      nil, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      fatalError("cannot map \(rounded) bytes of memory: errno \(errno)")
    }
    if pageSize == hugePage { unsafe _ = madvise(mapped, rounded, MADV_HUGEPAGE) }
    unsafe base = mapped
    self.byteCount = rounded
  }

  deinit { unsafe _ = munmap(base, byteCount) }

  public func words(count: Int, at byteOffset: Int = 0) -> AtomicWords {
    precondition(byteOffset >= 0 && byteOffset + count * 8 <= byteCount)
    // Safety: checked on the line above. Zeros are valid `Atomic<UInt64>` values.
    return unsafe AtomicWords(
      unsafeBase: (base + byteOffset).assumingMemoryBound(to: Atomic<UInt64>.self), count: count)
  }

  /// The mapping as bytes.
  public var frame: Frame {
    // Safety: the mapping lives as long as this object, which the holder of the frame keeps.
    unsafe Frame(unsafeBase: base, count: byteCount)
  }

  /// - Parameter byteOffset: a multiple of the element's alignment.
  public func array<Element: BitwiseCopyable>(
    of type: Element.Type, count: Int, at byteOffset: Int = 0
  ) -> OwnedArray<Element> {
    precondition(byteOffset >= 0 && byteOffset + count * MemoryLayout<Element>.stride <= byteCount)
    precondition(byteOffset % MemoryLayout<Element>.alignment == 0)
    // Safety: checked on the lines above. Callers use types for which zeros are valid, or write first.
    return unsafe OwnedArray(
      unsafeBase: (base + byteOffset).assumingMemoryBound(to: Element.self), count: count)
  }
}
