/// How a value is written: converts text to a value and back.
struct Form<Value>: Sendable {
  /// The accepted texts, as error messages name them.
  let expected: String
  /// Valid texts with different values. Tests change a setting to each of them.
  let samples: [String]
  /// The text of a value in a file.
  let text: @Sendable (Value) -> String
  /// Reads a text.
  let reading: @Sendable (String) -> Reading<Value>

  init(
    _ expected: String, samples: [String] = [], text: @escaping @Sendable (Value) -> String = { "\($0)" },
    _ reading: @escaping @Sendable (String) -> Reading<Value>
  ) {
    self.expected = expected
    self.samples = samples
    self.text = text
    self.reading = reading
  }

  /// For forms whose error message says only what is accepted.
  init(
    _ expected: String, samples: [String] = [], text: @escaping @Sendable (Value) -> String = { "\($0)" },
    orNil parse: @escaping @Sendable (String) -> Value?
  ) {
    self.init(expected, samples: samples, text: text) { parse($0).map(Reading.value) ?? .wrong() }
  }

  /// Reads a text at a place.
  func read(_ text: String, at place: Place, report: Report) -> Located<Value>? {
    switch reading(text) {
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

  /// The same form, or `off` for nil.
  func orOff(_ expected: String? = nil) -> Form<Value?> {
    Form<Value?>(
      expected ?? "\(self.expected), or off", samples: ["off"] + samples,
      text: { [text] in $0.map(text) ?? "off" }
    ) { [reading] text in
      if text == "off" || text == "false" { return .value(nil) }
      return reading(text).map { $0 }
    }
  }

  /// The same form, or a word for a special value.
  func or(_ word: String, _ value: Value, text: @escaping @Sendable (Value) -> String) -> Form
  where Value: Sendable {
    Form("\(expected), or \(word)", samples: samples, text: text) { [reading] in
      $0 == word ? .value(value) : reading($0)
    }
  }
}

/// The result of reading a text.
enum Reading<Value> {
  case value(Value)
  /// An error. Nil stands for the text itself, or for the form's own `expected`.
  case wrong(found: String? = nil, expected: String? = nil)

  func map<Other>(_ change: (Value) -> Other) -> Reading<Other> {
    switch self {
    case .value(let value): .value(change(value))
    case .wrong(let found, let expected): .wrong(found: found, expected: expected)
    }
  }
}
