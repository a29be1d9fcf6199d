import CLinuxPacket
import Glibc
import NATSystem

/// A failure to set up the lab itself.
package struct LabFailure: Error, CustomStringConvertible {
  package let description: String
  /// The error number of a system call; 0 if there is none.
  package let code: Int32

  package init(description: String, code: Int32 = 0) {
    self.description = description
    self.code = code
  }
}

/// A network namespace without a name. The kernel removes it with its interfaces when its last descriptor,
/// process and socket are gone, so also after SIGKILL.
package final class NetworkNamespace: Sendable {
  private let descriptor: Int32

  package init() throws {
    let home = try NetworkNamespace.current()
    defer { close(home) }
    guard portico_unshare_network() == 0 else {
      throw LabFailure(description: "no new network namespace: \(errorText(errno))", code: errno)
    }
    defer { _ = portico_enter_network(home) }
    descriptor = try NetworkNamespace.current()
    try shell("ip link set lo up")
    // IPv6 is off, because router solicitations would disturb tests.
    try shell("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
  }

  deinit { close(descriptor) }

  /// The path for `ip link set ... netns PATH`, from any process.
  package var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

  private static func current() throws -> Int32 {
    // Safety: the path is not kept.
    let descriptor = unsafe open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw LabFailure(description: "no network namespace: \(errorText(errno))", code: errno)
    }
    return descriptor
  }

  /// Runs `body` with the calling thread in the namespace. Its sockets and processes belong there.
  package func enter<Result: ~Copyable>(_ body: () throws -> Result) throws -> Result {
    let home = try NetworkNamespace.current()
    defer { close(home) }
    guard portico_enter_network(descriptor) == 0 else {
      throw LabFailure(description: "cannot enter a network namespace: \(errorText(errno))", code: errno)
    }
    defer { precondition(portico_enter_network(home) == 0, "back home") }
    return try body()
  }

  /// Runs a command line and returns its output.
  /// - Throws: ``LabFailure`` if it exits with anything but 0.
  @discardableResult
  package func shell(_ command: String) throws -> String {
    let result = try attempt(command)
    guard result.code == 0 else {
      throw LabFailure(description: "`\(command)` exits with \(result.code): \(result.output)")
    }
    return result.output
  }

  /// Runs a command line and returns its exit code and output.
  package func attempt(_ command: String) throws -> (code: Int32, output: String) {
    let process = try start(["/bin/sh", "-c", command])
    let output = process.readToEnd()
    return (process.wait(), output)
  }

  /// Starts a program in the namespace.
  /// - Parameter descriptors: passed to the program as 3, 4 and so on.
  package func start(_ arguments: [String], descriptors: [Int32] = []) throws -> ChildProcess {
    try enter { try ChildProcess(arguments, descriptors: descriptors) }
  }

  /// Makes a veth pair: one end here and one there, both up.
  package func connect(
    _ name: String, to other: NetworkNamespace, _ otherName: String, mtu: Int = 1500
  ) throws {
    try shell(
      """
      ip link add \(name) mtu \(mtu) type veth peer name \(otherName) mtu \(mtu) netns \(other.path) && \
      ip link set \(name) up
      """)
    try other.shell("ip link set \(otherName) up")
  }
}
