public import NATEngine
public import NATTable
public import NATWire

/// What would become of a packet, question by question.
public struct Explanation: Sendable {
  /// A question that was asked, and its answer; a reason is why the packet goes no further.
  public enum Finding: Sendable {
    case decode(DropReason?)
    case addresses(DropReason?)
    /// It is for the gateway itself, and answered or dropped.
    case own(DropReason?)
    /// It is for an address that the machine's kernel has, and the kernel's.
    case kernel
    /// To or from a destination that is not translated.
    case exempt
    /// Between inside networks.
    case inside
    case publicAddress(DropReason?)
    /// An inside host's part: its public endpoint, if it has a binding already, and the session, if there is one.
    case leg(sends: Bool, private: Endpoint, public: Endpoint?, BindingKind?, SessionState?)
    /// Binding, session and filter refuse it.
    case refused(DropReason)
    case route(side: Side, via: IPv4Address)
    case noRoute
    case timeToLive(DropReason?)
    case mtu(Int, DropReason?)
    case limits(DropReason?, evicts: Bool)
    /// The public endpoint of a new binding.
    case port(Endpoint)
    /// The MAC of the next hop; nil where it has to be asked for.
    case nextHop(MACAddress?)
  }

  public enum Verdict: BitwiseCopyable, Sendable, Equatable {
    case forward(to: Side)
    /// Forwarded when the next hop has said its MAC.
    case hold(to: Side)
    /// By the gateway itself.
    case answer
    /// To the machine's kernel.
    case leave
    case drop(DropReason)
  }

  public fileprivate(set) var findings: [Finding] = []
  public fileprivate(set) var verdict = Verdict.drop(.frameTooShort)
  /// The frame as it came, and as it would leave on the wire; empty where nothing leaves.
  public fileprivate(set) var before: [UInt8] = []
  public fileprivate(set) var after: [UInt8] = []

  mutating func leave() {
    findings.append(.kernel)
    verdict = .leave
  }

  mutating func drop(_ reason: DropReason, _ finding: Finding) {
    findings.append(finding)
    verdict = .drop(reason)
  }
}

/// Asks a gateway what it would do with a frame. Nothing changes but what time alone has brought about.
public struct ExplainFrame: GatewayJob {
  public private(set) var explanation = Explanation()
  private let bytes: [UInt8]
  private let side: Side

  /// - Parameter bytes: an Ethernet frame; where its source is all zero, the neighbour's own MAC is filled in.
  public init(_ bytes: [UInt8], from side: Side) {
    self.bytes = bytes
    self.side = side
  }

  public mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool {
    let now = gateway.settle(at: now)
    let frame = outbox.build(length: bytes.count)
    for (index, byte) in bytes.enumerated() { frame.setUInt8(byte, at: index) }
    explanation = gateway.explain(frame, from: side, at: now)
    outbox.removeAll()
    return true
  }
}

extension Gateway {
  /// The same questions in the same order as a packet on its way is asked, with the same functions where they change
  /// nothing. Whole packets alone: no fragments and no ICMP errors.
  mutating func explain(_ frame: Frame, from side: Side, at now: Instant) -> Explanation {
    var explanation = Explanation()
    var packet = Packet(frame: frame)
    let outcome = Packet.decode(frame, link: .ethernet, wireLength: frame.count, into: &packet)
    describeLink(of: packet, outcome, from: side)
    copy(frame, into: &explanation.before)
    guard case .ipv4 = outcome, let transport = packet.transport, !packet.isFragment else {
      let reason: DropReason =
        if case .fault(let fault) = outcome { DropReason(fault) } else { .unknownProtocol }
      explanation.drop(reason, .decode(reason))
      return explanation
    }
    explanation.findings.append(.decode(nil))
    if let reason = addressRefusal(packet, from: side) {
      explanation.drop(reason, .addresses(reason))
      return explanation
    }
    explanation.findings.append(.addresses(nil))
    let role = translator.role(of: packet.destination)
    if packet.destination == settings.insideAddress || isEchoToGateway(packet, role, from: side) {
      explainOwn(packet, from: side, &explanation)
      return explanation
    }
    if role == nil && machineAddresses.contains(packet.destination) || isKernels(packet, role) {
      explanation.leave()
      return explanation
    }
    if isExempt(packet, from: side) {
      explanation.findings.append(.exempt)
      explainEgress(packet, nil, to: packet.destination, from: side, at: now, &explanation)
      return explanation
    }
    if side == .inside, role == nil, let hop = routes.find(packet.destination), hop.side == .inside {
      explanation.findings.append(.inside)
      explainEgress(packet, nil, to: packet.destination, from: side, at: now, &explanation)
      return explanation
    }
    if let reason = refusal(of: packet, role, from: side) {
      explanation.drop(reason, .publicAddress(reason))
      return explanation
    }
    if role != nil { explanation.findings.append(.publicAddress(nil)) }
    switch resolve(packet, transport, role, from: side, at: now) {
    case .drop(let reason): explanation.drop(reason, .refused(reason))
    case .pass(let resolution):
      if let sender = resolution.sender { explain(sender, sends: true, &explanation) }
      if let receiver = resolution.receiver { explain(receiver, sends: false, &explanation) }
      explainEgress(packet, resolution, to: resolution.destination, from: side, at: now, &explanation)
    }
    return explanation
  }

  private func explain(_ leg: Leg, sends: Bool, _ explanation: inout Explanation) {
    let bindings = translator.shard.bindings
    explanation.findings.append(
      .leg(
        sends: sends, private: leg.private,
        public: leg.binding.map { bindings.publicEndpoint(of: $0) }
          ?? leg.mapping.map { Endpoint($0.public, leg.private.port) },
        leg.binding.map { bindings.kind(of: $0) } ?? leg.mapping.map { _ in .oneToOne },
        leg.session.map { translator.shard.sessions.state(of: $0) }))
  }

  private func explainOwn(_ packet: Packet, from side: Side, _ explanation: inout Explanation) {
    let isForInside = packet.destination == settings.insideAddress
    if isForInside, settings.sharesInside { return explanation.leave() }
    let isEcho = packet.kind == .query && packet.icmpType == ICMPv4.echoRequest
    guard isEcho, !isForInside || side == .inside else {
      return explanation.drop(.toGateway, .own(.toGateway))
    }
    let message = packet.frame.window(at: packet.transportOffset, count: packet.transportLength)
    guard message.sum(from: 0, count: message.count).folded == 0xFFFF else {
      return explanation.drop(.badEchoChecksum, .own(.badEchoChecksum))
    }
    explanation.findings.append(.own(nil))
    explanation.verdict = .answer
  }

  /// Route, TTL, MTU; then limits and ports, and the packet as it leaves.
  private mutating func explainEgress(
    _ packet: Packet, _ resolution: Resolution?, to destination: IPv4Address, from side: Side,
    at now: Instant,
    _ explanation: inout Explanation
  ) {
    guard let hop = routes.find(destination) else { return explanation.drop(.noRoute, .noRoute) }
    explanation.findings.append(.route(side: hop.side, via: hop.address))
    guard packet.timeToLive > 1 else {
      return explanation.drop(.ttlExceeded, .timeToLive(.ttlExceeded))
    }
    explanation.findings.append(.timeToLive(nil))
    guard !packet.doesNotFragment || fits(packet, from: side, to: hop.side) else {
      return explanation.drop(.packetTooBig, .mtu(mtu(of: hop.side), .packetTooBig))
    }
    explanation.findings.append(.mtu(mtu(of: hop.side), nil))
    var packet = packet
    if let resolution {
      let rehearsal = translator.rehearse(resolution, packet, at: now)
      if let reason = rehearsal.refusal {
        guard rehearsal.evicts else {
          return explanation.drop(reason, .limits(reason, evicts: false))
        }
        explanation.findings.append(.limits(reason, evicts: true))
      } else if rehearsal.makesSomething {
        explanation.findings.append(.limits(nil, evicts: false))
      }
      if let chosen = rehearsal.chosen { explanation.findings.append(.port(chosen)) }
      packet.rewrite(rehearsal.rewrite)
      if packet.carriesSYN { clampSegmentSize(packet) }
    } else {
      packet.decrementTimeToLive(carrying: ChecksumDelta())
    }
    let neighbour = neighbours(of: hop.side).find(hop.address)
    let isKnown = neighbour != nil || !settings.asksForNextHops
    explanation.findings.append(.nextHop(isKnown ? neighbour?.mac ?? placeholder(hop.side) : nil))
    explanation.verdict = isKnown ? .forward(to: hop.side) : .hold(to: hop.side)
    packet.frame.setEthernet(
      destination: neighbour?.mac ?? placeholder(hop.side), source: mac(of: hop.side), type: Ethernet.typeIPv4
    )
    copy(packet.frame, into: &explanation.after)
  }

  /// A described packet comes from its neighbour to us.
  private func describeLink(of packet: Packet, _ outcome: DecodeOutcome, from side: Side) {
    guard case .ipv4 = outcome else { return }
    let known = routes.find(packet.source).flatMap { neighbours(of: $0.side).find($0.address)?.mac }
    packet.frame.setEthernet(
      destination: mac(of: side), source: known ?? placeholder(side), type: Ethernet.typeIPv4)
  }

  private func copy(_ frame: Frame, into bytes: inout [UInt8]) {
    for place in 0..<frame.count { bytes.append(frame.uint8(at: place)) }
  }
}
