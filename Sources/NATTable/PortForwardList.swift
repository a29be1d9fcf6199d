import NATMemory
import NATWire
import Synchronization

/// The port forwards in force, without their conditions. Any thread may list them at any time.
///
/// Two words a place: the private endpoint; and the public endpoint with protocol and a count of changes,
/// which is odd while the place is in use. A reader whose second word is the same before and after has read a
/// consistent pair.
struct PortForwardList: BitwiseCopyable, Sendable {
  private let words: AtomicWords

  static func byteCount(_ capacity: Int) -> Int { capacity * 16 }

  init(memory: MappedMemory, capacity: Int) { words = memory.words(count: capacity * 2) }

  // Public address:32, port:16, protocol:2, changes:14.
  private static let isInUse: UInt64 = 1
  private static let changes: UInt64 = 0x3FFF

  /// Adds a port forward; false if there is no place. Only the writer calls it.
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

  /// Removes a port forward. Only the writer calls it.
  /// - Complexity: O(capacity in use).
  func remove(_ forward: PortForward) {
    for place in 0..<words.count / 2 where self.forward(at: place) == forward {
      let old = words[place * 2 + 1]
      words.release(old & ~PortForwardList.changes | (old + 1) & PortForwardList.changes, at: place * 2 + 1)
      return
    }
  }

  /// - Complexity: O(most port forwards that were ever in force at a time).
  func forEach(_ body: (PortForward) -> Void) {
    for place in 0..<words.count / 2 {
      // Places are used in order, so after one that was never in use there are no others.
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
