/// The results of changes as text.
public enum ChangeText {
  public static func render(_ ended: EndedDocument) -> String {
    let count =
      "ended \(HumanText.amount(ended.sessions, "session")) and \(HumanText.amount(ended.bindings, "binding"))\n"
    guard !ended.ended.isEmpty else { return count }
    let rows = ended.ended.map {
      [
        $0.transport.rawValue, EndpointText.text($0.privateEndpoint),
        EndpointText.text($0.publicEndpoint), EndpointText.remote($0.remote, $0.transport), $0.reason,
      ]
    }
    let rest = ended.sessions - ended.ended.count
    return count + "\n" + TextColumns.text(["PROTO", "PRIVATE", "PUBLIC", "DESTINATION", "REASON"], rows)
      + (rest > 0 ? "and \(rest) more\n" : "")
  }

  public static func render(_ statics: StaticsDocument) -> String {
    guard !statics.statics.isEmpty else { return "no static mappings\n" }
    let terms = statics.statics.map { describeTerms(of: $0) }
    let hasTerms = terms.contains { !$0.isEmpty }
    return TextColumns.text(
      ["PROTO", "PUBLIC", "PRIVATE"] + (hasTerms ? ["TERMS"] : []),
      zip(statics.statics, terms).map { mapping, terms in
        [mapping.protocolName, mapping.publicEndpoint, mapping.privateEndpoint]
          + (hasTerms ? [terms.isEmpty ? "-" : terms] : [])
      })
  }

  /// The terms that narrow a mapping.
  private static func describeTerms(of mapping: StaticDocument) -> String {
    var words: [String] = []
    if let direction = mapping.direction, direction != "both" { words.append(direction) }
    if let remote = mapping.remote { words.append("remote \(remote)") }
    if mapping.once == true { words.append("once") }
    if let lifetime = mapping.lifetime { words.append("for \(lifetime)") }
    return words.joined(separator: ", ")
  }

  /// - Parameter what: `added` or `removed`.
  public static func render(_ change: StaticChangeDocument, _ what: String) -> String {
    let mapping = change.mapping
    let terms = describeTerms(of: mapping)
    return "\(what) \(mapping.protocolName) \(mapping.publicEndpoint) to \(mapping.privateEndpoint)"
      + (terms.isEmpty ? "\n" : " (\(terms))\n")
      + (change.ended.sessions > 0 ? render(change.ended) : "")
  }

  public static func render(_ reload: ReloadDocument) -> String {
    guard !reload.changed.isEmpty else { return "nothing changed\n" }
    return TextColumns.text(
      ["SETTING", "BEFORE", "AFTER"], reload.changed.map { [$0.setting, $0.before ?? "-", $0.after ?? "-"] })
      + "\n" + render(reload.ended)
  }

  public static func render(_ snapshot: SnapshotDocument) -> String {
    "\(snapshot.file): \(HumanText.amount(snapshot.sessions, "session")), "
      + "\(HumanText.amount(snapshot.restingPorts, "resting port")), \(snapshot.bytes) bytes\n"
  }
}

/// Endpoints as text.
enum EndpointText {
  static func text(_ endpoint: EndpointDocument) -> String {
    "\(endpoint.address):\(endpoint.port)"
  }

  /// The remote endpoint of an ICMP session has no port.
  static func remote(_ endpoint: EndpointDocument, _ transport: TransportName?) -> String {
    transport == .icmp ? endpoint.address : "\(endpoint.address):\(endpoint.port)"
  }
}
