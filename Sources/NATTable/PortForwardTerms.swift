import NATMemory
public import NATWire

/// The conditions of a port forward. By default it takes sessions of either side, with any remote, for ever.
public struct PortForwardTerms: BitwiseCopyable, Sendable, Hashable {
  /// It takes only inbound sessions. Outbound sessions use the next binding of the private endpoint.
  public var isInboundOnly = false
  /// It takes one session and ends with it.
  public var isOneShot = false
  /// The remote addresses that it takes sessions with.
  public var remotes = IPv4Network(.any, prefixLength: 0)
  /// The remote port; 0 for any.
  public var remotePort: UInt16 = 0
  /// In nanoseconds; 0 for ever.
  public var lifetime: UInt64 = 0

  public init() {}

  var takesEveryRemote: Bool { remotes.prefixLength == 0 && remotePort == 0 }

  /// Whether it takes all outbound sessions. Then the private endpoint has no dynamic binding.
  var takesAllFromInside: Bool { !isInboundOnly && !isOneShot && takesEveryRemote }

  func matches(_ remote: Endpoint) -> Bool {
    remotes.contains(remote.address) && (remotePort == 0 || remotePort == remote.port)
  }
}

/// The conditions of the port forwards that have some. Only the worker reads them, for packets without a
/// session.
struct PortForwardTermsStore: ~Copyable {
  struct Record: BitwiseCopyable {
    var terms = PortForwardTerms()
    /// A one-shot has made its session.
    var isUsed = false
    var binding: UInt32 = 0
    /// In nanoseconds; 0 before its lifetime has begun.
    var expires: UInt64 = 0
    /// The next record plus one in its list: records that will expire, records that ended, or free records.
    var next: UInt32 = 0
    var publicAddress: UInt32 = 0
    var isInForce = false
  }

  private let records: OwnedArray<Record>
  private var fresh = 0
  private var firstFree: UInt32 = 0
  private var firstDue: UInt32 = 0
  private var firstEnded: UInt32 = 0
  private var hasStarted = false

  static let recordBytes = MemoryLayout<Record>.stride

  init(memory: MappedMemory, capacity: Int) { records = memory.array(of: Record.self, count: capacity) }

  subscript(record: UInt32) -> Record { records[record] }

  /// When the next lifetime ends. At that instant the port forward is still in force.
  var due: Instant { firstDue == 0 ? .never : Instant(nanoseconds: records[firstDue - 1].expires) }
  var firstDueBinding: BindingIndex? { firstDue == 0 ? nil : BindingIndex(records[firstDue - 1].binding) }

  /// Stores the conditions of a new port forward; nil if there is no room.
  ///
  /// - Parameter now: when the lifetime begins; nil to begin with ``start(at:)``.
  /// - Complexity: O(port forwards with a lifetime).
  mutating func add(
    _ terms: PortForwardTerms, of binding: BindingIndex, public address: IPv4Address, at now: Instant?
  ) -> UInt32? {
    let record: UInt32
    if firstFree != 0 {
      record = firstFree - 1
      firstFree = records[record].next
    } else {
      guard fresh < records.count else { return nil }
      record = UInt32(fresh)
      fresh += 1
    }
    records[record] = Record(
      terms: terms, binding: binding.rawValue, publicAddress: address.rawValue, isInForce: true)
    if let now { begin(record, at: now) }
    return record
  }

  /// Starts the lifetimes that wait for the first packet.
  mutating func start(at now: Instant) {
    guard !hasStarted else { return }
    hasStarted = true
    for record in 0..<UInt32(fresh) where records[record].isInForce && records[record].expires == 0 {
      begin(record, at: now)
    }
  }

  private mutating func begin(_ record: UInt32, at now: Instant) {
    let lifetime = records[record].terms.lifetime
    guard lifetime > 0 else { return }
    let expires = now.advanced(by: lifetime).nanoseconds
    records[record].expires = expires
    var before: UInt32 = 0
    var at = firstDue
    while at != 0, records[at - 1].expires <= expires {
      before = at
      at = records[at - 1].next
    }
    records[record].next = at
    if before == 0 { firstDue = record + 1 } else { records[before - 1].next = record + 1 }
  }

  func use(_ record: UInt32) { records[record].isUsed = true }

  /// Removes the conditions of a port forward.
  /// - Parameter isNoted: whether ``popEnded()`` returns its public address.
  mutating func remove(_ record: UInt32, isNoted: Bool) {
    if records[record].expires > 0 {
      var before: UInt32 = 0
      var at = firstDue
      while at != 0, at != record + 1 {
        before = at
        at = records[at - 1].next
      }
      if at != 0 {
        let next = records[record].next
        if before == 0 { firstDue = next } else { records[before - 1].next = next }
      }
    }
    records[record].isInForce = false
    if isNoted {
      records[record].next = firstEnded
      firstEnded = record + 1
    } else {
      free(record)
    }
  }

  private mutating func free(_ record: UInt32) {
    records[record].next = firstFree
    firstFree = record + 1
  }

  var hasEnded: Bool { firstEnded != 0 }

  mutating func popEnded() -> IPv4Address? {
    guard firstEnded != 0 else { return nil }
    let record = firstEnded - 1
    firstEnded = records[record].next
    free(record)
    return IPv4Address(records[record].publicAddress)
  }
}
