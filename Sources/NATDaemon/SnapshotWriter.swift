import Glibc
import NATSystem
import NATTable

/// Writes a snapshot to a draft file, and renames it when it is complete and on the disk. At any time the
/// file is the old snapshot or the new one.
struct SnapshotWriter: ~Copyable {
  /// What the system refused.
  struct Fault: Error, CustomStringConvertible {
    let description: String
    /// Whether another gateway uses the file.
    var isAnothers = false

    init(_ description: String) { self.description = description }

    init(_ doing: String, _ path: String, _ code: Int32) {
      description = "cannot \(doing) \(path): \(errorText(code))"
    }
  }

  private let path: String
  private var descriptor: Int32
  private var checksum = Checksum64()
  private var byteCount = 0

  private var draft: String { path + ".new" }

  /// For the daemon alone: a snapshot tells who talks to whom.
  private static let mode: mode_t = 0o600

  /// The draft is locked while it is written, so that there is only one writer.
  init(path: String, _ header: SnapshotHeader) throws(Fault) {
    self.path = path
    // Safety: the call does not keep the path.
    descriptor = unsafe open(
      path + ".new", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, SnapshotWriter.mode)
    guard descriptor >= 0 else { throw Fault("create", path + ".new", errno) }
    var (mine, there) = (stat(), stat())
    // Another writer may have renamed the file meanwhile. Then it is no longer the draft.
    // Safety: the calls do not keep the path; the structures are ours.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, unsafe fstat(descriptor, &mine) == 0,
      unsafe lstat(path + ".new", &there) == 0, mine.st_ino == there.st_ino, ftruncate(descriptor, 0) == 0
    else {
      let code = errno == 0 ? EBUSY : errno
      close(descriptor)
      // Not ours, so do not remove it.
      descriptor = -1
      throw Fault("write", path + ".new", code)
    }
    var words: [UInt64] = []
    header.append(to: &words)
    try append(words)
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    // Safety: the call does not keep the path.
    _ = unsafe unlink(draft)
  }

  mutating func append(_ words: [UInt64]) throws(Fault) {
    checksum.add(words[...])
    try write(words)
  }

  private mutating func write(_ words: [UInt64]) throws(Fault) {
    #if _endian(big)
    let words = words.map(\.littleEndian)
    #endif
    // Safety: the array lives for the call.
    let code = unsafe words.withUnsafeBytes { unsafe writeAll($0, to: descriptor) }
    guard code == 0 else { throw Fault("write", draft, code) }
    byteCount += words.count * 8
  }

  /// Renames the draft to the file. Returns when the data is on the disk.
  /// - Returns: the open file, still locked, for the caller to close; and its size in bytes.
  consuming func commit(_ counts: SnapshotCounts) throws(Fault) -> (descriptor: Int32, byteCount: Int) {
    var words: [UInt64] = []
    TableSnapshot.appendCounts(counts, to: &words)
    try append(words)
    try write([checksum.value])
    guard fsync(descriptor) == 0 else { throw Fault("write", draft, errno) }
    // Safety: the call does not keep the paths.
    guard unsafe rename(draft, path) == 0 else { throw Fault("replace", path, errno) }
    let written = descriptor
    descriptor = -1
    // The new name is on the disk after an fsync of the folder.
    let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    // Safety: the call does not keep the path.
    let parent = unsafe open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if parent >= 0 {
      _ = fsync(parent)
      close(parent)
    }
    return (written, byteCount)
  }
}
