public import NATWire

extension Configuration {
  /// An entry of `static`: a binding written by the operator.
  public enum StaticMapping: Sendable, Hashable {
    /// A public port, or an ICMP query identifier, leads to a private one.
    case portForward(
      TransportProtocol, publicEndpoint: Endpoint, privateEndpoint: Endpoint, terms: ForwardTerms = .init())
    /// `protocol: all`: the whole public address is the private address, with any protocol.
    case oneToOne(publicAddress: IPv4Address, privateAddress: IPv4Address)

    public var publicAddress: IPv4Address {
      switch self {
      case .portForward(_, let endpoint, _, _): endpoint.address
      case .oneToOne(let address, _): address
      }
    }

    public var privateAddress: IPv4Address {
      switch self {
      case .portForward(_, _, let endpoint, _): endpoint.address
      case .oneToOne(_, let address): address
      }
    }
  }
}

extension Configuration {
  /// What a port forward takes: by default everything, begun from either side, for ever.
  public struct ForwardTerms: Sendable, Hashable {
    /// Who may begin sessions over it.
    public var direction = Direction.both
    /// With whom it makes sessions; with everybody where nil.
    public var remote: Remote?
    /// It makes one session, and ends with it.
    public var once = false
    /// How long it is in force, from when it is taken over.
    public var lifetimeNanoseconds: UInt64?

    public init() {}

    /// Whether it ends without an operator.
    public var endsByItself: Bool { once || lifetimeNanoseconds != nil }
  }

  /// The key `direction` of a port forward.
  public enum Direction: String, Sendable, CaseIterable {
    case both
    /// From the outside alone: what the inside host begins has another binding.
    case inbound
  }

  /// The key `remote` of a port forward: an address, an address and a port, or a network.
  public struct Remote: Sendable, Hashable, CustomStringConvertible {
    public var network: IPv4Network
    /// Any where nil.
    public var port: UInt16?

    public init(_ network: IPv4Network, port: UInt16? = nil) {
      self.network = network
      self.port = port
    }

    /// As in the file.
    public var description: String {
      if let port { return "\(network.address):\(port)" }
      return network.prefixLength == 32 ? "\(network.address)" : "\(network)"
    }
  }
}

extension Configuration.StaticMapping {
  /// What a port forward takes; of a 1:1 mapping everything.
  public var terms: Configuration.ForwardTerms {
    switch self {
    case .portForward(_, _, _, let terms): terms
    case .oneToOne: Configuration.ForwardTerms()
    }
  }

  /// The same where `host` stands for an address.
  public func onMachine(_ address: IPv4Address) -> Configuration.StaticMapping {
    guard case .portForward(let transport, var outer, let inner, let terms) = self, outer.address == .machine
    else { return self }
    outer.address = address
    return .portForward(transport, publicEndpoint: outer, privateEndpoint: inner, terms: terms)
  }

  /// The keys of the entry but `protocol`, `public` and `private`, and their values; those that say nothing new left out.
  public var termSettings: [(key: String, value: String)] {
    var settings: [(key: String, value: String)] = []
    if terms.direction != .both { settings.append(("direction", terms.direction.rawValue)) }
    if let remote = terms.remote { settings.append(("remote", remote.description)) }
    if terms.once { settings.append(("once", "true")) }
    if let lifetime = terms.lifetimeNanoseconds { settings.append(("lifetime", lifetime.durationText)) }
    return settings
  }

  /// The entry as in the file.
  public var entry: [String: String] {
    Dictionary(
      [("protocol", protocolText), ("public", publicText), ("private", privateText)]
        + termSettings.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  /// The word of the file: `tcp`, `udp`, `icmp` or `all`.
  public var protocolText: String {
    switch self {
    case .portForward(let transport, _, _, _): transport.text
    case .oneToOne: "all"
    }
  }

  /// As in the file: `address:port`, or the address alone.
  public var publicText: String {
    switch self {
    case .portForward(_, let endpoint, _, _):
      endpoint.address == .machine ? "host:\(endpoint.port)" : "\(endpoint)"
    case .oneToOne(let address, _): address.description
    }
  }

  /// As in the file: `address:port`, or the address alone.
  public var privateText: String {
    switch self {
    case .portForward(_, _, let endpoint, _): endpoint.description
    case .oneToOne(_, let address): address.description
    }
  }
}

extension TransportProtocol {
  /// The word of the file.
  var text: String {
    switch self {
    case .icmp: "icmp"
    case .tcp: "tcp"
    case .udp: "udp"
    }
  }
}
