public import NATWire

/// A keyed hash: whoever does not know the key cannot aim collisions at the table.
///
/// Two 64 by 64 to 128 bit multiplications, each folded to 64 bits, with the words masked by secret keys before.
/// (Four instructions a multiplication; the distribution is tested against the expected bucket loads.)
public struct KeyHash: BitwiseCopyable, Sendable {
  @usableFromInline let first: UInt64
  @usableFromInline let second: UInt64
  @usableFromInline let third: UInt64

  /// Draws the keys from `random`: secret in a live gateway, a seed's in a replay.
  public init(from random: inout RandomSource) {
    first = random.next()
    second = random.next()
    third = random.next() | 1
  }

  @inlinable func callAsFunction(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let x = KeyHash.fold(a ^ first, b ^ second)
    return KeyHash.fold(x ^ second, third)
  }

  @inlinable static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let (high, low) = a.multipliedFullWidth(by: b)
    return high ^ low
  }

  @inlinable func ofPrivate(_ transport: TransportProtocol, _ endpoint: Endpoint) -> UInt64 {
    self(
      UInt64(endpoint.address.rawValue) << 32 | UInt64(endpoint.port) << 8 | UInt64(transport.rawValue), 1)
  }

  @inlinable func ofSession(_ binding: BindingIndex, _ remote: Endpoint) -> UInt64 {
    self(UInt64(remote.address.rawValue) << 32 | UInt64(binding.rawValue), UInt64(remote.port) << 8 | 2)
  }

  @inlinable func ofPermit(_ binding: BindingIndex, _ remote: IPv4Address) -> UInt64 {
    self(UInt64(remote.rawValue) << 32 | UInt64(binding.rawValue), 3)
  }

  @inlinable public func ofAddress(_ address: IPv4Address) -> UInt64 { self(UInt64(address.rawValue), 4) }

  @inlinable func ofPublic(_ transport: TransportProtocol, _ endpoint: Endpoint) -> UInt64 {
    self(
      UInt64(endpoint.address.rawValue) << 32 | UInt64(endpoint.port) << 8 | UInt64(transport.rawValue), 5)
  }
}
