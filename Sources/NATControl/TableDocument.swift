/// The protocols a table lists.
public enum TransportName: String, Codable, Sendable, CaseIterable {
  case icmp, tcp, udp
}

/// An address in dotted decimal, and a port or ICMP query identifier.
public struct EndpointDocument: Codable, Hashable, Sendable {
  public var address: String
  public var port: UInt16

  public init(address: String, port: UInt16) {
    self.address = address
    self.port = port
  }
}

/// One binding towards one remote endpoint.
public struct SessionDocument: Codable, Hashable, Sendable {
  public enum State: String, Codable, Sendable, CaseIterable {
    case synSent = "syn-sent"
    case established
    case halfClosed = "half-closed"
    case closed
    case reset
    /// Of all protocols but TCP.
    case active
  }

  public var remote: EndpointDocument
  public var state: State
  /// Since the last packet in either direction.
  public var idle = Seconds.zero
  public var expiresIn = Seconds.zero
  public var packetsOut: UInt64 = 0
  /// IPv4 total lengths.
  public var bytesOut: UInt64 = 0
  public var packetsIn: UInt64 = 0
  public var bytesIn: UInt64 = 0
  public var hairpin = false

  enum CodingKeys: String, CodingKey {
    case remote, state
    case idle = "idleSeconds"
    case expiresIn = "expiresInSeconds"
    case packetsOut, bytesOut, packetsIn, bytesIn, hairpin
  }
}

extension SessionDocument {
  public init(remote: EndpointDocument, state: State) { (self.remote, self.state) = (remote, state) }
}

/// A private endpoint, its public endpoint, and the sessions that use them.
public struct BindingDocument: Codable, Hashable, Sendable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case dynamic
    case `static`
  }

  public var transport: TransportName
  public var kind: Kind
  public var privateEndpoint: EndpointDocument
  public var publicEndpoint: EndpointDocument
  public var age: Seconds
  public var sessions: [SessionDocument]

  public init(
    transport: TransportName, kind: Kind, privateEndpoint: EndpointDocument, publicEndpoint: EndpointDocument,
    age: Seconds, sessions: [SessionDocument] = []
  ) {
    self.transport = transport
    self.kind = kind
    self.privateEndpoint = privateEndpoint
    self.publicEndpoint = publicEndpoint
    self.age = age
    self.sessions = sessions
  }

  enum CodingKeys: String, CodingKey {
    case transport = "protocol"
    case kind
    case privateEndpoint = "private"
    case publicEndpoint = "public"
    case age = "ageSeconds"
    case sessions
  }
}

/// The table, or one page of it.
public struct TableDocument: Codable, Hashable, Sendable {
  public var bindings: [BindingDocument]
  /// The cursor of the next page; nil, written as `null`, on the last one.
  public var next: String?

  public init(bindings: [BindingDocument], next: String? = nil) {
    self.bindings = bindings
    self.next = next
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(bindings, forKey: .bindings)
    try container.encode(next, forKey: .next)
  }
}
