import NATMemory
import NATTable
import NATWire

/// The neighbours of each interface of the gateway.
struct NeighbourTables {
  private let tables: OwnedArray<Neighbours>
  private let hash: KeyHash
  private var memory: [MappedMemory] = []
  /// The interfaces that have a table, as a bit mask.
  private var present: UInt64 = 0

  init(_ interfaces: Interfaces, hash: KeyHash) {
    let place = MappedMemory(byteCount: InterfaceIndex.limit * MemoryLayout<Neighbours>.stride)
    tables = place.array(of: Neighbours.self, count: InterfaceIndex.limit)
    self.hash = hash
    memory.append(place)
    add(for: interfaces)
  }

  /// Makes a table for each interface that has none.
  mutating func add(for interfaces: Interfaces) {
    for index in interfaces.indices {
      let bit: UInt64 = 1 << UInt64(index.place)
      guard present & bit == 0 else { continue }
      present |= bit
      let entries = MappedMemory(byteCount: Neighbours.byteCount)
      memory.append(entries)
      tables[index.place] = Neighbours(memory: entries, hash: hash)
    }
  }

  /// - Precondition: the gateway has or had the interface.
  @inline(__always) subscript(index: InterfaceIndex) -> Neighbours {
    precondition(present & 1 << UInt64(index.place) != 0)
    return tables[index.place]
  }
}

/// The MAC addresses of the next hops on one interface, learned from frames.
///
/// The table has a fixed size and a bounded probe length. A sender with forged addresses can fill it, but can
/// neither slow look-ups nor use up memory.
///
/// - Complexity: O(1).
struct Neighbours: BitwiseCopyable {
  private struct Entry: BitwiseCopyable {
    /// The address with bit 32 set, so that no address equals an empty place.
    var key: UInt64
    /// 0 if forgotten.
    var mac: UInt64
    var heard: Instant
  }

  /// A next hop with a known MAC.
  struct Neighbour {
    var mac: MACAddress
    var heard: Instant
  }

  private let entries: OwnedArray<Entry>
  private let hash: KeyHash

  private static let capacity = 1 << 18
  private static let probes = 64
  static let byteCount = capacity * MemoryLayout<Entry>.stride

  init(memory: MappedMemory, hash: KeyHash) {
    entries = memory.array(of: Entry.self, count: Neighbours.capacity)
    self.hash = hash
  }

  private func home(_ address: IPv4Address) -> Int {
    Int(hash.ofAddress(address) >> 32) & (Neighbours.capacity - 1)
  }

  func find(_ address: IPv4Address) -> Neighbour? {
    let key = UInt64(address.rawValue) | 1 << 32
    var place = home(address)
    for _ in 0..<Neighbours.probes {
      let entry = entries[place]
      if entry.key == key {
        return entry.mac == 0 ? nil : Neighbour(mac: MACAddress(entry.mac), heard: entry.heard)
      }
      if entry.key == 0 { return nil }
      place = (place + 1) & (Neighbours.capacity - 1)
    }
    return nil
  }

  /// - Returns: whether the entry is new or its MAC has changed.
  func learn(_ address: IPv4Address, _ mac: MACAddress, at now: Instant) -> Bool {
    let key = UInt64(address.rawValue) | 1 << 32
    var place = home(address)
    for _ in 0..<Neighbours.probes {
      let entry = entries[place]
      if entry.key == key || entry.key == 0 {
        entries[place] = Entry(key: key, mac: mac.rawValue, heard: now)
        return entry.key == 0 || entry.mac != mac.rawValue
      }
      place = (place + 1) & (Neighbours.capacity - 1)
    }
    return false
  }

  /// Forgets a next hop that does not answer.
  func forget(_ address: IPv4Address) {
    let key = UInt64(address.rawValue) | 1 << 32
    var place = home(address)
    for _ in 0..<Neighbours.probes where entries[place].key != 0 {
      if entries[place].key == key { entries[place].mac = 0 }
      place = (place + 1) & (Neighbours.capacity - 1)
    }
  }

  /// Forgets all next hops: the interface may be attached to another network.
  /// - Complexity: O(capacity). Entries that were never used are not written.
  func forgetAll() {
    for place in 0..<Neighbours.capacity where entries[place].key != 0 { entries[place].mac = 0 }
  }
}
