extension Configuration {
  // What a table can hold at most.

  public static let mostPoolAddresses = 1024
  /// Entries of `static`.
  public static let mostStatics = 262_144

  /// The key `limits`; every number is 1 to ``largest``.
  public struct Limits: Sendable, Equatable {
    public static let largest = 67_108_864

    public var bindings = 262_144
    public var sessions = 1_048_576
    public var perHost = PerHost()

    public init() {}
  }

  /// The key `limits.per-host`, for each inside host; every number is 1 to 2147483647.
  public struct PerHost: Sendable, Equatable {
    public var ports = 16_384
    public var sessions = 65_536
    /// The key `sessions-per-second`: new ones, 1 to 100000; any number where nil.
    public var sessionsPerSecond: Int?

    public init() {}
  }

  /// The key `tcp`.
  public struct TCP: Sendable, Equatable {
    /// Pick up connections whose beginning was not seen, from the inside.
    public var loose = false
    public var windowTracking = false
    public var afterReset = AfterReset.established
    /// The key `mss-clamp`.
    public var mssClamp = MSSClamp.auto

    public init() {}
  }

  /// Where data after a RST leads (RFC 6146 section 3.5.2.2).
  public enum AfterReset: String, Sendable, CaseIterable {
    case established, transitory
  }

  /// The largest MSS option that passes.
  public enum MSSClamp: Sendable, Equatable {
    /// The smaller MTU of the two sides less 40.
    case auto
    case off
    /// Bytes, 88 to 65495.
    case limit(UInt16)
  }

  /// The key `fragments`: what may wait for first fragments.
  public struct Fragments: Sendable, Equatable {
    /// 1 to 1048576: each may need 8 KiB beside what waits.
    public var datagrams = 4096
    /// The key `memory`: IPv4 total lengths, 64 KiB to 512 MiB.
    public var memoryBytes: UInt64 = 8 << 20

    public init() {}
  }
}
