/// An event of the gateway. The stream of events has one JSON object a line.
public struct EventDocument: Codable, Hashable, Sendable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case bindingCreated = "binding-created"
    case bindingEnded = "binding-ended"
    case sessionCreated = "session-created"
    case sessionEnded = "session-ended"
    /// The pool has no free port.
    case exhaustion
    /// A limit refused packets.
    case limit
    case reload
    /// The machine's address, which the gateway shares, has changed to `public`, or is gone.
    case addressChanged = "address-changed"
    /// The state of an earlier daemon has waited for the machine's addresses, and is restored now.
    case stateRestored = "state-restored"
    /// Sessions of that state that could not be restored.
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
  /// For `lost`, `exhaustion` and `limit`: the number of events or packets. For `address-changed`: sessions
  /// that ended. For `state-restored` and `state-dropped`: sessions that were restored or dropped.
  public var count: UInt64?

  enum CodingKeys: String, CodingKey {
    case unixNanoseconds
    case kind = "event"
    case transport = "protocol"
    case privateEndpoint = "private"
    case publicEndpoint = "public"
    case remote, reason, count
  }
}

extension EventDocument {
  public init(unixNanoseconds: UInt64, kind: Kind, count: UInt64? = nil) {
    (self.unixNanoseconds, self.kind, self.count) = (unixNanoseconds, kind, count)
  }
}
