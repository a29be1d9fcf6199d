import NATMemory
public import NATWire

/// Forwards that take less than everything, and those that end by themselves.
extension Shard {
  /// The terms of a forward that has some.
  private func terms(of binding: BindingIndex) -> UInt32? {
    guard bindings.kind(of: binding) == .portForward else { return nil }
    return bindings.terms(of: binding)
  }

  /// Whether a binding is a forward that does not take everything.
  public func hasTerms(_ binding: BindingIndex) -> Bool { terms(of: binding) != nil }

  /// Whether a new session may be made over a live binding.
  ///
  /// - Parameters:
  ///   - side: who begins it.
  ///   - remote: nil for an inside host that sends to the public endpoint; terms that name remotes mean hosts outside.
  public func takes(_ binding: BindingIndex, from side: Side, _ remote: Endpoint?) -> Bool {
    guard let record = terms(of: binding) else { return true }
    let terms = portForwardTerms[record].terms
    if side == .inside && terms.isInboundOnly || portForwardTerms[record].isUsed { return false }
    return remote.map { terms.matches($0) } ?? terms.takesEveryRemote
  }

  /// Whether a private endpoint may have a dynamic binding behind its forwards: none of them takes all that its host
  /// begins, and none is there yet.
  func leavesRoomForDynamic(behind first: BindingIndex) -> Bool {
    var next: BindingIndex? = first
    while let binding = next {
      guard let record = terms(of: binding), !portForwardTerms[record].terms.takesAllFromInside else {
        return false
      }
      next = nextBinding(after: binding)
    }
    return true
  }

  /// Lets the lifetimes of forwards begin that were there from the start: with the first packet, as there is no clock
  /// before.
  public mutating func startLifetimes(at now: Instant) {
    portForwardTerms.start(at: now)
    quietUntil = min(quietUntil, portForwardTerms.due)
  }

  /// Whether forwards have ended by themselves, so that their public addresses may be ours no longer.
  public var hasEndedPortForwards: Bool { portForwardTerms.hasEnded }

  /// The public address of one of them; nil after the last.
  public mutating func popEndedPortForward() -> IPv4Address? { portForwardTerms.popEnded() }

  /// A session was made over a forward.
  mutating func noteUse(of binding: BindingIndex) {
    if let record = terms(of: binding), portForwardTerms[record].terms.isOneShot {
      portForwardTerms.use(record)
    }
  }

  /// A session over a forward has ended: a one-shot ends with it.
  mutating func endIfUsed(_ binding: BindingIndex, at instant: Instant) {
    guard let record = terms(of: binding), portForwardTerms[record].isUsed, firstSession(of: binding) == nil
    else {
      return
    }
    endByItself(binding, at: instant, because: .staticMappingUsed)
  }

  /// Ends what is due before `now` in the order of the due times, as far as a forward's lifetime is among it.
  mutating func endPortForwards(before now: Instant) {
    while portForwardTerms.due < now, let binding = portForwardTerms.firstDueBinding {
      let due = portForwardTerms.due
      endSessions(before: due)
      // Its one session may have been among them.
      if portForwardTerms.due == due, portForwardTerms.firstDueBinding == binding {
        endByItself(binding, at: due, because: .staticMappingExpired)
      }
    }
  }

  private mutating func endByItself(_ binding: BindingIndex, at instant: Instant, because reason: EndReason) {
    var limit = Int.max
    _ = end(close(binding, because: reason), at: instant, limit: &limit)
  }
}

extension EndReason {
  /// Whether a static mapping ended without an operator.
  var isByItself: Bool { self == .staticMappingExpired || self == .staticMappingUsed }
}
