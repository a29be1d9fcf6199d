/// A session that a change ended, and why.
public struct EndedSession: Codable, Hashable, Sendable {
  public var transport: TransportName
  public var privateEndpoint: EndpointDocument
  public var publicEndpoint: EndpointDocument
  public var remote: EndpointDocument
  /// In kebab case: `operator`, `static-mapping-added`, `pool-address-removed`, ...
  public var reason: String

  public init(
    transport: TransportName, privateEndpoint: EndpointDocument, publicEndpoint: EndpointDocument,
    remote: EndpointDocument, reason: String
  ) {
    self.transport = transport
    self.privateEndpoint = privateEndpoint
    self.publicEndpoint = publicEndpoint
    self.remote = remote
    self.reason = reason
  }

  enum CodingKeys: String, CodingKey {
    case transport = "protocol"
    case privateEndpoint = "private"
    case publicEndpoint = "public"
    case remote, reason
  }
}

/// The answer to a request that ended sessions: their number, and the first thousand of them.
public struct EndedDocument: Codable, Hashable, Sendable {
  public var sessions: Int
  public var bindings: Int
  public var ended: [EndedSession]

  /// The most sessions that are listed. All are counted.
  public static let mostListed = 1000

  public init(sessions: Int = 0, bindings: Int = 0, ended: [EndedSession] = []) {
    self.sessions = sessions
    self.bindings = bindings
    self.ended = ended
  }
}

/// A static mapping as in the configuration.
public struct StaticDocument: Codable, Hashable, Sendable {
  /// `tcp`, `udp`, `icmp` or `all`.
  public var protocolName: String
  /// `address:port`, or for `all` the address alone.
  public var publicEndpoint: String
  public var privateEndpoint: String
  /// `inbound` or `both`; absent: both.
  public var direction: String?
  /// The only remotes that it takes: an address, an address and a port, or a network.
  public var remote: String?
  /// Whether it ends with its first session.
  public var once: Bool?
  /// How long it is in force, such as `600s` or `10m`.
  public var lifetime: String?

  /// The mapping as an entry of `static` in the configuration.
  public var entry: [String: String] {
    var entry = ["protocol": protocolName, "public": publicEndpoint, "private": privateEndpoint]
    entry["direction"] = direction
    entry["remote"] = remote
    entry["once"] = once.map { $0 ? "true" : "false" }
    entry["lifetime"] = lifetime
    return entry
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case protocolName = "protocol"
    case publicEndpoint = "public"
    case privateEndpoint = "private"
    case direction, remote, once, lifetime
  }

  /// The keys that a mapping may have.
  public static var keys: [String] { CodingKeys.allCases.map(\.rawValue) }
}

extension StaticDocument {
  public init(protocolName: String, publicEndpoint: String, privateEndpoint: String) {
    self.protocolName = protocolName
    self.publicEndpoint = publicEndpoint
    self.privateEndpoint = privateEndpoint
  }

  /// - Parameter entry: an entry of `static` in the configuration.
  public init(entry: [String: String]) {
    self.init(
      protocolName: entry["protocol"] ?? "", publicEndpoint: entry["public"] ?? "",
      privateEndpoint: entry["private"] ?? "", direction: entry["direction"], remote: entry["remote"],
      once: entry["once"] == "true" ? true : nil, lifetime: entry["lifetime"])
  }
}

public struct StaticsDocument: Codable, Hashable, Sendable {
  public var statics: [StaticDocument]

  public init(statics: [StaticDocument]) { self.statics = statics }
}

/// A static mapping that was added or removed, and the sessions that this ended.
public struct StaticChangeDocument: Codable, Hashable, Sendable {
  public var mapping: StaticDocument
  public var ended: EndedDocument

  public init(mapping: StaticDocument, ended: EndedDocument) {
    self.mapping = mapping
    self.ended = ended
  }

  enum CodingKeys: String, CodingKey {
    case mapping = "static"
    case ended
  }
}

/// A setting by its path in the file, with its value in the form of the file.
public struct SettingDocument: Codable, Hashable, Sendable {
  public var setting: String
  public var value: String

  public init(setting: String, value: String) {
    self.setting = setting
    self.value = value
  }
}

/// Every setting in force, in the order of the file.
public struct ConfigurationDocument: Codable, Hashable, Sendable {
  /// The file it was read from.
  public var file: String
  public var settings: [SettingDocument]

  public init(file: String, settings: [SettingDocument]) {
    self.file = file
    self.settings = settings
  }
}

/// The changes of a reload.
public struct ReloadDocument: Codable, Hashable, Sendable {
  /// `before` or `after` is null if the setting does not exist there.
  public struct Change: Codable, Hashable, Sendable {
    public var setting: String
    public var before: String?
    public var after: String?

    public init(setting: String, before: String?, after: String?) {
      self.setting = setting
      self.before = before
      self.after = after
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(setting, forKey: .setting)
      try container.encode(before, forKey: .before)
      try container.encode(after, forKey: .after)
    }
  }

  public var changed: [Change]
  public var ended: EndedDocument

  public init(changed: [Change], ended: EndedDocument) {
    self.changed = changed
    self.ended = ended
  }
}
