/// Inside hosts, those with the most sessions first.
public struct HostsDocument: Codable, Hashable, Sendable {
  /// An inside host, with its bindings, sessions and traffic.
  public struct Host: Codable, Hashable, Sendable {
    public var address: String
    public var dynamicBindings = 0
    public var staticBindings = 0
    public var sessions = 0
    /// Traffic of the sessions that live now. Bytes are IPv4 total lengths.
    public var packetsOut: UInt64 = 0
    public var bytesOut: UInt64 = 0
    public var packetsIn: UInt64 = 0
    public var bytesIn: UInt64 = 0
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

extension HostsDocument.Host {
  public init(address: String) { self.address = address }
}
