/// What the flight recorder holds.
public struct RecordDocument: Codable, Hashable, Sendable {
  /// What is kept of a packet.
  public enum Content: String, Codable, Sendable, CaseIterable { case packets, headers }

  /// What it begins behind.
  public enum Begin: String, Codable, Sendable, CaseIterable {
    /// It was switched on.
    case on
    /// What was recorded before is in files.
    case dump
    /// What operators, or the host's addresses, changed: what was recorded before is forgotten.
    case change
  }

  public var isRecording: Bool
  public var content: Content
  public var packets: Int
  public var bytes: Int
  /// From the table that it begins with to now.
  public var span: Seconds
  /// Nil where nothing is recorded.
  public var begin: Begin?
  /// Where it was written to; of a dump alone.
  public var directory: String?

  public init(
    isRecording: Bool, content: Content, packets: Int = 0, bytes: Int = 0,
    span: Seconds = Seconds(nanoseconds: 0), begin: Begin? = nil, directory: String? = nil
  ) {
    self.isRecording = isRecording
    self.content = content
    self.packets = packets
    self.bytes = bytes
    self.span = span
    self.begin = begin
    self.directory = directory
  }

  enum CodingKeys: String, CodingKey {
    case isRecording = "recording"
    case content, packets, bytes
    case span = "spanSeconds"
    case begin = "begunBy"
    case directory
  }
}

/// What the flight recorder is told.
public struct RecordRequest: Codable, Hashable, Sendable {
  public enum Action: String, Codable, Sendable, CaseIterable { case on, off, dump }

  public var action: Action
  /// What to keep from now on; of `on` alone, by default as configured.
  public var content: RecordDocument.Content?
  /// Made by the daemon, and not there before; of `dump` alone.
  public var directory: String?

  public init(_ action: Action, content: RecordDocument.Content? = nil, directory: String? = nil) {
    self.action = action
    self.content = content
    self.directory = directory
  }
}
