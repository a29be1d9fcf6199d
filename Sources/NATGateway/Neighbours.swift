import NATTable
import NATWire

/// The MAC addresses of next hops on one side, as frames taught them.
///
/// A fixed number of places, probed over a bounded stretch: whoever makes up addresses fills it and learns no more, but
/// makes nothing slower and takes no memory.
///
/// - Complexity: O(1).
struct Neighbours: BitwiseCopyable {
  private struct Entry: BitwiseCopyable {
    /// The address with bit 32 set, so that an empty place equals none.
    var key: UInt64
    /// 0 where it is not known any more.
    var mac: UInt64
    var heard: Instant
  }

  /// A next hop that was heard.
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

  /// - Returns: whether anything is new.
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

  /// It does not answer any more.
  func forget(_ address: IPv4Address) {
    let key = UInt64(address.rawValue) | 1 << 32
    var place = home(address)
    for _ in 0..<Neighbours.probes where entries[place].key != 0 {
      if entries[place].key == key { entries[place].mac = 0 }
      place = (place + 1) & (Neighbours.capacity - 1)
    }
  }

  /// Whoever they were, they may be others now.
  /// - Complexity: O(capacity); what was never written is not written.
  func forgetAll() {
    for place in 0..<Neighbours.capacity where entries[place].key != 0 { entries[place].mac = 0 }
  }
}
