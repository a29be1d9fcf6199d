/// The counters as text.
public enum StatsText {
  public static func render(_ stats: StatsDocument) -> String {
    var sections = [
      "up \(HumanText.duration(stats.uptime)), \(HumanText.amount(stats.bindings, "binding")), "
        + "\(HumanText.amount(stats.sessions, "session"))\n",
      TextColumns.text(
        ["SIDE", "RECEIVED", "SENT", "LOST BY CAPTURE"],
        [row("inside", stats.inside), row("outside", stats.outside)]),
    ]
    if !stats.pool.isEmpty { sections.append(text(of: stats.pool)) }
    // Without drops the text says so: an empty list could be taken for a missing one.
    let drops = stats.drops.counters.filter { $0.count > 0 }.map { [$0.name, "\($0.count)"] }
    sections.append(drops.isEmpty ? "no drops\n" : TextColumns.text(["DROPS", "PACKETS"], drops))
    sections.append(
      TextColumns.text(["EVENTS", "COUNT"], stats.events.named.map { name, count in [name, "\(count)"] }))
    return sections.joined(separator: "\n")
  }

  private static func row(_ name: String, _ side: StatsDocument.SideStats) -> [String] {
    [
      name, HumanText.traffic(packets: side.packetsReceived, bytes: side.bytesReceived),
      HumanText.traffic(packets: side.packetsSent, bytes: side.bytesSent), "\(side.captureDropped)",
    ]
  }

  static func text(of pool: [StatsDocument.PoolStats]) -> String {
    TextColumns.text(
      ["POOL", "PROTO", "PORTS", "IN USE", "RESTING", "USED"],
      pool.map {
        [
          $0.address, $0.transport.rawValue, "\($0.ports)", "\($0.inUse)", "\($0.resting)",
          HumanText.percent(permille: $0.ports == 0 ? 0 : $0.inUse * 1000 / $0.ports),
        ]
      })
  }
}
