import Glibc
import NATSystem

/// A text file, or standard output for `-`.
struct TextOutput: ~Copyable {
  private let path: String
  private var descriptor: Int32

  struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  init(path: String) throws(Fault) {
    self.path = path == "-" ? "standard output" : path
    // Safety: the path is not kept.
    descriptor =
      unsafe path == "-"
      ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    if descriptor < 0 {
      throw Fault(description: "\(self.path): cannot create the file: \(errorText(errno))")
    }
  }

  deinit { if descriptor >= 0 { _ = Glibc.close(descriptor) } }

  func write(_ bytes: [UInt8]) throws(Fault) {
    let code = writeAll(bytes, to: descriptor)
    guard code == 0 else { throw Fault(description: "\(path): cannot write: \(errorText(code))") }
  }

  /// Closes the file. Reports write errors that only appear on close.
  consuming func close() throws(Fault) {
    let closing = descriptor
    descriptor = -1
    guard Glibc.close(closing) == 0 || errno == EINTR else {
      throw Fault(description: "\(path): cannot write: \(errorText(errno))")
    }
  }
}
