public import NATWire

/// 10^9.
let nanosecondsPerSecond: UInt64 = 1_000_000_000

extension Configuration {
  /// The key `lifetimes`: how long a session lives without a packet that restarts its clock. Whole seconds,
  /// 1 s to 365 days, in nanoseconds.
  public struct Lifetimes: Sendable, Equatable {
    public var udpNanoseconds: UInt64 = 300 * nanosecondsPerSecond
    public var tcpEstablishedNanoseconds: UInt64 = 7440 * nanosecondsPerSecond
    public var tcpTransitoryNanoseconds: UInt64 = 240 * nanosecondsPerSecond
    public var icmpNanoseconds: UInt64 = 60 * nanosecondsPerSecond
    /// How long a datagram may wait for its fragments, and its identification is kept apart.
    public var fragmentNanoseconds: UInt64 = 30 * nanosecondsPerSecond
    /// By protocol, then port; each pair once.
    public var ports: [PortLifetime] = []

    public init() {}
  }

  /// The lifetime of sessions to one destination port, such as `udp/53: 120s`. For UDP it stands in for
  /// `udp`, for TCP in for `tcp-established`.
  public struct PortLifetime: Sendable, Equatable {
    /// TCP or UDP.
    public var transport: TransportProtocol
    /// 1 to 65535.
    public var port: UInt16
    public var nanoseconds: UInt64

    public init(_ transport: TransportProtocol, _ port: UInt16, nanoseconds: UInt64) {
      self.transport = transport
      self.port = port
      self.nanoseconds = nanoseconds
    }
  }
}
