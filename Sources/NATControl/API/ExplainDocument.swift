/// A packet to explain.
public struct ExplainRequest: Codable, Hashable, Sendable {
  /// `inside` or `outside`.
  public var from: String
  /// `tcp`, `udp` or `icmp` (an echo request; the port of `source` is its identifier).
  public var transport: TransportName
  public var source: EndpointDocument
  public var destination: EndpointDocument
  /// TCP: any of `fin`, `syn`, `rst`, `psh`, `ack`, `urg`; absent: a SYN.
  public var flags: [String]?
  /// Absent: 64.
  public var ttl: UInt8?
  /// Bytes of the IPv4 packet; absent: the headers alone.
  public var length: UInt16?

  enum CodingKeys: String, CodingKey {
    case from
    case transport = "protocol"
    case source, destination, flags, ttl, length
  }
}

extension ExplainRequest {
  public init(
    from: String, transport: TransportName, source: EndpointDocument, destination: EndpointDocument
  ) {
    (self.from, self.transport, self.source, self.destination) = (from, transport, source, destination)
  }
}

/// What the gateway would do with the packet, step by step.
public struct ExplainDocument: Codable, Hashable, Sendable {
  /// One step of the packet path, and its result.
  public struct Step: Codable, Hashable, Sendable {
    /// `decode`, `link`, `addresses`, `binding`, `session`, `filter`, `route`, `ttl`, `mtu`, `limits`,
    /// `port`, ...
    public var question: String
    public var answer: String

    public init(question: String, answer: String) {
      self.question = question
      self.answer = answer
    }
  }

  /// A field of the packet as it arrives and as it would leave.
  public struct Field: Codable, Hashable, Sendable {
    /// `ethernet`, `ipv4`, `tcp`, `udp` or `icmp`.
    public var layer: String
    public var field: String
    public var before: String
    /// Null if no packet leaves.
    public var after: String?

    public init(layer: String, field: String, before: String, after: String?) {
      self.layer = layer
      self.field = field
      self.before = before
      self.after = after
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(layer, forKey: .layer)
      try container.encode(field, forKey: .field)
      try container.encode(before, forKey: .before)
      try container.encode(after, forKey: .after)
    }
  }

  public var steps: [Step]
  public var fields: [Field]
  /// `forward`, `answer`, `hold`, `leave` (to the machine's kernel) or `drop`.
  public var verdict: String
  /// The side it leaves on.
  public var to: String?
  /// The drop reason.
  public var drop: String?
}

extension ExplainDocument {
  public init(steps: [Step], fields: [Field], verdict: String) {
    (self.steps, self.fields, self.verdict) = (steps, fields, verdict)
  }
}
