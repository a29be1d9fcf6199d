public import NATWire

/// A keyed hash: without the key nobody can send packets whose entries collide.
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

  // Each kind of key has a number of its own in its second word: 4 and 7 here, the others where the table's keys are.

  @inlinable @inline(__always) public func ofAddress(_ address: IPv4Address) -> UInt64 {
    self(UInt64(address.rawValue), 4)
  }

  @inlinable @inline(__always) public func ofPair(_ a: Endpoint, _ b: Endpoint) -> UInt64 {
    self(
      UInt64(a.address.rawValue) << 32 | UInt64(b.address.rawValue),
      UInt64(a.port) << 24 | UInt64(b.port) << 8 | 7)
  }
}
