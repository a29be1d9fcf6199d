extension Configuration {
  /// The most addresses of a pool.
  public static let mostPoolAddresses = 1024
  /// The most entries of `static`.
  public static let mostStatics = 262_144

  /// The key `limits`.
  public struct Limits: Sendable, Equatable {
    public var bindings = 262_144
    public var sessions = 1_048_576
    public var perHost = PerHost()

    public init() {}
  }

  /// The key `limits.per-host`, for each inside host.
  public struct PerHost: Sendable, Equatable {
    public var ports = 16_384
    public var sessions = 65_536
    /// Nil for no limit.
    public var sessionsPerSecond: Int?
  }

  /// The key `tcp`.
  public struct TCP: Sendable, Equatable {
    public var loose = false
    public var windowTracking = false
    public var afterReset = AfterReset.established
    public var mssClamp = MSSClamp.auto
  }

  /// The state of a connection that sends data after a RST (RFC 6146 section 3.5.2.2).
  public enum AfterReset: String, Sendable, CaseIterable {
    case established, transitory
  }

  /// The largest MSS that a SYN may announce.
  public enum MSSClamp: Sendable, Equatable {
    /// The smaller MTU of the two sides less 40 bytes of headers (RFC 9293 section 3.7.1).
    case auto
    case off
    /// Bytes, 88 to 65495.
    case limit(UInt16)
  }

  /// The key `fragments`.
  public struct Fragments: Sendable, Equatable {
    public var datagrams = 4096
    /// In bytes.
    public var memoryBytes: UInt64 = 8 << 20
  }

  @SettingsBuilder<Configuration> static var limitSettings: [Setting<Configuration>] {
    Setting("nat.limits.bindings", \.nat.limits.bindings, .number(1...67_108_864), .live)
      .about("Dynamic bindings of all inside hosts together.")
    Setting("nat.limits.sessions", \.nat.limits.sessions, .number(1...67_108_864), .live)
      .about("Sessions of all inside hosts together.")
    Setting("nat.limits.per-host.ports", \.nat.limits.perHost.ports, .number(1...2_147_483_647), .live)
      .about("Dynamic bindings of one inside host (RFC 6888 REQ-4).")
    Setting("nat.limits.per-host.sessions", \.nat.limits.perHost.sessions, .number(1...2_147_483_647), .live)
      .about("Sessions of one inside host.")
    Setting("nat.limits.per-host.sessions-per-second", \.nat.limits.perHost.sessionsPerSecond, .rate, .live)
      .about("New sessions of one inside host a second, in bursts of one second's worth.")
  }

  @SettingsBuilder<Configuration> static var tcpSettings: [Setting<Configuration>] {
    Setting("nat.tcp.loose", \.nat.tcp.loose, .truth, .live)
      .about("Translate TCP connections from inside whose first packets were not seen.")
    Setting("nat.tcp.window-tracking", \.nat.tcp.windowTracking, .truth, .restart)
      .about("Drop TCP segments whose sequence number is outside the window of their connection.")
    Setting("nat.tcp.after-reset", \.nat.tcp.afterReset, .word, .live)
      .about("The state after data that follows a RST (RFC 6146): `established`, or still `transitory`.")
    Setting("nat.tcp.mss-clamp", \.nat.tcp.mssClamp, .mssClamp, .live)
      .about("The largest MSS that a SYN may announce. `auto` follows the smaller MTU, `off` changes none.")
    Setting("nat.fragments.datagrams", \.nat.fragments.datagrams, .number(1...1_048_576), .restart)
      .about("Datagrams whose fragments may wait for the first one.")
    Setting(
      "nat.fragments.memory", \.nat.fragments.memoryBytes, .size(from: "64KiB", to: "512MiB", such: "8MiB"),
      .restart
    ).about("Memory for fragments that wait.")
  }
}
