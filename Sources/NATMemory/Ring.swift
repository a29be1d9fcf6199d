/// A bounded queue from one writing thread to one reading thread. It counts elements that do not fit.
///
/// - Complexity: O(1), without allocation or waiting.
public struct Ring<Element: BitwiseCopyable>: BitwiseCopyable, @unchecked Sendable {
  // The writer publishes an element by storing `head`. The reader frees its place by storing `tail`.
  @usableFromInline let words: AtomicWords
  @usableFromInline let elements: OwnedArray<Element>

  // Head, tail and the count of lost elements, each on its own cache line.
  @usableFromInline static var head: Int { 0 }
  @usableFromInline static var tail: Int { 8 }
  @usableFromInline static var lost: Int { 16 }
  @usableFromInline static var headerBytes: Int { 192 }

  @inlinable public static func byteCount(_ capacity: Int) -> Int {
    headerBytes + capacity * MemoryLayout<Element>.stride
  }

  /// - Precondition: `capacity` is a power of two.
  @inlinable public init(memory: MappedMemory, capacity: Int) {
    words = memory.words(count: Ring.headerBytes / 8)
    elements = memory.array(of: Element.self, count: capacity, at: Ring.headerBytes)
  }

  @inlinable func place(_ number: UInt64) -> Int { Int(number & UInt64(elements.count &- 1)) }

  /// Only the writer calls it.
  @inlinable public func write(_ element: Element) {
    let head = words[Ring.head]
    guard head &- words.acquire(Ring.tail) < UInt64(elements.count) else {
      words[Ring.lost] = words[Ring.lost] &+ 1
      return
    }
    elements[place(head)] = element
    words.release(head &+ 1, at: Ring.head)
  }

  /// Removes the oldest element; nil if the ring is empty. Only the reader calls it.
  @inlinable public func read() -> Element? {
    let tail = words[Ring.tail]
    guard tail != words.acquire(Ring.head) else { return nil }
    let element = elements[place(tail)]
    words.release(tail &+ 1, at: Ring.tail)
    return element
  }

  /// Elements lost so far because the ring was full.
  public var lostCount: UInt64 { words[Ring.lost] }
}
