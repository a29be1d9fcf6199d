// What a packet needs, before anything is made; then what is made.

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
  /// Asks the limits for all that the packet would make together, and chooses the public endpoint of a leg that
  /// needs a dynamic binding: after the sender's limits, before the receiver's. Makes nothing; may end what `evict`
  /// allows.
  /// - travels: what the packet would travel over, once it has that endpoint.
  mutating func settle(
    _ leg: inout Leg, _ flow: ReferenceProtocol, travels: (ReferenceNAT, Leg, inout Wanted) -> Void
  ) -> ReferenceDrop? {
    for round in 0... {
      var wanted = Wanted(flow)
      travels(self, leg, &wanted)
      var found: Refusal?
      if case .nobody = leg.owner {
        let host = leg.privateEnd.address
        var ofSender = Wanted(flow)
        ofSender.dynamicBindingOf = host
        ofSender.addSession(of: host)
        found = refusal(of: ofSender)
        if found == nil {
          leg.chosen = chooseEnd(for: leg.privateEnd, flow)
          wanted = Wanted(flow)
          travels(self, leg, &wanted)
          if leg.chosen == nil { found = Refusal(reason: .portsExhausted, host: host) }
        }
        wanted.dynamicBindingOf = host
      }
      guard let refusal = found ?? refusal(of: wanted) else { return nil }
      if round == Self.mostEvictions || !evict(for: refusal, wanted) { return refusal.reason }
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
