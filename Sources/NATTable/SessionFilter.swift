import NATMemory
public import NATWire

/// Selects sessions. An empty filter matches all.
public struct SessionFilter: BitwiseCopyable, Sendable {
  /// A network, and a port if one is given.
  public struct Pattern: BitwiseCopyable, Sendable {
    public var network: IPv4Network
    public var port: UInt16?

    public init(_ network: IPv4Network, port: UInt16? = nil) {
      self.network = network
      self.port = port
    }

    public func matches(_ endpoint: Endpoint) -> Bool {
      network.contains(endpoint.address) && (port ?? endpoint.port) == endpoint.port
    }
  }

  public var transport: TransportProtocol?
  public var `private`: Pattern?
  public var `public`: Pattern?
  public var remote: Pattern?
  public var phase: SessionState.Phase?
  /// Whether the binding is a static mapping.
  public var isStatic: Bool?

  public init() {}

  public func matches(_ session: SessionSnapshot) -> Bool {
    matches(session.transport, private: session.private, public: session.public)
      && (isStatic ?? (session.kind != .dynamic)) == (session.kind != .dynamic)
      && (remote?.matches(session.remote) ?? true) && (phase ?? session.state.phase) == session.state.phase
  }

  /// Whether a port forward without sessions matches.
  public func matches(_ forward: PortForward) -> Bool {
    (isStatic ?? true) && remote == nil && phase == nil
      && matches(forward.transport, private: forward.private, public: forward.public)
  }

  private func matches(_ transport: TransportProtocol, private: Endpoint, public: Endpoint) -> Bool {
    (self.transport ?? transport) == transport && (self.private?.matches(`private`) ?? true)
      && (self.public?.matches(`public`) ?? true)
  }
}
