import NATMemory
public import NATWire

/// Rules that may change while sessions live.
extension Shard {
  /// Sets the limits of this worker. What is above a lowered limit stays, and nothing is made until there is room again.
  /// - Precondition: neither is above the capacity of the table.
  public mutating func setLimits(bindings: Int, sessions: Int) {
    precondition(bindings <= table.capacity.bindings && sessions <= table.capacity.sessions)
    bindingLimit = TranslationTable.share(bindings, of: table.settings.workers)
    sessionLimit = TranslationTable.share(sessions, of: table.settings.workers)
  }

  /// Sets the lifetimes. A session keeps its due time; the next packet that restarts its timeout uses the new lifetime. A
  /// lifetime for a port applies to sessions that are made from now on.
  ///
  /// - Returns: false, and nothing has changed, where ports have had more different lifetimes than there are places for.
  public mutating func setLifetimes(_ new: Lifetimes) -> Bool { lifetimes.set(new) }

  /// Whether so many different lifetimes for ports could be set.
  public func hasRoom(for new: Lifetimes) -> Bool { lifetimes.hasRoom(for: new) }

  /// Whether `count` more sessions of a host are within so many a second: a bucket that holds one second's worth, or what
  /// a packet makes at a time where that is more. It is full where the host has no state.
  public func isWithinPace(
    _ host: IPv4Address, sessions count: Int, perSecond: Int, at now: Instant
  ) -> Bool {
    guard let record = hosts.find(host) else { return true }
    let needed = UInt64(count) * (1_000_000_000 / UInt64(perSecond))
    return max(hosts[record].full, now.nanoseconds) + needed
      <= now.nanoseconds + max(1_000_000_000, needed)
  }

  /// Counts a session that was made over `binding` for its host's pace.
  public func countPace(of binding: BindingIndex, perSecond: Int, at now: Instant) {
    guard let record = hosts.find(bindings.privateEndpoint(of: binding).address) else { return }
    hosts[record].full = max(hosts[record].full, now.nanoseconds) + 1_000_000_000 / UInt64(perSecond)
  }

  /// Schedules a session at the earliest time at which a packet could let it expire.
  mutating func reschedule(_ session: SessionIndex, at now: Instant) {
    guard sessions.isRestartedByPackets(session) else { return }
    let duration = durations[Int(sessions.lifetimeClass(of: session).rawValue)]
    // A packet may have restarted the timeout since the lifetime changed, and the session is still in the slot of its
    // old due time.
    let latest = min(now.advanced(by: duration), sessions.expires(session))
    wheel.cancel(session.rawValue)
    wheel.schedule(session.rawValue, noLaterThan: latest)
    quietUntil = min(quietUntil, latest)
  }

  /// Ends the hold-down of a port at once.
  mutating func releaseHeld(of binding: BindingIndex) {
    guard bindings.kind(of: binding) == .held else { return }
    held.remove(binding)
    free(binding)
  }
}
