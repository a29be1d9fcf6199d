import Yams

extension YAMLDocument {
  /// Reports a YAML syntax error in the words of a configuration file.
  func reportSyntax(_ error: any Error, in text: String) {
    let start = Place(setting: "YAML", line: 1, column: 1)
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _),
      YamlError.composer(let context, let problem, let mark, _):
      let scalar = YAMLDocument.scalar(of: text, line: mark.line, column: mark.column)
      let wording = YAMLDocument.wording(of: problem, context: context, at: mark, scalar)
      report.add(
        Place(setting: "YAML", line: mark.line, column: mark.column), found: wording.found,
        expected: wording.expected)
    case YamlError.reader(_, let offset, let value, _):
      var place = start
      for character in text.prefix(offset ?? 0) {
        if character.unicodeScalars.contains(where: \.endsLine) {
          place.line? += 1
          place.column = 1
        } else {
          place.column? += character.unicodeScalars.count
        }
      }
      report.add(
        place, found: "the character U+\(hexadecimal(value))",
        expected: "text without control characters")
    default:
      report.add(start, found: "text that cannot be read (\(error))", expected: "a YAML mapping")
    }
  }

  private func hexadecimal(_ value: Int32) -> String {
    let digits = String(max(value, 0), radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  private static func scalar(of text: String, line: Int, column: Int) -> Unicode.Scalar? {
    let scalars = Array(text.unicodeScalars)
    return index(line: line, column: column, in: scalars).map { scalars[$0] }
  }

  /// Replaces the parser's grammar terms with the usual mistakes.
  private static func wording(
    of problem: String, context: YamlError.Context?, at mark: Mark, _ scalar: Unicode.Scalar?
  ) -> (found: String, expected: String) {
    let outer =
      context.map { context in
        guard context.mark.description != mark.description else { return "" }
        let kind = ["while parsing ", "while scanning "].first { context.text.hasPrefix($0) }
        return " in \(context.text.dropFirst(kind?.count ?? 0)) that begins at \(context.mark)"
      } ?? ""
    let misfit = scalar == nil ? "the end of the file" : "text out of place"
    switch problem {
    case "mapping values are not allowed in this context":
      return (
        "`: ` where no key can stand",
        "one `key: value` a line at the right indentation, and quotes around text that holds `: `"
      )
    case "found character that cannot start any token" where scalar == "\t":
      return ("a tab", "spaces for the indentation")
    case "found character that cannot start any token":
      let character = scalar.map { String($0).quoted } ?? "a character"
      return ("\(character) at the start of a value", "quotes around the value")
    case "found unexpected end of stream":
      return ("the end of the file\(outer)", "the closing quote")
    case "found unknown escape character":
      return ("an escape that YAML does not know\(outer)", "single quotes, or `\\\\` for a backslash")
    case "found undefined alias":
      return ("an alias of nothing", "the value itself")
    case "did not find expected key":
      return ("\(misfit)\(outer)", "a key at the indentation of its neighbours")
    case "could not find expected ':'":
      let start = context.map { " after the text at \($0.mark)" } ?? ""
      return ("no colon\(start)", "`key: value`, with a space after the colon")
    case "did not find expected node content":
      return ("\(misfit)\(outer)", "a value")
    case "did not find expected <document start>":
      return ("more text after the end of the YAML document", "one document in the file")
    default:
      for phrase in ["did not find expected ", "could not find expected "] where problem.hasPrefix(phrase) {
        return ("\(misfit)\(outer)", String(problem.dropFirst(phrase.count)))
      }
      let found = problem.hasPrefix("found ") ? String(problem.dropFirst(6)) : problem
      return ("\(found)\(outer)", "a YAML mapping of settings")
    }
  }
}
