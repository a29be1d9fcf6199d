import Foundation
import NATControl
import Testing

/// The alert rules and the dashboard, against the metrics that the daemon serves.
@Suite struct AlertTests {
  private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static func file(_ path: String) throws -> String {
    try String(contentsOf: package.appending(path: path), encoding: .utf8)
  }

  /// Names of metrics in a text.
  private static func names(_ text: String) -> Set<String> {
    Set(text.matches(of: /portico_[a-z_]+/).map { String($0.output) })
  }

  private static func served() async throws -> String {
    let gateway = StandIn()
    return MetricsText.render(
      status: try await gateway.status(), stats: try await gateway.stats(),
      sessions: try await gateway.sessionCounts(),
      requests: [ControlRequestCount(route: "other", statusClass: "4xx", count: 1)])
  }

  private static let alerts = try? file("config/portico.rules.yml").matches(of: /alert: (\w+)/).map {
    String($0.output.1)
  }

  @Test("every metric and drop reason of the alerts and the dashboard is one that the daemon serves")
  func metrics() async throws {
    let served = try await Self.served()
    let families = Set(served.matches(of: #/# TYPE ([a-z_]+) /#).map { String($0.output.1) })
    let page = try Self.file("Sources/portico/portico.docc/DropReasons.md")
    let reasons = Set(page.matches(of: /\| `(\w+)` \|/).map { String($0.output.1) })
    let rules = try Self.file("config/portico.rules.yml")
    let dashboard = try Self.file("config/portico-dashboard.json")
    #expect(Self.names(rules).subtracting(families) == [])
    #expect(Self.names(dashboard).subtracting(families) == [])
    // What is served and shown nowhere would be forgotten.
    #expect(families.subtracting(Self.names(dashboard)) == [])
    let asked = rules.matches(of: /reason=~?"([^"]+)"/).flatMap { $0.output.1.split(separator: "|") }
    #expect(asked.count > 5 && Set(asked.map(String.init)).isSubset(of: reasons), "\(asked)")
    let object = try JSONSerialization.jsonObject(with: Data(dashboard.utf8)) as? [String: Any]
    let panels = try #require(object?["panels"] as? [[String: Any]])
    #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
  }

  @Test("the page Operations says for each alert what to do, and for no other")
  func operations() throws {
    let page = try Self.file("Sources/portico/portico.docc/Operations.md")
    let sections = page.matches(of: #/### (\w+)\n/#).map { String($0.output.1) }
    let alerts = try #require(Self.alerts)
    #expect(alerts.count > 5 && sections == alerts)
  }

  @Test("the alerts are rules that Prometheus takes, and fire when they should and not otherwise")
  func promtool() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "portico-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let rules = Self.package.appending(path: "config/portico.rules.yml").path
    let check = try await Command.shell("promtool check rules '\(rules)' 2>&1", in: folder)
    #expect(check.code == 0 && check.output.contains("SUCCESS"), "\(check.output)")
    let cases = folder.appending(path: "cases.yml")
    let labels = #"instance="box",job="portico""#
    /// One group of series, and the alerts that stand after 20 minutes, with their labels.
    func group(_ series: [(String, String)], _ fires: [(String, [String: String])]) throws -> String {
      let inputs = series.map { "      - series: '\($0.0)'\n        values: '\($0.1)'" }
      let rows = try #require(Self.alerts).map { alert in
        let expected = fires.filter { $0.0 == alert }.map { _, labels in
          "          - exp_labels: { "
            + labels.sorted { $0.key < $1.key }.map { "\($0.key): \"\($0.value)\"" }.joined(separator: ", ")
            + " }"
        }
        return "      - eval_time: 20m\n        alertname: \(alert)"
          + (expected.isEmpty ? "" : "\n        exp_alerts:\n" + expected.joined(separator: "\n"))
      }
      return "  - interval: 1m\n    input_series:\n" + inputs.joined(separator: "\n")
        + "\n    alert_rule_test:\n"
        + rows.joined(separator: "\n")
    }
    func drops(_ reason: String) -> String { "portico_dropped_packets_total{\(labels),reason=\"\(reason)\"}" }
    let pool = #"address="203.0.113.5",protocol="udp""#
    // All is well: nothing fires. Then one case for each alert whose summary needs no figure.
    let well = try group(
      [
        ("up{\(labels)}", "1x30"), ("portico_uptime_seconds{\(labels)}", "0+60x30"),
        ("portico_interface_up{\(labels),side=\"inside\"}", "1x30"), ("portico_degraded{\(labels)}", "0x30"),
        ("portico_received_packets_total{\(labels),side=\"inside\"}", "0+60000x30"),
        // One in ten thousand.
        ("portico_capture_dropped_packets_total{\(labels),side=\"inside\"}", "0+6x30"),
        (drops("portsExhausted"), "7x30"), (drops("noBinding"), "0+6000x30"),
        ("portico_pool_ports{\(labels),\(pool)}", "1000x30"),
        ("portico_pool_ports_in_use{\(labels),\(pool)}", "500x30"),
        ("portico_pool_ports_resting{\(labels),\(pool)}", "300x30"),
        ("portico_worker_busy_seconds_total{\(labels),worker=\"0\"}", "0+30x30"),
      ], [])
    let box = ["instance": "box", "job": "portico"]
    let ill = try group(
      [
        ("up{\(labels)}", "0x30"), ("portico_interface_up{\(labels),side=\"outside\"}", "0x30"),
        // One reason, and the interface's own alert says it.
        ("portico_degraded{\(labels)}", "1x30"),
        ("portico_received_packets_total{\(labels),side=\"inside\"}", "0+60000x30"),
        ("portico_capture_dropped_packets_total{\(labels),side=\"inside\"}", "0+600x30"),
        (drops("portsExhausted"), "0+1x30"), (drops("sessionLimit"), "0+1x30"),
        (drops("hostPortLimit"), "0+1x30"),
        (drops("nextHopUnreachable"), "0+600x30"), (drops("fragmentMemoryLimit"), "0+5x30"),
      ],
      [
        ("PorticoDown", box.merging(["severity": "critical"]) { $1 }),
        ("PorticoInterfaceDown", box.merging(["severity": "critical", "side": "outside"]) { $1 }),
        ("PorticoCaptureDrops", box.merging(["severity": "warning", "side": "inside"]) { $1 }),
        ("PorticoPortsExhausted", box.merging(["severity": "critical", "reason": "portsExhausted"]) { $1 }),
        ("PorticoTableFull", box.merging(["severity": "critical", "reason": "sessionLimit"]) { $1 }),
        ("PorticoHostLimited", box.merging(["severity": "warning", "reason": "hostPortLimit"]) { $1 }),
        (
          "PorticoNextHopSilent", box.merging(["severity": "warning", "reason": "nextHopUnreachable"]) { $1 }
        ),
        (
          "PorticoFragmentsRefused",
          box.merging(["severity": "warning", "reason": "fragmentMemoryLimit"]) { $1 }
        ),
      ])
    let strained = try group(
      [
        ("up{\(labels)}", "1x30"), ("portico_degraded{\(labels)}", "1x30"),
        ("portico_uptime_seconds{\(labels)}", "100 0 100 0 100 0 100x30"),
        (drops("transmitQueueFull"), "0+600x30"),
        ("portico_pool_ports{\(labels),\(pool)}", "1000x30"),
        ("portico_pool_ports_in_use{\(labels),\(pool)}", "700x30"),
        ("portico_pool_ports_resting{\(labels),\(pool)}", "250x30"),
        ("portico_worker_busy_seconds_total{\(labels),worker=\"0\"}", "0+57x30"),
      ],
      [
        ("PorticoDegraded", box.merging(["severity": "warning"]) { $1 }),
        ("PorticoRestarts", box.merging(["severity": "warning"]) { $1 }),
        (
          "PorticoTransmitDrops", ["instance": "box", "reason": "transmitQueueFull", "severity": "warning"]
        ),
        (
          "PorticoPoolNearlyExhausted",
          box.merging(["severity": "warning", "address": "203.0.113.5", "protocol": "udp"]) { $1 }
        ),
        ("PorticoWorkerBusy", box.merging(["severity": "warning", "worker": "0"]) { $1 }),
      ])
    // The summaries are for people: without them, the labels alone are compared.
    let bare = folder.appending(path: "rules.yml")
    let text = try Self.file("config/portico.rules.yml").split(
      separator: "\n", omittingEmptySubsequences: false
    )
    .filter { !$0.contains("annotations:") && !$0.contains("summary:") }.joined(separator: "\n")
    try text.write(to: bare, atomically: true, encoding: .utf8)
    try "rule_files: [\(bare.path)]\nevaluation_interval: 1m\ntests:\n\(well)\n\(ill)\n\(strained)\n"
      .write(to: cases, atomically: true, encoding: .utf8)
    let verdict = try await Command.shell("promtool test rules '\(cases.path)' 2>&1", in: folder)
    #expect(verdict.code == 0 && verdict.output.contains("SUCCESS"), "\(verdict.output)")
  }
}
