public import NATWire

/// A keyed hash: whoever does not know the key cannot aim collisions at the table.
///
/// A 64 by 64 to 128 bit multiplication folded to 64 bits, of words that secret keys mask, and the same again. One is
/// not enough: neighbouring addresses or ports then come at equal distances, and one key in ten put 10 to 90 % of them
/// beyond their bucket. (The distribution is tested against the expected bucket loads.)
public struct KeyHash: BitwiseCopyable, Sendable {
  @usableFromInline let first: UInt64
  @usableFromInline let second: UInt64

  /// Draws the keys from `random`: secret in a live gateway, a seed's in a replay.
  public init(from random: inout RandomSource) {
    first = random.next()
    second = random.next()
  }

  @inlinable @inline(__always) public func callAsFunction(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let (high, low) = (a ^ first).multipliedFullWidth(by: b ^ second)
    let (again, rest) = (high ^ low).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return again ^ rest
  }

  @inlinable @inline(__always) func ofPrivate(_ transport: TransportProtocol, _ endpoint: Endpoint) -> UInt64
  {
    self(
      UInt64(endpoint.address.rawValue) << 32 | UInt64(endpoint.port) << 8 | UInt64(transport.rawValue), 1)
  }

  @inlinable @inline(__always) func ofSession(_ binding: BindingIndex, _ remote: Endpoint) -> UInt64 {
    self(UInt64(remote.address.rawValue) << 32 | UInt64(binding.rawValue), UInt64(remote.port) << 8 | 2)
  }

  @inlinable @inline(__always) func ofPermit(_ binding: BindingIndex, _ remote: IPv4Address) -> UInt64 {
    self(UInt64(remote.rawValue) << 32 | UInt64(binding.rawValue), 3)
  }

  @inlinable @inline(__always) public func ofAddress(_ address: IPv4Address) -> UInt64 {
    self(UInt64(address.rawValue), 4)
  }

  @inlinable @inline(__always) public func ofPair(_ a: Endpoint, _ b: Endpoint) -> UInt64 {
    self(
      UInt64(a.address.rawValue) << 32 | UInt64(b.address.rawValue),
      UInt64(a.port) << 24 | UInt64(b.port) << 8 | 7)
  }

  @inlinable @inline(__always) func ofPublic(_ transport: TransportProtocol, _ endpoint: Endpoint) -> UInt64 {
    self(
      UInt64(endpoint.address.rawValue) << 32 | UInt64(endpoint.port) << 8 | UInt64(transport.rawValue), 5)
  }
}
