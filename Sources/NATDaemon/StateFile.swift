import Glibc
import NATTable

/// The file of a gateway's state, which no other gateway may have: a lock stands on it, and goes from each snapshot to the
/// one that takes its place. It falls with the process.
struct StateFile: ~Copyable {
  let path: String
  /// The file that this gateway found or put there, locked; -1 while there is none.
  private var holder: Int32 = -1

  init(path: String) { self.path = path }

  deinit { if holder >= 0 { close(holder) } }

  /// Makes sure that what is at the path, if anything, is this gateway's to replace.
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
    // Another gateway may have put a new one in its place just now.
    // Safety: the call does not keep the path; the structure is ours.
    guard unsafe lstat(path, &there) == 0, isHeld(there) else { throw .shared(path) }
  }

  /// Begins a snapshot that is to take its place.
  mutating func begin(_ header: SnapshotHeader) throws(SnapshotWriter.Fault) -> SnapshotWriter {
    try claim()
    return try SnapshotWriter(path: path, header)
  }

  /// Makes a snapshot the file.
  /// - Returns: bytes of the file.
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
  /// Two gateways would take each other's place in it.
  fileprivate static func shared(_ path: String) -> SnapshotWriter.Fault {
    var fault = SnapshotWriter.Fault(
      "\(path) is the state of another gateway that runs; expected a file of its own")
    fault.isAnothers = true
    return fault
  }
}
