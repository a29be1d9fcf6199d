public import NATMemory
public import NATTable
public import NATWire

/// Decides about packets: which binding and session they belong to, whether they may pass, and their rewrite.
///
/// A packet is handled in two steps, because route, TTL and MTU are checked before any state is made or
/// refreshed. `hit` and `resolve` only look; `commit` makes state, counts, and returns the rewrite.
public struct Translator: ~Copyable {
  public var shard: Shard
  public var settings: TranslatorSettings
  public let counters: Counters
  /// Whether segments outside the window of their session are dropped.
  public let tracksWindows: Bool
  @usableFromInline let publicAddresses: PublicAddresses
  public var random: RandomSource
  private let table: TranslationTable
  private let memory: (MappedMemory, MappedMemory)

  /// - Parameters:
  ///   - outsideAddress: a public address even if it is not in the pool; 0.0.0.0 for none.
  ///   - random: for port choice. The table's hash keys are drawn from it before.
  public init(
    table: TranslationTable, tableSettings: TableSettings, worker: Int, settings: TranslatorSettings,
    outsideAddress: IPv4Address, counters: Counters, random: RandomSource
  ) {
    self.table = table
    self.settings = settings
    self.counters = counters
    tracksWindows = tableSettings.tracksWindows
    self.random = random
    shard = table.makeShard(worker: worker)
    let capacity = table.capacity
    let count = 1 + capacity.poolAddresses + capacity.forwards + capacity.oneToOne
    let bytes = PublicAddresses.byteCounts(count)
    memory = (MappedMemory(byteCount: bytes.slots), MappedMemory(byteCount: bytes.holders))
    publicAddresses = PublicAddresses(slots: memory.0, holders: memory.1, addresses: count)
    if outsideAddress != .any { publicAddresses.add(outsideAddress, .held) }
    for (index, pool) in tableSettings.pool.enumerated() {
      publicAddresses.add(pool.address, .pool(place: index))
    }
    for mapping in tableSettings.forwards { publicAddresses.add(mapping.public.address, .held) }
    for mapping in tableSettings.oneToOne { publicAddresses.add(mapping.public, .oneToOne) }
  }

  /// The role of one of our public addresses; nil for any other address.
  @inlinable @inline(__always) public func role(of address: IPv4Address) -> PublicRole? {
    publicAddresses.role(of: address)
  }

  /// The next of our public addresses from `place` on, in any order; nil at the end. `place` moves past it.
  public func publicAddress(from place: inout Int) -> IPv4Address? { publicAddresses.next(from: &place) }

  /// The binding on one of our public endpoints.
  @inlinable @inline(__always)
  public func binding(_ transport: TransportProtocol, at public: Endpoint, _ role: PublicRole)
    -> BindingIndex?
  {
    if role.poolAddress >= 0 {
      return shard.findBinding(poolAddress: Int(role.poolAddress), transport, port: `public`.port)
    }
    return shard.findBinding(transport, public: `public`)
  }
}

/// A live session that a packet belongs to, with its binding.
public struct Hit: BitwiseCopyable {
  public var binding: BindingIndex
  public var session: SessionIndex

  @inlinable @inline(__always) init(_ binding: BindingIndex, _ session: SessionIndex) {
    self.binding = binding
    self.session = session
  }
}

/// An inside host that sends or receives a packet, with its binding and session.
public struct Leg: BitwiseCopyable {
  public var transport: TransportProtocol
  public var `private`: Endpoint
  public var remote: Endpoint
  /// Nil if the packet will make one.
  public var binding: BindingIndex?
  /// The 1:1 mapping from which a missing binding will be made; nil if it will be made from the pool.
  public var mapping: OneToOneMapping?
  /// Nil if the packet will make one.
  public var session: SessionIndex?

  @inlinable
  init(
    _ transport: TransportProtocol, private: Endpoint, remote: Endpoint, binding: BindingIndex?,
    mapping: OneToOneMapping? = nil, session: SessionIndex? = nil
  ) {
    self.transport = transport
    self.private = `private`
    self.remote = remote
    self.binding = binding
    self.mapping = mapping
    self.session = session
  }
}

/// What `resolve` found, for `commit` in the same instant.
public struct Resolution: BitwiseCopyable {
  /// The inside host that sent the packet, if one did.
  public var sender: Leg?
  /// The inside host that will get it, if one will.
  public var receiver: Leg?
  /// The destination after translation, for the route look-up.
  public var destination: IPv4Address

  @inlinable init(sender: Leg?, receiver: Leg?, destination: IPv4Address) {
    self.sender = sender
    self.receiver = receiver
    self.destination = destination
  }
}

/// The answer of `resolve`.
public enum ResolveOutcome: BitwiseCopyable {
  case pass(Resolution)
  case drop(DropReason)
}

/// How the packet is rewritten.
public struct Rewrite: BitwiseCopyable, Equatable {
  public var source: Endpoint
  public var destination: Endpoint

  @inlinable public init(source: Endpoint, destination: Endpoint) {
    self.source = source
    self.destination = destination
  }
}

/// How `commit` lets a packet pass.
public struct Commitment: BitwiseCopyable {
  public var rewrite: Rewrite
  /// The session of the inside host that sent the packet, if one did.
  public var sender: SessionIndex?
  /// The session of the inside host that gets it, if one does.
  public var receiver: SessionIndex?
}

/// The answer of `commit`.
public enum CommitOutcome: BitwiseCopyable {
  case forward(Commitment)
  case drop(DropReason)
}
