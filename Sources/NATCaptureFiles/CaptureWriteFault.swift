internal import NATSystem

/// Why a capture could not be written completely: exit code 73.
public struct CaptureWriteFault: Error, Equatable, CustomStringConvertible {
  public enum Operation: String, Sendable {
    case create, write, close
  }

  public let operation: Operation
  /// As given by the caller; `standard output` for `-`.
  public let path: String
  /// The system's error number.
  public let code: Int32

  public var description: String { "\(path): cannot \(operation.rawValue) the capture: \(errorText(code))" }
}
