import Foundation

/// Programs run beside a server.
enum Command {
  struct Result: Sendable {
    var code: Int32
    var output: String
    var errors: String
  }

  /// Beside the test bundle, or where a build of this package leaves it.
  static let portico: String = {
    let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
      .deletingLastPathComponent()
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let places = [bundle, package.appending(path: ".build/debug"), package.appending(path: ".build/release")]
      .map { $0.appending(path: "portico").path }
    return places.first { FileManager.default.isExecutableFile(atPath: $0) } ?? "portico"
  }()

  /// Runs a line of a shell in `folder`, at most for five minutes: machines are busy.
  static func shell(_ line: String, in folder: URL, environment: [String: String] = [:]) async throws
    -> Result
  {
    let output = folder.appending(path: "output-\(UUID().uuidString)")
    let errors = folder.appending(path: "errors-\(UUID().uuidString)")
    for file in [output, errors] { try Data().write(to: file) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = ["300", "/bin/sh", "-c", line]
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.currentDirectoryURL = folder
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    await withCheckedContinuation { ended in
      Thread.detachNewThread {
        process.waitUntilExit()
        ended.resume()
      }
    }
    return Result(
      code: process.terminationStatus, output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
      errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
  }
}

extension TestServer {
  /// Runs `portico` with the server's socket behind the arguments.
  func portico(
    _ arguments: String, environment: [String: String] = [:]
  ) async throws -> Command.Result {
    try await Command.shell(
      "'\(Command.portico)' \(arguments) --socket '\(socketPath)'", in: folder, environment: environment)
  }
}
