/// What a hairpinned packet is addressed to.
enum HairpinTarget {
  /// TCP and UDP: the public endpoint in the packet.
  case endpoint(ReferenceEndpoint)
  /// A query: the sender's translated identifier at that address, one field for both legs.
  case identifier(at: ReferenceAddress, isReply: Bool)
}

extension ReferenceNAT {
  /// The binding or rule that is addressed.
  /// - senderPublic: the sender's public endpoint; nil while it has none.
  func leg(
    of target: HairpinTarget, _ flow: ReferenceProtocol, from senderPublic: ReferenceEndpoint?,
    private senderPrivate: ReferenceEndpoint
  ) -> Leg? {
    let sender = senderPublic.map { asRemote($0, flow) }
    let owner: Owner
    switch target {
    case .endpoint(let end): owner = self.owner(public: end, flow, from: sender, isOutside: false)
    case .identifier(let address, let isReply):
      let end = ReferenceEndpoint(address, (senderPublic ?? senderPrivate).port)
      let any = self.owner(public: end, flow, from: sender, isOutside: false)
      let isAnswer = isReply && sender.map { session(of: any, towards: $0) != nil } ?? false
      // A request goes over a 1:1 mapping only, and no forward takes it. A reply goes back to the host that asked.
      let overOneToOneAlone = !isAnswer && oneToOne(public: address) != nil
      owner = overOneToOneAlone ? ownerWithoutForwards(public: end, flow) : any
    }
    switch owner {
    case .nobody: return nil
    case .oneToOne(let end, _): return Leg(owner: owner, privateEnd: end)
    case .binding(let binding): return Leg(owner: owner, privateEnd: binding.privateEnd)
    }
  }

  /// Row "queries": requests hairpin over 1:1 mappings only, under the sender's translated identifier; replies
  /// take the way back over the sessions of both legs.
  mutating func hairpinQuery(_ packet: Packet) -> Verdict {
    let isReply = ICMPType.replies.contains(packet.icmpType)
    if oneToOne(public: packet.destination) == nil && !isReply { return .drop(.noBinding) }
    return hairpin(packet, .icmp, to: .identifier(at: packet.destination, isReply: isReply))
  }

  /// Row "what each side sees": the sender is translated first; both legs get a session, flagged. A live
  /// binding is open to inside hosts: no filter.
  mutating func hairpin(_ packet: Packet, _ flow: ReferenceProtocol, to target: HairpinTarget) -> Verdict {
    let privateEnd = packet.senderEnd(flow)
    let senderRemote = packet.receiverAsRemote(flow)
    let senderOwner = owner(private: privateEnd, flow, towards: senderRemote)
    var sender = Leg(owner: senderOwner, privateEnd: privateEnd)

    if session(of: senderOwner, towards: senderRemote) == nil && !mayMakeSession(packet, flow) {
      return .drop(.noSession)
    }

    // The port may not be chosen yet. The receiver's address does not depend on it.
    guard let receiver = leg(of: target, flow, from: sender.publicEnd, private: privateEnd) else {
      return .drop(.noBinding)
    }
    var travelled = Wanted(flow)
    travel(packet, flow, sender: sender, target: target, &travelled)
    let isMissing = !travelled.sessions.isEmpty
    if isMissing && !mayMakeSession(packet, flow) { return .drop(.noSession) }
    let senderSession = session(of: senderOwner, towards: senderRemote)
    let receiverSession = sender.publicEnd.flatMap {
      session(of: receiver.owner, towards: asRemote($0, flow))
    }
    if !isInWindow(packet, on: senderSession, .outbound) || !isInWindow(packet, on: receiverSession, .inbound)
    {
      return .drop(.outsideWindow)
    }

    let way: Route
    switch egress(packet, to: receiver.privateEnd.address, from: .inside) {
    case .refused(let reason): return .drop(reason)
    case .open(let route): way = route
    }

    if isMissing {
      let refusal = settle(&sender, flow) { nat, sender, wanted in
        nat.travel(packet, flow, sender: sender, target: target, &wanted)
      }
      if let refusal {
        answerRefusal(packet)
        return .drop(refusal)
      }
    }
    guard let senderPublic = sender.publicEnd,
      let receiver = leg(of: target, flow, from: senderPublic, private: privateEnd)
    else { return .drop(.noBinding) }
    let legs = [
      (
        key: SessionKey(binding: makeBinding(of: sender, flow), remote: senderRemote),
        direction: Direction.outbound
      ),
      (
        key: SessionKey(
          binding: makeBinding(of: receiver, flow), remote: asRemote(senderPublic, flow)),
        direction: Direction.inbound
      ),
    ]
    for leg in legs {
      if sessions[leg.key] == nil {
        makeSession(
          leg.key, flow, opener: leg.direction, destinationPort: portOfLifetime(packet, flow), hairpin: true,
          state: firstState(packet, flow))
      }
      // HP9: a host that meets its own endpoint has one session, counted twice. Its SYN is the SYN of both sides.
      pass(packet, on: leg.key, leg.direction)
    }
    events.hairpins += 1

    var translated = packet
    translated.rewrite(source: senderPublic, destination: receiver.privateEnd)
    clampMSS(&translated)
    return .pass(
      translated,
      Passage(
        source: senderPublic.address, destination: receiver.privateEnd.address, route: way, counted: legs))
  }

  /// Notes both legs of a hairpinned packet: the sender's and the receiver's. A host that meets its own endpoint has
  /// one leg.
  private func travel(
    _ packet: Packet, _ flow: ReferenceProtocol, sender: Leg, target: HairpinTarget, _ wanted: inout Wanted
  ) {
    wanted.travel(
      over: sender.owner, of: sender.privateEnd.address, towards: packet.receiverAsRemote(flow), self)
    guard let receiver = leg(of: target, flow, from: sender.publicEnd, private: sender.privateEnd) else {
      return
    }
    if let senderPublic = sender.publicEnd, receiver.publicEnd == senderPublic,
      receiver.privateEnd == sender.privateEnd
    {
      return
    }
    wanted.travel(
      over: receiver.owner, of: receiver.privateEnd.address,
      towards: sender.publicEnd.map { asRemote($0, flow) }, self)
  }

  private func asRemote(_ end: ReferenceEndpoint, _ flow: ReferenceProtocol) -> ReferenceEndpoint {
    flow == .icmp ? ReferenceEndpoint(end.address, 0) : end
  }
}
