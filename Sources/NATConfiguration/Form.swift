/// How a value is written.
struct Form<Value> {
  /// What would be right, for a message.
  let expected: String
  private let parse: (String) -> Reading<Value>

  init(_ expected: String, _ parse: @escaping (String) -> Reading<Value>) {
    self.expected = expected
    self.parse = parse
  }

  /// For forms that have no more to say about a wrong text than what would be right.
  init(_ expected: String, orNil parse: @escaping (String) -> Value?) {
    self.init(expected) { text in
      parse(text).map(Reading.value) ?? .wrong()
    }
  }

  /// What the text means, without a report.
  func reading(_ text: String) -> Reading<Value> { parse(text) }

  /// Reads a text at a place.
  func read(_ text: String, at place: Place, report: Report) -> Located<Value>? {
    switch parse(text) {
    case .value(let value): return Located(value: value, place: place)
    case .wrong(let found, let expected):
      report.add(place, found: found ?? text.quoted, expected: expected ?? self.expected)
      return nil
    }
  }

  func read(_ node: Node, report: Report) -> Located<Value>? {
    switch node.content {
    case .scalar(let text): return read(text, at: node.place, report: report)
    case .refused: return nil
    case .nothing, .list, .mapping:
      report.add(node.place, found: node.found, expected: expected)
      return nil
    }
  }
}

/// What a form made of a text.
enum Reading<Value> {
  case value(Value)
  /// Where `nil`, the text itself was found, or what the form expects would be right.
  case wrong(found: String? = nil, expected: String? = nil)
}
