import NATMemory
public import NATWire

/// Port forwards with conditions, and those that end by themselves.
extension Shard {
  /// The record of a port forward's conditions; nil if it has none.
  private func terms(of binding: BindingIndex) -> UInt32? {
    guard bindings.kind(of: binding) == .portForward else { return nil }
    return bindings.terms(of: binding)
  }

  /// Whether a binding is a port forward with conditions.
  public func hasTerms(_ binding: BindingIndex) -> Bool { terms(of: binding) != nil }

  /// Whether a new session may be made over a live binding.
  ///
  /// - Parameters:
  ///   - side: the side that begins the session.
  ///   - remote: nil for an inside host that sends to the public endpoint. A condition on remotes never
  ///     matches it.
  public func takes(_ binding: BindingIndex, from side: Side, _ remote: Endpoint?) -> Bool {
    guard let record = terms(of: binding) else { return true }
    let terms = portForwardTerms[record].terms
    if side == .inside && terms.isInboundOnly || portForwardTerms[record].isUsed { return false }
    return remote.map { terms.matches($0) } ?? terms.takesEveryRemote
  }

  /// Whether a private endpoint may have a dynamic binding after its port forwards: it has neither a port
  /// forward that takes all outbound sessions nor another binding.
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

  /// Starts the lifetimes of the port forwards of the configuration, at the first packet: before it there is
  /// no time.
  public mutating func startLifetimes(at now: Instant) {
    portForwardTerms.start(at: now)
    quietUntil = min(quietUntil, portForwardTerms.due)
  }

  /// Whether port forwards have ended by themselves. Their public addresses may no longer be ours.
  public var hasEndedPortForwards: Bool { portForwardTerms.hasEnded }

  /// Removes and returns the public address of one of them; nil after the last.
  public mutating func popEndedPortForward() -> IPv4Address? { portForwardTerms.popEnded() }

  /// Notes that a session was made over a port forward.
  mutating func noteUse(of binding: BindingIndex) {
    if let record = terms(of: binding), portForwardTerms[record].terms.isOneShot {
      portForwardTerms.use(record)
    }
  }

  /// Ends a one-shot port forward after its session has ended.
  mutating func endIfUsed(_ binding: BindingIndex, at instant: Instant) {
    guard let record = terms(of: binding), portForwardTerms[record].isUsed, firstSession(of: binding) == nil
    else {
      return
    }
    endByItself(binding, at: instant, because: .staticMappingUsed)
  }

  /// Ends the port forwards whose lifetime ends before `now`, and the sessions due before them, in order.
  mutating func endPortForwards(before now: Instant) {
    while portForwardTerms.due < now, let binding = portForwardTerms.firstDueBinding {
      let due = portForwardTerms.due
      endSessions(before: due)
      // If its one session was among them, a one-shot has ended already.
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
  /// Whether a port forward ended by itself.
  var isByItself: Bool { self == .staticMappingExpired || self == .staticMappingUsed }
}
