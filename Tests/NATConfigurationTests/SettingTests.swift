import NATComposition
import NATConfiguration
import NATGateway
import NATMemory
import NATTable
import NATWire
import Testing

/// Every declared setting does what its declaration says. A new setting is covered without a new test.
@Suite struct SettingTests {
  /// A file with the two interfaces and some settings more, by their paths; later ones replace earlier ones.
  private static func file(_ settings: (path: String, value: String)...) -> String {
    var lines = [
      ("interfaces.inside.name", "lan0"), ("interfaces.inside.address", "192.168.1.1/24"),
      ("interfaces.outside.name", "wan0"), ("interfaces.outside.address", "203.0.113.5/24"),
    ]
    for setting in settings {
      lines.removeAll { $0.0 == setting.path }
      lines.append(setting)
    }
    return block(lines, indentation: "")
  }

  /// Paths and values as nested mappings.
  private static func block(_ settings: [(String, String)], indentation: String) -> String {
    let groups = settings.map { ($0.0.split(separator: ".", maxSplits: 1).map(String.init), $0.1) }
    return groups.reduce(into: [String]()) { if !$0.contains($1.0[0]) { $0.append($1.0[0]) } }.map { key in
      let inner = groups.filter { $0.0[0] == key }
      if inner[0].0.count == 1 { return "\(indentation)\(key): \(inner[0].1)\n" }
      return "\(indentation)\(key):\n" + block(inner.map { ($0.0[1], $0.1) }, indentation: indentation + "  ")
    }.joined()
  }

  /// An entry of a list with some of its members, by their keys.
  private static func entry(_ members: [(key: String, value: String)]) -> String {
    "[{ " + members.map { "\($0.key): \"\($0.value)\"" }.joined(separator: ", ") + " }]"
  }

  private static func parse(_ text: String) throws -> Configuration {
    try Configuration.parse(text, file: "portico.yaml")
  }

  /// What a reload from one configuration to another tells the gateway.
  private static func operations(_ old: Configuration, _ new: Configuration) -> [String] {
    ChangePlan(from: old, to: new).operations.map { operation in
      switch operation {
      case .setRules(var settings):
        // The gateway leaves these as they are when it takes new rules.
        let nothing = GatewaySettings(Configuration(interfaces: old.interfaces))
        (settings.inside, settings.outside) = (nothing.inside, nothing.outside)
        settings.fragments = nothing.fragments
        var table = TableSettings(pool: [])
        table.policy = settings.table.policy
        table.lifetimes = settings.table.lifetimes
        table.bindingLimit = settings.table.bindingLimit
        table.sessionLimit = settings.table.sessionLimit
        settings.table = table
        return "\(settings)"
      case .setInterfaces(let settings): return "\(settings.inside) \(settings.outside)"
      default: return "\(operation)"
      }
    }
  }

  private static let capacity: TableCapacity = {
    var random = RandomSource(seed: 1)
    var table = GatewaySettings(ExampleTests.gateway).table
    table.reserve = .live(table)
    return TranslationTable(table, random: &random).capacity
  }()

  /// Checks that a reload does with a change what its declaration says.
  private static func check(_ setting: SettingReference, _ old: Configuration, _ new: Configuration) {
    let refusal = ChangePlan.refusal(from: old, to: new, capacity, usedLifetimes: [])
    #expect(
      old.changes(to: new).contains { $0.effect == setting.effect }, "\(setting.path): no change is listed")
    switch setting.effect {
    case .restart: #expect(refusal != nil, "\(setting.path) needs a restart, and a reload takes it")
    case .applied(by: .gateway):
      #expect(refusal == nil, "\(setting.path) is live, and a reload refuses it")
      #expect(
        operations(old, new) != operations(old, old), "\(setting.path) is live, and the gateway is not told")
    case .applied(by: .log):
      #expect(refusal == nil)
      #expect(old.log != new.log, "\(setting.path) is said to change the log")
    }
  }

  private static let settings = Configuration.reference.filter {
    !$0.path.contains("[]") && !$0.samples.isEmpty
  }
  private static let members = Configuration.reference.filter { $0.path.contains("[]") }

  @Test("a change of a setting is applied or refused, as declared", arguments: settings.map(\.path))
  func effect(of path: String) throws {
    let setting = try #require(Self.settings.first { $0.path == path })
    let base = try Self.parse(Self.file())
    let changed = try setting.samples.map { try Self.parse(Self.file((setting.path, $0))) }.filter {
      $0 != base
    }
    try #require(!changed.isEmpty, "no sample differs from the default")
    for configuration in changed {
      // Samples may be beyond the room that a running gateway has; the first one is not.
      guard
        configuration == changed[0]
          || ChangePlan.refusal(from: base, to: configuration, Self.capacity, usedLifetimes: []) == nil
      else { continue }
      Self.check(setting, base, configuration)
    }
  }

  @Test("a change of an entry of a list is applied or refused, as declared", arguments: members.map(\.path))
  func effect(ofMember path: String) throws {
    let member = try #require(Self.members.first { $0.path == path })
    let parts = member.path.components("[].")
    let required = Self.members.filter { $0.isRequired && $0.path.components("[].")[0] == parts[0] }
      .map { (key: $0.path.components("[].")[1], value: $0.samples[0]) }
    func configuration(_ value: String?) throws -> Configuration {
      let others = required.filter { $0.key != parts[1] || value == nil }
      let entry = others + (value.map { [(key: parts[1], value: $0)] } ?? [])
      return try Self.parse(Self.file((parts[0], Self.entry(entry))))
    }
    let base = try configuration(nil)
    let changed = try member.samples.map(configuration).filter { $0 != base }
    try #require(!changed.isEmpty, "no sample differs from the default")
    for configuration in changed { Self.check(member, base, configuration) }
  }

  @Test("every list of mappings is covered by its members, everything else by samples")
  func covered() {
    for setting in Configuration.reference where setting.samples.isEmpty {
      #expect(Self.members.contains { $0.path.hasPrefix("\(setting.path)[].") }, "\(setting.path)")
    }
  }

  @Test("every setting is documented in plain words, once")
  func documented() {
    let all = Configuration.reference
    #expect(Set(all.map(\.path)).count == all.count)
    for setting in all {
      #expect(setting.documentation.hasSuffix(".") && setting.documentation.count > 8, "\(setting.path)")
    }
  }

  @Test("the example of the module reads as it says")
  func example() throws {
    let configuration = try Configuration.parse(
      """
      interfaces:
        inside: { name: lan0, address: 192.168.1.1/24 }
        outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }
      nat: { port-choice: random, lifetimes: { udp: 2m } }
      """, file: "portico.yaml")
    #expect(configuration.nat.lifetimes.udpNanoseconds == 120_000_000_000)
  }
}

extension String {
  /// The parts between a separator.
  fileprivate func components(_ separator: String) -> [String] {
    split(separator: separator).map(String.init)
  }
}
