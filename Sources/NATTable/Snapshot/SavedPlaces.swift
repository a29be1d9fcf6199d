import NATMemory
public import NATWire

/// A port in hold-down in a snapshot: three words.
///
/// | word | holds |
/// |---|---|
/// | 0 | public address:32, private address:32 |
/// | 1 | public port:16, private port:16, protocol:8, 0:24 |
/// | 2 | free from, ns |
public struct SavedPort: BitwiseCopyable, Sendable, Equatable {
  public var transport: TransportProtocol
  public var `public`: Endpoint
  /// The private endpoint that had it.
  public var owner: Endpoint
  public var freeFrom: Instant

  static let words = 3

  init(_ binding: BindingIndex, in bindings: BindingStore) {
    transport = bindings.transport(of: binding)
    self.public = bindings.publicEndpoint(of: binding)
    owner = bindings.privateEndpoint(of: binding)
    freeFrom = bindings.instant(of: binding)
  }

  func append(to words: inout [UInt64]) {
    words.append(UInt64(self.public.address.rawValue) << 32 | UInt64(owner.address.rawValue))
    words.append(
      UInt64(self.public.port) << 48 | UInt64(owner.port) << 32 | UInt64(transport.rawValue) << 24)
    words.append(freeFrom.nanoseconds)
  }

  /// Nil if the words are invalid.
  init?(_ words: ArraySlice<UInt64>) {
    let (addresses, ports, free) = (
      words[words.startIndex], words[words.startIndex + 1], words[words.startIndex + 2]
    )
    guard let transport = TransportProtocol(rawValue: UInt8(truncatingIfNeeded: ports >> 24)) else {
      return nil
    }
    self.transport = transport
    self.public = Endpoint(
      IPv4Address(UInt32(truncatingIfNeeded: addresses >> 32)), UInt16(truncatingIfNeeded: ports >> 48))
    owner = Endpoint(
      IPv4Address(UInt32(truncatingIfNeeded: addresses)), UInt16(truncatingIfNeeded: ports >> 32))
    freeFrom = Instant(nanoseconds: free)
  }
}

/// The pool address of an inside host in a snapshot, one word: host:32, pool address:32. The pool address is
/// 0.0.0.0 if it has left the pool.
public struct SavedHost: BitwiseCopyable, Sendable, Equatable {
  public var address: IPv4Address
  public var poolAddress: IPv4Address

  static let words = 1

  init(_ address: IPv4Address, poolAddress: IPv4Address) {
    self.address = address
    self.poolAddress = poolAddress
  }

  func append(to words: inout [UInt64]) {
    words.append(UInt64(address.rawValue) << 32 | UInt64(poolAddress.rawValue))
  }

  init(_ word: UInt64) {
    address = IPv4Address(UInt32(truncatingIfNeeded: word >> 32))
    poolAddress = IPv4Address(UInt32(truncatingIfNeeded: word))
  }
}
