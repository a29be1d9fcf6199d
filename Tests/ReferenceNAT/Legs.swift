// What a packet needs before anything is made, and the making.

/// One side of a translation before anything is made.
struct Leg {
  let owner: Owner
  let privateEnd: ReferenceEndpoint
  /// The public endpoint chosen for a dynamic binding that is not made yet.
  var chosen: ReferenceEndpoint?

  var publicEnd: ReferenceEndpoint? {
    switch owner {
    case .binding(let binding): binding.publicEnd
    case .oneToOne(_, let end): end
    case .nobody: chosen
    }
  }
}

extension ReferenceNAT {
  /// Chooses the public endpoint of a leg that needs a dynamic binding, and asks the limits for all that the
  /// packet would make together. Makes nothing.
  mutating func settle(
    _ leg: inout Leg, wantedSessions: (ReferenceNAT, Leg) -> [ReferenceAddress: Int],
    _ flow: ReferenceProtocol
  ) -> ReferenceDrop? {
    while true {
      var wanted = Wanted()
      if case .nobody = leg.owner {
        leg.chosen = chooseEnd(for: leg.privateEnd, flow)
        wanted.dynamicBindingOf = leg.privateEnd.address
        wanted.portFound = leg.chosen != nil
      }
      wanted.sessions = wantedSessions(self, leg)
      guard let reason = refusal(of: wanted) else { return nil }
      if !evict(for: reason, wanted, keeping: leg.owner) { return reason }
    }
  }

  mutating func refusalAfterEviction(of wanted: Wanted, keeping kept: Owner) -> ReferenceDrop? {
    while let reason = refusal(of: wanted) {
      if !evict(for: reason, wanted, keeping: kept) { return reason }
    }
    return nil
  }

  /// The number of the leg's binding, made now if there is none.
  mutating func makeBinding(of leg: Leg, _ flow: ReferenceProtocol) -> Int {
    switch leg.owner {
    case .binding(let binding): return binding.number
    case .oneToOne(let privateEnd, let publicEnd):
      if let number = byPublicEnd[FlowEnd(flow: flow, end: publicEnd)] { return number }
      return makeBinding(flow, .oneToOne, private: privateEnd, public: publicEnd)
    case .nobody:
      return makeBinding(flow, .dynamic, private: leg.privateEnd, public: leg.publicEnd ?? leg.privateEnd)
    }
  }
}
