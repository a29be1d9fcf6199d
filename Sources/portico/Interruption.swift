import Glibc
import Synchronization

/// SIGINT, SIGTERM, SIGHUP and SIGPIPE (whoever read along is gone) as something that a command looks at between its
/// steps, so that it can clean up.
enum Interruption {
  /// Thrown where a signal has arrived.
  struct Arrived: Error {
    let number: Int32
  }

  fileprivate static let number = Atomic<Int32>(0)

  /// From here on the signals no longer end the program. They do end waiting system calls.
  static func watch() {
    var action = sigaction()
    // Safety: a named function that touches one atomic. Without SA_RESTART, waiting ends.
    unsafe action.__sigaction_handler.sa_handler = noteInterruption
    for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { unsafe sigaction(number, &action, nil) }
  }

  static func check() throws(Arrived) {
    let number = number.load(ordering: .relaxed)
    if number != 0 { throw Arrived(number: number) }
  }
}

private func noteInterruption(_ number: Int32) { Interruption.number.store(number, ordering: .relaxed) }
