internal import Glibc
internal import NATSystem

/// A small file that only the effective user may write: the process acts on it with that user's rights.
///
/// Symbolic links are not followed. A file that belongs to another user, or that others may write, is
/// refused. A write goes to a temporary file, which is then renamed.
struct PrivateFile {
  let path: String

  typealias Fault = ReservedPorts.Fault

  /// Bytes. The longest possible list, every second port, is shorter.
  private static let longest = 1 << 18

  /// Whether the path exists, as a file or anything else.
  var isThere: Bool {
    var status = stat()
    // Safety: the path is not kept, the status is written before it is read.
    return unsafe lstat(path, &status) == 0
  }

  func read() throws(Fault) -> String {
    // O_NONBLOCK: a pipe would block.
    // Safety: the path is not kept.
    let descriptor = unsafe open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw errno == ELOOP ? unexpected("a symbolic link") : fault("cannot be read", errno)
    }
    defer { close(descriptor) }
    var status = stat()
    // Safety: the status is written before it is read.
    guard unsafe fstat(descriptor, &status) == 0 else { throw fault("cannot be read", errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw unexpected("something other than a regular file") }
    guard status.st_uid == geteuid() else { throw unexpected("a file of user \(status.st_uid)'s") }
    guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
      throw unexpected("a file that others may write")
    }
    var bytes = [UInt8](repeating: 0, count: PrivateFile.longest + 1)
    var count = 0
    while count < bytes.count {
      // Safety: the slice has as many bytes.
      let more = unsafe bytes[count...].withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      if more < 0 && errno == EINTR { continue }
      guard more >= 0 else { throw fault("cannot be read", errno) }
      if more == 0 { return String(decoding: bytes[..<count], as: UTF8.self) }
      count += more
    }
    throw unexpected("more than \(PrivateFile.longest) bytes")
  }

  /// Replaces the contents, or leaves them as they were.
  func write(_ text: String) throws(Fault) {
    let aside = path + ".new"
    // A process that was killed here may have left a temporary file.
    var descriptor: Int32 = -1
    for _ in 0..<2 where descriptor < 0 {
      // Safety: the paths are not kept.
      descriptor = unsafe open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      if descriptor < 0 && errno == EEXIST { unsafe unlink(aside) }
    }
    guard descriptor >= 0 else { throw fault("cannot be written", errno) }
    let failure = writeAll(Array(text.utf8), to: descriptor)
    close(descriptor)
    // Safety: the paths are not kept.
    if failure != 0 {
      unsafe unlink(aside)
      throw fault("cannot be written", failure)
    }
    guard unsafe rename(aside, path) == 0 else {
      let code = errno
      unsafe unlink(aside)
      throw fault("cannot be written", code)
    }
  }

  // Safety: the path is not kept.
  func remove() { unsafe unlink(path) }

  private func fault(_ what: String, _ code: Int32) -> Fault {
    Fault("\(path): \(what): \(errorText(code))", isNotPermitted: [EACCES, EPERM, EROFS].contains(code))
  }

  private func unexpected(_ found: String) -> Fault {
    Fault(
      "\(path): found \(found); expected a file of user \(geteuid())'s that nobody else may write: "
        + "whoever put it there, remove it")
  }
}
