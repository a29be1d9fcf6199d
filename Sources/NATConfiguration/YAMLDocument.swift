import Yams

/// Parses the text of a file with Yams, into a ``Node`` with the place of each value.
///
/// Anchors, aliases, tags, non-text keys, repeated keys and a second document are refused: no setting needs
/// them.
struct YAMLDocument {
  let report: Report
  /// The original key for each repeated key that was altered before parsing.
  private var alteredKeys: [Position: String] = [:]

  private struct Position: Hashable {
    let line: Int
    let column: Int

    init(_ mark: Mark?) {
      line = mark?.line ?? 1
      column = mark?.column ?? 1
    }
  }

  private init(report: Report) { self.report = report }

  /// The document of the text; nil if there are errors in the report.
  static func read(_ text: String, report: Report) -> Node? {
    var document = YAMLDocument(report: report)
    return document.compose(text)
  }

  private mutating func compose(_ text: String) -> Node? {
    var scalars = Array(text.unicodeScalars)
    while true {
      var parsed = String(String.UnicodeScalarView(scalars))
      parsed.makeContiguousUTF8()
      do {
        // The nodes refer to anchors inside the parser, so the parser must outlive them.
        let parser = try Parser(yaml: parsed, resolver: .basic, encoding: .utf8)
        return try withExtendedLifetime(parser) {
          guard let root = try parser.nextRoot() else {
            report.add(
              Place(setting: "", line: 1, column: 1), found: "an empty file",
              expected: "at least the setting interfaces")
            return nil
          }
          let node = convert(root, setting: "")
          if let second = try parser.nextRoot() {
            report.add(
              place("", second.mark), found: "a second YAML document", expected: "one document in the file")
          }
          return node
        }
      } catch YamlError.duplicatedKeysInMapping(let names, let context) where !names.isEmpty {
        let first = Position(context.mark)
        if alter(&scalars, at: first) {
          alteredKeys[first] = names[0]
        } else {
          report.add(
            place("YAML", context.mark), found: "a key that its mapping has more than once",
            expected: "each key once")
          return nil
        }
      } catch {
        reportSyntax(error, in: parsed)
        return nil
      }
    }
  }

  private func place(_ setting: String, _ mark: Mark?) -> Place {
    let position = Position(mark)
    return Place(setting: setting, line: position.line, column: position.column)
  }
}

// MARK: Repeated keys

extension YAMLDocument {
  /// Replaces the first letter or digit of a repeated key by a private character.
  ///
  /// Yams stops at a mapping with a repeated key, and names the place of the first one only. With the key altered, parsing
  /// goes on and all places stay right; ``entries(of:at:)`` then finds the repetition and its place.
  /// - Returns: whether a character could be replaced.
  private func alter(_ scalars: inout [Unicode.Scalar], at position: Position) -> Bool {
    guard alteredKeys.count < 256, alteredKeys[position] == nil,
      let standIn = Unicode.Scalar(0xE000 + UInt32(alteredKeys.count)),
      var index = YAMLDocument.index(line: position.line, column: position.column, in: scalars)
    else { return false }
    if scalars[index] == "\"" || scalars[index] == "'" { index += 1 }
    guard index < scalars.count, scalars[index].isLetterOrDigit else { return false }
    scalars[index] = standIn
    return true
  }

  /// The index of a position that Yams reports; nil at the end of the text.
  static func index(line: Int, column: Int, in scalars: [Unicode.Scalar]) -> Int? {
    var start = 0
    for _ in 1..<line {
      guard let end = scalars[start...].firstIndex(where: \.endsLine) else { return nil }
      let isPair = scalars[end] == "\r" && end + 1 < scalars.count && scalars[end + 1] == "\n"
      start = isPair ? end + 2 : end + 1
    }
    let index = start + column - 1
    return index < scalars.count ? index : nil
  }
}

extension Unicode.Scalar {
  /// Whether it is an ASCII letter or digit.
  fileprivate var isLetterOrDigit: Bool {
    isASCII && (properties.isAlphabetic || properties.numericType == .decimal)
  }

  /// Whether it is a line break of YAML 1.1, as Yams counts lines.
  var endsLine: Bool {
    switch self {
    case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": true
    default: false
    }
  }
}

// MARK: Nodes

extension YAMLDocument {
  private func convert(_ node: Yams.Node, setting: String) -> Node {
    let place = place(setting, node.mark)
    if let anchor = node.anchor {
      report.add(
        place, found: "the anchor &\(anchor.rawValue)",
        expected: "the value itself, written out wherever it is used")
      return Node(place: place, content: .refused)
    }
    let plainTag: Tag.Name
    switch node {
    case .scalar, .alias: plainTag = .str
    case .sequence: plainTag = .seq
    case .mapping: plainTag = .map
    }
    guard node.tag.rawValue == plainTag.rawValue else {
      report.add(place, found: "the tag \(node.tag.rawValue.quoted)", expected: "a value without a tag")
      return Node(place: place, content: .refused)
    }
    switch node {
    case .scalar(let scalar):
      let isNothing = scalar.string.isEmpty && scalar.style == .plain
      return Node(place: place, content: isNothing ? .nothing : .scalar(scalar.string))
    case .sequence(let sequence):
      let elements = sequence.enumerated().map { index, element in
        convert(element, setting: "\(setting)[\(index)]")
      }
      return Node(place: place, content: .list(elements))
    case .mapping(let mapping):
      return Node(place: place, content: .mapping(entries(of: mapping, at: place)))
    case .alias:
      return Node(place: place, content: .refused)
    }
  }

  private func entries(of mapping: Yams.Node.Mapping, at place: Place) -> [Node.Entry] {
    var entries: [Node.Entry] = []
    var firsts: [String: Place] = [:]
    for (keyNode, valueNode) in mapping {
      let keyPlace = self.place(place.setting, keyNode.mark)
      let written: String
      switch convert(keyNode, setting: place.setting).content {
      case .scalar(let text): written = text
      case .nothing:
        report.add(keyPlace, found: "an empty key", expected: "the name of a setting")
        continue
      case .list, .mapping:
        report.add(keyPlace, found: "a key that is not text", expected: "the name of a setting")
        continue
      case .refused: continue
      }
      let key = alteredKeys[Position(keyNode.mark)] ?? written
      var named = place.child(key)
      named.line = keyPlace.line
      named.column = keyPlace.column
      let value = convert(valueNode, setting: named.setting)
      if let first = firsts[key] {
        report.add(
          named, found: "the key a second time, after line \(first.line ?? 1), column \(first.column ?? 1)",
          expected: "each key once")
      } else {
        firsts[key] = named
        entries.append(Node.Entry(key: key, place: named, value: value))
      }
    }
    return entries
  }
}
