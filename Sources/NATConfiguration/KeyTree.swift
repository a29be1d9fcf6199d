/// The keys of a mapping in the file, in order, with those of nested mappings. Built from the paths of the
/// settings.
struct KeyTree: Sendable {
  private(set) var names: [String] = []
  /// The required keys.
  private(set) var required: [String] = []
  /// The nested mappings.
  private(set) var sections: [String: KeyTree] = [:]
  /// Nested mappings that one word may replace, such as `filtering`.
  private(set) var shorthands: Set<String> = []

  /// Adds the keys of a path.
  mutating func insert(_ path: some StringProtocol, isRequired: Bool) {
    let parts = String(path).split(separator: ".", maxSplits: 1).map(String.init)
    if !names.contains(parts[0]) { names.append(parts[0]) }
    if isRequired, !required.contains(parts[0]) { required.append(parts[0]) }
    if parts.count == 2 {
      sections[parts[0], default: KeyTree()].insert(parts[1], isRequired: isRequired)
    } else {
      shorthands.insert(parts[0])
    }
  }

  /// What is expected instead of a value that is no mapping.
  func mapping(of keys: [String]? = nil) -> String {
    let keys = keys ?? names
    return switch keys.count {
    case 1: "a mapping with the key \(keys[0])"
    case 2...5: "a mapping with the keys \(keys.listed(with: "and"))"
    default: "a mapping with keys such as \(Array(keys.prefix(3)).listed(with: "and"))"
    }
  }

  /// What is expected instead of an unknown key: a similar key, or the mapping that has the key, or any of
  /// the keys.
  /// - Parameters:
  ///   - path: the path of the mapping with the unknown key.
  ///   - file: the keys of the whole file.
  func suggestion(for key: String, in path: String, of file: KeyTree) -> String {
    let near = names.map { (key: $0, distance: distance($0, key.lowercased())) }
      .min { $0.distance < $1.distance }
    if let near, near.distance <= min(3, max(1, near.key.count / 3)) { return near.key }
    if let home = file.homes(of: key).first(where: { $0 != path }) {
      return "\(key) \(home.isEmpty ? "at the top level" : "under \(home)")"
    }
    return names.count == 1 ? names[0] : "one of \(names.listed(with: "or"))"
  }

  /// The paths of the mappings that have a key, outer mappings first.
  private func homes(of key: String, path: String = "") -> [String] {
    (names.contains(key) ? [path] : [])
      + names.flatMap { name in
        sections[name]?.homes(of: key, path: path.isEmpty ? name : "\(path).\(name)") ?? []
      }
  }
}

/// The number of edits between two words: insertions, deletions, exchanges and swaps of adjacent characters.
/// - Complexity: O(the product of both lengths); the second word counts up to 64 characters.
private func distance(_ a: String, _ b: String) -> Int {
  let a = Array(a.unicodeScalars)
  let b = Array(b.unicodeScalars.prefix(64))
  var rows = [Array(0...b.count)]
  for i in 0..<a.count {
    var row = [i + 1]
    for j in 0..<b.count {
      var least = min(row[j], rows[i][j + 1]) + 1
      least = min(least, rows[i][j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, rows[i - 1][j - 1] + 1) }
      row.append(least)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}

extension [String] {
  /// `a, b and c`.
  func listed(with conjunction: String) -> String {
    guard let last, count > 1 else { return first ?? "" }
    return "\(dropLast().joined(separator: ", ")) \(conjunction) \(last)"
  }
}
