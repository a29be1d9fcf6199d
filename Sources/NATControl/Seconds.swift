private import FoundationEssentials

/// A span of time in whole nanoseconds, written as decimal seconds without rounding: `12.5`, `0.2`, `3600`.
public struct Seconds: Hashable, Comparable, Sendable {
  public var nanoseconds: UInt64

  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  public static func < (a: Seconds, b: Seconds) -> Bool { a.nanoseconds < b.nanoseconds }

  public static let zero = Seconds(nanoseconds: 0)

  static let nanosecondsPerSecond: UInt64 = 1_000_000_000
}

extension Seconds: CustomStringConvertible {
  /// Reads what `description` writes: digits, and up to nine decimals.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let fraction = parts.count == 2 ? parts[1] : "0"
    guard (1...9).contains(fraction.utf8.count), let seconds = digits(parts[0]),
      let decimals = digits(fraction)
    else { return nil }
    let scale = (fraction.utf8.count..<9).reduce(1) { scale, _ in scale * 10 }
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: Seconds.nanosecondsPerSecond)
    let (sum, overflowOfSum) = whole.addingReportingOverflow(decimals * UInt64(scale))
    guard !overflow, !overflowOfSum else { return nil }
    self.init(nanoseconds: sum)
  }

  public var description: String {
    var json = JSONText()
    json.number(self)
    return json.text
  }
}

private func digits(_ text: Substring) -> UInt64? {
  text.utf8.allSatisfy { (48...57).contains($0) } ? UInt64(text) : nil
}

extension Seconds: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    // A Double would lose nanoseconds after a hundred days.
    let number = try container.decode(Decimal.self)
    guard let value = Seconds("\(number)") else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "\(number); expected seconds, not negative, of at most nine decimals"
      )
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(Decimal(nanoseconds) / Decimal(Seconds.nanosecondsPerSecond))
  }
}
