import NATWire

/// Checks rules between settings. A rule is skipped if one of its settings is missing or wrong.
struct Checks {
  let configuration: Configuration
  let reader: Reader

  func run() {
    checkInterfaces()
    checkRoutes()
    checkInsideNetworks()
    checkPool()
    checkStatics()
  }

  private var report: Report { reader.report }

  /// The address of a side and its place; nil if the setting is `host`.
  private func address(of side: Side) -> Located<AddressInNetwork>? {
    let interfaces = configuration.interfaces
    let interface = side == .inside ? interfaces.inside : interfaces.outside
    guard let place = reader.places["interfaces.\(side).address"], let address = interface.ownAddress else {
      return nil
    }
    return Located(value: address, place: place)
  }

  private var inside: AddressInNetwork? { address(of: .inside)?.value }
  private var outside: AddressInNetwork? { address(of: .outside)?.value }

  private func checkInterfaces() {
    let interfaces = configuration.interfaces
    if reader.places["interfaces.inside.name"] != nil, let place = reader.places["interfaces.outside.name"],
      interfaces.inside.name == interfaces.outside.name
    {
      report.add(
        place, found: "\(interfaces.outside.name.quoted), which is the inside device as well",
        expected: "another device")
    }
    for (side, interface) in [(Side.inside, interfaces.inside), (.outside, interfaces.outside)]
    where interface.hasMachineAddress {
      if let mac = interface.mac, let place = reader.places["interfaces.\(side).mac"] {
        report.add(
          place, found: "\(mac), where the address is the machine's",
          expected: "no mac, as the kernel answers for its address with the device's own")
      }
    }
    if !sidesAreApart, let inside, let outside = address(of: .outside) {
      report.add(
        outside.place,
        found: "the network \(outside.value.network), which overlaps the inside network \(inside.network)",
        expected: "inside and outside networks apart from each other")
    }
    if let gateway = interfaces.gateway, let place = reader.places["interfaces.outside.gateway"], let outside
    {
      checkNextHop(gateway, place, in: outside, of: .outside)
    }
  }

  /// Whether the connected networks do not overlap, as far as they are known.
  private var sidesAreApart: Bool {
    guard let inside, let outside else { return true }
    return !inside.network.overlaps(outside.network)
  }

  private func checkNextHop(_ hop: IPv4Address, _ place: Place, in own: AddressInNetwork, of side: Side) {
    var problem = own.network.role(of: hop)
    if hop == own.address { problem = "which is Portico's own" }
    if !own.network.contains(hop) { problem = "which is not in the \(side) network" }
    if let problem {
      report.add(
        place, found: "\(hop.description.quoted), \(problem)",
        expected: "the address of a router in \(own.network)")
    }
  }

  private func checkRoutes() {
    var firsts: [IPv4Network: Place] = [:]
    for (index, route) in configuration.routes.enumerated() {
      if let place = reader.places["routes[\(index)].via"], let inside {
        checkNextHop(route.via, place, in: inside, of: .inside)
      }
      guard let place = reader.places["routes[\(index)].network"] else { continue }
      let found = route.network.description.quoted
      if route.network == inside?.network {
        report.add(
          place, found: "\(found), which is the inside network itself",
          expected: "a network behind an inside router")
      } else if let first = firsts[route.network] {
        report.add(
          place, found: "\(found), which has a route on line \(first.line ?? 1)",
          expected: "one route to a network")
      } else {
        firsts[route.network] = place
      }
    }
  }

  /// The networks of the valid routes.
  private var routed: [Located<IPv4Network>] {
    configuration.routes.enumerated().compactMap { index, route in
      reader.places["routes[\(index)].network"].map { Located(value: route.network, place: $0) }
    }
  }

  /// The networks of inside hosts: the inside network and the routes.
  private var reachable: [IPv4Network] { (inside.map { [$0.network] } ?? []) + routed.map(\.value) }

  private var reachableIsKnown: Bool {
    inside != nil && (reader.isMissing("routes") || reader.places["routes"] != nil)
      && routed.count == configuration.routes.count
  }

  private func checkInsideNetworks() {
    let path = "nat.inside-networks"
    let isDefault = reader.isMissing(path)
    if let place = reader.places[path], configuration.nat.insideNetworks.isEmpty {
      report.add(
        place, found: "an empty list",
        expected: "at least one network (without the key: the inside network and the routes)")
    }
    let written = zip(configuration.nat.insideNetworks, reader.elements[path] ?? []).map {
      Located(value: $0, place: $1)
    }
    // The connected networks were already compared with each other.
    for network in isDefault ? routed : written {
      let found = network.value.description.quoted
      if !isDefault, reachableIsKnown, !network.value.isCovered(by: reachable) {
        report.add(
          network.place, found: "\(found), to which neither the inside network nor a route leads",
          expected: "a network within \(reachable.map(\.description).listed(with: "or")), or a route to it")
      } else if sidesAreApart, let outside = outside?.network, network.value.overlaps(outside) {
        report.add(
          network.place, found: "\(found), which overlaps the outside network \(outside)",
          expected: "inside and outside networks apart from each other")
      }
    }
  }

  private func checkPool() {
    let rules = staticRules
    var earlier: [IPv4Address: [(ports: [ClosedRange<UInt16>], line: Int?)]] = [:]
    for (index, entry) in configuration.nat.pool.enumerated() {
      guard let place = reader.places["nat.pool[\(index)].address"] else { continue }
      let address = entry.address
      if let problem = rules.publicProblem(address) {
        report.add(place, found: "\(address.text.quoted), \(problem)", expected: "a public address")
      }
      if earlier.count == Configuration.mostPoolAddresses, earlier[address] == nil {
        report.add(
          place, found: "address number \(earlier.count + 1) of the pool",
          expected: "at most \(Configuration.mostPoolAddresses)")
        return
      }
      let portsPlace = reader.places["nat.pool[\(index)].ports"] ?? place
      for other in earlier[address] ?? [] {
        for range in entry.ports {
          guard let clash = other.ports.first(where: { $0.overlaps(range) }) else { continue }
          report.add(
            portsPlace,
            found:
              "ports \(range.text) of \(address.text), which overlap \(clash.text) on line \(other.line ?? 1)",
            expected: "each port of an address once")
        }
      }
      earlier[address, default: []].append((entry.ports, portsPlace.line))
    }
  }

  private var staticRules: StaticRules {
    let path = "nat.inside-networks"
    let networks = configuration.nat.insideNetworks
    let poolIsDefault = reader.isMissing("nat.pool")
    return StaticRules(
      report: report, inside: inside, outside: outside, gateway: configuration.interfaces.gateway,
      insideNetworks: reader.isMissing(path) ? reachable : networks,
      insideNetworksAreKnown: reader.isMissing(path)
        ? reachableIsKnown : reader.places[path] != nil && !networks.isEmpty,
      pool: Set(poolIsDefault ? outside.map { [$0.address] } ?? [] : configuration.nat.pool.map(\.address)),
      poolIsDefault: poolIsDefault,
      outsideHasMachineAddress: configuration.interfaces.outside.hasMachineAddress)
  }

  private func checkStatics() {
    let rules = staticRules
    var holders: [StaticRules.Claim: StaticDraft] = [:]
    for draft in reader.statics {
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
  /// Whether the networks together contain all of this one.
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
