import NATWire

extension Configuration {
  /// Reads and checks a static mapping that comes at run time, as it would be as an entry of `static`.
  ///
  /// - Parameters:
  ///   - entry: `protocol`, `public`, `private` and what else an entry may have, as in the file.
  ///   - existing: The static mappings in force, those of the file among them.
  /// - Throws: Everything that is wrong; the settings are the keys of the entry.
  /// - Complexity: O(n) in the number of existing mappings.
  public func staticMapping(
    from entry: [String: String], beside existing: [StaticMapping]
  ) throws(ConfigurationErrors) -> StaticMapping {
    let report = Report(file: nil)
    let place = Place(setting: "")
    let node = Node(
      place: place,
      content: .mapping(
        entry.sorted { $0.key < $1.key }.map { key, text in
          let place = place.child(key)
          return Node.Entry(key: key, place: place, value: Node(place: place, content: .scalar(text)))
        }))
    if let draft = StaticDraft(node, report: report) {
      let rules = StaticRules(
        report: report,
        inside: interfaces.inside.inNetwork, outside: interfaces.outside.inNetwork,
        gateway: interfaces.gateway, insideNetworks: nat.insideNetworks.filter { $0 != .machine },
        insideNetworksAreKnown: !nat.insideNetworks.contains(.machine),
        pool: Set(nat.pool.map(\.address)), poolIsDefault: false,
        outsideHasMachineAddress: interfaces.outside.hasMachineAddress)
      rules.check(draft)
      for claim in draft.mapping.claims {
        guard let other = existing.first(where: { $0.claims.contains(claim) }) else { continue }
        rules.reportConflict(
          draft, over: claim, with: StaticDraft(mapping: other, publicPlace: place, privatePlace: place))
        break
      }
      if report.problems.isEmpty { return draft.mapping }
    }
    throw report.errors()
  }
}

extension Configuration.Interface {
  /// `nil` where it is the host's.
  fileprivate var inNetwork: AddressInNetwork? {
    hasMachineAddress ? nil : AddressInNetwork(address: address, network: network)
  }
}
