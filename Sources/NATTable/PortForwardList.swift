import NATMemory
import NATWire
import Synchronization

/// The port forwards in force, without their terms, as any thread may list them while a worker adds and removes some.
///
/// Two words a place: the private endpoint, and the public one with protocol and a count of changes, which is odd while
/// the place is in use. A reader that finds the second word the same before and after has read what belongs together.
struct PortForwardList: BitwiseCopyable, Sendable {
  private let words: AtomicWords

  static func byteCount(_ capacity: Int) -> Int { capacity * 16 }

  init(memory: MappedMemory, capacity: Int) { words = memory.words(count: capacity * 2) }

  // Public address:32, port:16, protocol:2, changes:14.
  private static let isInUse: UInt64 = 1
  private static let changes: UInt64 = 0x3FFF

  /// The writer's: lists a forward; false if there is no place.
  ///
  /// - Parameter first: no place before it is free.
  /// - Complexity: O(capacity in use).
  @discardableResult func add(_ forward: PortForward, from first: Int = 0) -> Bool {
    for place in first..<words.count / 2 {
      let old = words[place * 2 + 1]
      guard old & PortForwardList.isInUse == 0 else { continue }
      words.release(
        UInt64(forward.private.address.rawValue) << 16 | UInt64(forward.private.port), at: place * 2)
      words.release(
        UInt64(forward.public.address.rawValue) << 32 | UInt64(forward.public.port) << 16
          | UInt64(forward.transport.rawValue) << 14 | (old + 1) & PortForwardList.changes, at: place * 2 + 1)
      return true
    }
    return false
  }

  /// The writer's: takes a forward off the list.
  /// - Complexity: O(capacity in use).
  func remove(_ forward: PortForward) {
    for place in 0..<words.count / 2 where self.forward(at: place) == forward {
      let old = words[place * 2 + 1]
      words.release(old & ~PortForwardList.changes | (old + 1) & PortForwardList.changes, at: place * 2 + 1)
      return
    }
  }

  /// Gives those in force.
  /// - Complexity: O(most that have been in force at a time).
  func forEach(_ body: (PortForward) -> Void) {
    for place in 0..<words.count / 2 {
      // Places are taken from the first on, so behind one that never was in use there is none.
      if words.acquire(place * 2 + 1) == 0 { return }
      if let forward = forward(at: place) { body(forward) }
    }
  }

  private func forward(at place: Int) -> PortForward? {
    let word = words.acquire(place * 2 + 1)
    guard word & PortForwardList.isInUse != 0 else { return nil }
    let inner = words.acquire(place * 2)
    atomicMemoryFence(ordering: .acquiring)
    guard words[place * 2 + 1] == word, let transport = TransportProtocol(rawValue: UInt8(word >> 14 & 3))
    else {
      return nil
    }
    return PortForward(
      transport, public: Endpoint(IPv4Address(UInt32(word >> 32)), UInt16(truncatingIfNeeded: word >> 16)),
      private: Endpoint(IPv4Address(UInt32(inner >> 16)), UInt16(truncatingIfNeeded: inner)))
  }
}
