// ICMP errors in transit, and transports without ports.

extension ReferenceNAT {
  /// Row "errors": 3, 11 and 12 pass with a session of the quoted packet. They count on no session, refresh
  /// nothing and end nothing (IE17).
  mutating func translateError(_ error: Packet, from side: ReferenceSide) -> Verdict {
    // IE14: the error goes to the sender of the quoted packet.
    guard let quote = Quote(of: error), quote.source == error.destination else {
      return .drop(.icmpErrorUnmatched)
    }
    let changes: QuoteChange?
    if let flow = quote.flow {
      changes =
        side == .outside ? inboundChange(error, quote, flow) : outboundChange(error, quote, flow)
    } else {
      changes = side == .outside ? inboundChangeOfOther(quote) : outboundChangeOfOther(error, quote)
    }
    guard let changes else { return .drop(.icmpErrorUnmatched) }

    let source = changes.outerSource ?? error.source
    let destination = changes.quotedSource?.address ?? error.destination
    switch egress(error, to: destination, from: side) {
    case .refused(let reason): return .drop(reason)
    case .open(let route):
      var translated = error
      translated.rewrite(quote, source: changes.quotedSource, destination: changes.quotedDestination)
      translated.rewriteAddresses(source: source, destination: destination)
      return .pass(translated, Passage(source: source, destination: destination, route: route))
    }
  }

  /// IE1, IE2, IE3: the quoted packet was sent outbound; its source becomes private again, and so does the
  /// destination of the error.
  private func inboundChange(_ error: Packet, _ quote: Quote, _ flow: ReferenceProtocol) -> QuoteChange? {
    let remote = asSessionRemote(quote.receiverEnd(in: error, flow), flow)
    guard let binding = liveBinding(public: quote.senderEnd(in: error, flow), flow, towards: remote) else {
      return nil
    }
    return QuoteChange(quotedSource: binding.privateEnd)
  }

  /// IE4, IE5, HP5: the quoted packet was delivered inside; its destination becomes public again. If it was
  /// hairpinned, its source becomes the private endpoint of its sender.
  private func outboundChange(_ error: Packet, _ quote: Quote, _ flow: ReferenceProtocol) -> QuoteChange? {
    let remote = asSessionRemote(quote.senderEnd(in: error, flow), flow)
    guard let binding = liveBinding(private: quote.receiverEnd(in: error, flow), flow, towards: remote) else {
      return nil
    }
    var change = QuoteChange(
      outerSource: sourceShown(
        by: error.source, host: binding.privateEnd.address, as: binding.publicEnd.address),
      quotedDestination: binding.publicEnd)
    if isPublic(error.destination) {
      // The identifier of a query is the translated one on both legs.
      let shown = flow == .icmp ? binding.publicEnd.port : quote.senderEnd(in: error, flow).port
      let other = asSessionRemote(binding.publicEnd, flow)
      guard
        let sender = liveBinding(public: ReferenceEndpoint(quote.source, shown), flow, towards: other)
      else { return nil }
      change.quotedSource = sender.privateEnd
      if flow == .icmp {
        change.quotedDestination = ReferenceEndpoint(binding.publicEnd.address, sender.privateEnd.port)
      }
    }
    return change
  }

  /// An error quoting another protocol passes over a 1:1 mapping by address.
  private func inboundChangeOfOther(_ quote: Quote) -> QuoteChange? {
    guard let rule = oneToOne(public: quote.source) else { return nil }
    return QuoteChange(quotedSource: ReferenceEndpoint(rule.privateAddress, 0))
  }

  private func outboundChangeOfOther(_ error: Packet, _ quote: Quote) -> QuoteChange? {
    guard let rule = oneToOne(private: quote.destination) else { return nil }
    var change = QuoteChange(
      outerSource: sourceShown(by: error.source, host: rule.privateAddress, as: rule.publicAddress),
      quotedDestination: ReferenceEndpoint(rule.publicAddress, 0))
    if isPublic(error.destination) {
      guard let sender = oneToOne(public: quote.source) else { return nil }
      change.quotedSource = ReferenceEndpoint(sender.privateAddress, 0)
    }
    return change
  }

  /// From inside, the source is: the binding's public address if the sender is the session's host, a 1:1
  /// sender's own, else the outside address.
  private func sourceShown(
    by sender: ReferenceAddress, host: ReferenceAddress, as publicAddress: ReferenceAddress
  ) -> ReferenceAddress {
    if sender == host { return publicAddress }
    return oneToOne(private: sender)?.publicAddress ?? settings.outside.address
  }

  private func asSessionRemote(_ end: ReferenceEndpoint, _ flow: ReferenceProtocol) -> ReferenceEndpoint {
    flow == .icmp ? ReferenceEndpoint(end.address, 0) : end
  }

  /// A forward and a port of a 1:1 mapping may have one public endpoint: the forward goes first.
  private func liveBinding(
    public end: ReferenceEndpoint, _ flow: ReferenceProtocol, towards remote: ReferenceEndpoint
  ) -> Binding? {
    forwardsFirst.first { $0.flow == flow && $0.publicEnd == end && $0.remotes.contains(remote) }
  }

  private func liveBinding(
    private end: ReferenceEndpoint, _ flow: ReferenceProtocol, towards remote: ReferenceEndpoint
  ) -> Binding? {
    forwardsFirst.first { $0.flow == flow && $0.privateEnd == end && $0.remotes.contains(remote) }
  }

  private var forwardsFirst: [Binding] { forwards + bindings.values.filter { $0.kind != .forward } }
}

/// What changes in an ICMP error and its quote. The error goes to the quoted source.
struct QuoteChange {
  var outerSource: ReferenceAddress?
  var quotedSource: ReferenceEndpoint?
  var quotedDestination: ReferenceEndpoint?
}

// MARK: Other transports

extension ReferenceNAT {
  /// Rows "unknown transport protocols" and "other transports over 1:1" (FW7, HP8): by address, stateless.
  mutating func translateOther(_ packet: Packet, from side: ReferenceSide) -> Verdict {
    var source = packet.source
    var destination = packet.destination
    if side == .inside {
      guard let rule = oneToOne(private: source) else { return .drop(.unknownProtocol) }
      source = rule.publicAddress
    }
    if side == .outside || isPublic(destination) {
      guard let rule = oneToOne(public: destination) else { return .drop(.unknownProtocol) }
      destination = rule.privateAddress
    }
    switch egress(packet, to: destination, from: side) {
    case .refused(let reason): return .drop(reason)
    case .open(let route):
      var translated = packet
      translated.rewriteAddresses(source: source, destination: destination)
      return .pass(translated, Passage(source: source, destination: destination, route: route))
    }
  }
}
