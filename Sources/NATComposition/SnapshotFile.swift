import Glibc
import NATSystem
public import NATTable

/// Reads snapshots from files: 64-bit words, little-endian.
public enum SnapshotFile {
  /// Why a file cannot be restored.
  public struct Fault: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
      case missing
      /// It exists, but cannot be read.
      case unreadable
      /// It is not a snapshot, or its version is unknown.
      case content
    }

    public var kind: Kind
    /// What was found, and what was expected.
    public var description: String
  }

  /// Reads and checks a snapshot.
  /// - Complexity: O(bytes).
  public static func load(path: String) throws(Fault) -> TableSnapshot {
    let words = try words(path: path)
    do throws(SnapshotFault) {
      return try TableSnapshot(words)
    } catch {
      throw Fault(path, error)
    }
  }

  /// The size limit in bytes. A snapshot of the largest table is smaller.
  static let mostBytes = 16 << 30

  private static func words(path: String) throws(Fault) -> [UInt64] {
    // Non-blocking, so that opening a pipe does not wait.
    // Safety: the call does not keep the path.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw Fault(path, errno) }
    defer { close(descriptor) }
    var facts = stat()
    // Safety: the structure is ours.
    guard unsafe fstat(descriptor, &facts) == 0 else { throw Fault(path, errno) }
    guard facts.st_mode & S_IFMT == S_IFREG else {
      throw Fault(kind: .unreadable, description: "\(path): found no regular file; expected a snapshot")
    }
    let count = Int(facts.st_size) / 8
    guard facts.st_size % 8 == 0, facts.st_size <= mostBytes else { throw Fault(path, .length) }
    // Check the header before allocating memory for the rest.
    let (first, last) = (
      min(count, TableSnapshot.headerWords), min(count, TableSnapshot.trailerWords)
    )
    let header = try read(path, descriptor, from: 0, count: first)
    let trailer = try read(path, descriptor, from: count - last, count: last)
    do throws(SnapshotFault) {
      try TableSnapshot.check(first: header, last: trailer, count: count)
    } catch {
      throw Fault(path, error)
    }
    return try read(path, descriptor, from: 0, count: count)
  }

  /// Reads `count` words; the position counts words too.
  private static func read(
    _ path: String, _ descriptor: Int32, from place: Int, count: Int
  ) throws(Fault) -> [UInt64] {
    var words = [UInt64](repeating: 0, count: count)
    var done = 0
    while done < count * 8 {
      // Safety: the range lies inside the array.
      let got = unsafe words.withUnsafeMutableBytes {
        unsafe pread(descriptor, $0.baseAddress! + done, count * 8 - done, off_t(place * 8 + done))
      }
      guard got > 0 || got < 0 && errno == EINTR else { throw Fault(path, got == 0 ? EIO : errno) }
      done += max(0, got)
    }
    #if _endian(big)
    for place in words.indices { words[place] = UInt64(littleEndian: words[place]) }
    #endif
    return words
  }
}

extension SnapshotFile.Fault {
  fileprivate init(_ path: String, _ code: Int32) {
    self.init(
      kind: code == ENOENT ? .missing : .unreadable, description: "\(path): \(errorText(code))")
  }

  fileprivate init(_ path: String, _ fault: SnapshotFault) {
    let found =
      switch fault {
      case .foreign: "another kind of file"
      case .byteOrder: "a snapshot in another byte order"
      case .version(let version): "a snapshot of version \(version)"
      case .length: "a snapshot that is cut off, or longer than it says"
      case .damaged: "a damaged snapshot: its checksum does not fit"
      }
    self.init(
      kind: .content,
      description: "\(path): found \(found); expected a whole snapshot of version \(SnapshotHeader.version)")
  }
}
