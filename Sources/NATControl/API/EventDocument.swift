/// Something that happened in the gateway; in the stream of events one JSON object a line.
public struct EventDocument: Codable, Hashable, Sendable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case bindingCreated = "binding-created"
    case bindingEnded = "binding-ended"
    case sessionCreated = "session-created"
    case sessionEnded = "session-ended"
    /// A pool without a port.
    case exhaustion
    /// A limit that was met.
    case limit
    case reload
    /// The host's address outside, which the gateway shares, is another one, `public`, or gone.
    case addressChanged = "address-changed"
    /// What an earlier daemon left has waited for the host's addresses, and is taken up.
    case stateRestored = "state-restored"
    /// What of it could not be.
    case stateDropped = "state-dropped"
    /// The subscriber did not keep up: `count` events are missing here.
    case lost
  }

  /// Nanoseconds since 1970, UTC.
  public var unixNanoseconds: UInt64
  public var kind: Kind
  public var transport: TransportName?
  public var privateEndpoint: EndpointDocument?
  public var publicEndpoint: EndpointDocument?
  public var remote: EndpointDocument?
  /// In kebab case: `expired`, `closed`, `operator`, `evicted`, ...; of a limit its drop reason.
  public var reason: String?
  /// Of `lost`, `exhaustion` and `limit`: how many events or packets; of `address-changed`: how many sessions ended;
  /// of `state-restored` and `state-dropped`: how many sessions live again, and how many do not.
  public var count: UInt64?

  public init(
    unixNanoseconds: UInt64, kind: Kind, transport: TransportName? = nil,
    privateEndpoint: EndpointDocument? = nil, publicEndpoint: EndpointDocument? = nil,
    remote: EndpointDocument? = nil, reason: String? = nil, count: UInt64? = nil
  ) {
    self.unixNanoseconds = unixNanoseconds
    self.kind = kind
    self.transport = transport
    self.privateEndpoint = privateEndpoint
    self.publicEndpoint = publicEndpoint
    self.remote = remote
    self.reason = reason
    self.count = count
  }

  enum CodingKeys: String, CodingKey {
    case unixNanoseconds
    case kind = "event"
    case transport = "protocol"
    case privateEndpoint = "private"
    case publicEndpoint = "public"
    case remote, reason, count
  }
}
