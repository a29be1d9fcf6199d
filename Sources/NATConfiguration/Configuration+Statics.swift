public import NATWire

extension Configuration {
  /// An entry of `static`: a port forward or a 1:1 mapping.
  public enum StaticMapping: Sendable, Hashable {
    /// A public port, or an ICMP query identifier, with its private one.
    case portForward(
      TransportProtocol, publicEndpoint: Endpoint, privateEndpoint: Endpoint, terms: ForwardTerms = .init())
    /// `protocol: all`: a 1:1 mapping of two addresses, for every protocol.
    case oneToOne(publicAddress: IPv4Address, privateAddress: IPv4Address)

    public var publicAddress: IPv4Address {
      switch self {
      case .portForward(_, let endpoint, _, _): endpoint.address
      case .oneToOne(let address, _): address
      }
    }

    public var privateAddress: IPv4Address {
      switch self {
      case .portForward(_, _, let endpoint, _): endpoint.address
      case .oneToOne(_, let address): address
      }
    }
  }
}

extension Configuration {
  /// The restrictions of a port forward. By default it has none: all remotes, both directions, no end.
  public struct ForwardTerms: Sendable, Hashable {
    public var direction = Direction.both
    /// The remote endpoints that may use it; nil for all.
    public var remote: Remote?
    /// Whether it allows one session and ends with it.
    public var once = false
    /// How long it stays in force after it was added; nil for ever.
    public var lifetimeNanoseconds: UInt64?

    public init() {}

    /// Whether it can end without an operator.
    public var endsByItself: Bool { once || lifetimeNanoseconds != nil }
  }

  /// The key `direction` of a port forward: which side may begin sessions.
  public enum Direction: String, Sendable, CaseIterable {
    case both
    /// Only outside. Sessions that the inside host begins get another binding.
    case inbound
  }

  /// The key `remote` of a port forward: an address, an address and a port, or a network.
  public struct Remote: Sendable, Hashable, CustomStringConvertible {
    public var network: IPv4Network
    /// Nil for any port.
    public var port: UInt16?

    /// The text in the file.
    public var description: String {
      if let port { return "\(network.address):\(port)" }
      return network.prefixLength == 32 ? "\(network.address)" : "\(network)"
    }
  }
}

extension Configuration {
  private static let statics =
    "a list of mappings such as { protocol: tcp, public: 192.0.2.1:8080, private: 192.168.1.10:80 }"

  @SettingsBuilder<Configuration> static var staticSettings: [Setting<Configuration>] {
    Setting(
      "static", form: statics, .live,
      read: { configuration, node, reader in
        guard let entries = reader.list(node, statics) else { return }
        guard entries.count <= mostStatics else {
          reader.report.add(
            node.place, found: "\(entries.count) mappings", expected: "at most \(mostStatics)")
          return
        }
        reader.statics = entries.compactMap { StaticDraft($0, reader) }
        configuration.statics = reader.statics.map(\.mapping)
      },
      written: { .entries($0.statics.map(\.written)) }
    ).with(members: StaticMapping.reference).about("Port forwards and 1:1 mappings.")
  }
}

extension Configuration.StaticMapping {
  /// The keys of an entry. ``StaticDraft`` reads them, because `public` and `private` depend on the protocol.
  fileprivate static var reference: [SettingReference] {
    func key(_ name: String, _ form: String, _ documentation: String, _ samples: [String]) -> SettingReference
    {
      SettingReference(
        path: "static[].\(name)", form: form, defaultText: "required", isRequired: true,
        effect: .live,
        documentation: documentation, samples: samples)
    }
    let ends = "an address and a port, or an address if `protocol` is `all`"
    return [
      key(
        "protocol", Form<StaticDraft.Kind>.mappingKind.expected,
        "`tcp`, `udp`, `icmp`: a port forward (of ICMP, a query identifier). `all`: a 1:1 mapping.",
        ["tcp", "udp"]),
      key(
        "public", ends, "The public end: 203.0.113.5:8080, host:8080, or 203.0.113.6 of a 1:1 mapping.",
        ["203.0.113.5:8080", "203.0.113.6:8081"]),
      key(
        "private", ends, "The inside host: 192.168.1.10:80, or 192.168.1.20 of a 1:1 mapping.",
        ["192.168.1.10:80", "192.168.1.11:81"]),
    ]
      + Configuration.ForwardTerms.settings.list.map {
        $0.reference(in: Configuration.ForwardTerms(), prefix: "static[].")
      }
  }

  static let keys = reference.reduce(into: KeyTree()) {
    $0.insert($1.path.dropFirst(9), isRequired: $1.isRequired)
  }

  fileprivate var written: Written.Entry {
    Written.Entry(
      name: "\(protocolText) \(publicText)",
      identity: [("protocol", .value(protocolText)), ("public", .value(publicText))],
      members: [("private", .value(privateText))] + termSettings.map { ($0.key, .value($0.value)) })
  }
}

extension Configuration.ForwardTerms {
  /// The settings for TCP and UDP.
  static let settings = settings(.remote(of: .tcp))
  static let settingsOfICMP = settings(.remote(of: .icmp))

  private static func settings(_ remote: Form<Configuration.Remote>) -> Settings<Self> {
    Settings {
      Setting("direction", \.direction, .word, .live)
        .about("Sessions begin on `both` sides, or `inbound`: on the remote side alone.")
      Setting("remote", optional: \.remote, remote, .live)
        .about("The remote endpoints for which a port forward holds.").byDefault("all").samples(
          "198.51.100.7", "198.51.100.7:443", "198.51.100.0/24")
      Setting("once", \.once, .truth, .live).about("A port forward that ends with its first session.")
      Setting("lifetime", optional: \.lifetimeNanoseconds, .lifetime, .live)
        .about("How long a port forward is in force after it was added.").byDefault("without end")
    }
  }
}

extension Configuration.StaticMapping {
  /// The restrictions of a port forward. A 1:1 mapping has none.
  public var terms: Configuration.ForwardTerms {
    switch self {
    case .portForward(_, _, _, let terms): terms
    case .oneToOne: Configuration.ForwardTerms()
    }
  }

  /// The same with an address instead of `host`.
  public func onMachine(_ address: IPv4Address) -> Configuration.StaticMapping {
    guard case .portForward(let transport, var outer, let inner, let terms) = self, outer.address == .machine
    else { return self }
    outer.address = address
    return .portForward(transport, publicEndpoint: outer, privateEndpoint: inner, terms: terms)
  }

  /// The keys and values of the entry without `protocol`, `public`, `private` and defaults.
  public var termSettings: [(key: String, value: String)] {
    let defaults = Configuration.ForwardTerms()
    return Configuration.ForwardTerms.settings.list.compactMap { setting in
      let text = setting.written(terms)?.text
      return text.flatMap { $0 == setting.written(defaults)?.text ? nil : (setting.path, $0) }
    }
  }

  /// The entry in the file.
  public var entry: [String: String] {
    Dictionary(
      [("protocol", protocolText), ("public", publicText), ("private", privateText)]
        + termSettings.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  /// The protocol in the file: `tcp`, `udp`, `icmp` or `all`.
  public var protocolText: String {
    switch self {
    case .portForward(let transport, _, _, _): transport.text
    case .oneToOne: "all"
    }
  }

  /// The text in the file: `address:port`, or the address alone.
  public var publicText: String {
    switch self {
    case .portForward(_, let endpoint, _, _): "\(endpoint.address.text):\(endpoint.port)"
    case .oneToOne(let address, _): address.description
    }
  }

  /// The text in the file: `address:port`, or the address alone.
  public var privateText: String {
    switch self {
    case .portForward(_, _, let endpoint, _): endpoint.description
    case .oneToOne(_, let address): address.description
    }
  }
}

extension TransportProtocol {
  var text: String { "\(self)" }
}
