import Foundation
import NATConfiguration
import TestSupport
import Testing

/// A folder of `Scenarios`: a configuration, captures and the expected results.
struct Scenario: CustomTestStringConvertible, Sendable {
  let folder: URL

  var testDescription: String { folder.lastPathComponent }

  /// Every folder that holds a configuration.
  static let all: [Scenario] = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Scenarios")
    let folders =
      (try? FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)) ?? []
    return folders.filter { FileManager.default.fileExists(atPath: $0.appending(path: "portico.yaml").path) }
      .sorted { $0.path < $1.path }.map(Scenario.init)
  }()

  static func named(_ name: String) throws -> Scenario {
    try #require(all.first { $0.folder.lastPathComponent == name }, "there is a scenario \(name)")
  }

  /// The expected results.
  struct Expectation {
    var inside: [Record]
    var outside: [Record]
    var table: String
    var stats: String

    /// Every difference, described.
    func differences(from outcome: ReplayOutcome) throws -> [String] {
      try Comparison.records("inside", expected: inside, found: outcome.inside)
        + Comparison.records("outside", expected: outside, found: outcome.outside)
        + Comparison.table(expected: table, found: outcome.tableText)
        + Comparison.stats(expected: stats, found: outcome.statsText)
    }
  }

  func expectation() throws -> Expectation {
    Expectation(
      inside: try Capture.read(folder.appending(path: "expected-inside.pcap")),
      outside: try Capture.read(folder.appending(path: "expected-outside.pcap")),
      table: try String(contentsOf: folder.appending(path: "expected-table.json"), encoding: .utf8),
      stats: try String(contentsOf: folder.appending(path: "expected-stats.json"), encoding: .utf8))
  }

  func run() throws -> ReplayOutcome {
    try replay(
      try Configuration.load(path: folder.appending(path: "portico.yaml").path),
      inside: present("inside.pcap"), outside: present("outside.pcap"))
  }

  private func present(_ name: String) -> URL? {
    let file = folder.appending(path: name)
    return FileManager.default.fileExists(atPath: file.path) ? file : nil
  }
}
