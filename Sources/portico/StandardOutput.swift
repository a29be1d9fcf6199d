import ArgumentParser
import Glibc
import NATSystem

/// Standard output, for answers of any length. If the reader has closed the pipe, the command ends silently.
enum StandardOutput {
  static func write(_ bytes: [UInt8]) throws {
    switch writeAll(bytes, to: STDOUT_FILENO) {
    case 0: return
    case EPIPE: throw ExitCode(128 + SIGPIPE)
    case let code:
      throw Failure.exit(Failure.cannotWrite, "standard output: cannot write: \(errorText(code))")
    }
  }

  /// Width and height of the terminal; nil if it is none or does not report them.
  static var terminalSize: (columns: Int, rows: Int)? {
    var size = winsize()
    // Safety: the request fills a winsize.
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return nil
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  static func write(_ text: String) throws { try write(Array(text.utf8)) }

  /// Writes to standard error. A failure cannot be reported.
  static func writeError(_ text: String) { _ = writeAll(Array(text.utf8), to: STDERR_FILENO) }
}
