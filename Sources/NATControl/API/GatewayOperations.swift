/// What operators can ask of a running gateway and tell it: the requests of the control socket as Swift calls.
///
/// The daemon implements it, the HTTP server serves it, and tests put a stand-in in its place. Reads never disturb the
/// packet path; a change returns when the workers have carried it out.
public protocol GatewayOperations: Sendable {
  func status() async throws(ControlError) -> StatusDocument

  func stats() async throws(ControlError) -> StatsDocument

  /// Entries in the order of a replay's table (protocol, private, then public endpoint; sessions by remote) that lie
  /// behind `cursor`, at most `limit` sessions (a static forward without sessions counts as one) and at least one if
  /// there are any left.
  ///
  /// An entry that lives through a walk over all pages is on exactly one of them. A binding whose sessions do not fit
  /// goes on at the beginning of the next page.
  /// - Parameter cursor: `next` of the page before; nil begins.
  /// - Complexity: one bounded walk over the table for each page.
  func table(
    _ filter: TableFilter, after cursor: String?, limit: Int
  ) async throws(ControlError) -> TableDocument

  /// How many sessions there are of each protocol and state, those of which there are none may be left out.
  ///
  /// Asked for by each scrape of the metrics. Where nothing else is given, a walk over all pages counts them.
  func sessionCounts() async throws(ControlError) -> [SessionCount]

  /// The inside hosts with the most sessions, and what they have; of as many sessions, in the order of their addresses.
  ///
  /// - Parameter limit: how many hosts at most.
  func hosts(limit: Int) async throws(ControlError) -> HostsDocument

  /// Ends the dynamic sessions that match, and with its last session each binding.
  func end(_ filter: TableFilter) async throws(ControlError) -> EndedDocument

  func statics() async throws(ControlError) -> StaticsDocument

  /// Adds a static mapping to those in force, until the next restart. A live dynamic binding on its public endpoint
  /// ends; the answer lists its sessions.
  func addStatic(_ entry: StaticDocument) async throws(ControlError) -> StaticChangeDocument

  /// - Parameters:
  ///   - protocol: `tcp`, `udp`, `icmp` or `all`, as in the configuration.
  ///   - public: as in the configuration: `address:port`, or the address alone.
  func removeStatic(protocol: String, public: String) async throws(ControlError) -> StaticChangeDocument

  /// What would happen to a packet now, step by step; nothing changes.
  func explain(_ question: ExplainRequest) async throws(ControlError) -> ExplainDocument

  /// The configuration in force, defaults included.
  func configuration() async throws(ControlError) -> ConfigurationDocument

  /// Reads the configuration file again, all or nothing.
  func reload() async throws(ControlError) -> ReloadDocument

  /// Writes the state to its file: bindings, sessions, resting ports.
  func snapshot() async throws(ControlError) -> SnapshotDocument

  /// What the flight recorder holds.
  func recording() async throws(ControlError) -> RecordDocument

  /// Switches the flight recorder on or off, or writes what it holds into files.
  func record(_ request: RecordRequest) async throws(ControlError) -> RecordDocument

  /// What happens from now on. A subscriber that does not keep up loses events and gets one of kind `lost` that says how
  /// many.
  func events() async throws(ControlError) -> AsyncStream<EventDocument>
}

/// Why a request was not carried out, as its answer says it.
public struct ControlError: Error, Codable, Equatable, Sendable {
  /// What was found, and what would be right.
  public var error: String
  /// In kebab case, for programs.
  public var reason: String
  /// The status code of HTTP; not in the JSON.
  public var status: Int

  public init(status: Int, reason: String, _ error: String) {
    self.error = error
    self.reason = reason
    self.status = status
  }

  enum CodingKeys: String, CodingKey { case error, reason }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    error = try container.decode(String.self, forKey: .error)
    reason = try container.decode(String.self, forKey: .reason)
    status = 0
  }
}
