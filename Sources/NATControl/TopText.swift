/// One picture of `portico top`.
public struct TopDocument: Codable, Hashable, Sendable {
  public var status: StatusDocument
  public var stats: StatsDocument
  public var hosts: HostsDocument
}

extension TopDocument {
  /// The picture of a gateway now.
  public init(of gateway: some GatewayOperations) async throws(ControlError) {
    status = try await gateway.status()
    stats = try await gateway.stats()
    hosts = try await gateway.hosts(limit: HostsDocument.mostListed)
  }
}

/// A picture, and the changes since the one before, on one screen.
public enum TopText {
  /// - Parameters:
  ///   - before: the picture before; nil shows totals instead of rates.
  ///   - columns: of the screen. Longer lines are cut.
  ///   - rows: of the screen. Hosts and drops beyond are left out.
  public static func render(
    _ now: TopDocument, since before: TopDocument?, columns: Int, rows: Int, _ paint: Paint = .plain
  ) -> String {
    let rate = Rate(now.stats.uptime, since: before?.stats.uptime)
    var sections = [head(now, before, rate), sides(now.stats, before?.stats, rate)]
    let drops = drops(now.stats, before?.stats, rate)
    // The lists of the pool and the drops are bounded. The hosts get the remaining rows.
    let fixed = sections.reduce(0) { $0 + $1.count + 1 }
    let pool = Array(pool(now.stats).prefix(max(2, (rows - fixed) / 3)))
    let dropped = Array(drops.prefix(max(2, (rows - fixed) / 3)))
    let room = rows - fixed - pool.count - dropped.count - 2
    sections += [pool, Array(hosts(now.hosts, before?.hosts, rate).prefix(max(2, room))), dropped]

    var lines: [String] = []
    for (index, section) in sections.enumerated() where !section.isEmpty {
      if index > 0 { lines.append("") }
      for (number, line) in section.enumerated() {
        let cut = String(line.prefix(columns))
        let isTitle = index > 0 && number == 0
        let isBad = index == 0 && number > 0
        lines.append(isTitle ? paint.title(cut) : isBad ? paint.bad(cut) : cut)
      }
    }
    return lines.prefix(max(1, rows)).joined(separator: "\n") + "\n"
  }

  /// The second line and the following ones give the reasons of `degraded`.
  private static func head(_ now: TopDocument, _ before: TopDocument?, _ rate: Rate) -> [String] {
    let workers = now.status.workers.map { worker in
      let earlier = before?.status.workers.first { $0.number == worker.number }?.busyNanoseconds ?? 0
      return HumanText.percent(
        permille: worker.busyNanoseconds.clamped(minus: earlier) / max(1, rate.nanoseconds / 1000))
    }
    return [
      "portico \(now.status.version)  up \(HumanText.duration(now.stats.uptime))  "
        + "\(HumanText.amount(now.stats.bindings, "binding"))  \(HumanText.amount(now.stats.sessions, "session"))  "
        + "\(HumanText.amount(now.hosts.total, "host"))  busy \(workers.joined(separator: " "))"
    ] + now.status.degraded.map { "degraded: \($0)" }
  }

  private static func sides(_ now: StatsDocument, _ before: StatsDocument?, _ rate: Rate) -> [String] {
    func row(_ name: String, _ side: StatsDocument.SideStats, _ old: StatsDocument.SideStats?) -> [String] {
      [
        name, rate.text(side.packetsReceived, old?.packetsReceived),
        rate.text(side.bytesReceived, old?.bytesReceived), rate.text(side.packetsSent, old?.packetsSent),
        rate.text(side.bytesSent, old?.bytesSent), rate.text(side.captureDropped, old?.captureDropped),
      ]
    }
    return lines(
      ["SIDE", "PACKETS IN", "BYTES IN", "PACKETS OUT", "BYTES OUT", "LOST"].enumerated()
        .map { $0 == 0 ? $1 : $1 + rate.unit },
      [row("inside", now.inside, before?.inside), row("outside", now.outside, before?.outside)])
  }

  private static func pool(_ now: StatsDocument) -> [String] {
    // Those with the fewest free ports first.
    let sorted = now.pool.sorted { $0.inUse * max(1, $1.ports) > $1.inUse * max(1, $0.ports) }
    return lines(StatsText.text(of: sorted))
  }

  private static func hosts(_ now: HostsDocument, _ before: HostsDocument?, _ rate: Rate) -> [String] {
    let old = Dictionary(
      (before?.hosts ?? []).map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
    // By their traffic; without traffic, by their sessions.
    func moved(_ host: HostsDocument.Host) -> UInt64 {
      let earlier = old[host.address]
      return host.bytesOut.clamped(minus: earlier?.bytesOut ?? 0)
        &+ host.bytesIn.clamped(minus: earlier?.bytesIn ?? 0)
    }
    let sorted = now.hosts.map { (moved($0), $0) }.sorted {
      ($1.0, $1.1.sessions, $0.1.address) < ($0.0, $0.1.sessions, $1.1.address)
    }
    return lines(
      ["HOST", "SESSIONS", "BINDINGS", "BYTES OUT" + rate.unit, "BYTES IN" + rate.unit],
      sorted.map { _, host in
        [
          host.address, "\(host.sessions)", "\(host.dynamicBindings + host.staticBindings)",
          rate.text(host.bytesOut, old[host.address]?.bytesOut),
          rate.text(host.bytesIn, old[host.address]?.bytesIn),
        ]
      })
  }

  private static func drops(_ now: StatsDocument, _ before: StatsDocument?, _ rate: Rate) -> [String] {
    let counted = now.drops.counters.filter { $0.count > 0 }
      .map { ($0.count.clamped(minus: before?.drops[$0.name] ?? 0), $0) }
      .sorted { ($1.0, $1.1.count, $0.1.name) < ($0.0, $0.1.count, $1.1.name) }
    guard !counted.isEmpty else { return ["no drops"] }
    return lines(
      ["DROPS", "PACKETS" + rate.unit, "IN ALL"],
      counted.map { [$1.name, rate.text($1.count, before?.drops[$1.name]), HumanText.count($1.count)] })
  }

  private static func lines(_ titles: [String], _ rows: [[String]]) -> [String] {
    lines(TextColumns.text(titles, rows))
  }

  private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }
}

/// Rates: differences of counters for each second.
private struct Rate {
  /// The time between the two pictures; since the start for the first.
  let nanoseconds: UInt64
  private let isRate: Bool

  init(_ now: Seconds, since before: Seconds?) {
    nanoseconds = now.nanoseconds.clamped(minus: before?.nanoseconds ?? 0)
    isRate = before != nil
  }

  var unit: String { isRate ? "/S" : "" }

  /// A counter that was not there before counts from zero.
  func text(_ now: UInt64, _ before: UInt64?) -> String {
    guard isRate else { return HumanText.count(now) }
    let difference = Double(now.clamped(minus: before ?? 0))
    guard nanoseconds > 0 else { return "0" }
    return HumanText.count(UInt64(difference * 1e9 / Double(nanoseconds)))
  }
}

extension UInt64 {
  /// Sums over sessions fall when a session ends, and the daemon starts at zero: no rate is negative.
  fileprivate func clamped(minus other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
