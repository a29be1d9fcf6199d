// Port forwards: what they take, and how they end.

extension ReferenceNAT {
  /// Puts a port forward in force. It is always listed.
  /// - instant: nil before the first packet.
  mutating func putInForce(_ rule: ReferenceSettings.Static, at instant: UInt64?) {
    guard let flow = rule.flow, let publicPort = rule.publicPort, let privatePort = rule.privatePort
    else { return }
    lastBindingNumber += 1
    let number = lastBindingNumber
    forwardNumbers.append(number)
    var forward = Binding(
      number: number, flow: flow, kind: .forward,
      privateEnd: ReferenceEndpoint(rule.privateAddress, privatePort),
      publicEnd: ReferenceEndpoint(rule.publicAddress, publicPort), made: instant)
    forward.rule = rule
    if let instant, let lifetime = rule.terms.lifetime { forward.expires = instant + lifetime }
    bindings[number] = forward
    // The port is the forward's now.
    holdDowns.removeAll { $0.port == FlowEnd(flow: flow, end: forward.publicEnd) }
    choosePoolPorts()
  }

  // MARK: Taking a new session

  /// ST-3, ST-5, ST-11: whether a new session from inside towards `remote` uses the forward.
  func takesFromInside(_ forward: Binding, towards remote: ReferenceEndpoint) -> Bool {
    guard let terms = forward.rule?.terms, !terms.isInboundOnly, !forward.isUsed else { return false }
    return matches(terms, remote)
  }

  /// ST-5, ST-11: whether a new session from outside uses the forward.
  /// - remote: nil for an inside host, which only a forward for every remote takes.
  func takesFromOutside(_ forward: Binding, from remote: ReferenceEndpoint?) -> Bool {
    guard let terms = forward.rule?.terms, !forward.isUsed else { return false }
    guard let remote else { return terms.remotes.prefixLength == 0 && terms.remotePort == nil }
    return matches(terms, remote)
  }

  private func matches(_ terms: ReferenceSettings.Terms, _ remote: ReferenceEndpoint) -> Bool {
    terms.remotes.contains(remote.address) && (terms.remotePort ?? remote.port) == remote.port
  }

  // MARK: Ends

  /// ST-11: a one-shot forward has had its session.
  mutating func useForward(_ number: Int) {
    if bindings[number]?.rule?.terms.isOneShot == true { bindings[number]?.isUsed = true }
  }

  /// ST-11: a one-shot forward ends with its session. Its port goes back to the pool without hold-down.
  mutating func endForwardIfUsed(_ forward: Binding) {
    if forward.isUsed && forward.remotes.isEmpty { end(forward, at: now) }
  }

  /// ST-11: the lifetimes of the forwards in the file begin with the first packet.
  mutating func startForwardLifetimes() {
    for forward in forwards where forward.made == nil && forward.expires == nil {
      if let lifetime = forward.rule?.terms.lifetime { bindings[forward.number]?.expires = now + lifetime }
    }
  }

  /// ST-11: a forward whose lifetime is over ends with its sessions. Sessions that were due earlier end earlier.
  mutating func endDueForwards() {
    let due = forwards.filter { ($0.expires ?? .max) < now }.sorted { ($0.expires ?? 0) < ($1.expires ?? 0) }
    for forward in due {
      endDueSessions(before: forward.expires ?? now)
      if let forward = bindings[forward.number] { end(forward, at: now) }
    }
  }
}
