import Foundation
import NATEngine
import Testing

/// The page DropReasons has one row for each case of `DropReason`, with the meaning and the advice that stand beside the
/// case.
@Suite struct DropReasonTests {
  private struct Row: Equatable {
    var name: String
    var meaning: String
    var advice: String

    var text: String { "| `\(name)` | \(meaning) | \(advice) |" }
  }

  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  private static let page = root.appending(path: "Sources/portico/portico.docc/DropReasons.md")

  /// The documentation comments of the cases: the meaning first, the advice in a list item of its own.
  private static func cases() throws -> [Row] {
    let source = try String(
      contentsOf: root.appending(path: "Sources/NATEngine/DropReason.swift"), encoding: .utf8)
    var rows: [Row] = []
    var comment = ""
    for line in source.split(separator: "\n").map({ $0.trimmingCharacters(in: .whitespaces) }) {
      if line.hasPrefix("///") {
        comment += " " + line.dropFirst(3).trimmingCharacters(in: .whitespaces)
        continue
      }
      defer { comment = "" }
      guard line.hasPrefix("case "), !line.contains("."), let advice = comment.range(of: " - Advice: ") else {
        continue
      }
      rows.append(
        Row(
          name: String(line.dropFirst(5)),
          meaning: comment[..<advice.lowerBound].trimmingCharacters(in: .whitespaces),
          advice: String(comment[advice.upperBound...])))
    }
    return rows
  }

  @Test("every drop reason says beside its case what it means and what to do, in the order of the steps")
  func comments() throws {
    #expect(try Self.cases().map(\.name) == DropReason.allCases.map(\.name))
  }

  /// With `PORTICO_WRITE_PAGES=1` in the environment the rows of the page are written anew. A new reason follows the
  /// row of the one before it.
  @Test("the page of drop reasons says what the cases say")
  func page() throws {
    let rows = try Self.cases()
    let text = try String(contentsOf: Self.page, encoding: .utf8)
    var lines = text.components(separatedBy: "\n")
    let written = lines.filter { $0.hasPrefix("| `") }
    if ProcessInfo.processInfo.environment["PORTICO_WRITE_PAGES"] == "1" {
      for (index, row) in rows.enumerated() {
        if let place = lines.firstIndex(where: { $0.hasPrefix("| `\(row.name)` ") }) {
          lines[place] = row.text
        } else if index > 0, let before = lines.firstIndex(of: rows[index - 1].text) {
          lines.insert(row.text, at: before + 1)
        }
      }
      try lines.joined(separator: "\n").write(to: Self.page, atomically: true, encoding: .utf8)
      return
    }
    for (row, line) in zip(rows, written) where row.text != line {
      Issue.record("expected \(row.text)\nfound \(line)\nPORTICO_WRITE_PAGES=1 writes the page")
    }
    #expect(written.count == rows.count)
  }
}
