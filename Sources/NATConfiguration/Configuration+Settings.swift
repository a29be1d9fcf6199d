import NATWire

extension Configuration {
  /// One setting as text, for the control API: what is in force, and what a reload changed.
  public struct Setting: Sendable, Equatable {
    /// The path in the file. Entries of lists stand by what makes them single:
    /// `routes[10.9.0.0/24].via`, `nat.pool[192.0.2.1].ports`, `static[tcp 192.0.2.1:8080].private`.
    public let name: String
    /// As the file would have it; `off` where there is none.
    public let value: String
  }

  /// A setting that differs; `nil` where one of the two configurations has no such setting.
  public struct Change: Sendable, Equatable {
    public let setting: String
    public let before: String?
    public let after: String?
  }

  /// Every setting, defaults included, in the order of the file.
  public var settings: [Setting] {
    interfaceSettings + natSettings + lifetimeSettings + limitSettings
      + statics.flatMap { mapping in
        let path = "static[\(mapping.protocolText) \(mapping.publicText)]"
        return [Setting(name: "\(path).private", value: mapping.privateText)]
          + mapping.termSettings.map { Setting(name: "\(path).\($0.key)", value: $0.value) }
      } + surroundingSettings
  }

  /// What a change from this configuration to another alters, in the order of the settings; those that
  /// vanish come last.
  /// - Complexity: O(n) in the number of settings.
  public func changes(to other: Configuration) -> [Change] {
    let before = Dictionary(
      settings.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    let after = Set(other.settings.map(\.name))
    return other.settings.filter { before[$0.name] != $0.value }.map {
      Change(setting: $0.name, before: before[$0.name], after: $0.value)
    }
      + settings.filter { !after.contains($0.name) }.map {
        Change(setting: $0.name, before: $0.value, after: nil)
      }
  }
}

extension Configuration {
  private var interfaceSettings: [Setting] {
    var settings: [Setting] = []
    for (side, interface) in [("inside", interfaces.inside), ("outside", interfaces.outside)] {
      let path = "interfaces.\(side)"
      settings.append(Setting(name: "\(path).name", value: interface.name))
      settings.append(
        Setting(
          name: "\(path).address",
          value: interface.hasMachineAddress
            ? "host" : "\(interface.address)/\(interface.network.prefixLength)"))
      if let mac = interface.mac { settings.append(Setting(name: "\(path).mac", value: "\(mac)")) }
      if let mtu = interface.mtu { settings.append(Setting(name: "\(path).mtu", value: "\(mtu)")) }
    }
    if let gateway = interfaces.gateway {
      settings.append(Setting(name: "interfaces.outside.gateway", value: "\(gateway)"))
    }
    return settings + routes.map { Setting(name: "routes[\($0.network)].via", value: "\($0.via)") }
  }

  private var natSettings: [Setting] {
    [
      Setting(
        name: "nat.inside-networks", value: nat.insideNetworks.map(\.text).joined(separator: ", ")),
      Setting(name: "nat.exempt", value: nat.exempt.map(\.description).joined(separator: ", ")),
    ] + nat.pool.map { Setting(name: "nat.pool[\($0.address.text)].ports", value: $0.ports.text) } + [
      Setting(name: "nat.port-choice", value: nat.portChoice.rawValue),
      Setting(name: "nat.parity", value: nat.parity.text),
      Setting(name: "nat.port-rest", value: nat.portRestNanoseconds.durationText),
      Setting(name: "nat.pooling", value: nat.pooling.rawValue),
      Setting(name: "nat.filtering.udp", value: nat.filtering.udp.rawValue),
      Setting(name: "nat.filtering.tcp", value: nat.filtering.tcp.rawValue),
      Setting(name: "nat.filtering.icmp", value: nat.filtering.icmp.rawValue),
      Setting(name: "nat.hairpin", value: nat.hairpin.text),
      Setting(name: "nat.inbound-refresh", value: nat.inboundRefresh.text),
    ]
  }

  private var lifetimeSettings: [Setting] {
    let path = "nat.lifetimes"
    return [
      Setting(name: "\(path).udp", value: nat.lifetimes.udpNanoseconds.durationText),
      Setting(name: "\(path).tcp-established", value: nat.lifetimes.tcpEstablishedNanoseconds.durationText),
      Setting(name: "\(path).tcp-transitory", value: nat.lifetimes.tcpTransitoryNanoseconds.durationText),
      Setting(name: "\(path).icmp", value: nat.lifetimes.icmpNanoseconds.durationText),
      Setting(name: "\(path).fragment", value: nat.lifetimes.fragmentNanoseconds.durationText),
    ]
      + nat.lifetimes.ports.map {
        Setting(name: "\(path).ports.\($0.transport.text)/\($0.port)", value: $0.nanoseconds.durationText)
      }
  }

  private var limitSettings: [Setting] {
    [
      Setting(name: "nat.limits.bindings", value: "\(nat.limits.bindings)"),
      Setting(name: "nat.limits.sessions", value: "\(nat.limits.sessions)"),
      Setting(name: "nat.limits.per-host.ports", value: "\(nat.limits.perHost.ports)"),
      Setting(name: "nat.limits.per-host.sessions", value: "\(nat.limits.perHost.sessions)"),
      Setting(
        name: "nat.limits.per-host.sessions-per-second",
        value: nat.limits.perHost.sessionsPerSecond.map { "\($0)" } ?? "off"),
      Setting(name: "nat.exhaustion", value: nat.exhaustion.rawValue),
      Setting(name: "nat.evict", value: nat.evict.rawValue),
      Setting(name: "nat.unsolicited-syn", value: nat.unsolicitedSYN.rawValue),
      Setting(name: "nat.tcp.loose", value: nat.tcp.loose.text),
      Setting(name: "nat.tcp.window-tracking", value: nat.tcp.windowTracking.text),
      Setting(name: "nat.tcp.after-reset", value: nat.tcp.afterReset.rawValue),
      Setting(name: "nat.tcp.mss-clamp", value: nat.tcp.mssClamp.text),
      Setting(name: "nat.fragments.datagrams", value: "\(nat.fragments.datagrams)"),
      Setting(name: "nat.fragments.memory", value: nat.fragments.memoryBytes.sizeText),
      Setting(name: "nat.icmp-errors-per-second", value: "\(nat.icmpErrorsPerSecond)"),
    ]
  }

  private var surroundingSettings: [Setting] {
    let mode = String(control.mode, radix: 8)
    return [
      Setting(name: "workers", value: "\(workers)"),
      Setting(name: "capture.delivery", value: capture.delivery.rawValue),
      Setting(name: "capture.ring", value: capture.ringBytes.sizeText),
      Setting(name: "capture.snap-length", value: "\(capture.snapLength)"),
      Setting(name: "control.socket", value: control.socket),
      Setting(name: "control.mode", value: String(repeating: "0", count: 4 - mode.count) + mode),
      Setting(name: "control.group", value: control.group),
      Setting(name: "metrics.listen", value: metrics.listen?.description ?? "off"),
      Setting(name: "state.file", value: state.file ?? "off"),
      Setting(name: "state.interval", value: state.intervalNanoseconds.durationText),
      Setting(name: "record.active", value: record.isActive ? "on" : "off"),
      Setting(name: "record.content", value: record.content.rawValue),
      Setting(name: "record.window", value: record.windowNanoseconds.durationText),
      Setting(name: "record.memory", value: record.memoryBytes.sizeText),
      Setting(name: "guard", value: kernelGuard ? "on" : "off"),
      Setting(name: "log.level", value: log.level.rawValue),
    ]
  }
}

extension Bool {
  fileprivate var text: String { self ? "true" : "false" }
}

extension UInt64 {
  /// Nanoseconds as in the file.
  var durationText: String { "\(self / nanosecondsPerSecond)s" }

  /// Bytes as in the file, in the largest unit that leaves no rest.
  fileprivate var sizeText: String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] where self % (1 << UInt64(shift)) == 0 {
      return "\(self >> UInt64(shift))\(unit)"
    }
    return "\(self)B"
  }
}

extension Configuration.MSSClamp {
  fileprivate var text: String {
    switch self {
    case .auto: "auto"
    case .off: "off"
    case .limit(let bytes): "\(bytes)"
    }
  }
}
