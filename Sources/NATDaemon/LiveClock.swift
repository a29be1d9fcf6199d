import Glibc
import NATWire

/// The clock of a live gateway: nanoseconds since the machine started, time asleep among them. It never goes
/// back.
enum LiveClock {
  static var now: Instant {
    var time = timespec()
    // Safety: the structure is ours. The call cannot fail for this clock.
    unsafe clock_gettime(CLOCK_BOOTTIME, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }

  /// The clock by which the service manager tells messages apart (CLOCK_MONOTONIC).
  static var monotonicMicroseconds: UInt64 {
    var time = timespec()
    // Safety: the structure is ours. The call cannot fail for this clock.
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000 &+ UInt64(time.tv_nsec) / 1000
  }

  /// The time of the world, for people: nanoseconds since 1970, UTC.
  static var unixNanoseconds: UInt64 {
    var time = timespec()
    // Safety: the structure is ours. The call cannot fail for this clock.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
