internal import CLinuxPacket
internal import Glibc
internal import NATSystem

/// Makes a process the only gateway on an interface.
///
/// The lock is a listening Unix socket with an abstract name. The name belongs to the network namespace, as
/// interfaces do. The kernel frees it when the process ends, also by SIGKILL, and no file remains. A process
/// that is refused can ask the socket who holds the lock (SO_PEERCRED).
public struct InterfaceLock: ~Copyable {
  private let descriptor: Int32

  /// Takes the lock in the network namespace of the calling thread.
  ///
  /// - Parameter interface: the kernel's own name; an interface may have alternative names, too.
  /// - Throws: ``InterfaceFault`` of kind ``InterfaceFault/Kind/inUse`` if another process holds it.
  public init(interface: String) throws(InterfaceFault) {
    let opened = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard opened >= 0 else { throw InterfaceFault(code: errno, interface, "socket") }
    // Safety: `bind` gets an address with its length.
    let isBound = unsafe withUnixAddress(lockName(of: interface)) { unsafe bind(opened, $0, $1) == 0 }
    guard isBound == true, listen(opened, 1) == 0 else {
      let code = errno
      close(opened)
      guard code == EADDRINUSE else { throw InterfaceFault(code: code, interface, "lock") }
      let holder = holder(of: interface).map { "process \($0.pid) of user \($0.uid)" } ?? "another process"
      throw InterfaceFault(.inUse, interface, "\(holder) is the gateway on it; one interface has one gateway")
    }
    descriptor = opened
  }

  deinit { close(descriptor) }
}

/// The abstract name of an interface's lock.
private func lockName(of interface: String) -> [UInt8] { [0] + Array("portico/interface/\(interface)".utf8) }

/// The process that holds the lock of an interface: `struct ucred`.
private func holder(of interface: String) -> (pid: Int32, uid: UInt32, gid: UInt32)? {
  let descriptor = socket(
    AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, 0, 0)
  var length = socklen_t(MemoryLayout.size(ofValue: credentials))
  // Safety: the address has the length that goes with it, the credentials have their own.
  let isKnown = unsafe withUnixAddress(lockName(of: interface)) {
    unsafe connect(descriptor, $0, $1) == 0
      && getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0
  }
  return isKnown == true ? credentials : nil
}
