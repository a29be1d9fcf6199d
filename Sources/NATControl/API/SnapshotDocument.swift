/// A snapshot that was written to the state file.
public struct SnapshotDocument: Codable, Hashable, Sendable {
  public var file: String
  public var sessions: Int
  public var restingPorts: Int
  public var bytes: Int
  /// The time that it took.
  public var duration: Seconds

  public init(file: String, sessions: Int, restingPorts: Int, bytes: Int, duration: Seconds) {
    self.file = file
    self.sessions = sessions
    self.restingPorts = restingPorts
    self.bytes = bytes
    self.duration = duration
  }

  enum CodingKeys: String, CodingKey {
    case file, sessions, restingPorts, bytes
    case duration = "durationSeconds"
  }
}
