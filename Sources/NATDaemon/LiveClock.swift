import FoundationEssentials
import Glibc
import NATWire

/// The clock of a live gateway: nanoseconds since the machine booted, including suspended time. It never goes
/// back.
enum LiveClock {
  static var now: Instant { Instant(nanoseconds: nanoseconds(CLOCK_BOOTTIME)) }

  /// The time that notices to the service manager carry, in microseconds (CLOCK_MONOTONIC).
  static var monotonicMicroseconds: UInt64 { nanoseconds(CLOCK_MONOTONIC) / 1000 }

  /// The kernel's identifier of this boot; zeros if it cannot be read. The clock counts from the boot.
  static let boot: (UInt64, UInt64) = {
    let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    let digits = (text ?? "").compactMap(\.hexDigitValue)
    guard digits.count == 32 else { return (0, 0) }
    func word(_ digits: ArraySlice<Int>) -> UInt64 { digits.reduce(0) { $0 << 4 | UInt64($1) } }
    return (word(digits[..<16]), word(digits[16...]))
  }()

  /// The wall clock: nanoseconds since 1970, UTC.
  static var unixNanoseconds: UInt64 { nanoseconds(CLOCK_REALTIME) }

  private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    // Safety: the structure is ours. The call cannot fail for the clocks above.
    unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
