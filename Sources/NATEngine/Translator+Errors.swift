public import NATTable
public import NATWire

/// How an ICMP error is rewritten: its own addresses, and the endpoints of the packet that it quotes. It
/// makes and refreshes no state and counts on no session (RFC 5508 REQ-6, RFC 4787 REQ-12).
public struct ErrorRewrite: BitwiseCopyable {
  public var source: IPv4Address
  public var destination: IPv4Address
  public var quotedSource: Endpoint
  public var quotedDestination: Endpoint
  /// The session of the inside host that sent the quoted packet, if there is one.
  public var quotedSender: SessionIndex?
  /// The session of the inside host that the quoted packet was sent to, if there is one.
  public var quotedReceiver: SessionIndex?
}

/// A translated endpoint of a quoted packet, with the session of its host.
private struct QuotedEnd {
  var endpoint: Endpoint
  /// Nil for a transport without sessions.
  var session: SessionIndex?
}

extension Translator {
  /// An error from the outside about a packet that left here: the quote's source is one of our public
  /// endpoints (RFC 5508 REQ-4).
  public func resolveInboundError(
    _ packet: Packet, _ quote: QuotedPacket, _ role: PublicRole, at now: Instant
  ) -> ErrorRewrite? {
    guard quote.source == packet.destination,
      let receiver = quotedSender(
        quote, Endpoint(quote.source, quote.sourcePort), Endpoint(quote.destination, quote.destinationPort),
        role, at: now)
    else { return nil }
    return ErrorRewrite(
      source: packet.source, destination: receiver.endpoint.address, quotedSource: receiver.endpoint,
      quotedDestination: Endpoint(quote.destination, quote.destinationPort), quotedSender: receiver.session)
  }

  /// An error from inside about an inbound packet: the quote's destination is the private endpoint of an
  /// inside host (RFC 5508 REQ-5). If the error goes to a public address, the inside host behind it sent the
  /// quoted packet (REQ-7).
  ///
  /// - Parameter role: of the error's destination, nil for an address outside.
  public func resolveErrorFromInside(
    _ packet: Packet, _ quote: QuotedPacket, _ role: PublicRole?, outsideAddress: IPv4Address, at now: Instant
  ) -> ErrorRewrite? {
    guard quote.source == packet.destination, let target = quotedReceiver(quote, at: now) else { return nil }
    let source: IPv4Address =
      if packet.source == quote.destination {
        target.endpoint.address
      } else {
        shard.oneToOne(private: packet.source)?.public ?? outsideAddress
      }
    guard let role else {
      return ErrorRewrite(
        source: source, destination: packet.destination,
        quotedSource: Endpoint(quote.source, quote.sourcePort), quotedDestination: target.endpoint,
        quotedReceiver: target.session)
    }
    // A hairpinned query has one public identifier for both bindings, and the quote may hold the receiver's
    // private one.
    let port = quote.transport == .icmp ? target.endpoint.port : quote.sourcePort
    guard let sender = quotedSender(quote, Endpoint(quote.source, port), target.endpoint, role, at: now)
    else { return nil }
    return ErrorRewrite(
      source: source, destination: sender.endpoint.address, quotedSource: sender.endpoint,
      quotedDestination: target.endpoint, quotedSender: sender.session, quotedReceiver: target.session)
  }

  /// The inside host that sent the quoted packet from a public endpoint, if the session lives.
  private func quotedSender(
    _ quote: QuotedPacket, _ source: Endpoint, _ remote: Endpoint, _ role: PublicRole, at now: Instant
  ) -> QuotedEnd? {
    let mapping = role.isOneToOne ? shard.oneToOne(public: source.address) : nil
    guard let transport = quote.transport else {
      return mapping.map { QuotedEnd(endpoint: Endpoint($0.private, 0)) }
    }
    let remote = Translator.remote(transport, remote.address, remote.port)
    if let binding = binding(transport, at: source, role),
      let session = shard.findSession(binding, remote: remote, at: now)
    {
      return QuotedEnd(endpoint: shard.bindings.privateEndpoint(of: binding), session: session)
    }
    // A port forward may cover a port of the 1:1 mapping.
    guard let mapping, let binding = shard.findOneToOne(transport, mapping, port: source.port),
      let session = shard.findSession(binding, remote: remote, at: now)
    else { return nil }
    return QuotedEnd(endpoint: Endpoint(mapping.private, source.port), session: session)
  }

  /// The public endpoint to which the quoted packet was sent, if the session lives.
  private func quotedReceiver(_ quote: QuotedPacket, at now: Instant) -> QuotedEnd? {
    guard let transport = quote.transport else {
      return shard.oneToOne(private: quote.destination).map {
        QuotedEnd(endpoint: Endpoint($0.public, 0))
      }
    }
    let leg = findSender(
      transport, Endpoint(quote.destination, quote.destinationPort),
      Translator.remote(transport, quote.source, quote.sourcePort), at: now)
    guard let session = leg.session, let binding = leg.binding else { return nil }
    return QuotedEnd(endpoint: shard.bindings.publicEndpoint(of: binding), session: session)
  }
}
