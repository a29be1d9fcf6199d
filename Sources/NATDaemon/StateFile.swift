import Glibc
import NATTable

/// The state file, locked against other gateways. Each new snapshot takes over the lock, which ends with the
/// process.
struct StateFile: ~Copyable {
  let path: String
  /// The descriptor of the locked file; -1 if there is none.
  private var holder: Int32 = -1

  init(path: String) { self.path = path }

  deinit { if holder >= 0 { close(holder) } }

  /// Locks the file if it exists, so that this gateway may replace it.
  /// - Throws: if it is no regular file, or another gateway uses it.
  mutating func claim() throws(SnapshotWriter.Fault) {
    var there = stat()
    // Safety: the call does not keep the path; the structure is ours.
    guard unsafe lstat(path, &there) == 0 else {
      guard errno == ENOENT else { throw SnapshotWriter.Fault("look at", path, errno) }
      return
    }
    guard there.st_mode & S_IFMT == S_IFREG else {
      throw SnapshotWriter.Fault(
        "cannot replace \(path): found no regular file; expected one, or none")
    }
    if isHeld(there) { return }
    // Safety: the call does not keep the path.
    let found = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard found >= 0 else { throw SnapshotWriter.Fault("open", path, errno) }
    guard flock(found, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(found)
      throw code == EWOULDBLOCK ? .shared(path) : SnapshotWriter.Fault("lock", path, code)
    }
    hold(found)
    // Another gateway may have replaced the file meanwhile.
    // Safety: the call does not keep the path; the structure is ours.
    guard unsafe lstat(path, &there) == 0, isHeld(there) else { throw .shared(path) }
  }

  /// Begins a snapshot that will replace the file.
  mutating func begin(_ header: SnapshotHeader) throws(SnapshotWriter.Fault) -> SnapshotWriter {
    try claim()
    return try SnapshotWriter(path: path, header)
  }

  /// Replaces the file with a snapshot.
  /// - Returns: the size of the file in bytes.
  mutating func commit(
    _ writer: consuming SnapshotWriter, _ counts: SnapshotCounts
  ) throws(SnapshotWriter.Fault) -> Int {
    let written = try writer.commit(counts)
    hold(written.descriptor)
    return written.byteCount
  }

  private func isHeld(_ file: stat) -> Bool {
    var held = stat()
    // Safety: the structure is ours.
    guard holder >= 0, unsafe fstat(holder, &held) == 0 else { return false }
    return held.st_dev == file.st_dev && held.st_ino == file.st_ino
  }

  private mutating func hold(_ descriptor: Int32) {
    if holder >= 0 { close(holder) }
    holder = descriptor
  }
}

extension SnapshotWriter.Fault {
  /// The error if another gateway uses the file: each would overwrite the state of the other.
  fileprivate static func shared(_ path: String) -> SnapshotWriter.Fault {
    var fault = SnapshotWriter.Fault(
      "\(path) is the state of another gateway that runs; expected a file of its own")
    fault.isAnothers = true
    return fault
  }
}
