// NATControl: what operators see of a gateway and can do with it, without a transport.
//
// `GatewayOperations` are the operations, the types named `...Document` their answers, which are JSON on the
// control socket. The types named `...Text` render documents for a terminal, `MetricsText` for Prometheus:
//
//     let stats = try await gateway.stats()
//     print(StatsText.render(stats))

/// The operations on a running gateway: the requests of the control socket as Swift calls.
///
/// The daemon implements them, and the control socket serves them. Reads never disturb the packet path. A
/// change returns when the workers have carried it out. A new operation gets a default in an extension that
/// throws ``ControlError/notServed``, so that stand-ins of tests need not know it.
public protocol GatewayOperations: Sendable {
  func status() async throws(ControlError) -> StatusDocument

  /// Whether packets are forwarded.
  func health() async throws(ControlError) -> HealthDocument

  func stats() async throws(ControlError) -> StatsDocument

  /// A page of the table, in the order of a replay's table: by protocol, private, then public endpoint, the
  /// sessions by remote endpoint. It has at most `limit` sessions (a port forward without sessions counts as
  /// one), and at least one if any are left.
  ///
  /// An entry that lives while all pages are read is on exactly one of them. A binding whose sessions do not
  /// fit continues on the next page.
  /// - Parameter cursor: `next` of the page before; nil begins.
  /// - Complexity: one bounded walk over the table for each page.
  func table(
    _ filter: TableFilter, after cursor: String?, limit: Int
  ) async throws(ControlError) -> TableDocument

  /// The number of sessions of each protocol and state. Pairs without sessions may be missing.
  ///
  /// Each scrape of the metrics asks for it. The default implementation counts over all pages.
  func sessionCounts() async throws(ControlError) -> [SessionCount]

  /// The inside hosts with the most sessions, and their bindings and traffic. Ties are sorted by address.
  ///
  /// - Parameter limit: the most hosts to list.
  func hosts(limit: Int) async throws(ControlError) -> HostsDocument

  /// Ends the dynamic sessions that match. A binding ends with its last session.
  func end(_ filter: TableFilter) async throws(ControlError) -> EndedDocument

  func statics() async throws(ControlError) -> StaticsDocument

  /// Adds a static mapping to those in force, until the next restart. A live dynamic binding on its public
  /// endpoint ends; the answer lists its sessions.
  func addStatic(_ entry: StaticDocument) async throws(ControlError) -> StaticChangeDocument

  /// - Parameters:
  ///   - protocol: `tcp`, `udp`, `icmp` or `all`, as in the configuration.
  ///   - public: as in the configuration: `address:port`, or the address alone.
  func removeStatic(protocol: String, public: String) async throws(ControlError) -> StaticChangeDocument

  /// What the gateway would do with a packet now, step by step. Nothing changes.
  func explain(_ question: ExplainRequest) async throws(ControlError) -> ExplainDocument

  /// The configuration in force, defaults included.
  func configuration() async throws(ControlError) -> ConfigurationDocument

  /// Reads the configuration file again, and applies all of it or nothing.
  func reload() async throws(ControlError) -> ReloadDocument

  /// Writes the state to its file: bindings, sessions, ports in hold-down.
  func snapshot() async throws(ControlError) -> SnapshotDocument

  /// What the flight recorder holds.
  func recording() async throws(ControlError) -> RecordDocument

  /// Switches the flight recorder on or off, or writes what it holds into files.
  func record(_ request: RecordRequest) async throws(ControlError) -> RecordDocument

  /// The events from now on. A subscriber that is too slow loses events, and gets one of kind `lost` instead.
  func events() async throws(ControlError) -> AsyncStream<EventDocument>
}

/// Why a request was not carried out: the error of its answer.
public struct ControlError: Error, Codable, Equatable, Sendable {
  /// What was found, and what would be right.
  public var error: String
  /// In kebab case, for programs.
  public var reason: String
  /// The status code of HTTP; not in the JSON.
  public var status = 0

  public init(status: Int, reason: String, _ error: String) {
    self.error = error
    self.reason = reason
    self.status = status
  }

  enum CodingKeys: String, CodingKey { case error, reason }
}

extension GatewayOperations {
  public func health() async throws(ControlError) -> HealthDocument { throw .notServed }
}

extension ControlError {
  /// An operation that this gateway does not have.
  public static var notServed: ControlError {
    ControlError(status: 501, reason: "not-served", "this gateway does not have that operation")
  }
}
