/// Random numbers that nobody can predict without the key, as port choice needs (RFC 6056 section 3.3):
/// SipHash-2-4 in counter mode. The same key gives the same numbers, so that a replay repeats.
public struct RandomSource: BitwiseCopyable, Sendable {
  public let key0: UInt64
  public let key1: UInt64
  public var counter: UInt64 = 0

  public init(key: (UInt64, UInt64)) {
    key0 = key.0
    key1 = key.1
  }

  /// For a replay.
  public init(seed: UInt64) { self.init(key: (seed, 0x706f_7274_6963_6f21)) }

  public mutating func next() -> UInt64 {
    counter &+= 1
    var v0 = key0 ^ 0x736f_6d65_7073_6575
    var v1 = key1 ^ 0x646f_7261_6e64_6f6d
    var v2 = key0 ^ 0x6c79_6765_6e65_7261
    var v3 = key1 ^ 0x7465_6462_7974_6573

    func round() {
      v0 = v0 &+ v1
      v1 = (v1 &<< 13 | v1 &>> 51) ^ v0
      v0 = v0 &<< 32 | v0 &>> 32
      v2 = v2 &+ v3
      v3 = (v3 &<< 16 | v3 &>> 48) ^ v2
      v0 = v0 &+ v3
      v3 = (v3 &<< 21 | v3 &>> 43) ^ v0
      v2 = v2 &+ v1
      v1 = (v1 &<< 17 | v1 &>> 47) ^ v2
      v2 = v2 &<< 32 | v2 &>> 32
    }

    v3 ^= counter
    round()
    round()
    v0 ^= counter
    // SipHash puts the length of the message, 8 bytes, into the top byte of its last word.
    let last: UInt64 = 8 &<< 56
    v3 ^= last
    round()
    round()
    v0 ^= last
    v2 ^= 0xFF
    round()
    round()
    round()
    round()
    return v0 ^ v1 ^ v2 ^ v3
  }

  /// A number below `bound`. The bias is below 2^-48 for the small bounds used here.
  /// - Precondition: `bound` is positive.
  public mutating func next(below bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }
}
