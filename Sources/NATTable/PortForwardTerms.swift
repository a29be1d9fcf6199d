import NATMemory
public import NATWire

/// The conditions of a port forward. By default it takes sessions that begin on either side, from any remote, for ever.
public struct PortForwardTerms: BitwiseCopyable, Sendable, Hashable {
  /// Sessions may begin only outside. What its host begins uses the next binding of the private endpoint.
  public var isInboundOnly = false
  /// It makes one session, and ends with it.
  public var isOneShot = false
  /// With whom it makes sessions.
  public var remotes = IPv4Network(.any, prefixLength: 0)
  /// The port of those; 0 for any.
  public var remotePort: UInt16 = 0
  /// For how long it is in force, in nanoseconds; 0 for ever.
  public var lifetime: UInt64 = 0

  public init() {}

  var takesEveryRemote: Bool { remotes.prefixLength == 0 && remotePort == 0 }

  /// Whether it is the binding of all that its host begins, so that there is no dynamic one beside it.
  var takesAllFromInside: Bool { !isInboundOnly && !isOneShot && takesEveryRemote }

  func matches(_ remote: Endpoint) -> Bool {
    remotes.contains(remote.address) && (remotePort == 0 || remotePort == remote.port)
  }
}

/// The terms of the forwards that have some. Only the worker reads them, and no packet that belongs to a session.
struct PortForwardTermsStore: ~Copyable {
  struct Record: BitwiseCopyable {
    var terms = PortForwardTerms()
    /// The session of a one-shot has been made.
    var isUsed = false
    var binding: UInt32 = 0
    /// In nanoseconds; 0 before its lifetime has begun.
    var expires: UInt64 = 0
    /// Plus one, of the list in which it stands: those that expire by their time, those that ended, or the free ones.
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

  /// When the next forward ends by its lifetime; at that instant it is still in force.
  var due: Instant { firstDue == 0 ? .never : Instant(nanoseconds: records[firstDue - 1].expires) }
  var firstDueBinding: BindingIndex? { firstDue == 0 ? nil : BindingIndex(records[firstDue - 1].binding) }

  /// Keeps the terms of a forward that is put in force; nil where there is no place.
  ///
  /// - Parameter now: when its lifetime begins; nil for ``start(at:)``.
  /// - Complexity: O(forwards with a lifetime).
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

  /// Lets the lifetimes begin that wait for the first packet.
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

  /// Takes the terms of a forward back.
  /// - Parameter isNoted: its public address is to be told by ``popEnded()``.
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
