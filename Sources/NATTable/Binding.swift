public import CLinuxPacket
public import NATMemory
public import NATWire

/// The number of a binding: its place in the array of bindings.
///
/// For a pool address it *is* the public endpoint: `(pool address * 3 + protocol) * 65536 + port`, so the way back
/// needs no search, and the way out no look at the binding. Numbers behind those belong to statics on other addresses.
public struct BindingIndex: BitwiseCopyable, Hashable, Sendable {
  public let rawValue: UInt32
  @inlinable init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable init(_ rawValue: Int) { self.rawValue = UInt32(truncatingIfNeeded: rawValue) }

  @usableFromInline static let portsPerAddress = 3 * 65536
}

/// What a place in the array of bindings holds.
public enum BindingKind: UInt8, BitwiseCopyable, Sendable {
  case free = 0
  /// A freed port that waits until another host may have it.
  case resting
  /// Found by no packet any more; its sessions are about to end.
  case closing
  case dynamic
  /// A port forward of the operator's.
  case forward
  /// One port of a 1:1 mapping, while it has sessions.
  case oneToOne

  /// Whether packets may use it.
  @inlinable public var isLive: Bool { rawValue >= BindingKind.dynamic.rawValue }
}

/// All bindings of a table: four words each, written by the shard that owns the place, read by anyone.
///
/// | word | live | resting |
/// |---|---|---|
/// | 0 | private address:32, private port:16, kind:8, protocol:8 | the same |
/// | 1 | created, ns | free from, ns |
/// | 2 | first session:32, sessions that the inside host used:32 | next:32, previous:32 in the queue of resting ports |
/// | 3 | host:32 of a dynamic one, terms:32 of a forward; next binding of the same private endpoint:32 | next:32, previous:32 among the resting ports of its host |
///
/// 32 bytes, so two share a cache line.
public struct BindingStore: BitwiseCopyable, Sendable {
  @usableFromInline let words: AtomicWords
  /// Public endpoints of the places behind the pool's: address:32, port:16, protocol:8.
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

  @inlinable @inline(__always) func word(_ binding: BindingIndex, _ word: Int) -> UInt64 {
    words[Int(binding.rawValue) &* 4 &+ word]
  }

  @inlinable @inline(__always) func set(_ binding: BindingIndex, _ word: Int, _ value: UInt64) {
    words[Int(binding.rawValue) &* 4 &+ word] = value
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
    return kind == .forward || kind == .oneToOne
  }

  @inlinable @inline(__always) public func privateEndpoint(of binding: BindingIndex) -> Endpoint {
    let word = word(binding, 0)
    return Endpoint(
      IPv4Address(UInt32(truncatingIfNeeded: word >> 32)), UInt16(truncatingIfNeeded: word >> 16))
  }

  @inlinable @inline(__always) public func transport(of binding: BindingIndex) -> TransportProtocol {
    let index = Int(binding.rawValue)
    let raw = index < directCount ? (index >> 16) % 3 : Int(extraPublic[index &- directCount] >> 8 & 0xFF)
    return TransportProtocol(rawValue: UInt8(truncatingIfNeeded: raw)) ?? .icmp
  }

  @inlinable @inline(__always) public func publicEndpoint(of binding: BindingIndex) -> Endpoint {
    let index = Int(binding.rawValue)
    if index < directCount {
      let address = poolAddresses[index / BindingIndex.portsPerAddress]
      return Endpoint(
        IPv4Address(UInt32(truncatingIfNeeded: address)), UInt16(truncatingIfNeeded: index))
    }
    let word = extraPublic[index &- directCount]
    return Endpoint(
      IPv4Address(UInt32(truncatingIfNeeded: word >> 32)), UInt16(truncatingIfNeeded: word >> 16))
  }

  /// When the binding was made; of a resting port, when it is free again.
  @inlinable @inline(__always) public func instant(of binding: BindingIndex) -> Instant {
    Instant(nanoseconds: word(binding, 1))
  }

  @inlinable @inline(__always) func prefetch(_ binding: BindingIndex) {
    // Safety: a prefetch reads nothing and never faults.
    unsafe portico_prefetch(words.address(of: Int(binding.rawValue) &* 4))
  }

  @inlinable @inline(__always) public func direct(
    poolAddress: Int, _ transport: TransportProtocol, port: UInt16
  ) -> BindingIndex {
    BindingIndex((poolAddress &* 3 &+ Int(transport.rawValue)) << 16 | Int(port))
  }

  static func describe(_ private: Endpoint, _ transport: TransportProtocol, _ kind: BindingKind) -> UInt64 {
    UInt64(`private`.address.rawValue) << 32 | UInt64(`private`.port) << 16 | UInt64(kind.rawValue) << 8
      | UInt64(transport.rawValue)
  }

  func high(_ binding: BindingIndex, _ word: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: self.word(binding, word) >> 32)
  }

  func low(_ binding: BindingIndex, _ word: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: self.word(binding, word))
  }

  func setHigh(_ binding: BindingIndex, _ word: Int, _ value: UInt32) {
    set(binding, word, self.word(binding, word) & 0xFFFF_FFFF | UInt64(value) << 32)
  }

  func setLow(_ binding: BindingIndex, _ word: Int, _ value: UInt32) {
    set(binding, word, self.word(binding, word) & ~0xFFFF_FFFF | UInt64(value))
  }
}
