import NATWire

/// Decides when to send `WATCHDOG=1`: only while every worker finishes rounds.
struct Watchdog {
  private let interval: UInt64
  private var beats: [UInt64]
  private var next: Instant

  /// - Parameters:
  ///   - microseconds: the timeout of the service manager. Messages are sent three times as often.
  ///   - beats: the heartbeat count of each worker now.
  init(microseconds: UInt64, beats: [UInt64], at now: Instant) {
    interval = microseconds * 1000 / 3
    self.beats = beats
    next = now
  }

  /// Compares the heartbeat counts with those of the last message.
  /// - Returns: whether a message is due and every count has changed.
  mutating func isToFeed(_ beats: [UInt64], at now: Instant) -> Bool {
    guard now >= next, zip(beats, self.beats).allSatisfy({ $0 != $1 }) else { return false }
    self.beats = beats
    next = now.advanced(by: interval)
    return true
  }
}
