/// The counters of the gateway.
public struct StatsDocument: Codable, Hashable, Sendable {
  public var uptime: Seconds
  /// Entries of the table, statics included.
  public var bindings = 0
  public var sessions = 0
  public var inside = SideStats()
  public var outside = SideStats()
  public var pool: [PoolStats] = []
  /// Every reason, zero or not.
  public var drops = CounterList()
  public var events = EventStats()

  enum CodingKeys: String, CodingKey {
    case uptime = "uptimeSeconds"
    case bindings, sessions, inside, outside, pool, drops, events
  }
}

extension StatsDocument {
  public init(uptime: Seconds) { self.uptime = uptime }

  /// One interface. Bytes are frame lengths.
  public struct SideStats: Codable, Hashable, Sendable {
    public var packetsReceived: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    public var packetsSent: UInt64 = 0
    public var bytesSent: UInt64 = 0
    /// Packets that the capture lost before the gateway saw them.
    public var captureDropped: UInt64 = 0

    public init() {}
  }

  /// The ports of one pool address for one protocol.
  public struct PoolStats: Codable, Hashable, Sendable {
    public var address: String
    public var transport: TransportName
    public var ports: Int
    public var inUse: Int
    public var resting: Int

    public init(address: String, transport: TransportName, ports: Int, inUse: Int, resting: Int) {
      self.address = address
      self.transport = transport
      self.ports = ports
      self.inUse = inUse
      self.resting = resting
    }

    enum CodingKeys: String, CodingKey {
      case address
      case transport = "protocol"
      case ports, inUse, resting
    }
  }

  public struct EventStats: Codable, Hashable, Sendable {
    public var bindingsCreated: UInt64 = 0
    public var sessionsCreated: UInt64 = 0
    public var sessionsExpired: UInt64 = 0
    public var hairpins: UInt64 = 0
    public var icmpErrorsSuppressed: UInt64 = 0
    /// Packets for the machine itself, left to its kernel.
    public var leftToKernel: UInt64 = 0

    public init() {}
  }
}

/// Named counters in a given order. In JSON they are an object. Read back they are sorted by name, because a
/// decoder does not keep the order of keys.
public struct CounterList: Hashable, Sendable {
  public struct Counter: Hashable, Sendable {
    public var name: String
    public var count: UInt64

    public init(name: String, count: UInt64) {
      self.name = name
      self.count = count
    }
  }

  public var counters: [Counter]

  public init(_ counters: [Counter] = []) { self.counters = counters }

  /// The first counter of that name; 0 if there is none.
  /// - Complexity: O(counters).
  public subscript(name: String) -> UInt64 { counters.first { $0.name == name }?.count ?? 0 }
}

extension CounterList: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, UInt64)...) {
    self.init(elements.map { Counter(name: $0, count: $1) })
  }
}

extension CounterList: Codable {
  public init(from decoder: any Decoder) throws {
    self.init(
      try [String: UInt64](from: decoder).sorted { $0.key < $1.key }.map { Counter(name: $0, count: $1) })
  }

  public func encode(to encoder: any Encoder) throws {
    try Dictionary(counters.map { ($0.name, $0.count) }, uniquingKeysWith: { $1 }).encode(to: encoder)
  }
}
