/// Everything that is wrong with a configuration.
public struct ConfigurationErrors: Error, Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// The file is missing or cannot be read (exit code 66).
    case unreadable
    /// The file was read, and is not a valid configuration (exit code 78).
    case content
  }

  public let kind: Kind
  /// At least one, in the order of the file.
  public let problems: [Problem]

  /// One problem, and what would be right.
  public struct Problem: Sendable, Equatable {
    /// The file as it was named; nil for an entry that came over the control socket.
    public let file: String?
    /// From 1; nil if the problem has no place in the file.
    public let line: Int?
    /// From 1, in Unicode scalars; nil if the problem has no place in the file.
    public let column: Int?
    /// The path of the setting, such as `nat.pool[0].ports`. Entries are counted from 0.
    public let setting: String
    public let found: String
    public let expected: String
  }
}

extension ConfigurationErrors: CustomStringConvertible {
  /// One line for each problem.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension ConfigurationErrors.Problem: CustomStringConvertible {
  /// `FILE:LINE:COLUMN: setting: found X; expected Y`.
  public var description: String {
    var place = file ?? ""
    if let line, let column { place += ":\(line):\(column)" }
    if !place.isEmpty { place += ": " }
    return "\(place)\(setting): found \(found); expected \(expected)"
  }
}
