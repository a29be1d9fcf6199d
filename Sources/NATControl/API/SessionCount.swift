/// The number of sessions of a protocol in a state.
public struct SessionCount: Codable, Hashable, Sendable {
  public var transport: TransportName
  public var state: SessionDocument.State
  public var count: Int

  enum CodingKeys: String, CodingKey {
    case transport = "protocol"
    case state, count
  }
}
