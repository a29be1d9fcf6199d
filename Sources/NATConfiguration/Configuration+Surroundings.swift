public import NATWire

extension Configuration {
  /// The key `capture`: how frames come from both interfaces.
  public struct Capture: Sendable, Equatable {
    public var delivery = Delivery.immediate
    /// The ring of each interface in bytes, 1 MiB to 1 GiB.
    public var ringBytes: UInt64 = 64 << 20
    /// Bytes kept of a frame, 128 to 65553: by default those of the largest IPv4 packet behind an Ethernet
    /// header and a VLAN tag.
    public var snapLength = 65_553

    public init() {}
  }

  /// When the kernel hands frames over.
  public enum Delivery: String, Sendable, CaseIterable {
    /// One by one, at once.
    case immediate
    /// In blocks, after a millisecond at most.
    case blocks
  }

  /// The key `control`: the Unix socket of the control API.
  public struct Control: Sendable, Equatable {
    /// The path of the socket, 1 to 107 bytes.
    public var socket = "/run/portico/control.sock"
    /// The permission bits of the socket, at most `0o777`.
    public var mode: UInt32 = 0o660
    /// The group that owns the socket, by name or number.
    public var group = "portico"

    public init() {}
  }

  /// The key `metrics`.
  public struct Metrics: Sendable, Equatable {
    /// Where Prometheus text is served over HTTP; `nil` is off.
    public var listen: Endpoint?

    public init() {}
  }

  /// The key `state`: where bindings, sessions and resting ports outlive the process.
  public struct State: Sendable, Equatable {
    /// The path of the snapshot; `nil` is off.
    public var file: String?
    /// Between two snapshots, 1 s to a day.
    public var intervalNanoseconds: UInt64 = 60 * nanosecondsPerSecond

    public init() {}
  }

  /// The key `record`: the flight recorder.
  public struct Record: Sendable, Equatable {
    /// Whether it records from the start.
    public var isActive = false
    public var content = RecordContent.packets
    /// How far back it goes at least, where the memory holds as much; 2 s to an hour.
    public var windowNanoseconds: UInt64 = 60 * nanosecondsPerSecond
    /// For packets, in bytes, 3 MiB to 4 GiB.
    public var memoryBytes: UInt64 = 96 << 20

    public init() {}
  }

  /// What is kept of a packet.
  public enum RecordContent: String, Sendable, CaseIterable {
    /// All of it: what can be replayed.
    case packets
    /// Its headers, to be read.
    case headers
  }

  /// The key `log`.
  public struct Log: Sendable, Equatable {
    public var level = LogLevel.info

    public init() {}
  }

  /// The least severe level that is logged.
  public enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
  }
}
