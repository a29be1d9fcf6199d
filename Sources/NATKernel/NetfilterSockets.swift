internal import CLinuxPacket
internal import Glibc

/// The NETLINK_NETFILTER sockets of this process.
enum NetfilterSockets {
  /// Their descriptors.
  /// - Complexity: a few system calls for each descriptor of the process.
  static func all() -> Set<Int32> {
    // Safety: the stream is closed below; each entry is read before the next one.
    guard let folder = unsafe opendir("/proc/self/fd") else { return [] }
    defer { unsafe closedir(folder) }
    var found: Set<Int32> = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
        unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if let descriptor = Int32(name), isOne(descriptor) { found.insert(descriptor) }
    }
    return found
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
