import NATWire

/// A static mapping as it was written.
struct StaticDraft {
  let mapping: Configuration.StaticMapping
  let publicPlace: Place
  let privatePlace: Place

  /// The first word of an entry.
  enum Kind {
    case forward(TransportProtocol)
    case oneToOne
  }
}

extension StaticDraft {
  /// `nil` if the report says what is wrong.
  init?(_ node: Node, report: Report) {
    let entry = Section(node, at: node.place, keys: Keys.statics, report: report)
    let kind = entry.required("protocol", .mappingKind)?.value
    switch kind {
    case .forward(let transport):
      let outer = entry.required("public", .endpoint(of: transport))
      let inner = entry.required("private", .endpoint(of: transport))
      guard let outer, let inner else { return nil }
      mapping = .portForward(transport, publicEndpoint: outer.value, privateEndpoint: inner.value)
      (publicPlace, privatePlace) = (outer.place, inner.place)
    case .oneToOne:
      let outer = entry.required("public", .wholeAddress)
      let inner = entry.required("private", .wholeAddress)
      guard let outer, let inner else { return nil }
      mapping = .oneToOne(publicAddress: outer.value, privateAddress: inner.value)
      (publicPlace, privatePlace) = (outer.place, inner.place)
    case nil:
      // Without the protocol no more can be said about the two others than that they are missing.
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
  /// The endpoint of a port forward; of ICMP, with the query identifier for a port.
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

extension Form where Value == IPv4Address {
  /// The address of a 1:1 mapping.
  static var wholeAddress: Form {
    Form("an IPv4 address such as 192.0.2.1") { text in
      if let endpoint = Endpoint(text) {
        return .wrong(
          found: "\(text.quoted), which has a port",
          expected: "\(endpoint.address), as protocol: all maps every port; or protocol: tcp or udp")
      }
      return address.reading(text)
    }
  }
}
