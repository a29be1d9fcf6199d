import NATMemory

/// CRC-64/XZ: the polynomial of ECMA-182, reflected. It detects any change within 64 neighbouring bits.
///
/// - Complexity: O(words), eight bytes a step.
public struct Checksum64: Sendable {
  private var remainder = UInt64.max

  public init() {}

  private struct Tables {
    /// Eight tables in a row. Table `k` holds the remainder of each byte followed by `k` zero bytes.
    var entries = [UInt64](repeating: 0, count: 8 * 256)

    init() {
      for byte in 0..<256 {
        var remainder = UInt64(byte)
        for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 0 ? 0 : 0xC96C_5795_D787_0F42) }
        entries[byte] = remainder
      }
      for place in 256..<8 * 256 {
        let before = entries[place - 256]
        entries[place] = before >> 8 ^ entries[Int(before & 0xFF)]
      }
    }
  }

  private static let tables = Tables()

  /// Adds words as little-endian bytes.
  public mutating func add(_ words: ArraySlice<UInt64>) {
    let tables = Checksum64.tables.entries
    var at = remainder
    for word in words {
      at ^= word
      var next: UInt64 = 0
      for byte in 0..<8 { next ^= tables[(7 - byte) * 256 + Int(at >> UInt64(8 * byte) & 0xFF)] }
      at = next
    }
    remainder = at
  }

  public var value: UInt64 { ~remainder }
}
