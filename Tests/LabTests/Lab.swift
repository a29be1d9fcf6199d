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

extension Lab {
  /// A program of the release build: `swift build -c release --static-swift-stdlib --product NAME`.
  static func releaseProgram(_ name: String) throws -> String {
    let debug = URL(fileURLWithPath: try program(name)).deletingLastPathComponent()
    let place = debug.deletingLastPathComponent().appending(path: "release/\(name)").path
    guard FileManager.default.isExecutableFile(atPath: place) else {
      throw LabFailure(description: "no release build \(place)")
    }
    return place
  }
}

private let isLabPossible =
  geteuid() == 0 || ProcessInfo.processInfo.environment["PORTICO_LAB"] == "required"

/// How long something may take on a machine that has other things to do.
let patience = Duration.seconds(20)

/// Asks again every few milliseconds, as long as patience lasts.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
  let end = ContinuousClock.now + patience
  while ContinuousClock.now < end {
    if try condition() { return true }
    usleep(5000)
  }
  return false
}
