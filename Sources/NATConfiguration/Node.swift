/// A value of the YAML file with its place. Scalars stay text; the form of a setting converts them.
struct Node {
  let place: Place
  let content: Content

  enum Content {
    /// No value, as in `routes:` at the end of a line.
    case nothing
    case scalar(String)
    case list([Node])
    case mapping([Entry])
    /// Invalid, and already reported.
    case refused
  }

  struct Entry {
    let key: String
    let place: Place
    let value: Node
  }

  var isNothing: Bool {
    if case .nothing = content { true } else { false }
  }

  /// The value for a message.
  var found: String {
    switch content {
    case .nothing, .refused: "nothing"
    case .scalar(let text): text.quoted
    case .list: "a list"
    case .mapping: "a mapping"
    }
  }
}
