public import NATControl
public import NATGateway
public import NATTable
import NATWire

extension EndedDocument {
  /// What a change ended on all workers.
  public init(_ ended: [EndedSessions]) {
    self.init(
      sessions: ended.reduce(0) { $0 + $1.sessions }, bindings: ended.reduce(0) { $0 + $1.bindings },
      ended: ended.flatMap(\.listed).prefix(EndedDocument.mostListed).map { EndedSession($0) })
  }
}

extension EndedSession {
  fileprivate init(_ event: TableEvent) {
    self.init(
      transport: TransportName(event.transport), privateEndpoint: EndpointDocument(event.private),
      publicEndpoint: EndpointDocument(event.public), remote: EndpointDocument(event.remote),
      reason: event.reason.name)
  }
}

extension EndReason {
  /// The reason in kebab case, for events and answers.
  public var name: String {
    switch self {
    case .expired: "expired"
    case .closed: "closed"
    case .reset: "reset"
    case .evicted: "evicted"
    case .ended: "operator"
    case .staticMappingAdded: "static-mapping-added"
    case .staticMappingRemoved: "static-mapping-removed"
    case .poolAddressAdded: "pool-address-added"
    case .poolAddressRemoved: "pool-address-removed"
    case .addressChanged: "address-changed"
    case .portOfHost: "port-of-host"
    case .insideNetworkRemoved: "inside-network-removed"
    case .refused: "refused"
    case .staticMappingExpired: "static-mapping-expired"
    case .staticMappingUsed: "static-mapping-used"
    }
  }
}

extension EventDocument {
  /// - Parameter epoch: nanoseconds from 1970 (UTC) to the zero of the gateway's clock.
  public init(_ event: TableEvent, epoch: UInt64) {
    let kind: Kind =
      switch event.kind {
      case .bindingCreated: .bindingCreated
      case .bindingEnded: .bindingEnded
      case .sessionCreated: .sessionCreated
      case .sessionEnded: .sessionEnded
      }
    let isSession = kind == .sessionCreated || kind == .sessionEnded
    let isEnd = kind == .bindingEnded || kind == .sessionEnded
    self.init(unixNanoseconds: event.instant.nanoseconds &+ epoch, kind: kind)
    transport = TransportName(event.transport)
    privateEndpoint = EndpointDocument(event.private)
    publicEndpoint = EndpointDocument(event.public)
    remote = isSession ? EndpointDocument(event.remote) : nil
    reason = isEnd ? event.reason.name : nil
  }
}
