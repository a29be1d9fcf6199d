/// The number of sessions of a protocol in a state.
public struct SessionCount: Codable, Hashable, Sendable {
  public var transport: TransportName
  public var state: SessionDocument.State
  public var count: Int

  public init(transport: TransportName, state: SessionDocument.State, count: Int) {
    self.transport = transport
    self.state = state
    self.count = count
  }

  enum CodingKeys: String, CodingKey {
    case transport = "protocol"
    case state, count
  }
}
