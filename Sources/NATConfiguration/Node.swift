/// A part of the YAML file with its place. Scalars are text as written: nothing is a number, a date or a
/// truth value before a setting asks for one.
struct Node {
  let place: Place
  let content: Content

  enum Content {
    /// No value at all, as in `routes:` with nothing behind it.
    case nothing
    case scalar(String)
    case list([Node])
    case mapping([Entry])
    /// Reported already; whoever reads the setting says no more about it.
    case refused
  }

  struct Entry {
    let key: String
    let place: Place
    let value: Node
  }

  var isList: Bool {
    if case .list = content { true } else { false }
  }

  /// What stands here, for a message.
  var found: String {
    switch content {
    case .nothing, .refused: "nothing"
    case .scalar(let text): text.quoted
    case .list: "a list"
    case .mapping: "a mapping"
    }
  }
}
