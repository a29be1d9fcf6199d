// TCP, UDP and ICMP queries: outbound, inbound and hairpin.

/// What a packet that passes needs to be sent. Later fragments of its datagram inherit it.
struct Passage {
  let source: ReferenceAddress
  let destination: ReferenceAddress
  let route: Route
  /// The sessions on which it counts.
  var counted: [(key: SessionKey, direction: Direction)] = []
  /// The identification given to a datagram that came in fragments.
  var identification: UInt16?
}

enum Verdict {
  case drop(ReferenceDrop)
  case pass(Packet, Passage)
}

/// What route, TTL and MTU say.
enum Egress {
  case refused(ReferenceDrop)
  case open(Route)
}

extension ReferenceNAT {
  /// The question of binding, session and filter, and all after it, for a whole packet or a first fragment.
  mutating func translate(_ packet: Packet, from side: ReferenceSide) -> Verdict {
    let toPublic = isPublic(packet.destination)
    if side == .outside && !toPublic { return .drop(.noBinding) }
    // Whole echo requests have been answered; in fragments they are not (row "echo request").
    if toPublic && packet.isFragment && packet.isEchoRequest && !staticTakesEcho(packet, on: side) {
      return .drop(.toGateway)
    }
    let turnsBack = side == .inside && toPublic
    if turnsBack && !settings.hairpin { return .drop(.hairpinDisabled) }

    guard let flow = packet.flow else { return translateOther(packet, from: side) }
    if flow == .icmp {
      if packet.isICMPError && packet.isFragment { return .drop(.fragmentedICMPError) }
      if ICMPType.passingErrors.contains(packet.icmpType) { return translateError(packet, from: side) }
      if !ICMPType.queries.contains(packet.icmpType) { return .drop(.icmpTypeNotTranslated) }
    }
    if turnsBack {
      guard flow != .icmp else { return hairpinQuery(packet) }
      return hairpin(packet, flow, to: .endpoint(packet.receiverEnd(flow)))
    }
    return side == .inside ? translateOutbound(packet, flow) : translateInbound(packet, flow)
  }

  /// Row "what makes a session" (TCP), row "replies" (ICMP).
  func mayMakeSession(_ packet: Packet, _ flow: ReferenceProtocol, overDynamicFromOutside: Bool = false)
    -> Bool
  {
    switch flow {
    case .udp: return true
    case .tcp: return packet.isOpeningSYN
    case .icmp: return overDynamicFromOutside || ICMPType.requests.contains(packet.icmpType)
    }
  }

  /// `loose`: ACK set, no SYN, no RST; from inside to outside.
  func mayPickUp(_ packet: Packet, _ flow: ReferenceProtocol) -> Bool {
    guard flow == .tcp, settings.loose else { return false }
    return packet.tcpFlags.contains(.ack) && packet.tcpFlags.isDisjoint(with: [.syn, .rst])
  }

  func firstState(_ packet: Packet, _ flow: ReferenceProtocol) -> ReferenceState {
    guard flow == .tcp else { return .active }
    return packet.isOpeningSYN ? .synSent : .established
  }

  func portOfLifetime(_ packet: Packet, _ flow: ReferenceProtocol) -> UInt16 {
    flow == .icmp ? 0 : packet.destinationPort
  }
}

// MARK: Outbound

extension ReferenceNAT {
  private mutating func translateOutbound(_ packet: Packet, _ flow: ReferenceProtocol) -> Verdict {
    let privateEnd = packet.senderEnd(flow)
    let remote = packet.receiverAsRemote(flow)
    let owner = owner(private: privateEnd, flow, towards: remote)
    let hasSession = session(of: owner, towards: remote) != nil
    if !hasSession && !mayMakeSession(packet, flow) && !mayPickUp(packet, flow) { return .drop(.noSession) }
    if !isInWindow(packet, on: session(of: owner, towards: remote), .outbound) {
      return .drop(.outsideWindow)
    }

    let way: Route
    switch egress(packet, to: packet.destination, from: .inside) {
    case .refused(let reason): return .drop(reason)
    case .open(let route): way = route
    }

    var leg = Leg(owner: owner, privateEnd: privateEnd)
    if !hasSession {
      let refusal = settle(&leg, flow) { nat, leg, wanted in
        wanted.travel(over: leg.owner, of: privateEnd.address, towards: remote, nat)
      }
      if let refusal {
        answerRefusal(packet)
        return .drop(refusal)
      }
    }
    guard let publicEnd = leg.publicEnd else { return .drop(.portsExhausted) }
    let number = makeBinding(of: leg, flow)
    let key = SessionKey(binding: number, remote: remote)
    if !hasSession {
      makeSession(
        key, flow, opener: .outbound, destinationPort: portOfLifetime(packet, flow), hairpin: false,
        state: firstState(packet, flow))
    }
    pass(packet, on: key, .outbound)
    if packet.isOpeningSYN { cancelWaitingSYN(publicEnd: publicEnd, remote: packet.receiverEnd(flow)) }

    var translated = packet
    translated.rewrite(source: publicEnd, destination: nil)
    clampMSS(&translated)
    return .pass(
      translated,
      Passage(
        source: publicEnd.address, destination: packet.destination, route: way, counted: [(key, .outbound)]))
  }
}

// MARK: Inbound

extension ReferenceNAT {
  private mutating func translateInbound(_ packet: Packet, _ flow: ReferenceProtocol) -> Verdict {
    let publicEnd = packet.receiverEnd(flow)
    let remote = packet.senderAsRemote(flow)
    let owner = owner(public: publicEnd, flow, from: remote, isOutside: true)
    var leg: Leg
    var isDynamic = false
    switch owner {
    case .nobody: return .drop(.noBinding)
    case .oneToOne(let privateEnd, _): leg = Leg(owner: owner, privateEnd: privateEnd)
    case .binding(let binding):
      leg = Leg(owner: owner, privateEnd: binding.privateEnd)
      isDynamic = binding.kind == .dynamic
      let known = session(of: owner, towards: remote) != nil
      if isDynamic && !known && !filterAdmits(packet.senderAsRemote(flow), to: binding) {
        if packet.isOpeningSYN { awaitInsideSYN(packet, publicEnd: publicEnd, remote: remote) }
        return .drop(.filtered)
      }
    }
    let hasSession = session(of: owner, towards: remote) != nil
    if !hasSession && !mayMakeSession(packet, flow, overDynamicFromOutside: isDynamic) {
      return .drop(.noSession)
    }
    if !isInWindow(packet, on: session(of: owner, towards: remote), .inbound) {
      return .drop(.outsideWindow)
    }

    let way: Route
    switch egress(packet, to: leg.privateEnd.address, from: .outside) {
    case .refused(let reason): return .drop(reason)
    case .open(let route): way = route
    }

    if !hasSession {
      // Outside senders are never answered.
      let refusal = settle(&leg, flow) { nat, leg, wanted in
        wanted.travel(over: leg.owner, of: leg.privateEnd.address, towards: remote, nat)
      }
      if let refusal { return .drop(refusal) }
    }
    let number = makeBinding(of: leg, flow)
    let key = SessionKey(binding: number, remote: remote)
    if !hasSession {
      makeSession(
        key, flow, opener: .inbound, destinationPort: portOfLifetime(packet, flow), hairpin: false,
        state: firstState(packet, flow))
    }
    pass(packet, on: key, .inbound)

    var translated = packet
    translated.rewrite(source: nil, destination: leg.privateEnd)
    clampMSS(&translated)
    return .pass(
      translated,
      Passage(
        source: packet.source, destination: leg.privateEnd.address, route: way, counted: [(key, .inbound)]))
  }

  /// FIL1, FIL2, FIL3. Only sessions that the inside host used open the filter for others.
  private func filterAdmits(_ remote: ReferenceEndpoint, to binding: Binding) -> Bool {
    let used = binding.remotes.filter {
      sessions[SessionKey(binding: binding.number, remote: $0)]?.usedByInside == true
    }
    switch settings.filtering[binding.flow] ?? .addressDependent {
    case .endpointIndependent: return true
    case .addressDependent: return used.contains { $0.address == remote.address }
    case .addressAndPortDependent: return used.contains(remote)
    }
  }
}
