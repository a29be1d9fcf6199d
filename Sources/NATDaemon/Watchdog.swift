import NATWire

/// Decides when to tell the service manager that the daemon is alive: only while the heart of every worker beats.
struct Watchdog {
  private let interval: UInt64
  private var beats: [UInt64]
  private var next: Instant

  /// - Parameters:
  ///   - microseconds: the time after which the service manager acts; messages go out in a third of it.
  ///   - beats: the heartbeats of each worker now.
  init(microseconds: UInt64, beats: [UInt64], at now: Instant) {
    interval = microseconds * 1000 / 3
    self.beats = beats
    next = now
  }

  /// Compares the heartbeats with those of the last message.
  /// - Returns: whether a message is due and every heart has beaten since the last one.
  mutating func isToFeed(_ beats: [UInt64], at now: Instant) -> Bool {
    guard now >= next, zip(beats, self.beats).allSatisfy({ $0 != $1 }) else { return false }
    self.beats = beats
    next = now.advanced(by: interval)
    return true
  }
}
