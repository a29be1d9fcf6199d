public import NATTable
public import NATWire

extension Translator {
  /// The remote endpoint as sessions store it: ICMP sessions have remote port 0.
  @inlinable @inline(__always) public static func remote(
    _ transport: TransportProtocol, _ address: IPv4Address, _ port: UInt16
  ) -> Endpoint {
    Endpoint(address, transport == .icmp ? 0 : port)
  }

  /// The live session of an outbound packet.
  @inlinable @inline(__always)
  public func hitOutbound(_ packet: Packet, _ transport: TransportProtocol, at now: Instant) -> Hit? {
    let sender = Endpoint(packet.source, packet.sourcePort)
    let remote = Translator.remote(transport, packet.destination, packet.destinationPort)
    guard let binding = shard.findBinding(transport, private: sender),
      let session = shard.findSession(binding, remote: remote, at: now)
    else { return nil }
    return Hit(binding, session)
  }

  /// The live session of an inbound packet to a pool address.
  @inlinable @inline(__always)
  public func hitInbound(
    _ packet: Packet, _ transport: TransportProtocol, poolAddress: Int, at now: Instant
  ) -> Hit? {
    let remote = Translator.remote(transport, packet.source, packet.sourcePort)
    guard
      let binding = shard.findBinding(poolAddress: poolAddress, transport, port: packet.destinationPort),
      let session = shard.findSession(binding, remote: remote, at: now)
    else { return nil }
    return Hit(binding, session)
  }

  /// An inside host sends to the outside.
  @inline(never)
  public func resolveOutbound(_ packet: Packet, _ transport: TransportProtocol, at now: Instant)
    -> ResolveOutcome
  {
    let sender = Endpoint(packet.source, packet.sourcePort)
    let remote = Translator.remote(transport, packet.destination, packet.destinationPort)
    let leg = findSender(transport, sender, remote, at: now)
    if leg.session == nil, !mayOpenFromInside(packet) { return .drop(.noSession) }
    return .pass(Resolution(sender: leg, receiver: nil, destination: packet.destination))
  }

  /// The outside sends to one of our public addresses.
  @inline(never)
  public func resolveInbound(
    _ packet: Packet, _ transport: TransportProtocol, _ role: PublicRole, at now: Instant
  ) -> ResolveOutcome {
    let target = Endpoint(packet.destination, packet.destinationPort)
    let remote = Translator.remote(transport, packet.source, packet.sourcePort)
    if let (binding, session) = findReceiver(transport, at: target, role, from: remote, by: remote, at: now) {
      let receiver = shard.bindings.privateEndpoint(of: binding)
      if session == nil, let reason = refusal(packet, transport, binding, remote) { return .drop(reason) }
      let leg = Leg(transport, private: receiver, remote: remote, binding: binding, session: session)
      return .pass(Resolution(sender: nil, receiver: leg, destination: receiver.address))
    }
    guard role.isOneToOne, let mapping = shard.oneToOne(public: packet.destination) else {
      return .drop(.noBinding)
    }
    guard mayOpen(packet) else { return .drop(.noSession) }
    let leg = Leg(
      transport, private: Endpoint(mapping.private, target.port), remote: remote, binding: nil,
      mapping: mapping)
    return .pass(Resolution(sender: nil, receiver: leg, destination: mapping.private))
  }

  /// The binding that takes packets for one of our public endpoints, and the session over it, if there is one. A live
  /// session goes first, then the most specific rule: a port forward before the 1:1 mapping of its address.
  ///
  /// - Parameters:
  ///   - remote: the sender; nil while its public endpoint is not known.
  ///   - opener: the remote that the terms of a port forward apply to; nil for senders from inside.
  private func findReceiver(
    _ transport: TransportProtocol, at target: Endpoint, _ role: PublicRole, from remote: Endpoint?,
    by opener: Endpoint?, at now: Instant
  ) -> (BindingIndex, SessionIndex?)? {
    guard let binding = binding(transport, at: target, role) else { return nil }
    let session = remote.flatMap { shard.findSession(binding, remote: $0, at: now) }
    guard session == nil, shard.hasTerms(binding) else { return (binding, session) }
    var wider: BindingIndex?
    if role.isOneToOne, let mapping = shard.oneToOne(public: target.address) {
      wider = shard.findOneToOne(transport, mapping, port: target.port)
    }
    if let wider, let session = remote.flatMap({ shard.findSession(wider, remote: $0, at: now) }) {
      return (wider, session)
    }
    return shard.takes(binding, from: .outside, opener) ? (binding, nil) : wider.map { ($0, nil) }
  }

  /// An inside host sends to one of our public addresses: the sender is translated first (RFC 4787 REQ-9).
  @inline(never)
  public func resolveHairpin(
    _ packet: Packet, _ transport: TransportProtocol, _ role: PublicRole, at now: Instant
  ) -> ResolveOutcome {
    let sender = findSender(
      transport, Endpoint(packet.source, packet.sourcePort),
      Translator.remote(transport, packet.destination, packet.destinationPort), at: now)
    if sender.session == nil, !mayOpen(packet) { return .drop(.noSession) }
    let translated = publicEndpoint(of: sender)
    guard let receiver = findHairpinReceiver(packet, transport, role, from: translated, at: now) else {
      return .drop(.noBinding)
    }
    if receiver.session == nil, !mayOpen(packet) { return .drop(.noSession) }
    return .pass(Resolution(sender: sender, receiver: receiver, destination: receiver.private.address))
  }

  /// The inside host at the public endpoint to which another inside host sends.
  ///
  /// An ICMP query has one identifier field, so it arrives with the sender's translated identifier. Only a 1:1 mapping,
  /// which has all identifiers, can take a new one. A reply finds the binding that sent the query.
  /// - Parameter translated: the sender's public endpoint; nil while it has none.
  func findHairpinReceiver(
    _ packet: Packet, _ transport: TransportProtocol, _ role: PublicRole, from translated: Endpoint?,
    at now: Instant
  ) -> Leg? {
    var target = Endpoint(packet.destination, packet.destinationPort)
    if transport == .icmp, let translated { target.port = translated.port }
    let remote = translated.map { Translator.remote(transport, $0.address, $0.port) }
    if packet.kind != .query,
      let (binding, session) = findReceiver(transport, at: target, role, from: remote, by: nil, at: now)
    {
      let receiver = Leg(
        transport, private: shard.bindings.privateEndpoint(of: binding),
        remote: remote ?? Endpoint(.any, 0), binding: binding, session: session)
      if transport != .icmp || receiver.session != nil || !role.isOneToOne { return receiver }
    }
    guard role.isOneToOne, let mapping = shard.oneToOne(public: target.address) else { return nil }
    if let binding = shard.findOneToOne(transport, mapping, port: target.port) {
      return receiver(over: binding, transport, from: remote, at: now)
    }
    return Leg(
      transport, private: Endpoint(mapping.private, target.port), remote: remote ?? Endpoint(.any, 0),
      binding: nil, mapping: mapping)
  }

  /// - Parameter remote: the sender; nil while its public endpoint is not known.
  private func receiver(
    over binding: BindingIndex, _ transport: TransportProtocol, from remote: Endpoint?, at now: Instant
  ) -> Leg {
    Leg(
      transport, private: shard.bindings.privateEndpoint(of: binding), remote: remote ?? Endpoint(.any, 0),
      binding: binding, session: remote.flatMap { shard.findSession(binding, remote: $0, at: now) })
  }

  /// The public endpoint of a leg's host; nil until the pool has given it one.
  func publicEndpoint(of leg: Leg) -> Endpoint? {
    if let binding = leg.binding { return shard.bindings.publicEndpoint(of: binding) }
    return leg.mapping.map { Endpoint($0.public, leg.private.port) }
  }

  /// The sender's binding and session. Of several bindings of one private endpoint: the one with the session; otherwise
  /// the first port forward of the configuration that allows outbound sessions, then the 1:1 or dynamic binding.
  func findSender(
    _ transport: TransportProtocol, _ sender: Endpoint, _ remote: Endpoint, at now: Instant
  ) -> Leg {
    guard let first = shard.findBinding(transport, private: sender) else {
      return Leg(
        transport, private: sender, remote: remote, binding: nil,
        mapping: shard.oneToOne(private: sender.address))
    }
    var chosen: BindingIndex?
    var next: BindingIndex? = first
    while let binding = next {
      if let session = shard.findSession(binding, remote: remote, at: now) {
        return Leg(transport, private: sender, remote: remote, binding: binding, session: session)
      }
      if chosen == nil, shard.takes(binding, from: .inside, remote) { chosen = binding }
      next = shard.nextBinding(after: binding)
    }
    return Leg(
      transport, private: sender, remote: remote, binding: chosen,
      mapping: chosen == nil ? shard.oneToOne(private: sender.address) : nil)
  }

  /// Whether a packet from inside may make a session.
  func mayOpenFromInside(_ packet: Packet) -> Bool {
    mayOpen(packet)
      || settings.loose && packet.kind == .tcp && packet.tcpFlags.contains(.ack)
        && packet.tcpFlags.isDisjoint(with: [.syn, .rst])
  }

  /// Whether a packet may make a session over a static mapping or by hairpin. `loose` does not apply there.
  func mayOpen(_ packet: Packet) -> Bool {
    switch packet.kind {
    case .tcp: packet.tcpFlags.isOpening
    case .udp, .query: true
    case .queryReply, .icmpError, .icmpOther, .other, .laterFragment: false
    }
  }

  /// Why a packet from outside without a session may not pass to a live binding; nil if it may.
  func refusal(
    _ packet: Packet, _ transport: TransportProtocol, _ binding: BindingIndex, _ remote: Endpoint
  ) -> DropReason? {
    if shard.bindings.isStatic(binding) { return mayOpen(packet) ? nil : .noSession }
    switch settings.filtering(of: transport) {
    case .endpointIndependent: break
    case .addressDependent: if !shard.isOpen(binding, to: remote.address) { return .filtered }
    case .addressAndPortDependent:
      // For queries, which have no port, an address is an endpoint. A remote with a session does not come here.
      return .filtered
    }
    if packet.kind == .tcp, !packet.tcpFlags.isOpening { return .noSession }
    return nil
  }
}

extension TCPFlags {
  /// SYN without ACK: the only segment that may open a connection.
  public var isOpening: Bool { contains(.syn) && !contains(.ack) }
}
