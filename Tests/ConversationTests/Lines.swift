import NATControl
import ReferenceNAT
import TestSupport

/// The table as lines in its own order.
func lines(of table: TableDocument) -> [String] {
  table.bindings.flatMap { binding in
    [
      "\(binding.transport.rawValue) \(binding.kind.rawValue)"
        + " \(text(binding.privateEndpoint)) \(text(binding.publicEndpoint)) age \(binding.age.nanoseconds)"
    ]
      + binding.sessions.map {
        "  \(text($0.remote)) \($0.state.rawValue) idle \($0.idle.nanoseconds) expires \($0.expiresIn.nanoseconds)"
          + " out \($0.packetsOut)/\($0.bytesOut) in \($0.packetsIn)/\($0.bytesIn) hairpin \($0.hairpin)"
      }
  }
}

private func text(_ endpoint: EndpointDocument) -> String { "\(endpoint.address):\(endpoint.port)" }

/// The same of the reference's table.
func lines(of table: [ReferenceBinding]) -> [String] {
  table.flatMap { binding in
    [
      "\(binding.flow.rawValue) \(binding.kind.rawValue) \(binding.privateEnd) \(binding.publicEnd) age \(binding.age)"
    ]
      + binding.sessions.map {
        "  \($0.remote) \($0.state.rawValue) idle \($0.idle) expires \($0.expiresIn)"
          + " out \($0.packetsOut)/\($0.bytesOut) in \($0.packetsIn)/\($0.bytesIn) hairpin \($0.hairpin)"
      }
  }
}

/// The counters as lines; drops that are zero are left out.
func lines(of stats: StatsDocument) -> [String] {
  [
    "uptime \(stats.uptime.nanoseconds) bindings \(stats.bindings) sessions \(stats.sessions)",
    line("inside", stats.inside), line("outside", stats.outside),
    "created \(stats.events.bindingsCreated) bindings \(stats.events.sessionsCreated) sessions,"
      + " expired \(stats.events.sessionsExpired), hairpins \(stats.events.hairpins),"
      + " suppressed \(stats.events.icmpErrorsSuppressed)",
  ]
    + stats.pool.map {
      "pool \($0.address) \($0.transport.rawValue) \($0.ports) in use \($0.inUse) resting \($0.resting)"
    }.sorted() + stats.drops.counters.filter { $0.count > 0 }.map { "drop \($0.name) \($0.count)" }.sorted()
}

private func line(_ name: String, _ side: StatsDocument.SideStats) -> String {
  "\(name) \(side.packetsReceived)/\(side.bytesReceived) received \(side.packetsSent)/\(side.bytesSent) sent"
    + " \(side.captureDropped) lost"
}

/// The same of the reference's counters.
func lines(of stats: ReferenceStats) -> [String] {
  [
    "uptime \(stats.uptimeNanoseconds) bindings \(stats.bindings) sessions \(stats.sessions)",
    line("inside", stats.inside), line("outside", stats.outside),
    "created \(stats.events.bindingsCreated) bindings \(stats.events.sessionsCreated) sessions,"
      + " expired \(stats.events.sessionsExpired), hairpins \(stats.events.hairpins),"
      + " suppressed \(stats.events.icmpErrorsSuppressed)",
  ]
    + stats.pool.map {
      "pool \($0.address) \($0.flow.rawValue) \($0.ports) in use \($0.inUse) resting \($0.resting)"
    }.sorted() + stats.drops.filter { $0.value > 0 }.map { "drop \($0.key) \($0.value)" }.sorted()
}

private func line(_ name: String, _ side: ReferenceStats.Interface) -> String {
  "\(name) \(side.packetsReceived)/\(side.bytesReceived) received \(side.packetsSent)/\(side.bytesSent) sent"
    + " \(side.captureDropped) lost"
}
