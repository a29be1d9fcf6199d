import Glibc
import NATLab
import NATSystem

/// The service manager's end of sd_notify(3), for tests that play the service manager.
package final class NotifySocket: Sendable {
  /// One datagram.
  package struct Message: Sendable {
    /// Lines of the form `NAME=value`.
    package var lines: [String]
    /// A descriptor that came with it. The receiver closes it.
    package var descriptor: Int32?

    package func value(of name: String) -> String? {
      lines.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
  }

  /// The value of `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
  package let name: String
  private let descriptor: Int32
  /// MSG_CMSG_CLOEXEC, which Swift does not import.
  private let closeOnExec: Int32 = 0x4000_0000

  package init(_ name: String) throws {
    self.name = name
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let path = name.hasPrefix("@") ? [0] + Array(name.utf8.dropFirst()) : Array(name.utf8)
    // Safety: `bind` gets an address with its length.
    let isBound = unsafe withUnixAddress(path) { unsafe bind(descriptor, $0, $1) == 0 }
    // The daemon may run as any user.
    guard isBound == true, unsafe name.hasPrefix("@") || chmod(name, 0o777) == 0 else {
      throw LabFailure(description: "no socket \(name): \(errorText(errno))", code: errno)
    }
  }

  deinit {
    close(descriptor)
    if !name.hasPrefix("@") { unsafe _ = unlink(name) }
  }

  /// The next message; nil if none comes within `seconds`.
  package func receive(within seconds: Double) -> Message? {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var text = [UInt8](repeating: 0, count: 4096)
    // Room for one descriptor: CMSG_SPACE(4).
    var control = [UInt64](repeating: 0, count: 3)
    // Safety: everything that the message points to lives during the call, with its own length.
    let count = unsafe text.withUnsafeMutableBytes { text in
      unsafe control.withUnsafeMutableBytes { control in
        var vector = unsafe iovec(iov_base: text.baseAddress, iov_len: text.count)
        return unsafe withUnsafeMutablePointer(to: &vector) { vector in
          var message = unsafe msghdr()
          unsafe message.msg_iov = vector
          unsafe message.msg_iovlen = 1
          unsafe message.msg_control = control.baseAddress
          unsafe message.msg_controllen = control.count
          guard unsafe poll(&wait, 1, Int32(seconds * 1000)) > 0 else { return -1 }
          return unsafe recvmsg(descriptor, &message, closeOnExec)
        }
      }
    }
    guard count >= 0 else { return nil }
    let lines = String(decoding: text[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    // `struct cmsghdr`: the length, 0 without a descriptor; then level and type; then the descriptor.
    return Message(lines: lines, descriptor: control[0] == 0 ? nil : Int32(truncatingIfNeeded: control[2]))
  }

  /// The next message with the line `line`. Earlier messages are dropped and their descriptors closed.
  package func wait(for line: String, within seconds: Double = 60) -> Message? {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    let end = Double(now.tv_sec) + seconds
    while Double(now.tv_sec) < end, let message = receive(within: seconds) {
      if message.lines.contains(line) { return message }
      if let descriptor = message.descriptor { close(descriptor) }
      unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    }
    return nil
  }
}
