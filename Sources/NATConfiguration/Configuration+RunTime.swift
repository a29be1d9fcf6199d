import NATWire

extension Configuration {
  /// Reads and checks a static mapping that is added at run time.
  ///
  /// - Parameters:
  ///   - entry: the keys and values of an entry of `static`, as in the file.
  ///   - existing: all static mappings in force.
  /// - Throws: all problems. Settings are named by the keys of the entry.
  /// - Complexity: O(n) in the number of existing mappings.
  public func staticMapping(
    from entry: [String: String], beside existing: [StaticMapping]
  ) throws(ConfigurationErrors) -> StaticMapping {
    let reader = Reader(Report(file: nil))
    let place = Place(setting: "")
    let node = Node(
      place: place,
      content: .mapping(
        entry.sorted { $0.key < $1.key }.map { key, text in
          let place = place.child(key)
          return Node.Entry(key: key, place: place, value: Node(place: place, content: .scalar(text)))
        }))
    if let draft = StaticDraft(node, reader) {
      let rules = StaticRules(
        report: reader.report, inside: interfaces.inside.ownAddress, outside: interfaces.outside.ownAddress,
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
      if reader.report.problems.isEmpty { return draft.mapping }
    }
    throw reader.report.errors()
  }
}
