/// Writes JSON in the order of the calls.
///
/// The table and the counters are written with it, all other documents with Foundation. Foundation's encoder
/// does not keep the order of keys, which the files of a replay have, and needs the whole document in memory;
/// a table of a million sessions goes out in pieces.
struct JSONText {
  var bytes: [UInt8] = []

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Appends punctuation and keys unchanged.
  mutating func raw(_ text: StaticString) {
    // Safety: the bytes of a static string live as long as the process.
    unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends a member of an object.
  /// - Parameter key: the key in quotes, with the punctuation before and after it.
  mutating func member(_ key: StaticString, _ value: UInt64) {
    raw(key)
    number(value)
  }

  mutating func member(_ key: StaticString, _ value: Seconds) {
    raw(key)
    number(value)
  }

  mutating func member(_ key: StaticString, _ value: String) {
    raw(key)
    string(value)
  }

  mutating func member(_ key: StaticString, _ value: some RawRepresentable<String>) {
    member(key, value.rawValue)
  }

  mutating func number(_ value: UInt64) {
    // No String in between: measured, strings took more than half of the time of writing a table.
    var limit: UInt64 = 1
    while value / limit >= 10 { limit *= 10 }
    while limit > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / limit % 10))
      limit /= 10
    }
  }

  mutating func number(_ value: Seconds) {
    number(value.nanoseconds / Seconds.nanosecondsPerSecond)
    var rest = value.nanoseconds % Seconds.nanosecondsPerSecond
    guard rest != 0 else { return }
    bytes.append(UInt8(ascii: "."))
    var unit = Seconds.nanosecondsPerSecond / 10
    while rest != 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(rest / unit))
      rest %= unit
      unit /= 10
    }
  }

  /// RFC 8259 section 7: quotes, backslashes and control characters are escaped.
  mutating func string(_ value: String) {
    bytes.append(UInt8(ascii: "\""))
    for unit in value.utf8 {
      switch unit {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(unit)
      case 0..<0x20:
        raw("\\u00")
        bytes.append(hexadecimal(unit >> 4))
        bytes.append(hexadecimal(unit & 15))
      default: bytes.append(unit)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private func hexadecimal(_ digit: UInt8) -> UInt8 {
    digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
  }
}
