import Foundation
import Glibc
import NATLab
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

/// Asks again every few milliseconds, for two seconds at most.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
  for _ in 0..<400 {
    if try condition() { return true }
    usleep(5000)
  }
  return false
}
