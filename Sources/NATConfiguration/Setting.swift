/// How a changed setting takes effect while the gateway runs.
public enum Effect: Sendable, Equatable {
  /// A reload applies the change to this component.
  case applied(by: Component)
  /// A reload that changes the setting is refused.
  case restart

  /// A reload applies the change to the gateway.
  static let live = Effect.applied(by: .gateway)

  /// A part of the daemon that takes new values while it runs.
  public enum Component: Sendable, CaseIterable {
    /// The packet path: NATComposition's `ChangePlan` brings it from one configuration to the next.
    case gateway
    /// The level of the daemon's log.
    case log
  }
}

/// The declaration of one setting: its path in the file, its form, the effect of a change, and its
/// documentation.
///
/// Everything else follows from the declarations: reading and checking a file, ``Configuration/settings``,
/// ``Configuration/changes(to:)``, ``Configuration/yaml``, the refusal of a reload that needs a restart, and the
/// reference page. The default is the initial value of the property.
struct Setting<Root>: Sendable {
  /// The keys from the root to the setting, joined by dots.
  let path: String
  let effect: Effect
  private(set) var documentation = ""
  /// The accepted form, as error messages name it.
  let form: String
  private(set) var samples: [String]
  private(set) var isRequired = false
  /// The default in words, if it is not constant.
  private(set) var defaultNote: String?
  /// The settings of an entry, if the setting is a list of mappings.
  private(set) var members: [SettingReference] = []
  /// Reads a value from the file, and reports errors.
  private(set) var read: @Sendable (_ root: inout Root, Node, Reader) -> Void
  /// The value as written to a file; nil to leave the setting out.
  let written: @Sendable (Root) -> Written?

  /// A setting with its own code for reading and writing.
  init(
    _ path: String, form: String, _ effect: Effect, samples: [String] = [],
    read: @escaping @Sendable (_ root: inout Root, Node, Reader) -> Void,
    written: @escaping @Sendable (Root) -> Written?
  ) {
    self.path = path
    self.effect = effect
    self.form = form
    self.samples = samples
    self.read = read
    self.written = written
  }
}

// MARK: The usual settings

extension Setting {
  typealias Property<Value> = WritableKeyPath<Root, Value> & Sendable

  /// A single value.
  init<Value>(
    _ path: String, _ property: any Property<Value>, _ form: Form<Value>, _ effect: Effect
  ) {
    self.init(
      path, form: form.expected, effect, samples: form.samples,
      read: { root, node, reader in
        if let value = reader.value(node, form) { root[keyPath: property] = value }
      },
      written: { .value(form.text($0[keyPath: property])) })
  }

  /// An optional single value.
  init<Value>(
    _ path: String, optional property: any Property<Value?>, _ form: Form<Value>, _ effect: Effect
  ) {
    self.init(
      path, form: form.expected, effect, samples: form.samples,
      read: { root, node, reader in
        if let value = reader.value(node, form) { root[keyPath: property] = value }
      },
      written: { $0[keyPath: property].map { .value(form.text($0)) } })
    defaultNote = "none"
  }

  /// A list of values.
  /// - Parameter expected: how the list is written.
  init<Element>(
    _ path: String, list property: any Property<[Element]>, _ form: Form<Element>, _ expected: String,
    _ effect: Effect
  ) {
    self.init(
      path, form: expected, effect,
      read: { root, node, reader in
        guard let nodes = reader.list(node, expected) else { return }
        root[keyPath: property] = nodes.compactMap { node in
          form.read(node, report: reader.report).map { located in
            reader.elements[path, default: []].append(located.place)
            return located.value
          }
        }
        if root[keyPath: property].count == nodes.count { reader.places[path] = node.place }
      },
      written: { .list($0[keyPath: property].map(form.text)) })
  }

  /// A list of mappings. The first setting identifies an entry.
  /// - Parameters:
  ///   - settings: the settings of an entry.
  ///   - empty: an entry with defaults.
  ///   - expected: how the list is written.
  init<Element: Sendable>(
    _ path: String, entries property: any Property<[Element]>, _ settings: Settings<Element>, empty: Element,
    _ expected: String, _ effect: Effect
  ) {
    self.init(
      path, form: expected, effect,
      read: { root, node, reader in
        guard let nodes = reader.list(node, expected) else { return }
        reader.places[path] = node.place
        root[keyPath: property] = nodes.map { node in
          var element = empty
          reader.read(node, settings, into: &element)
          return element
        }
      },
      written: { root in
        .entries(
          root[keyPath: property].map { element in
            var members = settings.written(element)
            let first = members.removeFirst()
            return Written.Entry(name: first.value.text, identity: [first], members: members)
          })
      })
    members = settings.list.map { $0.reference(in: empty, prefix: "\(path)[].") }
  }
}

// MARK: What a declaration may add

extension Setting {
  /// Documents the setting in one line, which may use Markdown.
  func about(_ documentation: String) -> Setting { with { $0.documentation = documentation } }

  /// The mapping must have this setting.
  var required: Setting { with { $0.isRequired = true } }

  /// Describes the default.
  func byDefault(_ words: String) -> Setting { with { $0.defaultNote = words } }

  /// Valid values other than the default. Tests change the setting to each of them.
  func samples(_ texts: String...) -> Setting { with { $0.samples = texts } }

  /// Changes each entry of a list before it is read.
  func adjusting(_ change: @escaping @Sendable (Node) -> Node) -> Setting {
    with { setting in
      setting.read = { [read] root, node, reader in
        guard case .list(let nodes) = node.content else { return read(&root, node, reader) }
        read(&root, Node(place: node.place, content: .list(nodes.map(change))), reader)
      }
    }
  }

  func with(members: [SettingReference]) -> Setting { with { $0.members = members } }

  private func with(_ change: (inout Setting) -> Void) -> Setting {
    var changed = self
    change(&changed)
    return changed
  }

  /// The same setting, reached through a property of `Parent`.
  func lifted<Parent>(
    to prefix: String, _ property: any WritableKeyPath<Parent, Root> & Sendable
  ) -> Setting<Parent> {
    var lifted = Setting<Parent>(
      "\(prefix).\(path)", form: form, effect, samples: samples,
      read: { [read] parent, node, reader in read(&parent[keyPath: property], node, reader) },
      written: { [written] in written($0[keyPath: property]) })
    lifted.documentation = documentation
    lifted.isRequired = isRequired
    lifted.defaultNote = defaultNote
    lifted.members = members
    return lifted
  }
}

// MARK: Documentation

/// A declaration as text, for the reference page and for tests.
public struct SettingReference: Sendable, Equatable {
  /// The keys from the root; those of the entries of a list follow `[].`.
  public let path: String
  /// What is accepted.
  public let form: String
  public let defaultText: String
  public let isRequired: Bool
  public let effect: Effect
  public let documentation: String
  /// Valid values as in the file. At least one differs from the default.
  public let samples: [String]
}

extension Setting {
  /// - Parameter defaults: a value with every default.
  func reference(in defaults: Root, prefix: String = "") -> SettingReference {
    SettingReference(
      path: prefix + path, form: form,
      defaultText: isRequired ? "required" : defaultNote ?? written(defaults)?.text ?? "none",
      isRequired: isRequired, effect: effect, documentation: documentation, samples: samples)
  }
}

/// The settings of one mapping of the file, in its order.
struct Settings<Root>: Sendable {
  let list: [Setting<Root>]
  let keys: KeyTree

  init(@SettingsBuilder<Root> _ list: () -> [Setting<Root>]) {
    self.list = list()
    keys = self.list.reduce(into: KeyTree()) { $0.insert($1.path, isRequired: $1.isRequired) }
  }

  /// The values to write to a file, by path.
  func written(_ root: Root) -> [(key: String, value: Written)] {
    list.compactMap { setting in setting.written(root).map { (setting.path, $0) } }
  }
}

/// Collects settings and lists of settings.
@resultBuilder enum SettingsBuilder<Root> {
  static func buildExpression(_ setting: Setting<Root>) -> [Setting<Root>] { [setting] }
  static func buildExpression(_ settings: [Setting<Root>]) -> [Setting<Root>] { settings }
  static func buildBlock(_ settings: [Setting<Root>]...) -> [Setting<Root>] { settings.flatMap { $0 } }
}
