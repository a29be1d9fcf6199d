/// The result of restoring the state that an earlier daemon left in its file.
public struct RestoredDocument: Codable, Hashable, Sendable {
  public enum Outcome: String, Codable, Sendable, CaseIterable {
    /// There was no file. The table began empty.
    case none
    case restored
    /// The file could not be used, for the `reason` given. The table began empty.
    case refused
    /// The state waits for the machine's addresses. Without them the gateway cannot tell which sessions are still valid.
    case waiting
  }

  public var file: String
  public var outcome: Outcome
  public var reason: String?
  /// The age of the snapshot when it was restored, as far as it is known. If it waits, its age now.
  public var age: Seconds?
  /// Sessions, bindings and ports in hold-down that were restored.
  public var sessions: Int
  public var bindings: Int
  public var restingPorts: Int
  /// Sessions that had expired.
  public var expired: Int
  /// Sessions that the configuration or the machine's address no longer allows.
  public var notAllowed: Int
  /// Sessions beyond a limit.
  public var withoutRoom: Int
  /// Sessions that are invalid, or contradict another session.
  public var contradicting: Int

  public init(
    file: String, outcome: Outcome, reason: String? = nil, age: Seconds? = nil, sessions: Int = 0,
    bindings: Int = 0, restingPorts: Int = 0, expired: Int = 0, notAllowed: Int = 0, withoutRoom: Int = 0,
    contradicting: Int = 0
  ) {
    self.file = file
    self.outcome = outcome
    self.reason = reason
    self.age = age
    self.sessions = sessions
    self.bindings = bindings
    self.restingPorts = restingPorts
    self.expired = expired
    self.notAllowed = notAllowed
    self.withoutRoom = withoutRoom
    self.contradicting = contradicting
  }

  /// Sessions that were not restored, apart from expired ones.
  public var lost: Int { notAllowed + withoutRoom + contradicting }

  enum CodingKeys: String, CodingKey {
    case file, outcome, reason
    case age = "ageSeconds"
    case sessions, bindings, restingPorts, expired, notAllowed, withoutRoom, contradicting
  }
}
