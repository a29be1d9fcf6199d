/// Numbers, durations and amounts as text.
public enum HumanText {
  /// The two largest units, from whole seconds (halves round up): `0s`, `59s`, `3m20s`, `2h4m`, `1d`.
  public static func duration(_ span: Seconds) -> String {
    let (whole, rest) = span.nanoseconds.quotientAndRemainder(dividingBy: Seconds.nanosecondsPerSecond)
    let seconds = whole + (rest * 2 >= Seconds.nanosecondsPerSecond ? 1 : 0)
    return switch seconds {
    case 0..<60: "\(seconds)s"
    case 60..<3600: pair(seconds / 60, "m", seconds % 60, "s")
    case 3600..<86400: pair(seconds / 3600, "h", seconds / 60 % 60, "m")
    default: pair(seconds / 86400, "d", seconds / 3600 % 24, "h")
    }
  }

  private static func pair(_ large: UInt64, _ largeUnit: String, _ small: UInt64, _ smallUnit: String)
    -> String
  {
    "\(large)\(largeUnit)" + (small == 0 ? "" : "\(small)\(smallUnit)")
  }

  /// A number of things: `1 session`, `2 sessions`.
  public static func amount(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }

  /// Below 1,000 as it is, above with one decimal (halves round up) and a decimal unit: `999`, `1.0K`,
  /// `5.2M`.
  public static func count(_ value: UInt64) -> String {
    guard value >= 1000 else { return "\(value)" }
    var tenth: UInt64 = 100
    for unit in "KMGTP" {
      let tenths = value / tenth + (value % tenth * 2 >= tenth ? 1 : 0)
      if tenths < 10_000 { return "\(tenths / 10).\(tenths % 10)\(unit)" }
      tenth *= 1000
    }
    let tenths = value / tenth + (value % tenth * 2 >= tenth ? 1 : 0)
    return "\(tenths / 10).\(tenths % 10)E"
  }

  /// Thousandths as a percentage: `12.5%`.
  static func percent(permille: some BinaryInteger) -> String { "\(permille / 10).\(permille % 10)%" }

  /// Packets and bytes: `7/1.0K`.
  public static func traffic(packets: UInt64, bytes: UInt64) -> String {
    "\(count(packets))/\(count(bytes))"
  }
}
