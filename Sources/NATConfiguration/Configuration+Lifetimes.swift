public import NATWire

let nanosecondsPerSecond: UInt64 = 1_000_000_000

extension Configuration {
  /// The key `lifetimes`: how long a session lives after the last packet that refreshes it, in nanoseconds.
  /// Whole seconds, 1 s to 365 days.
  public struct Lifetimes: Sendable, Equatable {
    public var udpNanoseconds: UInt64 = 300 * nanosecondsPerSecond
    public var tcpEstablishedNanoseconds: UInt64 = 7440 * nanosecondsPerSecond
    public var tcpHalfClosedNanoseconds: UInt64 = 7440 * nanosecondsPerSecond
    public var tcpTransitoryNanoseconds: UInt64 = 240 * nanosecondsPerSecond
    public var icmpNanoseconds: UInt64 = 60 * nanosecondsPerSecond
    public var fragmentNanoseconds: UInt64 = 30 * nanosecondsPerSecond
    /// Sorted by protocol, then port. Each pair occurs once.
    public var ports: [PortLifetime] = []

    public init() {}
  }

  @SettingsBuilder<Configuration> static var lifetimeSettings: [Setting<Configuration>] {
    Setting("nat.lifetimes.udp", \.nat.lifetimes.udpNanoseconds, .lifetime, .live)
      .about("A UDP session without packets lives this long (RFC 4787 REQ-5).")
    Setting("nat.lifetimes.tcp-established", \.nat.lifetimes.tcpEstablishedNanoseconds, .lifetime, .live)
      .about("An established TCP connection without packets lives this long (RFC 5382 REQ-5).")
    Setting("nat.lifetimes.tcp-half-closed", \.nat.lifetimes.tcpHalfClosedNanoseconds, .lifetime, .live)
      .about(
        "A TCP connection that one side has closed lives this long without packets, and not longer than an established one."
      )
    Setting("nat.lifetimes.tcp-transitory", \.nat.lifetimes.tcpTransitoryNanoseconds, .lifetime, .live)
      .about("A TCP connection that is being opened or closed lives this long (RFC 5382 REQ-5).")
    Setting("nat.lifetimes.icmp", \.nat.lifetimes.icmpNanoseconds, .lifetime, .live)
      .about("An ICMP query session without packets lives this long (RFC 5508 REQ-2).")
    Setting("nat.lifetimes.fragment", \.nat.lifetimes.fragmentNanoseconds, .lifetime, .restart)
      .about("Fragments wait this long for the first one. Their identification stays reserved meanwhile.")
    Setting<Configuration>.portLifetimes
  }

  /// The lifetime of sessions to one destination port, such as `udp/53: 120s`. It replaces `udp` or
  /// `tcp-established`.
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

extension Setting where Root == Configuration {
  /// A mapping whose keys the operator chooses.
  fileprivate static var portLifetimes: Setting {
    let expected = "a mapping such as { udp/53: 120s }"
    return Setting(
      "nat.lifetimes.ports", form: expected, .live,
      samples: ["{ udp/53: 120s, tcp/22: 24h }"],
      read: { configuration, node, reader in
        switch node.content {
        case .nothing, .refused: return
        case .scalar, .list: reader.report.add(node.place, found: node.found, expected: expected)
        case .mapping(let entries):
          configuration.nat.lifetimes.ports = entries.compactMap { entry in
            let key = Form.transportPort.read(entry.key, at: entry.place, report: reader.report)
            let lifetime = Form.lifetime.read(entry.value, report: reader.report)
            guard let key, let lifetime else { return nil }
            return Configuration.PortLifetime(key.value.0, key.value.1, nanoseconds: lifetime.value)
          }.sorted { ($0.transport.rawValue, $0.port) < ($1.transport.rawValue, $1.port) }
        }
      },
      written: { configuration in
        .mapping(
          configuration.nat.lifetimes.ports.map {
            ("\($0.transport.text)/\($0.port)", .value($0.nanoseconds.durationText))
          })
      }
    ).about("Lifetimes of sessions by destination port, for example `{ udp/53: 120s, tcp/22: 24h }`.")
  }
}
