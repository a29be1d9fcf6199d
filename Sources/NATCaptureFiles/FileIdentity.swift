internal import Glibc

/// The file that a path leads to, by device and inode: two paths to one file are equal.
public struct FileIdentity: Equatable, Sendable {
  private let device: dev_t
  private let inode: ino_t

  /// Nil unless it is a regular file. Writing to a terminal, a pipe or a device destroys nothing.
  /// - Parameter path: `-` is standard input.
  public init?(input path: String) {
    self.init(path, standard: STDIN_FILENO)
  }

  /// Nil unless it is a regular file. Writing to a terminal, a pipe or a device destroys nothing.
  /// - Parameter path: `-` is standard output.
  public init?(output path: String) {
    self.init(path, standard: STDOUT_FILENO)
  }

  private init?(_ path: String, standard descriptor: Int32) {
    var status = Glibc.stat()
    // Safety: the structure is ours, the path is not kept.
    let result = unsafe path == "-" ? fstat(descriptor, &status) : stat(path, &status)
    guard result == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    device = status.st_dev
    inode = status.st_ino
  }

  /// Whether creating `output` would truncate `input`. Call it before opening the output.
  public static func wouldOverwrite(input: String, output: String) -> Bool {
    guard let identity = FileIdentity(input: input) else { return false }
    return identity == FileIdentity(output: output)
  }
}
