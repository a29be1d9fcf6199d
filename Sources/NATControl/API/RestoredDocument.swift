/// What became of the state that an earlier daemon left in its file.
public struct RestoredDocument: Codable, Hashable, Sendable {
  public enum Outcome: String, Codable, Sendable, CaseIterable {
    /// There was no file: it began empty.
    case none
    case restored
    /// What was in the file could not be used, `reason` says why: it began empty.
    case refused
    /// It waits for the host's addresses, without which nobody knows what of it is still true.
    case waiting
  }

  public var file: String
  public var outcome: Outcome
  public var reason: String?
  /// How old the snapshot was when it was taken up, as far as is known; of one that waits, how old it is.
  public var age: Seconds?
  /// What lives again.
  public var sessions: Int
  public var bindings: Int
  public var restingPorts: Int
  /// Sessions whose time was over.
  public var expired: Int
  /// Sessions that the configuration, or the host's address, does not allow any more.
  public var notAllowed: Int
  /// Sessions beyond a limit.
  public var withoutRoom: Int
  /// Sessions that contradict another, or that are none.
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

  /// Sessions that were in the file and do not live again, but for those whose time was over.
  public var lost: Int { notAllowed + withoutRoom + contradicting }

  enum CodingKeys: String, CodingKey {
    case file, outcome, reason
    case age = "ageSeconds"
    case sessions, bindings, restingPorts, expired, notAllowed, withoutRoom, contradicting
  }
}
