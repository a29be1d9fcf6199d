import NATWire

/// A token bucket for the ICMP errors that the gateway sends on one interface (RFC 1812 section 4.3.2.8). It holds the
/// errors of one second, starts full and refills continuously. Integers only, so that a replay repeats exactly.
struct ErrorBudget: BitwiseCopyable {
  let perSecond: UInt64
  /// In billionths of an error.
  private var tokens: UInt64
  private var filled: Instant?

  private static let one: UInt64 = 1_000_000_000

  init(perSecond: Int) {
    self.perSecond = UInt64(perSecond)
    tokens = UInt64(perSecond) * ErrorBudget.one
  }

  /// Takes one token; false if there is none.
  mutating func take(at now: Instant) -> Bool {
    if let filled {
      let elapsed = min(now.nanoseconds - filled.nanoseconds, ErrorBudget.one)
      tokens = min(tokens + elapsed * perSecond, perSecond * ErrorBudget.one)
    }
    filled = now
    guard tokens >= ErrorBudget.one else { return false }
    tokens -= ErrorBudget.one
    return true
  }
}
