import NATMemory
import NATWire

/// The bytes of fragments that wait for the first one of their datagram.
///
/// A fragment is stored in chunks of 64 bytes, so that small ones cost little and large ones do not fragment the
/// memory. The limit counts IPv4 total lengths; there are enough chunks for it at any mix of lengths.
///
/// - Complexity: holding and taking are O(length).
struct HeldFragments: ~Copyable {
  /// A fragment: the number of its first chunk.
  typealias Index = UInt32

  private struct Header: BitwiseCopyable {
    /// The next fragment of the datagram.
    var next: Index
    var length: UInt16
    /// Its offset in the datagram, in units of 8 bytes.
    var unit: UInt16
  }

  private let bytes: Frame
  private let following: OwnedArray<UInt32>
  private let headers: OwnedArray<Header>
  private let limit: Int
  private var free = none
  private var fresh: UInt32 = 0
  /// IPv4 total lengths of what is held.
  private(set) var heldBytes = 0
  private(set) var count = 0

  static let none = UInt32.max
  private static let chunkLength = 64
  private static let shortest = IPv4.minimumHeaderLength + 1

  private static func chunkCount(limit: Int) -> Int { limit / chunkLength + limit / shortest + 1 }

  init(limit: Int) {
    let chunks = HeldFragments.chunkCount(limit: limit)
    memory = (
      MappedMemory(byteCount: chunks * HeldFragments.chunkLength), MappedMemory(byteCount: chunks * 4),
      MappedMemory(byteCount: chunks * MemoryLayout<Header>.stride)
    )
    bytes = memory.0.frame
    following = memory.1.array(of: UInt32.self, count: chunks)
    headers = memory.2.array(of: Header.self, count: chunks)
    self.limit = limit
  }

  private let memory: (MappedMemory, MappedMemory, MappedMemory)

  func canHold(_ packet: Packet) -> Bool { heldBytes + packet.totalLength <= limit }

  /// Holds a fragment before `next`, or says that the memory does not suffice.
  mutating func hold(_ packet: Packet, before next: Index) -> Index? {
    guard canHold(packet) else { return nil }
    heldBytes += packet.totalLength
    count += 1
    let first = takeChunk()
    var chunk = first
    var copied = 0
    while true {
      let length = min(packet.totalLength - copied, HeldFragments.chunkLength)
      bytes.copy(
        packet.frame, from: Packet.networkOffset + copied, count: length,
        to: Int(chunk) * HeldFragments.chunkLength)
      copied += length
      if copied == packet.totalLength { break }
      let another = takeChunk()
      following[chunk] = another
      chunk = another
    }
    following[chunk] = HeldFragments.none
    headers[first] = Header(
      next: next, length: UInt16(truncatingIfNeeded: packet.totalLength),
      unit: UInt16(truncatingIfNeeded: packet.fragmentByteOffset / 8))
    return first
  }

  /// IPv4 total length in bytes.
  func length(of fragment: Index) -> Int { Int(headers[fragment].length) }

  /// Copies a fragment to the start of `frame`, and forgets it.
  /// - Returns: the next one of its datagram.
  mutating func take(_ fragment: Index, into frame: Frame) -> Index {
    var copied = 0
    var chunk = fragment
    while chunk != HeldFragments.none {
      let length = min(self.length(of: fragment) - copied, HeldFragments.chunkLength)
      frame.copy(bytes, from: Int(chunk) * HeldFragments.chunkLength, count: length, to: copied)
      copied += length
      chunk = following[chunk]
    }
    return remove(fragment)
  }

  /// Forgets a fragment.
  /// - Returns: the next one of its datagram.
  mutating func remove(_ fragment: Index) -> Index {
    heldBytes -= length(of: fragment)
    count -= 1
    var last = fragment
    while following[last] != HeldFragments.none { last = following[last] }
    following[last] = free
    free = fragment
    return headers[fragment].next
  }

  private mutating func takeChunk() -> UInt32 {
    guard free != HeldFragments.none else {
      fresh += 1
      return fresh - 1
    }
    let chunk = free
    free = following[chunk]
    return chunk
  }

  // MARK: Order

  /// Puts the fragments of a datagram in order of offset: a merge sort of the list itself.
  /// - Complexity: O(n log n).
  func sorted(_ list: Index) -> Index {
    // bins[i] holds none or a sorted list of 2^i fragments; a datagram has at most 8,192.
    var bins = InlineArray<14, Index>(repeating: HeldFragments.none)
    var rest = list
    while rest != HeldFragments.none {
      var sorted = rest
      rest = headers[rest].next
      headers[sorted].next = HeldFragments.none
      var bin = 0
      while bins[bin] != HeldFragments.none {
        sorted = merged(bins[bin], sorted)
        bins[bin] = HeldFragments.none
        bin += 1
      }
      bins[bin] = sorted
    }
    var all = HeldFragments.none
    for bin in bins.indices { all = merged(bins[bin], all) }
    return all
  }

  private func merged(_ a: Index, _ b: Index) -> Index {
    var (a, b) = (a, b)
    var first = HeldFragments.none
    var last = HeldFragments.none
    while a != HeldFragments.none || b != HeldFragments.none {
      let takesA =
        b == HeldFragments.none || a != HeldFragments.none && headers[a].unit <= headers[b].unit
      let taken = takesA ? a : b
      if takesA { a = headers[a].next } else { b = headers[b].next }
      if last == HeldFragments.none { first = taken } else { headers[last].next = taken }
      last = taken
    }
    return first
  }
}
