import NATWire

/// When the service manager is to hear that the daemon is well: only while the heart of every worker beats.
struct Watchdog {
  private let interval: UInt64
  private var beats: [UInt64]
  private var next: Instant

  /// - Parameters:
  ///   - microseconds: after which the service manager would act; a third of it lies between two messages.
  ///   - beats: of each worker, now.
  init(microseconds: UInt64, beats: [UInt64], at now: Instant) {
    interval = microseconds * 1000 / 3
    self.beats = beats
    next = now
  }

  /// Looks at the hearts.
  /// - Returns: whether a message is due, and every heart has beaten since the last one.
  mutating func isToFeed(_ beats: [UInt64], at now: Instant) -> Bool {
    guard now >= next, zip(beats, self.beats).allSatisfy({ $0 != $1 }) else { return false }
    self.beats = beats
    next = now.advanced(by: interval)
    return true
  }
}
