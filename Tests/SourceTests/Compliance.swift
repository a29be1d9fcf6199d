import Foundation
import TestSupport

/// The page RFCCompliance, and the tests as the sources declare them.
enum Compliance {
  /// One row of a table of the page.
  struct Row: Equatable {
    /// The heading of the second level above it.
    var heading: String
    var key: String
    var status: String
    var explanation: String
    /// By hand: the behaviours whose tests show a requirement.
    var behaviours: [String]
    /// Generated.
    var tests: String
  }

  /// A test with a title.
  struct Test: Equatable {
    var title: String
    /// As `swift test --filter` takes it.
    var function: String
  }

  static let statuses = ["met", "by configuration", "not met", "not applicable"]
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

  static let page = Package.root.appending(path: "Sources/portico/portico.docc/RFCCompliance.md")

  /// All tests of the gateway that have a title: not those of the reference, which is a test itself.
  static func tests() throws -> [Test] {
    let folder = Package.root.appending(path: "Tests")
    var found: [Test] = []
    for case let path as String in FileManager.default.enumerator(atPath: folder.path)
      ?? FileManager.DirectoryEnumerator()
    where path.hasSuffix(".swift") && !path.hasPrefix("Reference") {
      found += tests(in: try String(contentsOf: folder.appending(path: path), encoding: .utf8))
    }
    return found.sorted { ($0.title, $0.function) < ($1.title, $1.function) }
  }

  /// - Complexity: a few passes over the source.
  static func tests(in source: String) -> [Test] {
    let suites = source.matches(of: #/(?:struct|class|enum) (\w+)/#)
    let declaration = #/@Test\(\s*"(?<title>(?:[^"\\]|\\.)*)"(?s:.*?)\bfunc (?<name>\w+)/#
    return source.matches(of: declaration).map { match in
      let suite = suites.last { $0.range.upperBound < match.range.lowerBound && $0.1.hasSuffix("Tests") }
      return Test(
        title: String(match.title), function: "\(suite.map { String($0.1) } ?? "")/\(match.name)")
    }
  }

  private static func cells(of line: Substring) -> [String]? {
    guard line.hasPrefix("| "), line.hasSuffix("|") else { return nil }
    let cells = line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false).map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    return cells.count >= 4 && !cells[1].hasPrefix("--") ? cells : nil
  }

  /// The row in a line of the page; nil for lines of another kind.
  private static func row(_ line: Substring, below heading: String) -> Row? {
    guard requirements[heading] != nil, let cells = cells(of: line), !cells[1].isEmpty else { return nil }
    let isOfList = heading == listHeading
    guard cells.count == (isOfList ? 4 : 5) else { return nil }
    return Row(
      heading: heading, key: cells[0], status: cells[1], explanation: cells[2],
      behaviours: isOfList ? [cells[0]] : cells[3].split(separator: " ").map(String.init),
      tests: cells.last ?? "")
  }

  /// The rows of all tables. Tables below a heading of the third level belong to the second one above.
  static func rows(of page: String) -> [Row] {
    var heading = ""
    return page.split(separator: "\n").compactMap { line in
      if line.hasPrefix("## ") { heading = String(line.dropFirst(3)) }
      return row(line, below: heading)
    }
  }

  /// Whether the title of a test carries an identifier.
  static func names(_ identifier: String, in title: String) -> Bool {
    words(of: title).contains { $0 == identifier }
  }

  private static func words(of title: String) -> [Substring] {
    title.split { !($0.isLetter || $0.isNumber || $0 == "-") }
  }

  /// What a title says of RFCs: `RFC 4787 REQ-3a, REQ-4, RFC 768` carries RFC 4787, RFC 4787 REQ-3a, RFC 4787 REQ-4, and
  /// RFC 768.
  static func requirements(in title: String) -> Set<String> {
    var found: Set<String> = []
    for match in title.matches(of: #/(RFC \d+)((?:,? (?:REQ-\w+|section [\d.]*\d))*)/#) {
      found.insert(String(match.1))
      for part in match.2.matches(of: #/REQ-\w+|section [\d.]*\d/#) {
        found.insert("\(match.1) \(part.output)")
      }
    }
    return found
  }

  /// The requirement of a row as titles write it.
  static func requirement(_ row: Row) -> String {
    if row.heading == "Other RFCs" { return String(row.key.split(separator: ",")[0]) }
    let rfc = row.heading.split(separator: ":")[0]
    return row.key.hasPrefix("REQ")
      ? "\(rfc) \(row.key)" : "\(rfc) section \(row.key.split(separator: " ")[0])"
  }

  // MARK: What is generated

  /// The last cell of a row: the titles for a behaviour, the functions for a requirement.
  private static func cell(_ row: Row, _ tests: [Test]) -> String {
    let isOfList = row.heading == listHeading
    let shown =
      isOfList
      ? tests.filter { names(row.key, in: $0.title) }.map(\.title)
      : tests.filter { requirements(in: $0.title).contains(requirement(row)) }.map(\.function)
    return Set(shown).sorted().map { "`\($0)`" }.joined(separator: isOfList ? "; " : " ")
  }

  /// The lines of the overview.
  private static func overview(_ rows: [Row]) -> [String] {
    let headings = rows.map(\.heading).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return headings.map { heading in
      let counts = statuses.map { status in
        String(rows.count { $0.heading == heading && $0.status == status })
      }
      return "| \(heading) | \(counts.joined(separator: " | ")) |"
    }
  }

  /// The page with its generated parts as they must be.
  static func written(_ page: String, tests: [Test]) -> String {
    var heading = ""
    var lines: [String] = []
    for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("## ") { heading = String(line.dropFirst(3)) }
      if heading == "Overview" {
        if line.hasPrefix("|--") {
          lines += [String(line)] + overview(rows(of: page))
        } else if !line.hasPrefix("| ") || line.hasPrefix("| |") {
          lines.append(String(line))
        }
      } else if let row = row(line, below: heading) {
        let behaviours = heading == listHeading ? [] : [row.behaviours.joined(separator: " ")]
        let cells = [row.key, row.status, row.explanation] + behaviours + [cell(row, tests)]
        lines.append("| \(cells.joined(separator: " | ")) |")
      } else {
        lines.append(String(line))
      }
    }
    return lines.joined(separator: "\n")
  }

  // MARK: What is wrong

  /// Everything in which the page, the list and the tests do not agree; empty when they do.
  static func problems(page: String, tests: [Test]) -> [String] {
    let rows = rows(of: page)
    var problems: [String] = []
    for (heading, keys) in requirements.sorted(by: { $0.key < $1.key }) {
      let found = rows.filter { $0.heading == heading }.map(\.key)
      for key in keys where !found.contains(key) { problems.append("\(heading): no row for \(key)") }
      for key in Set(found).sorted() {
        let count = found.count { $0 == key }
        if !keys.contains(key) { problems.append("\(heading): \(key) is unknown") }
        if count > 1 { problems.append("\(heading): \(count) rows for \(key)") }
      }
    }
    let named = tests.reduce(into: Set()) { $0.formUnion(words(of: $1.title)) }
    for row in rows {
      if !statuses.contains(row.status) { problems.append("\(row.key): \(row.status) is no status") }
      let isMet = row.status == "met" || row.status == "by configuration"
      let isShown = row.behaviours.contains { named.contains(Substring($0)) } || !cell(row, tests).isEmpty
      if isMet, !isShown { problems.append("\(row.key): \(row.status) without a test") }
      if !isMet, row.explanation.isEmpty { problems.append("\(row.key): \(row.status), and not why") }
      for behaviour in row.behaviours where !identifiers.contains(behaviour) && row.heading != listHeading {
        problems.append("\(row.key): there is no behaviour \(behaviour)")
      }
    }
    for identifier in inScope where !named.contains(Substring(identifier)) {
      problems.append("no test names \(identifier)")
    }
    return problems
  }
}
