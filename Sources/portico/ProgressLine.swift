import Glibc

/// The progress of a replay: one line on a terminal, from the first second on.
final class ProgressLine {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let clock = ContinuousClock()
  private let started: ContinuousClock.Instant
  private var shown: ContinuousClock.Instant
  private var isVisible = false

  init() {
    started = clock.now
    shown = started
  }

  /// Updates the line: bytes read, and the size of the captures if known.
  func show(read: UInt64, total: UInt64?) {
    guard isTerminal, shown.duration(to: clock.now) > .milliseconds(500),
      started.duration(to: clock.now) > .seconds(1)
    else { return }
    shown = clock.now
    isVisible = true
    let amount = "\(read >> 20) MiB"
    if let total, total > 0 {
      put("\rreplay: \(amount) of \(total >> 20) MiB, \(read * 100 / total) %\u{1B}[K")
    } else {
      put("\rreplay: \(amount)\u{1B}[K")
    }
  }

  /// Erases the line.
  func end() { if isVisible { put("\r\u{1B}[K") } }

  private func put(_ text: String) { StandardOutput.writeError(text) }
}
