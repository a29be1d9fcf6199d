// `limits.per-host.sessions-per-second` (LIM2): a bucket of new sessions for each inside host.

extension ReferenceNAT {
  /// Whether the host has no room for `count` more sessions. The bucket holds one second's worth, or what one packet
  /// makes where that is more.
  func isTooFast(_ host: ReferenceAddress, _ count: Int) -> Bool {
    guard let rate = settings.limits.hostSessionsPerSecond else { return false }
    let needed = UInt64(count) * (1_000_000_000 / rate)
    let fullAt = max(paceFullAt[host] ?? 0, now)
    return fullAt + needed > now + max(1_000_000_000, needed)
  }

  /// Takes a new session from the bucket of its host.
  mutating func countNewSession(of key: SessionKey) {
    guard let rate = settings.limits.hostSessionsPerSecond, let binding = bindings[key.binding] else {
      return
    }
    let host = binding.privateEnd.address
    paceFullAt[host] = max(paceFullAt[host] ?? 0, now) + 1_000_000_000 / rate
  }

  /// The bucket of a host without bindings and sessions is full.
  mutating func forgetPace(of host: ReferenceAddress) {
    let hasBinding = bindings.values.contains { $0.kind == .dynamic && $0.privateEnd.address == host }
    if !hasBinding && sessionCount(of: host) == 0 { paceFullAt[host] = nil }
  }
}
