/// Selects entries of the table. An empty filter matches all.
public struct TableFilter: Hashable, Sendable {
  public var transport: TransportName?
  public var privateEndpoint: EndpointPattern?
  public var publicEndpoint: EndpointPattern?
  public var remote: EndpointPattern?
  public var state: SessionDocument.State?
  public var kind: BindingDocument.Kind?

  public init() {}

  public var isEmpty: Bool { self == TableFilter() }
}

/// A network with or without a port: `192.168.1.2`, `192.168.1.0/24` or `192.168.1.2:1234`.
public struct EndpointPattern: Hashable, Sendable {
  /// In host byte order, without bits after the prefix.
  public var network: UInt32
  /// 0 to 32.
  public var prefixLength: Int
  public var port: UInt16?

  public init(network: UInt32, prefixLength: Int = 32, port: UInt16? = nil) {
    self.network = network
    self.prefixLength = prefixLength
    self.port = port
  }

  /// - Parameter address: in host byte order.
  public func matches(_ address: UInt32, port: UInt16) -> Bool {
    let mask = prefixLength == 0 ? 0 : UInt32.max << UInt32(32 - prefixLength)
    return address & mask == network && (self.port ?? port) == port
  }
}
