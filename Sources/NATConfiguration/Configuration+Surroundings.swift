public import NATWire

extension Configuration {
  /// The key `capture`.
  public struct Capture: Sendable, Equatable {
    public var delivery = Delivery.immediate
    /// Of each interface.
    public var ringBytes: UInt64 = 64 << 20
    /// In bytes. The default holds the largest IPv4 packet with an Ethernet header and a VLAN tag.
    public var snapLength = 65_553
  }

  /// When the kernel delivers frames.
  public enum Delivery: String, Sendable, CaseIterable {
    /// One by one, at once (TPACKET_V2).
    case immediate
    /// In blocks, after a millisecond at most (TPACKET_V3).
    case blocks
  }

  /// The key `control`: the Unix socket of the control API.
  public struct Control: Sendable, Equatable {
    /// The path, 1 to 107 bytes.
    public var socket = "/run/portico/control.sock"
    /// The permission bits, at most `0o777`.
    public var mode: UInt32 = 0o660
    /// By name or number.
    public var group = "portico"

    public init() {}
  }

  /// The key `metrics`.
  public struct Metrics: Sendable, Equatable {
    /// Nil for `off`.
    public var listen: Endpoint?

    public init() {}
  }

  /// The key `state`: a file from which a restarted daemon restores bindings, sessions and ports in hold-down.
  public struct State: Sendable, Equatable {
    /// Nil for `off`.
    public var file: String?
    public var intervalNanoseconds: UInt64 = 60 * nanosecondsPerSecond

    public init() {}
  }

  /// The key `record`: the flight recorder.
  public struct Record: Sendable, Equatable {
    /// Whether it records from the start.
    public var isActive = false
    public var content = RecordContent.packets
    public var windowNanoseconds: UInt64 = 60 * nanosecondsPerSecond
    public var memoryBytes: UInt64 = 96 << 20
  }

  /// What the flight recorder keeps of a packet.
  public enum RecordContent: String, Sendable, CaseIterable {
    /// The whole packet, for replay.
    case packets
    /// Its headers, for reading.
    case headers
  }

  /// The key `log`.
  public struct Log: Sendable, Equatable {
    public var level = LogLevel.info
  }

  /// The least severe level that is logged.
  public enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
  }

  @SettingsBuilder<Configuration> static var daemonSettings: [Setting<Configuration>] {
    Setting("workers", \.workers, .number(1...64), .restart)
      .about("Worker threads. One runs today, whatever the number.")
    Setting("capture.delivery", \.capture.delivery, .word, .restart)
      .about("Frames arrive `immediate`, for round trips of 0.1 ms, or in `blocks`, cheaper and 1 ms later.")
    Setting("capture.ring", \.capture.ringBytes, .size(from: "1MiB", to: "1GiB", such: "64MiB"), .restart)
      .about("The capture ring of each interface. The kernel takes up to twice as much memory.")
    Setting("capture.snap-length", \.capture.snapLength, .number(128...65_553), .restart)
      .about("Bytes kept of a frame. A frame that is cut is not forwarded.")
    Setting("control.socket", \.control.socket, .socketPath, .restart)
      .about("The Unix socket of the control API.")
    Setting("control.mode", \.control.mode, .mode, .restart).about("The permissions of the socket.")
    Setting("control.group", \.control.group, .group, .restart).about("The group that owns the socket.")
    Setting("metrics.listen", \.metrics.listen, .listen, .restart)
      .about("The address and port of the Prometheus metrics, such as 127.0.0.1:9477.")
    Setting("state.file", \.state.file, .filePath, .restart)
      .about("The file in which sessions outlive the daemon, such as /var/lib/portico/state.")
    Setting(
      "state.interval", \.state.intervalNanoseconds, .duration(from: "1s", to: "1d", such: "60s or 5m"),
      .restart
    ).about("The time between two snapshots.")
    Setting("record.active", \.record.isActive, .onOrOff, .restart)
      .about("Whether the flight recorder runs from the start.")
    Setting("record.content", \.record.content, .word, .restart)
      .about("What it keeps: `packets`, which can be replayed, or `headers`.")
    Setting(
      "record.window", \.record.windowNanoseconds, .duration(from: "2s", to: "1h", such: "60s or 5m"),
      .restart
    ).about("How far back it goes, if the memory holds as much.")
    Setting("record.memory", \.record.memoryBytes, .size(from: "3MiB", to: "4GiB", such: "96MiB"), .restart)
      .about("Its memory for packets.")
    Setting("guard", \.kernelGuard, .onOrOff, .restart)
      .about("Kernel rules that keep the kernel from answering and forwarding what Portico handles.")
    Setting("log.level", \.log.level, .word, .applied(by: .log))
      .about("The least severe level that is logged, from `trace`, `debug`, `info` to `critical`.")
  }
}
