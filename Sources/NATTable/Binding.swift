public import CLinuxPacket
public import NATMemory
public import NATWire

/// The number of a binding: its place in the array of bindings.
///
/// For a pool address the number *is* the public endpoint: ``PortSpace`` and port. So an inbound packet needs
/// no search, and an outbound packet need not read the binding. Higher numbers are for other addresses.
public struct BindingIndex: BitwiseCopyable, Hashable, Sendable {
  public let rawValue: UInt32
  @inlinable init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable init(_ rawValue: Int) { self.rawValue = UInt32(truncatingIfNeeded: rawValue) }
}

/// The ports, or query identifiers, of one protocol on one pool address: a number for each such pair.
public struct PortSpace: BitwiseCopyable, Hashable, Sendable {
  public let rawValue: Int

  @usableFromInline static let protocols = 3
  @usableFromInline static let ports = 65536
  @usableFromInline static let portsPerAddress = protocols * ports

  @inlinable @inline(__always) init(rawValue: Int) { self.rawValue = rawValue }

  @inlinable @inline(__always) public init(poolPlace: Int, _ transport: TransportProtocol) {
    rawValue = poolPlace &* PortSpace.protocols &+ Int(transport.rawValue)
  }

  /// The port space of a binding.
  /// - Precondition: its public address is in the pool.
  init(of binding: BindingIndex) { rawValue = Int(binding.rawValue >> 16) }

  static func count(poolAddresses: Int) -> Int { poolAddresses * protocols }

  var poolPlace: Int { rawValue / PortSpace.protocols }

  @inlinable @inline(__always) var transport: TransportProtocol {
    TransportProtocol(rawValue: UInt8(truncatingIfNeeded: rawValue % PortSpace.protocols)) ?? .icmp
  }

  @inlinable @inline(__always) public func binding(_ port: UInt16) -> BindingIndex {
    BindingIndex(rawValue << 16 | Int(port))
  }
}

extension BindingIndex {
  /// The public port of a binding whose address is in the pool.
  var poolPort: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
}

/// A value for each protocol.
struct PerProtocol<Value: BitwiseCopyable>: BitwiseCopyable {
  var icmp: Value
  var tcp: Value
  var udp: Value

  init(_ value: Value) {
    icmp = value
    tcp = value
    udp = value
  }

  subscript(transport: TransportProtocol) -> Value {
    get {
      switch transport {
      case .icmp: icmp
      case .tcp: tcp
      case .udp: udp
      }
    }
    set {
      switch transport {
      case .icmp: icmp = newValue
      case .tcp: tcp = newValue
      case .udp: udp = newValue
      }
    }
  }
}

/// The content of a place in the array of bindings.
public enum BindingKind: UInt8, BitwiseCopyable, Sendable {
  case free = 0
  /// A port in hold-down.
  case held
  /// No packet finds it any more. Its sessions are about to end.
  case closing
  case dynamic
  case portForward
  /// One port of a 1:1 mapping, while it has sessions.
  case oneToOne

  /// Whether packets may use it.
  @inlinable public var isLive: Bool { rawValue >= BindingKind.dynamic.rawValue }
}

/// All bindings of a table: four words each, written by the shard that owns the place, read by anyone.
///
/// | word | live | in hold-down |
/// |---|---|---|
/// | 0 | private address:32, private port:16, kind:8, protocol:8 | the same |
/// | 1 | created, ns | free from, ns |
/// | 2 | first session:32, sessions that the inside host used:32 | next:32, previous:32 in the queue of held ports |
/// | 3 | host:32 (dynamic) or conditions:32 (port forward), next binding of the same private endpoint:32 | its links in a tree, ``HeldPorts`` |
///
/// Word 3 of a free place outside the pool is the next free place. Two bindings share a cache line.
public struct BindingStore: BitwiseCopyable, Sendable {
  @usableFromInline let words: AtomicWords
  /// Public endpoints of the places after those of the pool: address:32, port:16, protocol:8.
  @usableFromInline let extraPublic: AtomicWords
  @usableFromInline let poolAddresses: AtomicWords
  @usableFromInline let directCount: Int
  @usableFromInline let extraCount: Int

  static let wordsPerBinding = 4
  static let none = UInt32.max

  @inlinable public var count: Int { directCount &+ extraCount }

  /// Whether the place is the live binding of this private endpoint.
  @inlinable @inline(__always) func matches(
    _ binding: BindingIndex, _ transport: TransportProtocol, _ `private`: Endpoint
  ) -> Bool {
    let word = words.acquire(Int(binding.rawValue) &* 4)
    let key =
      UInt64(`private`.address.rawValue) << 32 | UInt64(`private`.port) << 16 | UInt64(transport.rawValue)
    return word & ~0xFF00 == key && BindingStore.isLive(word)
  }

  @inlinable @inline(__always) static func isLive(_ word: UInt64) -> Bool {
    word & 0xFF00 >= UInt64(BindingKind.dynamic.rawValue) << 8
  }

  @inlinable @inline(__always) public func kind(of binding: BindingIndex) -> BindingKind {
    BindingKind(rawValue: UInt8(truncatingIfNeeded: words.acquire(Int(binding.rawValue) &* 4) >> 8)) ?? .free
  }

  /// Whether packets may use it.
  @inlinable @inline(__always) public func isLive(_ binding: BindingIndex) -> Bool {
    BindingStore.isLive(words.acquire(Int(binding.rawValue) &* 4))
  }

  @inlinable @inline(__always) public func isStatic(_ binding: BindingIndex) -> Bool {
    let kind = kind(of: binding)
    return kind == .portForward || kind == .oneToOne
  }

  @inlinable @inline(__always) public func privateEndpoint(of binding: BindingIndex) -> Endpoint {
    let word = words[at(binding, .private)]
    return Endpoint(
      IPv4Address(UInt32(truncatingIfNeeded: word >> 32)), UInt16(truncatingIfNeeded: word >> 16))
  }

  @inlinable @inline(__always) public func transport(of binding: BindingIndex) -> TransportProtocol {
    let index = Int(binding.rawValue)
    if index < directCount { return PortSpace(rawValue: index >> 16).transport }
    let word = extraPublic[index &- directCount]
    return TransportProtocol(rawValue: UInt8(truncatingIfNeeded: word >> 8)) ?? .icmp
  }

  @inlinable @inline(__always) public func publicEndpoint(of binding: BindingIndex) -> Endpoint {
    let index = Int(binding.rawValue)
    if index < directCount {
      let address = poolAddresses[index / PortSpace.portsPerAddress]
      return Endpoint(
        IPv4Address(UInt32(truncatingIfNeeded: address)), UInt16(truncatingIfNeeded: index))
    }
    let word = extraPublic[index &- directCount]
    return Endpoint(
      IPv4Address(UInt32(truncatingIfNeeded: word >> 32)), UInt16(truncatingIfNeeded: word >> 16))
  }

  /// When the binding was made; for a port in hold-down, when it becomes free.
  @inlinable @inline(__always) public func instant(of binding: BindingIndex) -> Instant {
    Instant(nanoseconds: words[at(binding, .instant)])
  }

  @inlinable @inline(__always) func prefetch(_ binding: BindingIndex) {
    // Safety: a prefetch reads nothing and never faults.
    unsafe portico_prefetch(words.address(of: Int(binding.rawValue) &* 4))
  }

  @inlinable @inline(__always) public func direct(
    poolAddress: Int, _ transport: TransportProtocol, port: UInt16
  ) -> BindingIndex {
    PortSpace(poolPlace: poolAddress, transport).binding(port)
  }

  /// The place of a word in a record. Not an enum: its raw value would not be inlined in other modules.
  @usableFromInline struct Word: BitwiseCopyable {
    @usableFromInline let rawValue: Int
    @inlinable @inline(__always) init(_ rawValue: Int) { self.rawValue = rawValue }

    @inlinable static var `private`: Word { Word(0) }
    @inlinable static var instant: Word { Word(1) }
    @inlinable static var sessions: Word { Word(2) }
    @inlinable static var links: Word { Word(3) }
  }

  @inlinable @inline(__always) func at(_ binding: BindingIndex, _ word: Word) -> Int {
    Int(binding.rawValue) &* 4 &+ word.rawValue
  }
}

/// Only the owner of a place uses these.
extension BindingStore {
  /// Initializes a new binding: no session, no links. ``publish(_:_:_:_:)`` follows.
  func begin(_ binding: BindingIndex, at created: Instant) {
    words[at(binding, .instant)] = created.nanoseconds
    words[at(binding, .sessions)] = UInt64(BindingStore.none) << 32
    words[at(binding, .links)] = 0
  }

  /// Makes a binding, or its new kind, visible to readers. It is the last store of a change.
  func publish(
    _ binding: BindingIndex, _ private: Endpoint, _ transport: TransportProtocol, _ kind: BindingKind
  ) {
    let word =
      UInt64(`private`.address.rawValue) << 32 | UInt64(`private`.port) << 16 | UInt64(kind.rawValue) << 8
      | UInt64(transport.rawValue)
    words.release(word, at: at(binding, .private))
  }

  func clear(_ binding: BindingIndex) { words.release(0, at: at(binding, .private)) }

  func firstSession(of binding: BindingIndex) -> SessionIndex? {
    let first = high(binding, .sessions)
    return first == BindingStore.none ? nil : SessionIndex(first)
  }

  func setFirstSession(_ session: SessionIndex?, of binding: BindingIndex) {
    setHigh(binding, .sessions, session?.rawValue ?? BindingStore.none)
  }

  /// Sessions that the inside host has used.
  func usedSessions(of binding: BindingIndex) -> UInt32 { low(binding, .sessions) }

  func setUsedSessions(_ count: UInt32, of binding: BindingIndex) { setLow(binding, .sessions, count) }

  /// The record of a dynamic binding's host.
  func host(of binding: BindingIndex) -> UInt32 { high(binding, .links) }

  func setHost(_ host: UInt32, of binding: BindingIndex) { setHigh(binding, .links, host) }

  /// The record of a port forward's conditions, if it has some.
  func terms(of binding: BindingIndex) -> UInt32? {
    let terms = high(binding, .links)
    return terms == 0 ? nil : terms - 1
  }

  func setTerms(_ terms: UInt32, of binding: BindingIndex) { setHigh(binding, .links, terms + 1) }

  /// The next binding of the same private endpoint.
  func next(after binding: BindingIndex) -> BindingIndex? {
    let next = low(binding, .links)
    return next == 0 ? nil : BindingIndex(next - 1)
  }

  func setNext(_ next: BindingIndex?, after binding: BindingIndex) {
    setLow(binding, .links, next.map { $0.rawValue + 1 } ?? 0)
  }

  /// The public endpoint of a place outside the pool.
  func setExtraPublic(_ endpoint: Endpoint, _ transport: TransportProtocol, of binding: BindingIndex) {
    extraPublic[Int(binding.rawValue) - directCount] =
      UInt64(endpoint.address.rawValue) << 32 | UInt64(endpoint.port) << 16 | UInt64(transport.rawValue) << 8
  }

  func high(_ binding: BindingIndex, _ word: Word) -> UInt32 {
    UInt32(truncatingIfNeeded: words[at(binding, word)] >> 32)
  }

  func low(_ binding: BindingIndex, _ word: Word) -> UInt32 {
    UInt32(truncatingIfNeeded: words[at(binding, word)])
  }

  func setHigh(_ binding: BindingIndex, _ word: Word, _ value: UInt32) {
    words[at(binding, word)] = words[at(binding, word)] & 0xFFFF_FFFF | UInt64(value) << 32
  }

  func setLow(_ binding: BindingIndex, _ word: Word, _ value: UInt32) {
    words[at(binding, word)] = words[at(binding, word)] & ~0xFFFF_FFFF | UInt64(value)
  }
}
