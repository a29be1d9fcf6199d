import Foundation
import Glibc
import NATLab

/// Finds and runs programs of the machine and of this package.
enum Programs {
  /// Whether a program is in the search path.
  static func has(_ name: String) -> Bool { find(name) != nil }

  /// The path of a program in the search path.
  static func find(_ name: String) -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Runs a program, waits for its end and returns its output. If it fails, prints why and ends the command.
  /// - Parameter arguments: path or name of the program, then its arguments.
  @discardableResult
  static func output(_ arguments: [String]) throws -> String {
    let program = try ChildProcess(arguments[0].contains("/") ? arguments : ["/usr/bin/env"] + arguments)
    let output = program.readToEnd()
    let code = program.wait()
    guard code == 0 else {
      let text = output.trimmingCharacters(in: .whitespacesAndNewlines)
      throw Failure.exit(
        Failure.unavailable, "`\(arguments.joined(separator: " "))` exits with \(code): \(text)")
    }
    return output
  }

  /// The path of this program.
  static func own() throws -> String {
    try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
  }

  /// The path of a program in the folder of this one.
  static func beside(_ name: String) throws -> String {
    let program = URL(fileURLWithPath: try own()).deletingLastPathComponent().appending(path: name).path
    guard FileManager.default.isExecutableFile(atPath: program) else {
      throw LabFailure(
        description:
          "no \(program); `swift build -c release --static-swift-stdlib --product \(name)` makes it")
    }
    return program
  }
}

/// A program that is ended when this value is released.
final class ServerProgram {
  private let program: ChildProcess

  init(_ program: consuming ChildProcess) { self.program = program }

  /// Sends SIGTERM and waits for the end.
  func end() {
    program.signal(SIGTERM)
    _ = program.readToEnd()
  }
}
