import ArgumentParser
import Glibc
import Synchronization

/// Notes SIGINT, SIGTERM, SIGHUP and SIGPIPE, so that a command can check for them and clean up.
enum Interruption {
  /// Thrown after a signal.
  struct Arrived: Error {
    let number: Int32

    /// Says so, and ends the command.
    var exit: ExitCode { Failure.exit(128 + number, "interrupted; everything is cleaned up") }
  }

  fileprivate static let number = Atomic<Int32>(0)

  /// From now on these signals do not end the program, but interrupt blocking system calls.
  static func watch() {
    var action = sigaction()
    // Safety: a named function that touches one atomic. Without SA_RESTART blocking calls return EINTR.
    unsafe action.__sigaction_handler.sa_handler = noteInterruption
    for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { unsafe sigaction(number, &action, nil) }
  }

  static func check() throws(Arrived) {
    let number = number.load(ordering: .relaxed)
    if number != 0 { throw Arrived(number: number) }
  }
}

private func noteInterruption(_ number: Int32) { Interruption.number.store(number, ordering: .relaxed) }
