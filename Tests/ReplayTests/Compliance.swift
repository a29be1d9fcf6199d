import Foundation

/// The page RFCCompliance and the names of the tests, as the sources have them.
enum Compliance {
  /// One line of a table of the page.
  struct Line: Equatable {
    var heading: String
    var key: String
    var status: String
    var explanation: String
    var tests: [String]
  }

  static let statuses: Set = ["met", "by configuration", "not met", "not applicable"]
  static let listHeading = "The list of behaviours"

  // MARK: What there must be

  /// Every identifier of the list of behaviours, by its section.
  static let sections: [(prefix: String, count: Int)] = [
    ("MAP", 12), ("FIL", 11), ("PA", 17), ("HP", 12), ("TCP", 24), ("UT", 8), ("IQ", 11), ("IE", 18),
    ("FR", 14), ("CS", 9), ("MAL", 12), ("ST-", 14), ("LB", 6), ("TN", 4), ("EX", 8), ("LIM", 9),
    ("FW", 13), ("SH", 9), ("RC", 10), ("MW", 6), ("LG", 9), ("HA", 5), ("N64-", 10), ("PF", 9),
  ]

  static let identifiers = sections.flatMap { section in
    (1...section.count).map { "\(section.prefix)\($0)" }
  }

  /// What no replay can show yet: later work.
  static let later: Set = [
    "FIL10", "PA9", "PA14", "PA17", "ST-3", "ST-5", "ST-7", "ST-8", "ST-10", "ST-11", "LIM7", "FW6", "FW8",
    "FW11",
  ]
  private static let laterSections: Set = ["LB", "TN", "SH", "RC", "MW", "LG", "HA", "N64-", "PF"]

  /// Those that at least one test must name.
  static let inScope = sections.filter { !laterSections.contains($0.prefix) }.flatMap { section in
    (1...section.count).map { "\(section.prefix)\($0)" }
  }.filter { !later.contains($0) }

  /// Every requirement, by the heading of its table.
  static let requirements: [String: [String]] = [
    "RFC 4787: UDP": [
      "1", "2", "3", "3a", "4", "5", "5a", "5b", "5c", "6", "6a", "7", "8", "8a", "9", "9a", "10", "10a",
      "11",
      "12", "12a", "12b", "13", "13a", "14", "14a",
    ].map { "REQ-\($0)" },
    "RFC 5382: TCP": [
      "1", "2", "2a", "3", "3a", "3b", "4", "4a", "5", "5a", "6", "7", "8", "8a", "9", "10",
    ].map { "REQ-\($0)" },
    "RFC 5508: ICMP": [
      "1", "1a", "2", "2a", "3", "3a", "3b", "3c", "3d", "4", "4a", "4b", "4c", "5", "5a", "5b", "5c", "6",
      "7",
      "7a", "8", "9", "10a", "10b", "10c", "10d", "10e", "10f", "11",
    ].map { "REQ-\($0)" },
    "RFC 6888: carrier-grade NAT": [
      "1", "2", "3", "4", "4A", "4B", "4C", "5", "5A", "5B", "6", "7", "8", "9", "10", "11A", "11B", "11C",
      "11D",
      "12", "13", "14", "15",
    ].map { "REQ-\($0)" },
    "RFC 7857: updates": [
      "2.1 session tracking", "2.2 transitory timeouts", "2.3 RST", "3 port overlapping", "4 pooling paired",
      "5 EIM protocol independence", "6 EIF protocol independence", "7 EIF mapping refresh",
      "7.1 refresh and errors", "8 port parity", "9 port randomization", "10 IP identification",
      "11 ICMP query timeout", "12 hairpinning of ICMP",
    ],
    "Other RFCs": [
      "RFC 768", "RFC 791 section 3.1, options", "RFC 791 section 3.2, fragments", "RFC 792, 11/1",
      "RFC 1122 section 3.2.2", "RFC 1191", "RFC 1337", "RFC 1624", "RFC 1812 section 4.3.2.3",
      "RFC 1812 section 4.3.2.7", "RFC 1812 section 4.3.2.8", "RFC 1812 section 5.2.2",
      "RFC 1812 section 5.2.7.1", "RFC 1812 section 5.3.1", "RFC 1812 section 5.3.7",
      "RFC 1812 section 5.3.13", "RFC 1858", "RFC 2827", "RFC 4884", "RFC 5722", "RFC 5961", "RFC 6056",
      "RFC 6864 section 5.3",
    ],
    listHeading: identifiers,
  ]

  // MARK: What there is

  static func page() throws -> String {
    try String(
      contentsOf: Package.root.appending(path: "Sources/portico/portico.docc/RFCCompliance.md"),
      encoding: .utf8)
  }

  /// The names of all tests of the gateway: not of those of the reference, which is a test itself.
  static func testNames() throws -> [String] {
    let tests = Package.root.appending(path: "Tests")
    let name = #/@Test\(\s*"((?:[^"\\]|\\.)*)"/#
    var names: [String] = []
    for case let path as String in FileManager.default.enumerator(atPath: tests.path)
      ?? FileManager.DirectoryEnumerator()
    where path.hasSuffix(".swift") && !path.hasPrefix("Reference") {
      let source = try String(contentsOf: tests.appending(path: path), encoding: .utf8)
      names += source.matches(of: name).map { String($0.1) }
    }
    return names
  }

  /// The lines of all tables. Tables of a heading of the third level belong to the second one above.
  static func lines(of page: String) -> [Line] {
    var heading = ""
    var lines: [Line] = []
    for text in page.split(separator: "\n") {
      if text.hasPrefix("## ") { heading = String(text.dropFirst(3)) }
      guard text.hasPrefix("| "), text.hasSuffix("|") else { continue }
      let cells = text.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard cells.count == 4, !cells[1].isEmpty else { continue }
      lines.append(
        Line(
          heading: heading, key: cells[0], status: cells[1], explanation: cells[2],
          tests: cells[3].split(separator: "`").map(String.init).filter { $0 != "; " }))
    }
    return lines
  }

  /// Whether a test says by its name that it is about an identifier.
  static func names(_ identifier: String, in test: String) -> Bool {
    words(of: test).contains { $0 == identifier }
  }

  private static func words(of test: String) -> [Substring] {
    test.split { !($0.isLetter || $0.isNumber || $0 == "-") }
  }

  // MARK: What is wrong

  /// Everything in which the page, the list and the tests do not agree; empty when they do.
  static func problems(page: String, tests: [String]) -> [String] {
    let lines = lines(of: page)
    let known = Set(tests)
    var problems: [String] = []
    for (heading, keys) in requirements.sorted(by: { $0.key < $1.key }) {
      let found = lines.filter { $0.heading == heading }.map(\.key)
      for key in keys where !found.contains(key) { problems.append("\(heading): no line for \(key)") }
      for key in Set(found).sorted() {
        let count = found.count { $0 == key }
        if !keys.contains(key) { problems.append("\(heading): \(key) is unknown") }
        if count > 1 { problems.append("\(heading): \(count) lines for \(key)") }
      }
    }
    for line in lines {
      if requirements[line.heading] == nil { problems.append("\(line.heading): an unknown heading") }
      if !statuses.contains(line.status) { problems.append("\(line.key): \(line.status) is no status") }
      let isMet = line.status == "met" || line.status == "by configuration"
      if isMet, line.tests.isEmpty { problems.append("\(line.key): \(line.status) without a test") }
      if !isMet, line.explanation.isEmpty { problems.append("\(line.key): \(line.status), and not why") }
      for test in line.tests {
        if !known.contains(test) { problems.append("\(line.key): there is no test `\(test)`") }
        // A behaviour's tests say by their names that they are.
        if line.heading == listHeading, isMet, !line.tests.contains(where: { names(line.key, in: $0) }) {
          problems.append("\(line.key): `\(test)` does not name it")
        }
      }
    }
    let named = tests.reduce(into: Set()) { $0.formUnion(words(of: $1)) }
    for identifier in inScope where !named.contains(Substring(identifier)) {
      problems.append("no test names \(identifier)")
    }
    return problems
  }
}
