/// One pass over a file: reads the settings that it has, and keeps what the checks between settings need.
final class Reader {
  let report: Report
  /// The places of the valid settings, by path.
  var places: [String: Place] = [:]
  /// The places of the valid elements of lists of values.
  var elements: [String: [Place]] = [:]
  /// The paths of all settings in the file, valid or not.
  private var seen: Set<String> = []
  /// The valid entries of `static`.
  var statics: [StaticDraft] = []

  init(_ report: Report) { self.report = report }

  /// Reads a mapping. Reports what is missing or wrong, and leaves that property as it is.
  func read<Root>(_ node: Node, _ settings: Settings<Root>, into root: inout Root) {
    let section = Section(node, at: node.place, keys: settings.keys, report: report)
    read(section, settings, into: &root)
  }

  func read<Root>(_ section: Section, _ settings: Settings<Root>, into root: inout Root) {
    var sections: [Substring: Section] = ["": section]
    open(section, settings.keys, at: "", &sections)
    for setting in settings.list {
      let dot = setting.path.lastIndex(of: ".")
      let key = String(dot.map { setting.path[setting.path.index(after: $0)...] } ?? setting.path[...])
      guard let section = sections[dot.map { setting.path[..<$0] } ?? ""] else { continue }
      if setting.isRequired { section.require(key, setting.form) }
      guard let node = section[key] else { continue }
      if !node.isNothing { seen.insert(node.place.setting) }
      setting.read(&root, node, self)
    }
  }

  /// Opens the nested mappings, and reports required ones that are missing.
  private func open(
    _ outer: Section, _ keys: KeyTree, at path: Substring, _ sections: inout [Substring: Section]
  ) {
    for name in keys.names {
      guard let inner = keys.sections[name] else { continue }
      let node = outer.mapping(name, orWord: keys.shorthands.contains(name))
      if node == nil, outer.isReadable, !inner.required.isEmpty {
        report.add(
          outer.place(of: name), found: "nothing", expected: inner.mapping(of: inner.required))
      }
      let section = Section(node, at: outer.place(of: name), keys: inner, report: report)
      let path = path.isEmpty ? name[...] : "\(path).\(name)"
      sections[path] = section
      open(section, inner, at: path, &sections)
    }
  }

  /// Whether a setting is missing in the file.
  func isMissing(_ path: String) -> Bool { !seen.contains(path) }

  /// A single value; nil if it is wrong.
  func value<Value>(_ node: Node, _ form: Form<Value>) -> Value? {
    guard let located = form.read(node, report: report) else { return nil }
    places[located.place.setting] = located.place
    return located.value
  }

  /// The elements of a list; nil if the node is no list.
  func list(_ node: Node, _ expected: String) -> [Node]? {
    switch node.content {
    case .list(let nodes): return nodes
    case .nothing, .refused: return nil
    case .scalar, .mapping:
      report.add(node.place, found: node.found, expected: expected)
      return nil
    }
  }
}

/// One mapping of the file.
struct Section {
  let place: Place
  /// Whether the file has it as a mapping. If not, missing keys are not reported.
  let isReadable: Bool
  private let report: Report
  private let entries: [String: Node.Entry]

  /// Reports a value that is no mapping, and unknown keys.
  /// - Parameters:
  ///   - node: the value in the file; nil if it is missing.
  ///   - place: its place, or the place where it would be.
  init(_ node: Node?, at place: Place, keys: KeyTree, report: Report) {
    self.place = place
    self.report = report
    guard let node, case .mapping(let written) = node.content else {
      entries = [:]
      isReadable = false
      switch node?.content {
      case nil, .nothing, .refused: break
      case .scalar, .list, .mapping:
        report.add(node?.place ?? place, found: node?.found ?? "nothing", expected: keys.mapping())
      }
      return
    }
    isReadable = true
    entries = Dictionary(written.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    for entry in written where !keys.names.contains(entry.key) {
      report.add(
        entry.place, found: "an unknown key",
        expected: keys.suggestion(for: entry.key, in: place.setting, of: Configuration.declared.keys))
    }
  }

  /// The value of a key, even if it is empty.
  subscript(key: String) -> Node? { entries[key]?.value }

  /// The place of a key; the place of the mapping if the key is missing.
  func place(of key: String) -> Place { entries[key]?.place ?? place.child(key) }

  /// The mapping at a key; nil if the key is missing or empty.
  /// - Parameter orWord: whether a setting reads other values, such as a single word.
  func mapping(_ key: String, orWord: Bool) -> Node? {
    guard let node = self[key] else { return nil }
    return switch node.content {
    case .nothing: nil
    case .scalar, .list: orWord ? nil : node
    case .mapping, .refused: node
    }
  }

  /// Reports a key that is missing.
  func require(_ key: String, _ expected: String) {
    if isReadable, entries[key] == nil { report.add(place(of: key), found: "nothing", expected: expected) }
  }

  /// The value of a required key; nil if it is missing or wrong.
  func required<Value>(_ key: String, _ form: Form<Value>) -> Located<Value>? {
    require(key, form.expected)
    return value(key, form)
  }

  /// The value of a key; nil if it is missing or wrong.
  func value<Value>(_ key: String, _ form: Form<Value>) -> Located<Value>? {
    self[key].flatMap { form.read($0, report: report) }
  }
}
