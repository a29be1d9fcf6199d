public import NATWire

extension Configuration {
  /// An entry of `static`: a binding written by the operator.
  public enum StaticMapping: Sendable, Hashable {
    /// A public port, or an ICMP query identifier, leads to a private one.
    case portForward(TransportProtocol, publicEndpoint: Endpoint, privateEndpoint: Endpoint)
    /// `protocol: all`: the whole public address is the private address, with any protocol.
    case oneToOne(publicAddress: IPv4Address, privateAddress: IPv4Address)

    public var publicAddress: IPv4Address {
      switch self {
      case .portForward(_, let endpoint, _): endpoint.address
      case .oneToOne(let address, _): address
      }
    }

    public var privateAddress: IPv4Address {
      switch self {
      case .portForward(_, _, let endpoint): endpoint.address
      case .oneToOne(_, let address): address
      }
    }
  }
}

extension Configuration.StaticMapping {
  /// The word of the file: `tcp`, `udp`, `icmp` or `all`.
  public var protocolText: String {
    switch self {
    case .portForward(let transport, _, _): transport.text
    case .oneToOne: "all"
    }
  }

  /// As in the file: `address:port`, or the address alone.
  public var publicText: String {
    switch self {
    case .portForward(_, let endpoint, _): endpoint.description
    case .oneToOne(let address, _): address.description
    }
  }

  /// As in the file: `address:port`, or the address alone.
  public var privateText: String {
    switch self {
    case .portForward(_, _, let endpoint): endpoint.description
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
