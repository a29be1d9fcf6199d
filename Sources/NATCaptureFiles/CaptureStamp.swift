internal import NATWire

/// The time stamps of a pcap file: seconds since 1970 in 32 unsigned bits (until February 2106), and a
/// fraction.
enum CaptureStamp {
  static let nanosecondsPerSecond: UInt64 = 1_000_000_000
  /// The last instant that a pcap record can carry.
  static let last = Instant(nanoseconds: (1 << 32) * nanosecondsPerSecond - 1)

  /// The instant of a record. Times before 1970 become 1970 and times after 2106 the last nanosecond before
  /// it, so that every record that was read can be written. A fraction of a second or more carries over.
  /// - Parameter isClassic: whether the seconds are the 32 bits of a pcap record. libpcap extends them with
  ///   or without sign, depending on the byte order of the file.
  @inline(__always)
  static func instant(seconds: Int, fraction: Int, isClassic: Bool) -> Instant {
    let whole = isClassic ? Int(UInt32(truncatingIfNeeded: seconds)) : seconds
    if UInt(bitPattern: whole) >> 32 == 0, UInt(bitPattern: fraction) < UInt(nanosecondsPerSecond) {
      return Instant(nanoseconds: UInt64(whole) * nanosecondsPerSecond + UInt64(fraction))
    }
    return clamped(seconds: whole, fraction: fraction)
  }

  @inline(never)
  private static func clamped(seconds: Int, fraction: Int) -> Instant {
    guard seconds < 1 << 33 else { return last }
    guard seconds > -(1 << 33) else { return Instant(nanoseconds: 0) }
    let (total, overflow) = (seconds * Int(nanosecondsPerSecond)).addingReportingOverflow(fraction)
    guard !overflow else { return fraction < 0 ? Instant(nanoseconds: 0) : last }
    return min(Instant(nanoseconds: UInt64(max(0, total))), last)
  }
}
