/// Inside hosts, those with the most sessions first.
public struct HostsDocument: Codable, Hashable, Sendable {
  /// An inside host, with its bindings, sessions and traffic.
  public struct Host: Codable, Hashable, Sendable {
    public var address: String
    public var dynamicBindings: Int
    public var staticBindings: Int
    public var sessions: Int
    /// Traffic of the sessions that live now. Bytes are IPv4 total lengths.
    public var packetsOut: UInt64
    public var bytesOut: UInt64
    public var packetsIn: UInt64
    public var bytesIn: UInt64

    public init(
      address: String, dynamicBindings: Int = 0, staticBindings: Int = 0, sessions: Int = 0,
      packetsOut: UInt64 = 0, bytesOut: UInt64 = 0, packetsIn: UInt64 = 0, bytesIn: UInt64 = 0
    ) {
      self.address = address
      self.dynamicBindings = dynamicBindings
      self.staticBindings = staticBindings
      self.sessions = sessions
      self.packetsOut = packetsOut
      self.bytesOut = bytesOut
      self.packetsIn = packetsIn
      self.bytesIn = bytesIn
    }
  }

  public var hosts: [Host]
  /// The number of hosts in the table, listed or not.
  public var total: Int

  /// The limit if none is given.
  public static let mostListed = 1000

  public init(hosts: [Host], total: Int) {
    self.hosts = hosts
    self.total = total
  }
}
