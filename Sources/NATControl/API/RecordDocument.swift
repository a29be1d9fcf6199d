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
  public var packets: Int
  public var bytes: Int
  /// The time since the recording began.
  public var span: Seconds
  /// Nil while the recorder is off.
  public var begin: Begin?
  /// The directory of the files, after a dump.
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
