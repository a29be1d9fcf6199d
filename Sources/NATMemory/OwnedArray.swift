public import CLinuxPacket

/// A trivial handle on memory that one thread uses; bounds are checked.
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

  /// Prefetches the cache line of an element.
  @inlinable @inline(__always) public func prefetch(_ index: Int) {
    // Safety: a prefetch reads nothing and never faults, whatever the address.
    unsafe portico_prefetch(base + index)
  }

  @inlinable public subscript(index: UInt32) -> Element {
    get { self[Int(index)] }
    nonmutating set { self[Int(index)] = newValue }
  }
}
