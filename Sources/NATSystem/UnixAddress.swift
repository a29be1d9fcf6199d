package import Glibc

/// Calls `body` with the address of a Unix socket, and its length.
///
/// - Parameter name: the bytes of a path, or a zero and the bytes of an abstract name (unix(7)).
/// - Returns: nil, with ENAMETOOLONG as `errno`, if the name is longer than 107 bytes.
package func withUnixAddress<Result>(
  _ name: [UInt8], _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result? {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
    errno = ENAMETOOLONG
    return nil
  }
  // Safety: the name is shorter than the field.
  unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
  let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
  // Safety: a sockaddr_un is passed as the sockaddr that it begins with, and lives during the call.
  return unsafe withUnsafePointer(to: &address) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
  }
}
