import ArgumentParser
import Glibc
import NATCaptureFiles
import NATComposition
import NATConfiguration
import NATTable

/// Exit codes of commands that fail (sysexits.h). The documents list them.
enum Failure {
  static let usage: Int32 = 64
  static let badData: Int32 = 65
  static let noInput: Int32 = 66
  static let unavailable: Int32 = 69
  static let cannotWrite: Int32 = 73
  static let badConfiguration: Int32 = 78

  /// Prints the message on standard error and ends the command with `code`.
  static func exit(_ code: Int32, _ message: String) -> ExitCode {
    say(message)
    return ExitCode(code)
  }

  /// A message for people, on standard error.
  static func say(_ message: String) { StandardOutput.writeError("portico: \(message)\n") }

  /// Reads and checks the configuration. Prints all its errors and ends the command if there are any.
  static func configuration(at path: String) throws -> Configuration {
    do {
      return try Configuration.load(path: path)
    } catch {
      let code: Int32 =
        switch error.kind {
        case .unreadable: noInput
        case .content: badConfiguration
        }
      // Each problem has its file, line and column, so there is no prefix.
      StandardOutput.writeError(error.description + "\n")
      throw ExitCode(code)
    }
  }

  /// Reads a snapshot of a table.
  static func snapshot(at path: String) throws -> TableSnapshot {
    do {
      return try SnapshotFile.load(path: path)
    } catch {
      throw exit(error.kind == .content ? badData : noInput, error.description)
    }
  }

  /// Opens a capture.
  static func capture(at path: String) throws -> CaptureReader {
    do {
      return try CaptureReader(path: path)
    } catch {
      switch error.kind {
      case .noInput: throw exit(noInput, error.description)
      case .badData: throw exit(badData, error.description)
      }
    }
  }
}
