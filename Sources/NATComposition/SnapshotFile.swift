import Glibc
import NATPacketIO
public import NATTable

/// Snapshots in files: 64-bit words, little-endian.
public enum SnapshotFile {
  /// Why a file cannot be restored from.
  public struct Fault: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
      case missing
      /// There, and the system does not give it.
      case unreadable
      /// What is in it is no snapshot, or none that this program knows.
      case content
    }

    public var kind: Kind
    /// What was found, and what would be right.
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

  private static func words(path: String) throws(Fault) -> [UInt64] {
    // Safety: the call does not keep the path.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Fault(path, errno) }
    defer { close(descriptor) }
    var facts = stat()
    // Safety: the structure is ours.
    guard unsafe fstat(descriptor, &facts) == 0 else { throw Fault(path, errno) }
    guard facts.st_mode & S_IFMT == S_IFREG else {
      throw Fault(kind: .unreadable, description: "\(path): found no regular file; expected a snapshot")
    }
    let count = Int(facts.st_size)
    guard count % 8 == 0 else { throw Fault(path, .length) }
    var words = [UInt64](repeating: 0, count: count / 8)
    var code: Int32 = 0
    var done = 0
    while done < count, code == 0 {
      // Safety: the range lies inside the array.
      let got = unsafe words.withUnsafeMutableBytes {
        unsafe read(descriptor, $0.baseAddress! + done, count - done)
      }
      if got > 0 { done += got } else if got == 0 { code = EIO } else if errno != EINTR { code = errno }
    }
    guard code == 0 else { throw Fault(path, code) }
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
