import Foundation
import Glibc
import NATLab

/// The machine's programs, and those of this package.
enum Programs {
  /// Whether a program stands in the search path.
  static func has(_ name: String) -> Bool {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"
    return path.split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
    }
  }

  /// Runs a program to its end and gives back what it printed; anything but success is told and ends the command.
  /// - Parameter arguments: the path of the program or its name in the search path, and what follows.
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

  /// The path of a program that lies beside this one.
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

/// A program that runs as long as somebody holds this.
final class ServerProgram {
  private let program: ChildProcess

  init(_ program: consuming ChildProcess) { self.program = program }

  /// Ends it in its own way, and waits for that.
  func end() {
    program.signal(SIGTERM)
    _ = program.readToEnd()
  }
}
