import TestSupport

/// Describes the differences between expected and found; empty if there are none.
enum Comparison {
  /// Compares time stamps and bytes. Describes only the first difference: later ones usually follow from it.
  static func records(_ name: String, expected: [Record], found: [Record]) -> [String] {
    let count = max(expected.count, found.count)
    guard
      let index = (0..<count).first(where: { index in
        index >= expected.count || index >= found.count || expected[index] != found[index]
      })
    else { return [] }
    var text = ["\(name): record \(index + 1) differs (\(expected.count) expected, \(found.count) found)"]
    let wanted = index < expected.count ? expected[index] : nil
    let actual = index < found.count ? found[index] : nil
    text += describe("expected", wanted, comparedWith: actual)
    text += describe("found", actual, comparedWith: wanted)
    return [text.joined(separator: "\n")]
  }

  private static func describe(_ title: String, _ record: Record?, comparedWith other: Record?) -> [String] {
    guard let record else { return ["\(title): no record"] }
    return [
      "\(title) at \(stamp(record.nanoseconds))\(other.map { $0.nanoseconds == record.nanoseconds } == false ? " (stamps differ)" : "")",
      PacketText.describe(record.bytes), PacketText.dump(record.bytes, comparedWith: other?.bytes),
    ]
  }

  static func stamp(_ nanoseconds: UInt64) -> String {
    let fraction = String(nanoseconds % 1_000_000_000)
    return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.count) + fraction
  }

  static func table(expected: String, found: String) throws -> [String] {
    JSONValue.differences(expected: try .parse(expected), found: try .parse(found)).map { "table: \($0)" }
  }

  /// A drop reason that the expectation does not name must be zero.
  static func stats(expected: String, found: String) throws -> [String] {
    JSONValue.differences(expected: try .parse(expected), found: try .parse(found), absentAsZero: "drops")
      .map { "stats: \($0)" }
  }
}
