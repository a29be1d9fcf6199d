public import NATEngine
public import NATTable
public import NATWire

/// What the gateway would do with a packet, step by step.
public struct Explanation: Sendable {
  /// What a step found. A reason says why the packet ends there.
  public enum Finding: Sendable {
    case decode(DropReason?)
    case addresses(DropReason?)
    /// It is for the gateway itself: answered, or dropped.
    case own(DropReason?)
    /// It is left to the machine's kernel.
    case kernel
    /// To or from a destination that is not translated.
    case exempt
    /// Between inside networks.
    case inside(DropReason?)
    case publicAddress(DropReason?)
    /// An inside host's part: its public endpoint, if it has a binding, and the session, if there is one.
    case leg(sends: Bool, private: Endpoint, public: Endpoint?, BindingKind?, SessionState?)
    /// Binding, session or filter refuse it.
    case refused(DropReason)
    case route(InterfaceIndex, via: IPv4Address)
    case noRoute
    case timeToLive(DropReason?)
    case mtu(Int, DropReason?)
    case limits(DropReason?, evicts: Bool)
    /// The public endpoint of a new binding.
    case port(Endpoint)
    /// The MAC of the next hop; nil if it has to be resolved by ARP.
    case nextHop(MACAddress?)
    /// The frame is for another station.
    case notForUs
    /// A fragment, and the first one of its datagram or a later one; a reason is why it goes no further.
    case fragment(DropReason?, waits: Bool)
    /// The window was not checked: a described packet has no real sequence number.
    case windowNotAsked
    /// An ICMP error that belongs to a live session or a 1:1 mapping.
    case quote
    /// Another transport protocol over a 1:1 mapping.
    case oneToOne
    /// An ARP packet.
    case arp(isAnswered: Bool)
  }

  public enum Verdict: BitwiseCopyable, Sendable, Equatable {
    case forward(to: InterfaceIndex)
    /// Forwarded when the MAC of the next hop is known.
    case hold(to: InterfaceIndex)
    /// A fragment that waits for the first one of its datagram.
    case wait
    /// By the gateway itself.
    case answer
    /// To the machine's kernel.
    case leave
    /// An ARP packet that needs no answer: what it says about its sender is learned.
    case learn
    case drop(DropReason)
  }

  public fileprivate(set) var findings: [Finding] = []
  public fileprivate(set) var verdict = Verdict.drop(.frameTooShort)
  /// Where a forwarded packet goes next.
  public fileprivate(set) var nextHop: IPv4Address?
  /// The frame as it came, and as it would leave on the wire, before it is split; empty where nothing leaves.
  /// The identification of a datagram in fragments is given out only when it leaves.
  public fileprivate(set) var before: [UInt8] = []
  public fileprivate(set) var after: [UInt8] = []
}

/// Asks a gateway what it would do with a frame. It changes nothing except ending what is due by now.
public struct ExplainFrame: GatewayJob {
  public private(set) var explanation = Explanation()
  private let bytes: [UInt8]
  private let interface: InterfaceIndex
  private let link: LinkLayer
  private let wireLength: Int
  private let isDescribed: Bool

  /// A frame from a capture: any frame, also malformed, ARP or a fragment.
  public init(
    _ bytes: [UInt8], from interface: InterfaceIndex, link: LinkLayer = .ethernet, wireLength: Int? = nil
  ) {
    self.bytes = bytes
    self.interface = interface
    self.link = link
    self.wireLength = wireLength ?? bytes.count
    isDescribed = false
  }

  /// A packet that an operator describes: its link addresses are those of its neighbour and ours, and its
  /// sequence number is as the connection expects it.
  ///
  /// - Parameter bytes: an Ethernet frame; its MAC addresses are filled in.
  public init(described bytes: [UInt8], from interface: InterfaceIndex) {
    self.bytes = bytes
    self.interface = interface
    link = .ethernet
    wireLength = bytes.count
    isDescribed = true
  }

  public mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool {
    let now = gateway.settle(at: now)
    let frame = outbox.build(length: bytes.count)
    for (index, byte) in bytes.enumerated() { frame.setUInt8(byte, at: index) }
    let entry = FrameBatch.Entry(
      frame: frame, wireLength: wireLength, instant: now, interface: interface, link: link)
    explanation = gateway.explain(entry, isDescribed: isDescribed, at: now)
    outbox.removeAll()
    return true
  }
}

extension Gateway {
  /// Runs the same list of steps as a packet on its way, and carries nothing out.
  mutating func explain(_ entry: FrameBatch.Entry, isDescribed: Bool, at now: Instant) -> Explanation {
    if now > datagrams.quietUntil { endDueDatagrams(at: now) }
    var observer = ExplanationObserver()
    var packet = Packet(frame: entry.frame)
    let outcome = Packet.decode(
      entry.frame, link: entry.link, wireLength: entry.wireLength, into: &packet)
    if isDescribed, case .ipv4 = outcome { describeLink(of: packet, from: entry.interface) }
    copy(entry.frame, into: &observer.explanation.before)
    switch outcome {
    case .fault(let fault): observer.drop(DropReason(fault), .decode(DropReason(fault)))
    case .arp:
      let isAnswered = meaning(ofARP: packet.frame, from: entry.interface)?.isAnswered ?? false
      observer.explanation.findings = [.decode(nil), .arp(isAnswered: isAnswered)]
      observer.explanation.verdict = isAnswered ? .answer : .learn
    case .ipv4:
      observer.explanation.findings.append(.decode(nil))
      var context = PacketContext(packet, entry, translator.role(of: packet.destination), at: now)
      context.isRehearsed = true
      context.isDescribed = isDescribed
      switch runSteps(&context, &observer) {
      case .forward: explainSending(context, &observer)
      case .answer: observer.explanation.verdict = .answer
      case .hold: observer.explanation.verdict = .wait
      case .leaveToKernel: observer.explanation.verdict = .leave
      case .drop(let reason, _): observer.explanation.verdict = .drop(reason)
      }
    }
    return observer.explanation
  }

  /// The next hop, and the frame as it leaves.
  private func explainSending(_ context: PacketContext, _ observer: inout ExplanationObserver) {
    guard let hop = context.hop else { return }
    let known = neighbourMAC(hop, for: context)
    let mac = known ?? (mustAsk(for: hop) ? nil : placeholder(hop.interface))
    observer.explanation.findings.append(.nextHop(mac))
    observer.explanation.nextHop = hop.address
    let frame = context.packet.frame
    if mac == nil, !waiting.hasRoom(for: hop, length: frame.count) {
      observer.explanation.verdict = .drop(.nextHopQueueFull)
      return
    }
    observer.explanation.verdict = mac != nil ? .forward(to: hop.interface) : .hold(to: hop.interface)
    var packet = context.packet
    if settings.completesChecksums || context.mustSplit { packet.completePartialChecksum() }
    frame.setEthernet(
      destination: mac ?? placeholder(hop.interface), source: self.mac(of: hop.interface),
      type: Ethernet.typeIPv4)
    copy(frame, into: &observer.explanation.after)
  }

  /// A described packet comes from its neighbour to us.
  private func describeLink(of packet: Packet, from interface: InterfaceIndex) {
    let known = routes.find(packet.source).flatMap { neighbours(of: $0.interface).find($0.address)?.mac }
    packet.frame.setEthernet(
      destination: mac(of: interface), source: known ?? placeholder(interface), type: Ethernet.typeIPv4)
  }

  private func copy(_ frame: Frame, into bytes: inout [UInt8]) {
    for place in 0..<frame.count { bytes.append(frame.uint8(at: place)) }
  }
}

/// Turns the steps of a packet into findings.
private struct ExplanationObserver: StepObserver {
  var explanation = Explanation()

  mutating func drop(_ reason: DropReason, _ finding: Explanation.Finding) {
    explanation.findings.append(finding)
    explanation.verdict = .drop(reason)
  }

  mutating func note(
    _ step: Step, _ context: PacketContext, _ verdict: Verdict?, in gateway: borrowing Gateway
  ) {
    if case .leaveToKernel = verdict { return explanation.findings.append(.kernel) }
    let reason: DropReason? = if case .drop(let reason, _) = verdict { reason } else { nil }
    switch step {
    case .link: if reason != nil { explanation.findings.append(.notForUs) }
    case .addresses: explanation.findings.append(.addresses(reason))
    case .neighbour, .kernel, .rewrite, .identify: break
    case .own: if verdict != nil { explanation.findings.append(.own(reason)) }
    case .exempt:
      if context.isDecided {
        let isInside = context.side == .inside && !gateway.exempt.contains(context.packet.destination)
        explanation.findings.append(isInside || reason != nil ? .inside(reason) : .exempt)
      }
    case .fragment:
      if context.packet.isFragment { explanation.findings.append(.fragment(reason, waits: verdict != nil)) }
    case .publicAddress:
      if reason != nil || context.role != nil { explanation.findings.append(.publicAddress(reason)) }
    case .session: noteSession(context, reason, in: gateway)
    case .route:
      if let hop = context.hop {
        explanation.findings.append(.route(hop.interface, via: hop.address))
      } else {
        explanation.findings.append(.noRoute)
      }
    case .timeToLive: explanation.findings.append(.timeToLive(reason))
    case .mtu:
      if let hop = context.hop { explanation.findings.append(.mtu(gateway.mtu(of: hop.interface), reason)) }
    case .state: noteState(context)
    }
  }

  private mutating func noteSession(
    _ context: PacketContext, _ reason: DropReason?, in gateway: borrowing Gateway
  ) {
    if let reason { return explanation.findings.append(.refused(reason)) }
    switch context.way {
    case .undecided, .plain, .follows: break
    case .quote: explanation.findings.append(.quote)
    case .addresses: explanation.findings.append(.oneToOne)
    case .sessions(let resolution):
      if let sender = resolution.sender { note(sender, sends: true, in: gateway) }
      if let receiver = resolution.receiver { note(receiver, sends: false, in: gateway) }
      let isLive = resolution.sender?.session != nil || resolution.receiver?.session != nil
      if gateway.translator.tracksWindows, context.isDescribed, context.packet.kind == .tcp, isLive {
        explanation.findings.append(.windowNotAsked)
      }
    }
  }

  private mutating func note(_ leg: Leg, sends: Bool, in gateway: borrowing Gateway) {
    let bindings = gateway.translator.shard.bindings
    explanation.findings.append(
      .leg(
        sends: sends, private: leg.private,
        public: leg.binding.map { bindings.publicEndpoint(of: $0) }
          ?? leg.mapping.map { Endpoint($0.public, leg.private.port) },
        leg.binding.map { bindings.kind(of: $0) } ?? leg.mapping.map { _ in .oneToOne },
        leg.session.map { gateway.translator.shard.sessions.state(of: $0) }))
  }

  private mutating func noteState(_ context: PacketContext) {
    guard let rehearsal = context.rehearsal else { return }
    guard case .forward = rehearsal.outcome else {
      return explanation.findings.append(.limits(rehearsal.refusal, evicts: false))
    }
    if rehearsal.refusal != nil || rehearsal.makesSomething {
      explanation.findings.append(.limits(rehearsal.refusal, evicts: rehearsal.refusal != nil))
    }
    if let chosen = rehearsal.chosen { explanation.findings.append(.port(chosen)) }
  }
}
