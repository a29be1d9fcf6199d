/// The state of the flight recorder.
public struct RecordDocument: Codable, Hashable, Sendable {
  /// The part of a packet that is kept.
  public enum Content: String, Codable, Sendable, CaseIterable { case packets, headers }

  /// Why the recording began.
  public enum Begin: String, Codable, Sendable, CaseIterable {
    /// The recorder was switched on.
    case on
    /// A dump wrote the recording before it to files.
    case dump
    /// A change by an operator or of the machine's addresses. The recording before it is discarded.
    case change
  }

  public var isRecording: Bool
  public var content: Content
  public var packets = 0
  public var bytes = 0
  /// The time since the recording began.
  public var span = Seconds.zero
  /// Nil while the recorder is off.
  public var begin: Begin?
  /// The directory of the files, after a dump.
  public var directory: String?

  enum CodingKeys: String, CodingKey {
    case isRecording = "recording"
    case content, packets, bytes
    case span = "spanSeconds"
    case begin = "begunBy"
    case directory
  }
}

extension RecordDocument {
  public init(isRecording: Bool, content: Content) {
    (self.isRecording, self.content) = (isRecording, content)
  }
}

/// A command for the flight recorder.
public struct RecordRequest: Codable, Hashable, Sendable {
  public enum Action: String, Codable, Sendable, CaseIterable { case on, off, dump }

  public var action: Action
  /// For `on`: what to keep from now on; nil for the configured content.
  public var content: RecordDocument.Content?
  /// For `dump`: the directory to make. It must not exist.
  public var directory: String?

  public init(_ action: Action, content: RecordDocument.Content? = nil, directory: String? = nil) {
    self.action = action
    self.content = content
    self.directory = directory
  }
}
