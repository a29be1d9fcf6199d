import NATMemory
import NATWire

/// A record for each inside host that has state: its counts and its pool address. Only the worker reads it.
///
/// - Complexity: every operation is O(1).
struct Hosts: ~Copyable {
  struct Record: BitwiseCopyable {
    var address: UInt32
    /// Dynamic bindings.
    var bindings: UInt32
    /// Sessions over dynamic bindings and static mappings.
    var sessions: UInt32
    /// The pool address of its first dynamic binding; ``Hosts/none`` if that has left the pool. In a free
    /// record: the next free record plus one.
    var poolAddress: UInt32
    /// When the token bucket of new sessions will be full again, in nanoseconds.
    var full: UInt64 = 0
  }

  static let recordBytes = MemoryLayout<Record>.stride
  static let none = UInt32.max

  private let records: OwnedArray<Record>
  private let index: HashIndex
  private let hash: KeyHash
  private var firstFree: UInt32 = 0
  private var fresh = 0

  /// Records that have been used so far.
  var used: Int { fresh }

  init(records: MappedMemory, index: HashIndex, capacity: Int, hash: KeyHash) {
    self.records = records.array(of: Record.self, count: capacity)
    self.index = index
    self.hash = hash
  }

  subscript(host: UInt32) -> Record {
    get { records[host] }
    nonmutating set { records[host] = newValue }
  }

  func find(_ address: IPv4Address) -> UInt32? {
    index.find(hash.ofAddress(address)) { records[$0].address == address.rawValue }
  }

  /// Finds or makes the record of a host; nil if the table of hosts is full.
  mutating func findOrAdd(_ address: IPv4Address) -> UInt32? {
    if let known = find(address) { return known }
    let host: UInt32
    if firstFree != 0 {
      host = firstFree - 1
    } else {
      guard fresh < records.count else { return nil }
      host = UInt32(fresh)
    }
    let next = firstFree != 0 ? records[host].poolAddress : 0
    guard index.insert(hash.ofAddress(address), record: host) else { return nil }
    if firstFree != 0 { firstFree = next } else { fresh += 1 }
    records[host] = Record(address: address.rawValue, bindings: 0, sessions: 0, poolAddress: Hosts.none)
    return host
  }

  /// Clears a pool address in the records of its hosts.
  ///
  /// - Parameter next: the record to begin with; afterwards the one to continue with.
  /// - Returns: whether the walk is at its end.
  /// - Complexity: O(limit).
  func forget(poolAddress: Int, from next: inout Int, limit: Int) -> Bool {
    let end = min(next + limit, fresh)
    while next < end {
      if records[next].bindings > 0, records[next].poolAddress == UInt32(poolAddress) {
        records[next].poolAddress = Hosts.none
      }
      next += 1
    }
    return next >= fresh
  }

  /// Frees the record of a host without bindings and sessions.
  mutating func removeIfIdle(_ host: UInt32) {
    let record = records[host]
    guard record.bindings == 0, record.sessions == 0 else { return }
    index.remove(hash.ofAddress(IPv4Address(record.address)), record: host)
    records[host].poolAddress = firstFree
    firstFree = host + 1
  }
}
