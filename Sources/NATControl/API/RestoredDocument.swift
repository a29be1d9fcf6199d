/// The result of restoring the state that an earlier daemon left in its file.
public struct RestoredDocument: Codable, Hashable, Sendable {
  public enum Outcome: String, Codable, Sendable, CaseIterable {
    /// There was no file. The table began empty.
    case none
    case restored
    /// The file could not be used, for the `reason` given. The table began empty.
    case refused
    /// The state waits for the machine's addresses. Without them it is unknown which sessions are valid.
    case waiting
  }

  public var file: String
  public var outcome: Outcome
  public var reason: String?
  /// The age of the snapshot when it was restored, as far as it is known. If it waits, its age now.
  public var age: Seconds?
  /// Sessions, bindings and ports in hold-down that were restored.
  public var sessions = 0
  public var bindings = 0
  public var restingPorts = 0
  /// Sessions that had expired.
  public var expired = 0
  /// Sessions that the configuration or the machine's address no longer allows.
  public var notAllowed = 0
  /// Sessions beyond a limit.
  public var withoutRoom = 0
  /// Sessions that are invalid, or contradict another session.
  public var contradicting = 0

  /// Sessions that were not restored, apart from expired ones.
  public var lost: Int { notAllowed + withoutRoom + contradicting }

  enum CodingKeys: String, CodingKey {
    case file, outcome, reason
    case age = "ageSeconds"
    case sessions, bindings, restingPorts, expired, notAllowed, withoutRoom, contradicting
  }
}

extension RestoredDocument {
  public init(file: String, outcome: Outcome, reason: String? = nil) {
    (self.file, self.outcome, self.reason) = (file, outcome, reason)
  }
}
