import NATWire

// What settings say about each other. A check goes by what could be read, and is silent about the rest.
extension Draft {
  func checkInterfaces() {
    if let inside = inside.name, let outside = outside.name, inside.value == outside.value {
      report.add(
        outside.place, found: "\(outside.value.quoted), which is the inside device as well",
        expected: "another device")
    }
    if !sidesAreApart, let inside = inside.address?.value, let outside = outside.address {
      report.add(
        outside.place,
        found: "the network \(outside.value.network), which overlaps the inside network \(inside.network)",
        expected: "inside and outside networks apart from each other")
    }
    if let gateway, let outside = outside.address?.value {
      checkNextHop(gateway, in: outside, of: .outside)
    }
  }

  /// Whether the connected networks do not overlap, as far as they are known.
  private var sidesAreApart: Bool {
    guard let inside = inside.address?.value, let outside = outside.address?.value else { return true }
    return !inside.network.overlaps(outside.network)
  }

  private func checkNextHop(_ hop: Located<IPv4Address>, in own: AddressInNetwork, of side: Side) {
    let text = hop.value.description.quoted
    if !own.network.contains(hop.value) {
      report.add(
        hop.place, found: "\(text), which is not in the \(side) network",
        expected: "the address of a router in \(own.network)")
    } else if hop.value == own.address {
      report.add(
        hop.place, found: "\(text), which is Portico's own",
        expected: "the address of a router in \(own.network)")
    } else if let role = own.network.role(of: hop.value) {
      report.add(hop.place, found: "\(text), \(role)", expected: "the address of a router in \(own.network)")
    }
  }

  func checkRoutes() {
    var firsts: [IPv4Network: Place] = [:]
    for route in routes {
      if let via = route.via, let inside = inside.address?.value {
        checkNextHop(via, in: inside, of: .inside)
      }
      guard let network = route.network else { continue }
      if network.value == inside.address?.value.network {
        report.add(
          network.place, found: "\(network.value.description.quoted), which is the inside network itself",
          expected: "a network behind an inside router")
      } else if let first = firsts[network.value] {
        report.add(
          network.place,
          found: "\(network.value.description.quoted), which has a route on line \(first.line ?? 1)",
          expected: "one route to a network")
      } else {
        firsts[network.value] = network.place
      }
    }
  }

  /// The inside network and the routes: where inside hosts can be reached.
  private var reachable: [Located<IPv4Network>] {
    (inside.address.map { [Located(value: $0.value.network, place: $0.place)] } ?? [])
      + routes.compactMap(\.network)
  }

  private var reachableIsKnown: Bool {
    inside.address != nil && routesAreKnown && !routes.contains { $0.network == nil }
  }

  func checkInsideNetworks() {
    let reachable = reachable.map(\.value)
    // The connected networks are compared with each other already.
    for network in insideNetworks ?? routes.compactMap(\.network) {
      let text = network.value.description.quoted
      if insideNetworks != nil, reachableIsKnown, !network.value.isCovered(by: reachable) {
        report.add(
          network.place, found: "\(text), to which neither the inside network nor a route leads",
          expected: "a network within \(reachable.map(\.description).listed(with: "or")), or a route to it")
      } else if sidesAreApart, let outside = outside.address?.value.network, network.value.overlaps(outside) {
        report.add(
          network.place, found: "\(text), which overlaps the outside network \(outside)",
          expected: "inside and outside networks apart from each other")
      }
    }
  }

  func checkPool() {
    let rules = staticRules
    var earlier: [IPv4Address: [(ports: [ClosedRange<UInt16>], line: Int?)]] = [:]
    for entry in pool ?? [] {
      let text = entry.address.value.text.quoted
      if let problem = rules.publicProblem(entry.address.value) {
        report.add(entry.address.place, found: "\(text), \(problem)", expected: "a public address")
      }
      if earlier.count == Configuration.mostPoolAddresses, earlier[entry.address.value] == nil {
        report.add(
          entry.address.place, found: "address number \(earlier.count + 1) of the pool",
          expected: "at most \(Configuration.mostPoolAddresses)")
        return
      }
      guard let ports = entry.ports else { continue }
      for other in earlier[entry.address.value] ?? [] {
        for range in ports {
          guard let clash = other.ports.first(where: { $0.overlaps(range) }) else { continue }
          report.add(
            entry.place,
            found: "ports \(range.text) of \(entry.address.value.text), "
              + "which overlap \(clash.text) on line \(other.line ?? 1)",
            expected: "each port of an address once")
        }
      }
      earlier[entry.address.value, default: []].append((ports, entry.place.line))
    }
  }

  private var staticRules: StaticRules {
    StaticRules(
      report: report, inside: inside.address?.value, outside: outside.address?.value,
      gateway: gateway?.value, insideNetworks: insideNetworks?.map(\.value) ?? reachable.map(\.value),
      insideNetworksAreKnown: insideNetworks == nil ? reachableIsKnown : insideNetworksAreKnown,
      pool: Set(pool?.map(\.address.value) ?? outside.address.map { [$0.value.address] } ?? []),
      poolIsDefault: pool == nil, outsideHasMachineAddress: self.outside.hasMachineAddress)
  }

  func checkStatics() {
    let rules = staticRules
    var holders: [StaticRules.Claim: StaticDraft] = [:]
    for draft in statics {
      rules.check(draft)
      for claim in draft.mapping.claims {
        if let holder = holders[claim] {
          rules.reportConflict(draft, over: claim, with: holder)
          break
        }
        holders[claim] = draft
      }
    }
  }
}

extension IPv4Network {
  /// Whether some of the networks together hold all of this one.
  /// - Complexity: O(n) for each bit of the longest prefix among them.
  fileprivate func isCovered(by networks: [IPv4Network]) -> Bool {
    if networks.contains(where: { $0.contains(address) && $0.prefixLength <= prefixLength }) { return true }
    let parts = networks.filter { contains($0.address) }
    guard prefixLength < 32, !parts.isEmpty else { return false }
    let length = Int(prefixLength) + 1
    let upper = IPv4Address(address.rawValue | 1 << UInt32(32 - length))
    return IPv4Network(address, prefixLength: length).isCovered(by: parts)
      && IPv4Network(upper, prefixLength: length).isCovered(by: parts)
  }
}
