import CLinuxPacket
import Foundation
import Glibc
import Testing

/// Tests between network namespaces that they make themselves. They need root; without it they are skipped,
/// unless the environment says `PORTICO_LAB=required`: then they fail.
@Suite(.serialized, .enabled(if: isLabPossible, "needs root"))
struct Lab {
  /// A program of this package, beside the test program.
  static func program(_ name: String) throws -> String {
    let own = URL(
      fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    let place = own.deletingLastPathComponent().appending(path: name).path
    guard FileManager.default.isExecutableFile(atPath: place) else {
      throw LabFailure(description: "no program \(place)")
    }
    return place
  }
}

private let isLabPossible =
  geteuid() == 0 || ProcessInfo.processInfo.environment["PORTICO_LAB"] == "required"

/// What a test reports when the lab itself does not work.
struct LabFailure: Error, CustomStringConvertible {
  let description: String
}

/// A network namespace without a name: it is gone, with its interfaces, when the last descriptor, process and
/// socket of it is, so also when the test run is killed.
final class NetworkNamespace: Sendable {
  private let descriptor: Int32

  init() throws {
    let home = try NetworkNamespace.current()
    defer { close(home) }
    guard portico_unshare_network() == 0 else {
      throw LabFailure(description: "no new network namespace: error \(errno)")
    }
    defer { _ = portico_enter_network(home) }
    descriptor = try NetworkNamespace.current()
    try shell("ip link set lo up")
    // Router solicitations and the like are no part of any test.
    try shell("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
  }

  deinit { close(descriptor) }

  /// For `ip link set ... netns PATH`, from any process.
  var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

  private static func current() throws -> Int32 {
    // Safety: the path is not kept.
    let descriptor = unsafe open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw LabFailure(description: "no network namespace: error \(errno)") }
    return descriptor
  }

  /// Runs `body` with the calling thread in the namespace: sockets that it opens, and processes that it
  /// starts, are there.
  func enter<Result: ~Copyable>(_ body: () throws -> Result) throws -> Result {
    let home = try NetworkNamespace.current()
    defer { close(home) }
    guard portico_enter_network(descriptor) == 0 else {
      throw LabFailure(description: "cannot enter a network namespace: error \(errno)")
    }
    defer { precondition(portico_enter_network(home) == 0, "back home") }
    return try body()
  }

  /// Runs a command line to its end and gives back what it printed; anything but success is thrown.
  @discardableResult
  func shell(_ command: String) throws -> String {
    let result = try attempt(command)
    guard result.code == 0 else {
      throw LabFailure(description: "`\(command)` exits with \(result.code): \(result.output)")
    }
    return result.output
  }

  /// Runs a command line to its end.
  func attempt(_ command: String) throws -> (code: Int32, output: String) {
    let process = try start(["/bin/sh", "-c", command])
    let output = process.readToEnd()
    return (process.wait(), output)
  }

  /// Starts a program in the namespace.
  func start(_ arguments: [String]) throws -> ChildProcess { try enter { try ChildProcess(arguments) } }

  /// Lays a cable: an interface here and one there, both up.
  func connect(_ name: String, to other: NetworkNamespace, _ otherName: String, mtu: Int = 1500) throws {
    try shell(
      """
      ip link add \(name) mtu \(mtu) type veth peer name \(otherName) mtu \(mtu) netns \(other.path) && \
      ip link set \(name) up
      """)
    try other.shell("ip link set \(otherName) up")
  }
}

/// Asks again every few milliseconds, for two seconds at most.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
  for _ in 0..<400 {
    if try condition() { return true }
    usleep(5000)
  }
  return false
}
