import CLinuxPacket
import Glibc
import NATSystem
import Synchronization

/// The service manager that started the daemon. It receives notices, and keeps descriptors for the next
/// daemon.
///
/// The protocols are stable: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3). They send datagrams of
/// `NAME=value` lines to a Unix socket, so libsystemd is not needed.
package final class ServiceManager: Sendable {
  /// A descriptor that an earlier daemon left with the service manager.
  package struct Inherited: Sendable {
    package let name: String
    package let descriptor: Int32
  }

  /// The interval in which the service manager expects `WATCHDOG=1`; nil without a watchdog.
  package let watchdogMicroseconds: UInt64?
  private let socketPath: String
  private let inherited: Mutex<[Inherited]>

  /// - Parameter environment: the environment of the process.
  /// - Returns: nil without a service manager.
  package init?(_ environment: [String: String]) {
    guard let path = environment["NOTIFY_SOCKET"], path.hasPrefix("/") || path.hasPrefix("@") else {
      return nil
    }
    socketPath = path
    // The variables may be inherited from a parent that has a watchdog.
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
      // The first descriptor is 3 (SD_LISTEN_FDS_START).
      let descriptor = 3 + place
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      return Inherited(
        name: Int(place) < names.count ? String(names[Int(place)]) : "unknown", descriptor: descriptor)
    }
  }

  /// The names of an earlier daemon's descriptors that are not released yet.
  package var inheritedNames: [String] { inherited.withLock { $0.map(\.name) } }

  /// Leaves a descriptor with the service manager. It stays open until the next daemon releases it, or the
  /// service is stopped.
  @discardableResult package func store(_ descriptor: Int32, name: String) -> Bool {
    // Without FDPOLL=0 the service manager closes a socket with a pending error.
    notify(["FDSTORE=1", "FDNAME=\(name)", "FDPOLL=0"], descriptor: descriptor)
  }

  /// Closes the descriptors of an earlier daemon, here and at the service manager.
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
  ///   - lines: each has the form `NAME=value`.
  ///   - descriptor: sent with the message.
  /// - Returns: whether it was sent; if not, `errno` gives the reason.
  @discardableResult package func notify(_ lines: [String], descriptor: Int32? = nil) -> Bool {
    // An abstract name starts with a zero byte instead of the @.
    let path =
      (socketPath.hasPrefix("@") ? [0] : []) + Array(socketPath.utf8.drop { $0 == UInt8(ascii: "@") })
    let connection = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard connection >= 0 else { return false }
    defer { close(connection) }

    var text = Array(lines.joined(separator: "\n").utf8)
    var rights = Rights(descriptor ?? -1)
    // Safety: everything that the message points to lives during the call, with its own length.
    return unsafe withUnixAddress(path) { address, length in
      unsafe text.withUnsafeMutableBytes { text in
        var vector = unsafe iovec(iov_base: text.baseAddress, iov_len: text.count)
        return unsafe withUnsafeMutablePointer(to: &vector) { vector in
          unsafe withUnsafeMutablePointer(to: &rights) { rights in
            var message = unsafe msghdr()
            unsafe message.msg_name = UnsafeMutableRawPointer(mutating: address)
            unsafe message.msg_namelen = length
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
    } ?? false
  }

  /// The control message that carries a descriptor (cmsg(3), SCM_RIGHTS).
  private struct Rights {
    var header: cmsghdr
    var descriptor: Int32
    /// Pads to a multiple of eight bytes, as CMSG_SPACE counts.
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
