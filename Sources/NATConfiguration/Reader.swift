/// One pass over a file: reads the settings that it has, and keeps what the checks between settings need.
final class Reader {
  let report: Report
  /// Where the settings stand that could be read, by their paths. Settings that are missing or wrong have no place.
  var places: [String: Place] = [:]
  /// Where the elements of a list of values stand, those apart that are wrong.
  var elements: [String: [Place]] = [:]
  /// The paths of settings that the file has, right or wrong.
  private var seen: Set<String> = []
  /// The readable entries of `static`.
  var statics: [StaticDraft] = []

  init(_ report: Report) { self.report = report }

  /// Reads a mapping. What is missing or wrong is reported, and leaves its property as it is.
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

  /// Finds the mappings inside a mapping, and reports those that must be there and are not.
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

  /// Whether the file leaves a setting out.
  func isMissing(_ path: String) -> Bool { !seen.contains(path) }

  /// A single value; nil if it is wrong.
  func value<Value>(_ node: Node, _ form: Form<Value>) -> Value? {
    guard let located = form.read(node, report: report) else { return nil }
    places[located.place.setting] = located.place
    return located.value
  }

  /// The elements of a list; nil if it is something else.
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
  /// Whether it stands in the file as a mapping: only then a key can be missing.
  let isReadable: Bool
  private let report: Report
  private let entries: [String: Node.Entry]

  /// Reports what is no mapping, and keys that are unknown.
  /// - Parameters:
  ///   - node: what stands in the file, if anything.
  ///   - place: where it stands, or would.
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

  /// What stands at a key, even if it is nothing.
  subscript(key: String) -> Node? { entries[key]?.value }

  /// Where a key stands; the mapping itself if it does not.
  func place(of key: String) -> Place { entries[key]?.place ?? place.child(key) }

  /// What stands at the key of a mapping; nil if nothing does.
  /// - Parameter orWord: a setting reads what is no mapping.
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

  /// The value at a key that must be there; nil if it is not or wrong.
  func required<Value>(_ key: String, _ form: Form<Value>) -> Located<Value>? {
    require(key, form.expected)
    return value(key, form)
  }

  /// The value at a key; nil if it is not there or wrong.
  func value<Value>(_ key: String, _ form: Form<Value>) -> Located<Value>? {
    self[key].flatMap { form.read($0, report: report) }
  }
}
