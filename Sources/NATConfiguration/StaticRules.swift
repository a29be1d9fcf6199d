import NATWire

/// The rules for static mappings, in a file and at run time.
struct StaticRules {
  let report: Report
  /// The gateway's own addresses and their networks, if known.
  let inside: AddressInNetwork?
  let outside: AddressInNetwork?
  let gateway: IPv4Address?
  let insideNetworks: [IPv4Network]
  /// Whether `insideNetworks` is complete. It is not if the file has errors.
  let insideNetworksAreKnown: Bool
  let pool: Set<IPv4Address>
  /// Whether the file has no pool.
  let poolIsDefault: Bool
  /// Whether the outside interface has `address: host`.
  let outsideHasMachineAddress: Bool

  /// What only one mapping may have. A port forward may use the public address of a 1:1 mapping: it is more
  /// specific.
  enum Claim: Hashable {
    case publicEndpoint(TransportProtocol, Endpoint)
    case publicAddress(IPv4Address)
    case privateAddress(IPv4Address)
  }

  /// Checks a mapping by itself.
  func check(_ draft: StaticDraft) {
    if draft.mapping.publicText == draft.mapping.privateText {
      report.add(
        draft.publicPlace, found: "\(draft.mapping.publicText.quoted), which is the private side as well",
        expected: "another address; what is to be forwarded without translation belongs in nat.exempt")
      return
    }
    checkPublic(draft)
    checkPrivate(draft)
    checkRemote(draft)
  }

  private func checkRemote(_ draft: StaticDraft) {
    guard let remote = draft.mapping.terms.remote, let place = draft.remotePlace else { return }
    let found = remote.description.quoted
    let own = pool.union(outside.map { [$0.address] } ?? [])
    if let network = insideNetworks.first(where: {
      $0.overlaps(remote.network) && remote.network.prefixLength > 0
    }) {
      report.add(
        place, found: "\(found), which overlaps the inside network \(network)",
        expected: "an address or network outside")
    } else if remote.network.prefixLength == 32, own.contains(remote.network.address) {
      report.add(
        place, found: "\(found), which is the gateway's own", expected: "an address or network outside")
    }
  }

  private func checkPublic(_ draft: StaticDraft) {
    let address = draft.mapping.publicAddress
    let found = draft.mapping.publicText.quoted
    if let problem = publicProblem(address) {
      report.add(draft.publicPlace, found: "\(found), \(problem)", expected: "a public address")
    } else if case .oneToOne = draft.mapping, pool.contains(address) {
      report.add(
        draft.publicPlace, found: "\(found), which is in the pool",
        expected: poolIsDefault
          ? "an address of its own, or a nat.pool without it (by default the pool is the outside address)"
          : "an address of its own, or a nat.pool without it")
    }
  }

  /// Why an address cannot be public, in the pool or a static mapping; nil if it can.
  func publicProblem(_ address: IPv4Address) -> String? {
    if address == .machine, !outsideHasMachineAddress { return "and interfaces.outside.address is not host" }
    let networks = (inside.map { [$0.network] } ?? []) + insideNetworks
    if let network = networks.first(where: { $0.contains(address) }) {
      return "which is in the inside network \(network)"
    }
    if address == gateway { return "which is the next router's (interfaces.outside.gateway)" }
    return outside?.network.role(of: address)
  }

  private func checkPrivate(_ draft: StaticDraft) {
    let address = draft.mapping.privateAddress
    let found = draft.mapping.privateText.quoted
    if insideNetworksAreKnown, !insideNetworks.contains(where: { $0.contains(address) }) {
      report.add(
        draft.privatePlace, found: "\(found), which is in no inside network",
        expected: "an address in \(insideNetworks.map(\.description).listed(with: "or"))")
    } else if address == inside?.address {
      report.add(
        draft.privatePlace, found: "\(found), which is the gateway's own", expected: "the address of a host")
    } else if let role = inside?.network.role(of: address) {
      report.add(draft.privatePlace, found: "\(found), \(role)", expected: "the address of a host")
    }
  }

  /// Reports that another mapping already has the claim.
  func reportConflict(_ draft: StaticDraft, over claim: Claim, with other: StaticDraft) {
    let line = other.publicPlace.line.map { "line \($0)" } ?? "another mapping"
    switch claim {
    case .publicEndpoint, .publicAddress:
      report.add(
        draft.publicPlace,
        found: "\(draft.mapping.publicText.quoted), which \(line) maps to \(other.mapping.privateText)",
        expected: "each public \(draft.mapping.isOneToOne ? "address" : "endpoint") once")
    case .privateAddress:
      report.add(
        draft.privatePlace,
        found: "\(draft.mapping.privateText.quoted), which \(line) maps to \(other.mapping.publicText)",
        expected: "one public address for a private one where protocol is all")
    }
  }
}

extension Configuration.StaticMapping {
  var isOneToOne: Bool {
    if case .oneToOne = self { true } else { false }
  }

  var claims: [StaticRules.Claim] {
    switch self {
    case .portForward(let transport, let endpoint, _, _): [.publicEndpoint(transport, endpoint)]
    case .oneToOne(let outer, let inner): [.publicAddress(outer), .privateAddress(inner)]
    }
  }
}
