extension Configuration {
  /// The configuration as a file that has every setting, defaults included; read again, it is the same.
  ///
  /// What comes from ``settings`` under a name in brackets is an entry of a list.
  public var yaml: String {
    let root = Tree()
    // Without entries they would have defaults.
    root.child("nat").child("pool").isList = true
    for setting in settings {
      guard let (list, name, key) = setting.entry else {
        root.descendant(setting.name.split(separator: ".").map(String.init)).set(setting.value)
        continue
      }
      let parent = root.descendant(list.split(separator: ".").map(String.init))
      parent.isList = true
      let entry = parent.child(name)
      for (key, value) in Tree.naming(list, name) { entry.child(key).set(value) }
      entry.child(key).set(setting.value)
    }
    return root.text(indentation: "")
  }

  /// A mapping, a list of mappings, or a value.
  private final class Tree {
    var isList = false
    private var value: String?
    private var children: [(key: String, tree: Tree)] = []

    /// Names of lists whose values are lists of networks.
    private static let networks = ["inside-networks", "exempt"]

    func child(_ key: String) -> Tree {
      if let known = children.first(where: { $0.key == key }) { return known.tree }
      let new = Tree()
      children.append((key, new))
      return new
    }

    func descendant(_ path: [String]) -> Tree { path.reduce(self) { $0.child($1) } }

    func set(_ value: String) { self.value = value }

    /// The members that make an entry of a list single.
    static func naming(_ list: String, _ name: String) -> [(key: String, value: String)] {
      let words = name.split(separator: " ", maxSplits: 1).map(String.init)
      switch list {
      case "routes": return [("network", name)]
      case "nat.pool": return [("address", name)]
      default: return words.count == 2 ? [("protocol", words[0]), ("public", words[1])] : []
      }
    }

    func text(indentation: String) -> String {
      children.map { key, tree in
        if let value = tree.value {
          let isList = Tree.networks.contains(key)
          return "\(indentation)\(key): \(isList ? "[\(value)]" : "\"\(value)\"")\n"
        }
        if tree.isList {
          guard !tree.children.isEmpty else { return "\(indentation)\(key): []\n" }
          let entries = tree.children.map { _, entry in
            let members = entry.children.map { "\($0.key): \"\($0.tree.value ?? "")\"" }
            return "\(indentation)  - { \(members.joined(separator: ", ")) }\n"
          }
          return "\(indentation)\(key):\n" + entries.joined()
        }
        return "\(indentation)\(key):\n" + tree.text(indentation: indentation + "  ")
      }.joined()
    }
  }
}

extension Configuration.Setting {
  /// Of an entry of a list the list, what makes the entry single, and the key in it.
  fileprivate var entry: (list: String, name: String, key: String)? {
    guard let open = name.firstIndex(of: "["), let close = name.lastIndex(of: "]"),
      name[close...].hasPrefix("].")
    else { return nil }
    return (
      String(name[..<open]), String(name[name.index(after: open)..<close]),
      String(name[close...].dropFirst(2))
    )
  }
}
