public import NATControl
import NATWire

extension EndpointPattern: CustomStringConvertible {
  /// Reads an address, a prefix or `address:port`. Bits after the prefix are cleared.
  public init?(_ text: String) {
    if let endpoint = Endpoint(text) {
      self.init(network: endpoint.address.rawValue, port: endpoint.port)
    } else if let network = IPv4Network(text) {
      self.init(network: network.address.rawValue, prefixLength: Int(network.prefixLength))
    } else {
      return nil
    }
  }

  /// The network's address in dotted decimal.
  public var address: String { IPv4Address(network).description }

  public var description: String {
    if let port { return "\(address):\(port)" }
    return prefixLength == 32 ? "\(address)" : "\(address)/\(prefixLength)"
  }
}
