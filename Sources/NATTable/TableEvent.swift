public import NATMemory
public import NATWire

/// Why a session or binding ended.
public enum EndReason: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  /// No packet restarted its timeout.
  case expired
  /// The transitory timeout of a closed or reset connection ended.
  case closed, reset
  /// The table was full (`evict: oldest-transitory`).
  case evicted
  /// An operator ended it.
  case ended
  case staticMappingAdded, staticMappingRemoved
  case poolAddressAdded, poolAddressRemoved
  /// The machine lost the public address.
  case addressChanged
  /// The pool lost the public port to the kernel: a socket of the machine, or another port range.
  case portOfHost
  /// Its inside host is no longer in an inside network.
  case insideNetworkRemoved
  /// Its first session found no room.
  case refused
  /// The lifetime of a static mapping ended.
  case staticMappingExpired
  /// The one session of a static mapping has ended.
  case staticMappingUsed
}

/// Something that happened in a table, in 40 bytes.
public struct TableEvent: BitwiseCopyable, Sendable, Equatable {
  public enum Kind: UInt8, BitwiseCopyable, Sendable {
    case bindingCreated, bindingEnded, sessionCreated, sessionEnded
  }

  public var kind: Kind
  public var reason: EndReason
  public var transport: TransportProtocol
  public var instant: Instant
  public var `private`: Endpoint
  public var `public`: Endpoint
  /// 0.0.0.0:0 for a binding.
  public var remote: Endpoint

  public init(
    _ kind: Kind, _ reason: EndReason = .expired, _ transport: TransportProtocol,
    at instant: Instant, private: Endpoint, public: Endpoint, remote: Endpoint
  ) {
    self.kind = kind
    self.reason = reason
    self.transport = transport
    self.instant = instant
    self.private = `private`
    self.public = `public`
    self.remote = remote
  }
}

/// The events of a shard: its worker writes, one thread reads.
public typealias EventRing = Ring<TableEvent>
