// A reload while the gateway runs: the rows of the page "Changes at run time".

extension ReferenceNAT {
  /// Comes to other settings: first ends what goes, then takes over the rules, then adds what is new.
  ///
  /// Interfaces, window tracking, `evict`, `fragments` and `lifetimes.fragment` stay as they are.
  public mutating func change(to new: ReferenceSettings, at nanoseconds: UInt64) {
    advanceClock(to: nanoseconds)
    let old = settings
    let addressesBefore = publicAddresses

    endForwardsThatGo(new)
    endOneToOneMappingsThatGo(new)
    endPoolAddressesThatGo(new)
    settings = new
    renewErrorBudgets(old)
    endBindingsOfHostsOutside()
    choosePoolPorts()
    endDynamicBindingsOfOneToOneHosts()
    let kept = Set(forwards.compactMap(\.rule))
    for rule in new.statics where rule.flow != nil && !kept.contains(rule) { addForward(rule) }
    // ST-13.
    for address in publicAddresses.subtracting(addressesBefore).sorted() { announce(address, on: .outside) }
  }

  // MARK: What goes

  /// Rows "a static removed", "the terms of a static changed", "a static on an address that enters or leaves the
  /// pool".
  private mutating func endForwardsThatGo(_ new: ReferenceSettings) {
    let kept = Set(new.statics)
    for forward in forwards {
      guard let rule = forward.rule else { continue }
      let address = forward.publicEnd.address
      let wasInPool = settings.pool.contains { $0.address == address }
      let isInPool = new.pool.contains { $0.address == address }
      if !kept.contains(rule) || wasInPool != isInPool { end(forward, at: now) }
    }
  }

  /// Row "a static removed".
  private mutating func endOneToOneMappingsThatGo(_ new: ReferenceSettings) {
    let gone = Set(settings.statics).subtracting(new.statics)
    for binding in bindings.values where binding.kind == .oneToOne {
      let isGone = gone.contains {
        $0.flow == nil && $0.publicAddress == binding.publicEnd.address
          && $0.privateAddress == binding.privateEnd.address
      }
      if isGone { end(binding, at: now) }
    }
  }

  /// Row "a pool address removed". Nothing is in hold-down on it any more, and no host has it.
  private mutating func endPoolAddressesThatGo(_ new: ReferenceSettings) {
    for address in settings.pool.map(\.address) where !new.pool.contains(where: { $0.address == address }) {
      for binding in bindings.values where binding.kind == .dynamic && binding.publicEnd.address == address {
        end(binding, at: now)
      }
      holdDowns.removeAll { $0.port.end.address == address }
      for host in poolAddressOfHost.keys where poolAddressOfHost[host] == address {
        poolAddressOfHost[host] = nil
      }
    }
  }

  // MARK: Rules

  /// Row "icmp-errors-per-second": both buckets are full.
  private mutating func renewErrorBudgets(_ old: ReferenceSettings) {
    guard settings.icmpErrorsPerSecond != old.icmpErrorsPerSecond else { return }
    let full = Bucket(level: settings.icmpErrorsPerSecond * Bucket.oneError, at: now)
    buckets = [.inside: full, .outside: full]
  }

  /// Row "inside-networks": the bindings of hosts that are in no inside network any more.
  private mutating func endBindingsOfHostsOutside() {
    for binding in bindings.values where binding.kind == .dynamic && !isInside(binding.privateEnd.address) {
      end(binding, at: now)
    }
  }

  // MARK: What is new

  /// Row "a static added", a 1:1 mapping: the dynamic bindings of its host.
  private mutating func endDynamicBindingsOfOneToOneHosts() {
    for binding in bindings.values
    where binding.kind == .dynamic && oneToOne(private: binding.privateEnd.address) != nil {
      end(binding, at: now)
    }
  }

  /// Row "a static added", a port forward: what has its public endpoint ends, and the dynamic binding of its private
  /// endpoint, unless it has `direction: inbound`, `remote` or `once` (ST-8).
  private mutating func addForward(_ rule: ReferenceSettings.Static) {
    guard let flow = rule.flow, let publicPort = rule.publicPort, let privatePort = rule.privatePort
    else { return }
    let publicEnd = FlowEnd(flow: flow, end: ReferenceEndpoint(rule.publicAddress, publicPort))
    if let number = byPublicEnd[publicEnd], let binding = bindings[number] { end(binding, at: now) }
    let privateEnd = FlowEnd(flow: flow, end: ReferenceEndpoint(rule.privateAddress, privatePort))
    var everything = ReferenceSettings.Terms()
    everything.lifetime = rule.terms.lifetime
    if rule.terms == everything, let number = byPrivateEnd[privateEnd], let binding = bindings[number],
      binding.kind == .dynamic
    {
      end(binding, at: now)
    }
    putInForce(rule, at: now)
  }

  // MARK: Our addresses

  private var publicAddresses: Set<ReferenceAddress> {
    var addresses: Set = [settings.outside.address]
    addresses.formUnion(settings.pool.map(\.address))
    addresses.formUnion(settings.statics.filter { $0.flow == nil }.map(\.publicAddress))
    addresses.formUnion(forwards.map(\.publicEnd.address))
    return addresses
  }

}
