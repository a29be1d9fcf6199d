private import FoundationEssentials
import Glibc
import NATSystem

/// Why the socket cannot be opened.
public struct ControlSocketFault: Error, CustomStringConvertible, Sendable {
  public enum Kind: Sendable {
    /// Another daemon listens there.
    case inUse
    case notPermitted
    /// Any other reason.
    case cannotListen
  }

  public let kind: Kind
  /// What was found, and what would be right.
  public let description: String
}

/// A listening Unix socket and its file, with the configured mode and group.
@safe struct SocketFile: ~Copyable {
  let path: String
  /// Settings that could not be applied.
  let warnings: [String]
  private var descriptor: Int32
  private let identity: Identity

  private struct Identity: Equatable {
    var device: UInt64
    var number: UInt64

    init?(_ path: String) {
      var facts = stat()
      // Safety: the path is not kept.
      guard unsafe lstat(path, &facts) == 0 else { return nil }
      device = UInt64(facts.st_dev)
      number = UInt64(facts.st_ino)
    }
  }

  /// Makes the directory if it is missing, replaces the file of a daemon that has died, and listens.
  ///
  /// No client can connect before mode and group are set. The directory is locked meanwhile, so that two
  /// daemons that start at the same time do not both take the path.
  /// - Parameters:
  ///   - group: a name or a number. If it cannot be set, the file keeps the process's group, with a warning.
  ///   - backlog: connections that wait to be accepted.
  static func open(
    path: String, mode: UInt32, group: String, backlog: Int32
  ) throws(ControlSocketFault) -> SocketFile {
    let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    let lock = try lockedDirectory(directory.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : directory)
    // Closing the directory ends its lock.
    defer { close(lock) }
    try removeRemains(at: path)

    let listener = try socket(path)
    do throws(ControlSocketFault) {
      // Safety: the address lives for the call.
      guard unsafe withUnixAddress(Array(path.utf8), { unsafe bind(listener, $0, $1) }) == 0 else {
        throw fault(path, "cannot bind the control socket")
      }
      guard let identity = Identity(path), unsafe chmod(path, mode_t(mode)) == 0 else {
        throw fault(path, "cannot set the mode of the control socket")
      }
      let warning = setGroup(group, of: path)
      guard listen(listener, backlog) == 0 else { throw fault(path, "cannot listen") }
      return SocketFile(path, listener, identity, warnings: warning.map { [$0] } ?? [])
    } catch {
      close(listener)
      throw error
    }
  }

  private init(_ path: String, _ descriptor: Int32, _ identity: Identity, warnings: [String]) {
    self.path = path
    self.descriptor = descriptor
    self.identity = identity
    self.warnings = warnings
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    // Remove only the file that this daemon made: another daemon may have taken the path since.
    if Identity(path) == identity { unsafe _ = unlink(path) }
  }

  /// The listening socket, which the caller closes.
  mutating func takeDescriptor() -> Int32 {
    defer { descriptor = -1 }
    return descriptor
  }

  private static func lockedDirectory(_ directory: String) throws(ControlSocketFault) -> Int32 {
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw ControlSocketFault(
        kind: .cannotListen,
        description: "\(directory): cannot make the directory of the control socket: \(error)")
    }
    // Safety: the path is not kept.
    let descriptor = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw fault(directory, "cannot open the directory of the control socket") }
    guard flock(descriptor, LOCK_EX) == 0 else {
      close(descriptor)
      throw fault(directory, "cannot lock the directory of the control socket")
    }
    return descriptor
  }

  /// Removes the file of a daemon that has died. Anything else at the path is an error.
  private static func removeRemains(at path: String) throws(ControlSocketFault) {
    var facts = stat()
    // Safety: the path is not kept.
    guard unsafe lstat(path, &facts) == 0 else { return }
    guard facts.st_mode & S_IFMT == S_IFSOCK else {
      throw ControlSocketFault(
        kind: .cannotListen,
        description: "\(path): exists, but is no socket; remove it, or give control.socket another path")
    }
    let probe = try socket(path)
    defer { close(probe) }
    // Safety: the address lives for the call.
    guard unsafe withUnixAddress(Array(path.utf8), { unsafe connect(probe, $0, $1) }) != 0 else {
      throw ControlSocketFault(
        kind: .inUse,
        description: "\(path): another daemon listens there; stop it, or give control.socket another path")
    }
    switch errno {
    case ECONNREFUSED:
      guard unsafe unlink(path) == 0 || errno == ENOENT else {
        throw fault(path, "cannot remove the socket of a daemon that is gone")
      }
    case ENOENT: break
    case EAGAIN:
      // Its queue is full, so a process has it open.
      throw ControlSocketFault(
        kind: .inUse,
        description: "\(path): another daemon listens there and is busy; stop it, or give control.socket "
          + "another path")
    default: throw fault(path, "cannot tell whether another daemon listens there")
    }
  }

  private static func socket(_ path: String) throws(ControlSocketFault) -> Int32 {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = Glibc.socket(AF_UNIX, kind, 0)
    guard descriptor >= 0 else { throw fault(path, "no socket") }
    return descriptor
  }

  /// - Returns: a warning if it cannot be set.
  private static func setGroup(_ name: String, of path: String) -> String? {
    guard let group = gid_t(name) ?? groupNumber(name) else {
      return
        "\(path): no group '\(name)' on this machine, so the socket keeps its own; "
        + "make the group (groupadd --system \(name)), or set control.group"
    }
    var facts = stat()
    // The group of the process needs no permission to change groups.
    // Safety: the path is not kept.
    if unsafe lstat(path, &facts) == 0, facts.st_gid == group { return nil }
    guard unsafe chown(path, uid_t.max, group) == 0 else {
      return "\(path): cannot give the socket to group '\(name)': \(errorText(errno)); it keeps its own"
    }
    return nil
  }

  private static func groupNumber(_ name: String) -> gid_t? {
    var storage = [CChar](repeating: 0, count: 64 << 10)
    // Safety: all zeros is a group without a name.
    var entry = unsafe group()
    var found: UnsafeMutablePointer<group>?
    // Safety: the buffer lives for the call; of its content only the number is taken.
    let isRead = unsafe getgrnam_r(name, &entry, &storage, storage.count, &found) == 0
    return unsafe isRead && found != nil ? entry.gr_gid : nil
  }
}

/// The last error of a system call as a fault.
private func fault(_ path: String, _ what: String) -> ControlSocketFault {
  let isForbidden = errno == EACCES || errno == EPERM
  return ControlSocketFault(
    kind: isForbidden ? .notPermitted : .cannotListen, description: "\(path): \(what): \(errorText(errno))")
}
