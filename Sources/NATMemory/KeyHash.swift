public import NATWire

/// A keyed hash: without the key nobody can send packets whose entries collide.
///
/// Secret keys mask the two words. They are multiplied to 128 bits and folded to 64; then the same once more
/// with a constant. One round is not enough: it spaces neighbouring addresses or ports evenly, and with one
/// key in ten 10 to 90 % of them lay beyond their bucket.
public struct KeyHash: BitwiseCopyable, Sendable {
  @usableFromInline let first: UInt64
  @usableFromInline let second: UInt64

  /// Draws the keys from `random`: secret in a live gateway, seeded in a replay.
  public init(from random: inout RandomSource) {
    first = random.next()
    second = random.next()
  }

  @inlinable @inline(__always) public func callAsFunction(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let (high, low) = (a ^ first).multipliedFullWidth(by: b ^ second)
    let (again, rest) = (high ^ low).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return again ^ rest
  }

  // The second word contains the kind of key: 4 and 7 here, the others in `KeyHash+Table.swift`.

  @inlinable @inline(__always) public func ofAddress(_ address: IPv4Address) -> UInt64 {
    self(UInt64(address.rawValue), 4)
  }

  @inlinable @inline(__always) public func ofPair(_ a: Endpoint, _ b: Endpoint) -> UInt64 {
    self(
      UInt64(a.address.rawValue) << 32 | UInt64(b.address.rawValue),
      UInt64(a.port) << 24 | UInt64(b.port) << 8 | 7)
  }
}
