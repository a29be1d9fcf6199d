import NATMemory
public import NATWire

/// Rules that may change while sessions live.
extension Shard {
  /// Sets the limits of this worker. Entries above a lowered limit stay; no new ones are made until there is
  /// room.
  /// - Precondition: neither limit is above the capacity of the table.
  public mutating func setLimits(bindings: Int, sessions: Int) {
    precondition(bindings <= table.capacity.bindings && sessions <= table.capacity.sessions)
    bindingLimit = TranslationTable.share(bindings, of: table.settings.workers)
    sessionLimit = TranslationTable.share(sessions, of: table.settings.workers)
  }

  /// Sets the lifetimes. A session keeps its due time; the next packet that restarts its timeout uses the new
  /// lifetime. The lifetime of a port applies to sessions made from now on.
  ///
  /// - Returns: false, with nothing changed, if ports have had too many different lifetimes.
  public mutating func setLifetimes(_ new: Lifetimes) -> Bool { lifetimes.set(new) }

  /// Whether ``setLifetimes(_:)`` would succeed.
  public func hasRoom(for new: Lifetimes) -> Bool { lifetimes.hasRoom(for: new) }

  /// Whether a host may make `count` more sessions now: a token bucket that refills with `perSecond` tokens a
  /// second. It holds the tokens of one second, or `count` if that is more. For a host without state it is
  /// full.
  public func isWithinPace(
    _ host: IPv4Address, sessions count: Int, perSecond: Int, at now: Instant
  ) -> Bool {
    guard let record = hosts.find(host) else { return true }
    let needed = UInt64(count) * (1_000_000_000 / UInt64(perSecond))
    return max(hosts[record].full, now.nanoseconds) + needed
      <= now.nanoseconds + max(1_000_000_000, needed)
  }

  /// Takes a token for a session made over `binding`.
  public func countPace(of binding: BindingIndex, perSecond: Int, at now: Instant) {
    guard let record = hosts.find(bindings.privateEndpoint(of: binding).address) else { return }
    hosts[record].full = max(hosts[record].full, now.nanoseconds) + 1_000_000_000 / UInt64(perSecond)
  }

  /// Schedules a session at the earliest time at which a packet could let it expire.
  mutating func reschedule(_ session: SessionIndex, at now: Instant) {
    guard let timeout = sessions.restartedTimeout(of: session) else { return }
    // A packet may already have restarted the timeout with the new lifetime; the session is still in its old
    // slot.
    let latest = min(now.advanced(by: durations[timeout.place]), sessions.expires(session))
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
