import NATConfiguration
import Testing

/// Two interfaces, the least that a configuration has; three lines.
let interfaces = """
  interfaces:
    inside: { name: lan0, address: 192.168.1.1/24 }
    outside: { name: wan0, address: 203.0.113.5/24 }

  """

/// A text that is no configuration, and everything that is said about it.
struct Refusal: Sendable, CustomTestStringConvertible {
  let name: String
  let text: String
  /// `LINE:COLUMN: setting: found X; expected Y`.
  let problems: [String]

  var testDescription: String { name }

  /// - Parameter text: What follows the two interfaces, from line 4, but for the last line break.
  init(_ name: String, after text: String, _ problems: String...) {
    self.name = name
    self.text = interfaces + (text.isEmpty ? "" : text + "\n")
    self.problems = problems
  }

  /// One interface, or both, in place of those of ``interfaces``, on lines 2 and 3.
  init(
    _ name: String, inside: String = "{ name: lan0, address: 192.168.1.1/24 }",
    outside: String = "{ name: wan0, address: 203.0.113.5/24 }", _ problems: String...
  ) {
    self.name = name
    self.text = "interfaces:\n  inside: \(inside)\n  outside: \(outside)\n"
    self.problems = problems
  }

  /// - Parameter text: The whole file but for the last line break.
  init(_ name: String, file text: String, _ problems: String...) {
    self.name = name
    self.text = text.isEmpty ? "" : text + "\n"
    self.problems = problems
  }

  func check(sourceLocation: SourceLocation = #_sourceLocation) {
    do {
      let configuration = try Configuration.parse(text, file: "portico.yaml")
      Issue.record("accepted as \(configuration)", sourceLocation: sourceLocation)
    } catch {
      #expect(error.kind == .content, sourceLocation: sourceLocation)
      #expect(
        error.description == problems.map { "portico.yaml:\($0)" }.joined(separator: "\n"),
        sourceLocation: sourceLocation)
    }
  }

  /// Those of one identifier: their names begin with it.
  static func of(_ identifier: String, in refusals: [Refusal]) -> [Refusal] {
    let named = refusals.filter { $0.name.hasPrefix("\(identifier) ") }
    precondition(!named.isEmpty, "there is no refusal of \(identifier)")
    return named
  }
}
