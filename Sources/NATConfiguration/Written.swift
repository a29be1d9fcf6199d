import Yams

/// The value of a setting as written to a file.
indirect enum Written {
  case value(String)
  case list([String])
  /// A mapping whose keys the operator chooses.
  case mapping([(key: String, value: Written)])
  /// A list of mappings.
  case entries([Entry])

  struct Entry {
    /// The name of the entry in the listing: the values that identify it.
    let name: String
    /// The members that identify it.
    let identity: [(key: String, value: Written)]
    let members: [(key: String, value: Written)]
  }

  /// The value on one line.
  var text: String {
    switch self {
    case .value(let text): text
    case .list(let texts): texts.joined(separator: ", ")
    case .mapping(let members): members.isEmpty ? "{}" : "..."
    case .entries(let entries): entries.isEmpty ? "[]" : "..."
    }
  }

  /// The values of this setting as `GET /v1/config` lists them: the full path and the value.
  func listed(_ path: String) -> [(name: String, value: String)] {
    switch self {
    case .value, .list: [(path, text)]
    case .mapping(let members): members.flatMap { $0.value.listed("\(path).\($0.key)") }
    case .entries(let entries):
      entries.flatMap { entry in
        entry.members.flatMap { $0.value.listed("\(path)[\(entry.name)].\($0.key)") }
      }
    }
  }

  var yaml: Yams.Node {
    switch self {
    // In quotes YAML reads every value as text.
    case .value(let text): Yams.Node(text, Tag(.str), .doubleQuoted)
    case .list(let texts): Yams.Node(texts.map { Written.value($0).yaml }, Tag(.seq), .flow)
    case .mapping(let members): Yams.Node(members.map { (Yams.Node($0.key), $0.value.yaml) })
    case .entries(let entries):
      Yams.Node(
        entries.map { entry in
          Yams.Node(
            (entry.identity + entry.members).map { (Yams.Node($0.key), $0.value.yaml) }, Tag(.map), .flow)
        }, Tag(.seq), entries.isEmpty ? .flow : .block)
    }
  }

  /// Groups settings by the keys of their paths into one mapping.
  static func mapping(paths settings: [(key: String, value: Written)]) -> Written {
    var keys: [String] = []
    var groups: [String: [(key: String, value: Written)]] = [:]
    var values: [String: Written] = [:]
    for (path, value) in settings {
      let parts = path.split(separator: ".", maxSplits: 1).map(String.init)
      if !keys.contains(parts[0]) { keys.append(parts[0]) }
      if parts.count == 2 {
        groups[parts[0], default: []].append((parts[1], value))
      } else {
        values[parts[0]] = value
      }
    }
    return .mapping(keys.map { ($0, values[$0] ?? .mapping(paths: groups[$0] ?? [])) })
  }
}
