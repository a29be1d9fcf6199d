import NATWire

/// A static mapping as it was written, with the places of its parts.
struct StaticDraft {
  let mapping: Configuration.StaticMapping
  let publicPlace: Place
  let privatePlace: Place
  var remotePlace: Place?

  /// The key `protocol`.
  enum Kind: Sendable {
    case forward(TransportProtocol)
    case oneToOne
  }
}

extension StaticDraft {
  /// Reads an entry of `static`. Nil if the report says what is wrong.
  init?(_ node: Node, _ reader: Reader) {
    let entry = Section(
      node, at: node.place, keys: Configuration.StaticMapping.keys, report: reader.report)
    switch entry.required("protocol", .mappingKind)?.value {
    case .forward(let transport):
      let outer = entry.required("public", .publicEndpoint(of: transport))
      let inner = entry.required("private", .endpoint(of: transport))
      var terms = Configuration.ForwardTerms()
      let settings =
        transport == .icmp ? Configuration.ForwardTerms.settingsOfICMP : Configuration.ForwardTerms.settings
      reader.read(entry, settings, into: &terms)
      guard let outer, let inner else { return nil }
      mapping = .portForward(
        transport, publicEndpoint: outer.value, privateEndpoint: inner.value, terms: terms)
      remotePlace = terms.remote.flatMap { _ in entry["remote"]?.place }
      (publicPlace, privatePlace) = (outer.place, inner.place)
    case .oneToOne:
      let outer = entry.required("public", .wholeAddress)
      let inner = entry.required("private", .wholeAddress)
      for setting in Configuration.ForwardTerms.settings.list where entry[setting.path]?.isNothing == false {
        reader.report.add(
          entry.place(of: setting.path), found: "\(setting.path) beside protocol: all",
          expected: "it with tcp, udp or icmp alone")
      }
      guard let outer, let inner else { return nil }
      mapping = .oneToOne(publicAddress: outer.value, privateAddress: inner.value)
      (publicPlace, privatePlace) = (outer.place, inner.place)
    case nil:
      // The forms of the other keys depend on the protocol. Report here if they are missing.
      _ = entry.required("public", .anyText)
      _ = entry.required("private", .anyText)
      return nil
    }
  }
}

extension Form where Value == StaticDraft.Kind {
  static var mappingKind: Form {
    Form("tcp, udp, icmp or all") { text in
      if text == "all" { return .oneToOne }
      return TransportProtocol.allCases.first { $0.text == text }.map(StaticDraft.Kind.forward)
    }
  }
}

extension Form where Value == String {
  fileprivate static var anyText: Form {
    Form("an address, and a port unless protocol is all") { .value($0) }
  }
}

extension Form where Value == Endpoint {
  /// An endpoint of a port forward. For ICMP the port is the query identifier.
  static func endpoint(of transport: TransportProtocol) -> Form {
    let part = transport == .icmp ? "an identifier from 0 to 65535" : "a port from 1 to 65535"
    let name = transport == .icmp ? "identifier" : "port"
    return Form("an address and \(part), such as 192.0.2.1:8080") { text in
      if IPv4Address(text) != nil {
        return .wrong(
          found: "\(text.quoted), which has no \(name)",
          expected: "an address and \(part), such as \(text):8080; or protocol: all for the whole address")
      }
      guard let endpoint = Endpoint(text), transport == .icmp || endpoint.port > 0 else { return .wrong() }
      if let reservation = endpoint.address.reservation {
        return .wrong(found: "\(text.quoted), \(reservation)", expected: "an address that a host can have")
      }
      return .value(endpoint)
    }
  }
}

extension Form where Value == Configuration.Remote {
  /// The remote endpoints of a port forward.
  static func remote(of transport: TransportProtocol) -> Form {
    let form = "an address, an address and a port, or a network, such as 198.51.100.7:443 or 198.51.100.0/24"
    return Form(transport == .icmp ? "an address or a network, such as 198.51.100.0/24" : form) { text in
      if let endpoint = Endpoint(text) {
        if transport == .icmp {
          return .wrong(found: "\(text.quoted), which has a port", expected: "\(endpoint.address)")
        }
        guard endpoint.port > 0 else { return .wrong() }
        if let reservation = endpoint.address.reservation {
          return .wrong(found: "\(text.quoted), \(reservation)", expected: "an address that a host can have")
        }
        return .value(
          Configuration.Remote(network: IPv4Network(endpoint.address, prefixLength: 32), port: endpoint.port))
      }
      let network =
        text.contains("/")
        ? Form<IPv4Network>.network.reading(text)
        : Form<IPv4Address>.address.reading(text).map { IPv4Network($0, prefixLength: 32) }
      // Neither an address nor a network: the message names all that a remote may be.
      if case .wrong(nil, _) = network { return .wrong() }
      return network.map { Configuration.Remote(network: $0) }
    }
  }
}

extension Form where Value == Endpoint {
  /// The public endpoint of a port forward. It may be on the machine's address: `host:8080`.
  static func publicEndpoint(of transport: TransportProtocol) -> Form {
    let endpoint = endpoint(of: transport)
    return Form(endpoint.expected) { text in
      guard text == "host" || text.hasPrefix("host:") else { return endpoint.reading(text) }
      if transport == .icmp {
        return .wrong(
          found: "\(text.quoted), whose kernel answers echo requests itself",
          expected: "an identifier at an address of Portico's own")
      }
      guard let port = UInt16(text.dropFirst(5)), port > 0, "host:\(port)" == text else {
        return .wrong(expected: "host and a port from 1 to 65535, such as host:8080")
      }
      return .value(Endpoint(.machine, port))
    }
  }
}

extension Form where Value == IPv4Address {
  /// The address of a 1:1 mapping.
  static var wholeAddress: Form {
    Form("an IPv4 address such as 192.0.2.1") { text in
      if text == "host" {
        return .wrong(
          found: "\(text.quoted), whose kernel keeps it",
          expected: "an address of its own; or protocol: tcp or udp, and a port, such as host:8080")
      }
      if let endpoint = Endpoint(text) {
        return .wrong(
          found: "\(text.quoted), which has a port",
          expected: "\(endpoint.address), as protocol: all maps every port; or protocol: tcp or udp")
      }
      return address.reading(text)
    }
  }
}
