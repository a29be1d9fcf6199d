import Yams

extension Configuration {
  /// All settings, in the order of the file.
  static let declared = Settings<Configuration> {
    interfaceSettings
    poolSettings
    bindingSettings
    lifetimeSettings
    limitSettings
    answerSettings
    tcpSettings
    Setting("nat.icmp-errors-per-second", \.nat.icmpErrorsPerSecond, .number(0...1_000_000), .live)
      .about("ICMP errors that Portico itself sends on each side; 0 sends none.")
    staticSettings
    daemonSettings
  }

  /// The declarations of all settings, for the reference page and tests. The settings of list entries follow
  /// the list.
  public static var reference: [SettingReference] {
    let nowhere = Interface(name: "", address: .machine, prefixLength: 32)
    let defaults = Configuration(interfaces: Interfaces(inside: nowhere, outside: nowhere))
    return declared.list.flatMap { [$0.reference(in: defaults)] + $0.members }
  }

  /// One value as text, for the control API.
  public struct SettingValue: Sendable, Equatable {
    /// The path in the file. Entries of lists are identified by their unique field: `routes[10.9.0.0/24].via`,
    /// `nat.pool[192.0.2.1].ports`, `static[tcp 192.0.2.1:8080].private`.
    public let name: String
    /// The text in the file; `off` for none.
    public let value: String
    let effect: Effect
  }

  /// All settings, with defaults, in the order of the file.
  public var settings: [SettingValue] {
    Configuration.declared.list.flatMap { setting in
      (setting.written(self)?.listed(setting.path) ?? []).map {
        SettingValue(name: $0.name, value: $0.value, effect: setting.effect)
      }
    }
  }

  /// A setting that differs. A value is nil if that configuration has no such setting.
  public struct Change: Sendable, Equatable {
    public let setting: String
    public let before: String?
    public let after: String?
    /// What the change needs.
    public let effect: Effect
  }

  /// The settings that differ in another configuration, in the order of the file; those that it lacks last.
  /// - Complexity: O(n) in the number of settings.
  public func changes(to other: Configuration) -> [Change] {
    let (old, new) = (settings, other.settings)
    let before = Dictionary(old.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    let names = Set(new.map(\.name))
    return new.filter { before[$0.name] != $0.value }.map {
      Change(setting: $0.name, before: before[$0.name], after: $0.value, effect: $0.effect)
    }
      + old.filter { !names.contains($0.name) }.map {
        Change(setting: $0.name, before: $0.value, after: nil, effect: $0.effect)
      }
  }

  /// The configuration as a file with all settings, defaults included. Read again, it is the same.
  public var yaml: String {
    do {
      return try Yams.serialize(
        node: Written.mapping(paths: Configuration.declared.written(self)).yaml, width: -1)
    } catch {
      preconditionFailure("mappings, lists and quoted text can always be written: \(error)")
    }
  }
}
