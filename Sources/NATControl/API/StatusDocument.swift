/// The status of the daemon.
public struct StatusDocument: Codable, Hashable, Sendable {
  public struct Interface: Codable, Hashable, Sendable {
    public var name: String
    /// With the prefix length of its network.
    public var address: String
    public var mac: String
    public var mtu: Int
    /// `up`, `down` (no carrier) or `missing`.
    public var link: String

    public init(name: String, address: String, mac: String, mtu: Int, link: String) {
      self.name = name
      self.address = address
      self.mac = mac
      self.mtu = mtu
      self.link = link
    }
  }

  public struct Interfaces: Codable, Hashable, Sendable {
    public var inside: Interface
    public var outside: Interface

    public init(inside: Interface, outside: Interface) {
      self.inside = inside
      self.outside = outside
    }
  }

  public struct Worker: Codable, Hashable, Sendable {
    public var number: Int
    /// Nanoseconds of work since the start. The worker slept for the rest of the time.
    public var busyNanoseconds: UInt64 = 0
    /// The longest round since the start. A round receives from all interfaces, translates and sends.
    public var longestRoundNanoseconds: UInt64 = 0
    /// The longest round in each of the last 60 whole seconds, the latest first; 0 for a second without work.
    public var longestRoundBySecondNanoseconds: [UInt64] = []
    public var rounds: UInt64 = 0
  }

  public var version: String
  public var uptime: Seconds
  public var interfaces: Interfaces
  public var workers: [Worker]
  /// Why the gateway does less than it should; empty if all is well.
  public var degraded: [String]
  /// The result of restoring the state of an earlier daemon; nil if no state is kept.
  public var restored: RestoredDocument?

  public init(
    version: String, uptime: Seconds, interfaces: Interfaces, workers: [Worker], degraded: [String],
    restored: RestoredDocument? = nil
  ) {
    self.version = version
    self.uptime = uptime
    self.interfaces = interfaces
    self.workers = workers
    self.degraded = degraded
    self.restored = restored
  }

  enum CodingKeys: String, CodingKey {
    case version
    case uptime = "uptimeSeconds"
    case interfaces, workers, degraded, restored
  }
}

extension StatusDocument.Worker {
  public init(number: Int) { self.number = number }
}
