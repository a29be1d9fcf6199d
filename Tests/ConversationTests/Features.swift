/// What conversations may contain.
struct Features: OptionSet {
  let rawValue: Int

  static let fragments = Features(rawValue: 1 << 0)
  /// ICMP errors in transit.
  static let errorsInTransit = Features(rawValue: 1 << 1)
  /// Packets above the MTU of their way on, with DF clear.
  static let splitting = Features(rawValue: 1 << 2)
  static let unsolicitedSYNAnswers = Features(rawValue: 1 << 3)
  /// Transport protocols without ports, over 1:1 mappings.
  static let otherProtocols = Features(rawValue: 1 << 4)
  static let evict = Features(rawValue: 1 << 5)
  static let statics = Features(rawValue: 1 << 6)
  static let hairpin = Features(rawValue: 1 << 7)

  /// Lifetimes of established connections that are shorter than the transitory one.
  static let shortEstablishedLifetimes = Features(rawValue: 1 << 8)

  static let windowTracking = Features(rawValue: 1 << 9)
  /// `direction`, `remote`, `once` and `lifetime` of port forwards.
  static let forwardTerms = Features(rawValue: 1 << 10)
  /// `limits.per-host.sessions-per-second`.
  static let sessionRate = Features(rawValue: 1 << 11)
  /// Reloads in the middle.
  static let reloads = Features(rawValue: 1 << 12)

  /// What the tests run with.
  static let implemented: Features = [
    .fragments, .splitting, .errorsInTransit, .unsolicitedSYNAnswers, .otherProtocols, .evict, .statics,
    .hairpin, .shortEstablishedLifetimes, .windowTracking, .forwardTerms, .sessionRate, .reloads,
  ]
}
