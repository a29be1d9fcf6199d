/// A part of the YAML file with its place. Scalars are text as written: the form of a setting makes numbers and truth
/// values of it.
struct Node {
  let place: Place
  let content: Content

  enum Content {
    /// No value at all, as in `routes:` with nothing behind it.
    case nothing
    case scalar(String)
    case list([Node])
    case mapping([Entry])
    /// Wrong and reported.
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
