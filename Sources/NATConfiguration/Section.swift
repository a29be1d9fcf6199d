/// One mapping of the file, from which settings are read by their keys. Whatever is wrong goes to the
/// report, and the caller goes on with what it has.
struct Section {
  let place: Place
  let report: Report
  /// Whether it stands in the file as a mapping; keys are missed in no other.
  let isReadable: Bool
  private let entries: [String: Node.Entry]

  /// - Parameters:
  ///   - node: What stands in the file, if anything.
  ///   - place: Where it stands, or would.
  ///   - keys: Every key that may stand here.
  init(_ node: Node?, at place: Place, keys: [String], report: Report) {
    self.place = place
    self.report = report
    guard let node, case .mapping(let written) = node.content else {
      entries = [:]
      isReadable = false
      switch node?.content {
      case nil, .nothing, .refused: break
      default:
        report.add(
          node?.place ?? place, found: node?.found ?? "nothing",
          expected: Keys.mapping(of: keys))
      }
      return
    }
    isReadable = true
    entries = Dictionary(written.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    for entry in written where !keys.contains(entry.key) {
      report.add(
        entry.place, found: "an unknown key",
        expected: Keys.suggestion(for: entry.key, among: keys, in: place.setting))
    }
  }

  /// What stands at a key; `nil` if the key is not there or has nothing behind it.
  func node(_ key: String) -> Node? {
    guard let value = entries[key]?.value else { return nil }
    if case .nothing = value.content { return nil }
    return value
  }

  /// Where a key stands; the mapping itself if it does not.
  func place(of key: String) -> Place { entries[key]?.place ?? place.child(key) }

  /// All entries, for mappings whose keys are the operator's own.
  var all: [Node.Entry] { Array(entries.values) }

  func section(_ key: String, keys: [String]) -> Section {
    Section(node(key), at: place(of: key), keys: keys, report: report)
  }

  /// A mapping that must be there with some keys.
  func requiredSection(_ key: String, keys: [String], atLeast needed: [String]) -> Section {
    if isReadable, node(key) == nil {
      report.add(
        place(of: key), found: "nothing", expected: Keys.mapping(of: needed))
    }
    return section(key, keys: keys)
  }

  /// The elements of a list; `nil` if it is not there or something else.
  func list(_ key: String, of elements: String) -> [Node]? {
    guard let node = node(key) else { return nil }
    switch node.content {
    case .list(let nodes): return nodes
    case .nothing, .refused: return nil
    case .scalar, .mapping:
      report.add(node.place, found: node.found, expected: "a list of \(elements)")
      return nil
    }
  }

  /// The value at a key; `nil` if it is not there or wrong.
  func value<Value>(_ key: String, _ form: Form<Value>) -> Located<Value>? {
    guard let entry = entries[key] else { return nil }
    return form.read(entry.value, report: report)
  }

  /// The value at a key that must be there; `nil` if it is not or wrong.
  func required<Value>(_ key: String, _ form: Form<Value>) -> Located<Value>? {
    if isReadable, entries[key] == nil {
      report.add(place(of: key), found: "nothing", expected: form.expected)
    }
    return value(key, form)
  }

  /// Sets `value` if the key is there and right, and leaves it as it is otherwise.
  func read<Value>(_ key: String, into value: inout Value, _ form: Form<Value>) {
    if let written = self.value(key, form) { value = written.value }
  }
}
