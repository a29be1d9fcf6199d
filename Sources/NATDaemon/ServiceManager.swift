import CLinuxPacket
import Glibc
import Synchronization

/// The service manager that started the daemon: what it hears of the daemon, and what it keeps for the next one.
///
/// The protocols are those of sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3), which systemd promises to
/// keep: datagrams of lines `NAME=value` to a Unix socket. They are written out here, as a library for them would be one
/// more that each machine needs.
package final class ServiceManager: Sendable {
  /// A descriptor that an earlier daemon left with the service manager.
  package struct Inherited: Sendable {
    package let name: String
    package let descriptor: Int32
  }

  /// The time within which ``notify(_:descriptor:)`` with `WATCHDOG=1` is expected; nil where it is not.
  package let watchdogMicroseconds: UInt64?
  private let socketPath: String
  private let inherited: Mutex<[Inherited]>

  /// - Parameter environment: of the process.
  /// - Returns: nil where no service manager listens.
  package init?(_ environment: [String: String]) {
    guard let path = environment["NOTIFY_SOCKET"], path.hasPrefix("/") || path.hasPrefix("@") else {
      return nil
    }
    socketPath = path
    // A variable that was meant for the parent says so.
    let isWatched = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
    watchdogMicroseconds = isWatched ? environment["WATCHDOG_USEC"].flatMap(UInt64.init) : nil
    inherited = Mutex(ServiceManager.inherited(environment))
  }

  private static func inherited(_ environment: [String: String]) -> [Inherited] {
    guard environment["LISTEN_PID"] == "\(getpid())",
      let count = environment["LISTEN_FDS"].flatMap(Int32.init)
    else { return [] }
    let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
    return (0..<max(0, count)).map { place in
      // They begin behind the standard ones (SD_LISTEN_FDS_START).
      let descriptor = 3 + place
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      return Inherited(
        name: Int(place) < names.count ? String(names[Int(place)]) : "unknown", descriptor: descriptor)
    }
  }

  /// The names of what an earlier daemon left, and what has not been released yet.
  package var inheritedNames: [String] { inherited.withLock { $0.map(\.name) } }

  /// Leaves a descriptor with the service manager, for the next daemon: it stays open until that one releases it, or the
  /// service is stopped for good.
  @discardableResult package func store(_ descriptor: Int32, name: String) -> Bool {
    // Without FDPOLL=0 the service manager lets go of a socket that has an error pending.
    notify(["FDSTORE=1", "FDNAME=\(name)", "FDPOLL=0"], descriptor: descriptor)
  }

  /// Lets go of what an earlier daemon left, here and at the service manager.
  package func releaseInherited() {
    let old = inherited.withLock { list in
      defer { list = [] }
      return list
    }
    for one in old {
      notify(["FDSTOREREMOVE=1", "FDNAME=\(one.name)"])
      close(one.descriptor)
    }
  }

  /// Sends one message.
  ///
  /// - Parameters:
  ///   - lines: `NAME=value` each.
  ///   - descriptor: goes with it.
  /// - Returns: whether the service manager has it; `errno` says why not.
  @discardableResult package func notify(_ lines: [String], descriptor: Int32? = nil) -> Bool {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // An abstract name begins with a zero in the place of the @.
    let path =
      (socketPath.hasPrefix("@") ? [0] : []) + Array(socketPath.utf8.drop { $0 == UInt8(ascii: "@") })
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else {
      errno = ENAMETOOLONG
      return false
    }
    // Safety: shorter than the field.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path) }
    let connection = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard connection >= 0 else { return false }
    defer { close(connection) }

    var text = Array(lines.joined(separator: "\n").utf8)
    var rights = Rights(descriptor ?? -1)
    let length = MemoryLayout<sa_family_t>.size + path.count
    // Safety: everything that the message points at lives for the call, with its own length.
    return unsafe withUnsafeMutablePointer(to: &address) { address in
      unsafe text.withUnsafeMutableBytes { text in
        var vector = unsafe iovec(iov_base: text.baseAddress, iov_len: text.count)
        return unsafe withUnsafeMutablePointer(to: &vector) { vector in
          unsafe withUnsafeMutablePointer(to: &rights) { rights in
            var message = unsafe msghdr()
            unsafe message.msg_name = UnsafeMutableRawPointer(address)
            unsafe message.msg_namelen = socklen_t(length)
            unsafe message.msg_iov = vector
            unsafe message.msg_iovlen = 1
            if descriptor != nil {
              unsafe message.msg_control = UnsafeMutableRawPointer(rights)
              unsafe message.msg_controllen = MemoryLayout<Rights>.size
            }
            return unsafe sendmsg(connection, &message, Int32(MSG_NOSIGNAL)) >= 0
          }
        }
      }
    }
  }

  /// The control message that carries a descriptor (cmsg(3), SCM_RIGHTS).
  private struct Rights {
    var header: cmsghdr
    var descriptor: Int32
    /// To the next boundary of eight bytes, as CMSG_SPACE counts.
    var padding: Int32 = 0

    init(_ descriptor: Int32) {
      header = cmsghdr()
      header.cmsg_len = MemoryLayout<cmsghdr>.size + MemoryLayout<Int32>.size
      header.cmsg_level = SOL_SOCKET
      header.cmsg_type = Int32(SCM_RIGHTS)
      self.descriptor = descriptor
    }
  }
}
