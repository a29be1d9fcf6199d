/// How often a request was made on the control socket.
public struct ControlRequestCount: Hashable, Sendable {
  /// Method and path of a request, or `other` for requests that do not exist.
  public var route: String
  /// `2xx`, `4xx` or `5xx`.
  public var statusClass: String
  public var count: UInt64

  public init(route: String, statusClass: String, count: UInt64) {
    self.route = route
    self.statusClass = statusClass
    self.count = count
  }
}

/// The counters in the text format of Prometheus.
///
/// Every label has a bounded set of values: sides, protocols, states, drop reasons, pool addresses, workers
/// and requests. No text from a packet or a client becomes a label.
public enum MetricsText {
  /// - Complexity: O(pool addresses + drop reasons).
  public static func render(
    status: StatusDocument, stats: StatsDocument, sessions: [SessionCount], requests: [ControlRequestCount]
  ) -> String {
    var text = Exposition()
    text.family("portico_build_info", .gauge, "The version that runs; always 1.")
    text.sample([("version", status.version)], "1")
    text.family("portico_uptime_seconds", .gauge, "Time since the start.", "\(status.uptime)")
    text.family(
      "portico_degraded", .gauge, "Reasons for which the gateway does less than it should.",
      "\(status.degraded.count)")
    sides(status, stats, &text)
    text.family("portico_dropped_packets_total", .counter, "Packets dropped, by reason.")
    for drop in stats.drops.counters { text.sample([("reason", drop.name)], "\(drop.count)") }
    table(stats, sessions, &text)
    pool(stats, &text)
    workers(status, &text)
    text.family("portico_control_requests_total", .counter, "Requests of control socket and metrics.")
    for request in requests {
      text.sample([("route", request.route), ("status", request.statusClass)], "\(request.count)")
    }
    return text.text
  }

  private static func sides(_ status: StatusDocument, _ stats: StatsDocument, _ text: inout Exposition) {
    let sides = [("inside", stats.inside), ("outside", stats.outside)]
    func counter(_ name: String, _ help: String, _ value: (StatsDocument.SideStats) -> UInt64) {
      text.family(name, .counter, help)
      for (side, counters) in sides { text.sample([("side", side)], "\(value(counters))") }
    }
    counter("portico_received_packets_total", "Frames received.", \.packetsReceived)
    counter("portico_received_bytes_total", "Bytes of the frames received.", \.bytesReceived)
    counter("portico_sent_packets_total", "Frames sent.", \.packetsSent)
    counter("portico_sent_bytes_total", "Bytes of the frames sent.", \.bytesSent)
    counter(
      "portico_capture_dropped_packets_total", "Frames that the capture lost before the gateway saw them.",
      \.captureDropped)
    text.family("portico_interface_up", .gauge, "Whether the interface is there and has a carrier.")
    for (side, interface) in [("inside", status.interfaces.inside), ("outside", status.interfaces.outside)] {
      text.sample([("side", side)], interface.link == "up" ? "1" : "0")
    }
  }

  private static func table(_ stats: StatsDocument, _ sessions: [SessionCount], _ text: inout Exposition) {
    text.family("portico_bindings", .gauge, "Bindings in the table, statics included.", "\(stats.bindings)")
    text.family("portico_sessions", .gauge, "Sessions in the table.")
    // Every pair always has a sample: a series that comes and goes breaks rates and alerts.
    for transport in TransportName.allCases {
      for state in SessionDocument.State.allCases where (state == .active) == (transport != .tcp) {
        let count = sessions.first { $0.transport == transport && $0.state == state }?.count ?? 0
        text.sample([("protocol", transport.rawValue), ("state", state.rawValue)], "\(count)")
      }
    }
    func counter(_ name: String, _ help: String, _ count: UInt64) {
      text.family(name, .counter, help, "\(count)")
    }
    let events = stats.events
    counter("portico_bindings_created_total", "Bindings made.", events.bindingsCreated)
    counter("portico_sessions_created_total", "Sessions made.", events.sessionsCreated)
    counter(
      "portico_sessions_expired_total", "Sessions that ended, for whatever reason.", events.sessionsExpired)
    counter("portico_hairpins_total", "Packets from inside to inside by a public endpoint.", events.hairpins)
    counter(
      "portico_icmp_errors_suppressed_total", "ICMP errors not sent because their budget was spent.",
      events.icmpErrorsSuppressed)
    counter(
      "portico_left_to_kernel_total", "Packets for the machine itself, left to its kernel.",
      events.leftToKernel)
  }

  private static func pool(_ stats: StatsDocument, _ text: inout Exposition) {
    func gauge(_ name: String, _ help: String, _ value: (StatsDocument.PoolStats) -> Int) {
      text.family(name, .gauge, help)
      for pool in stats.pool {
        text.sample([("address", pool.address), ("protocol", pool.transport.rawValue)], "\(value(pool))")
      }
    }
    gauge("portico_pool_ports", "Ports of a pool address.", \.ports)
    gauge("portico_pool_ports_in_use", "Ports that bindings have.", \.inUse)
    gauge("portico_pool_ports_resting", "Ports that no other host gets yet.", \.resting)
  }

  private static func workers(_ status: StatusDocument, _ text: inout Exposition) {
    func family(
      _ name: String, _ kind: Exposition.Kind, _ help: String, _ value: (StatusDocument.Worker) -> String
    ) {
      text.family(name, kind, help)
      for worker in status.workers { text.sample([("worker", "\(worker.number)")], value(worker)) }
    }
    family("portico_worker_busy_seconds_total", .counter, "Time that a worker worked; the rest it slept.") {
      "\(Seconds(nanoseconds: $0.busyNanoseconds))"
    }
    family("portico_worker_rounds_total", .counter, "Rounds: both sides received, worked on and sent.") {
      "\($0.rounds)"
    }
    family("portico_worker_longest_round_seconds", .gauge, "The longest round since the start.") {
      "\(Seconds(nanoseconds: $0.longestRoundNanoseconds))"
    }
  }
}

/// Writes the lines of the format.
private struct Exposition {
  enum Kind: String { case counter, gauge }

  var text = ""
  private var name = ""

  mutating func family(_ name: String, _ kind: Kind, _ help: String) {
    self.name = name
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  /// A family with one sample, without labels.
  mutating func family(_ name: String, _ kind: Kind, _ help: String, _ value: String) {
    family(name, kind, help)
    sample([], value)
  }

  mutating func sample(_ labels: [(name: String, value: String)], _ value: String) {
    let list = labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ",")
    text += "\(name)\(list.isEmpty ? "" : "{\(list)}") \(value)\n"
  }

  /// Escapes backslashes, quotes and line feeds, as the format requires in label values.
  private func escaped(_ value: String) -> String {
    var escaped = ""
    for character in value {
      switch character {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
