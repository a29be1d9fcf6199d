import ArgumentParser
import Glibc
import NATSystem

/// Standard output, for answers of any length: a reader that is gone ends the command without a word, as it ends other
/// programs.
enum StandardOutput {
  static func write(_ bytes: [UInt8]) throws {
    switch writeAll(bytes, to: STDOUT_FILENO) {
    case 0: return
    case EPIPE: throw ExitCode(128 + SIGPIPE)
    case let code:
      throw Failure.exit(Failure.cannotWrite, "standard output: cannot write: \(errorText(code))")
    }
  }

  /// Nil where it is no terminal, or one that does not say.
  static var terminalSize: (columns: Int, rows: Int)? {
    var size = winsize()
    // Safety: the request fills a winsize.
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return nil
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  static func write(_ text: String) throws { try write(Array(text.utf8)) }
}
