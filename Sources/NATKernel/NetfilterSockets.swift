internal import CLinuxPacket
internal import FoundationEssentials
internal import Glibc

/// The NETLINK_NETFILTER sockets of this process.
enum NetfilterSockets {
  /// Their descriptors.
  /// - Complexity: a few system calls for each descriptor of the process.
  static func all() -> Set<Int32> {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return Set(names.compactMap { Int32($0) }.filter(isOne))
  }

  private static func isOne(_ descriptor: Int32) -> Bool {
    option(descriptor, SO_DOMAIN) == AF_NETLINK && option(descriptor, SO_PROTOCOL) == NETLINK_NETFILTER
  }

  /// Nil if it is not a socket.
  private static func option(_ descriptor: Int32, _ name: Int32) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // Safety: the value has the length that goes with it.
    return unsafe getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
  }
}
