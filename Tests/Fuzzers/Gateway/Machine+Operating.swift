import FuzzerSupport
import NATComposition
import NATConfiguration
import NATEngine
import NATGateway
import NATTable
import NATWire

/// What operators ask of a gateway at work, carried out as the daemon does.
extension Machine {
  mutating func operate(
    _ event: Event, at now: Instant, _ buffers: inout Buffers, _ sent: inout [Sent]
  ) {
    switch event {
    case .change(let change, let isWhole, _):
      finishChange(at: now, &buffers, &sent)
      begin(change)
      if isWhole { finishChange(at: now, &buffers, &sent) }
    case .end(let filter, _):
      var job = EndSessions(filter)
      while !step(&job, at: now, &buffers, &sent) {}
      checkTable()
    case .machineAddresses(let addresses, _): gateway.setMachineAddresses(addresses)
    case .save(let limit, _):
      saving = Saving(limit: limit)
      save(at: now, &buffers, &sent)
    case .restore(let restoration, _):
      finishChange(at: now, &buffers, &sent)
      restore(restoration, at: now, &buffers, &sent)
    case .frame, .idle, .announce: break
    }
  }

  /// Goes on with what was begun.
  mutating func step(at now: Instant, _ buffers: inout Buffers, _ sent: inout [Sent]) {
    if saving != nil { save(at: now, &buffers, &sent) }
    guard var job = changing else { return }
    let isDone = step(&job, at: now, &buffers, &sent)
    changing = job
    if isDone { endChange(at: now, &buffers, &sent) }
  }

  // MARK: Changes

  private mutating func begin(_ change: Change) {
    forgetEndedStatics()
    var (target, host) = (written, host)
    change.apply(&target, &host)
    guard let checked = try? Configuration.parse(target.yaml, file: "fuzzer.yaml"),
      ChangePlan.refusal(from: written, to: checked, capacity, usedLifetimes: lifetimes) == nil
    else { return }
    let next = checked.resolved(host).configuration
    let plan = ChangePlan(from: live, to: next)
    (written, self.host, live) = (checked, host, next)
    lifetimes.formUnion(next.nat.lifetimes.ports.map(\.nanoseconds))
    hasChanged = true
    noteSettings()
    changing = GatewayChange(plan.operations)
  }

  private mutating func finishChange(at now: Instant, _ buffers: inout Buffers, _ sent: inout [Sent]) {
    guard var job = changing else { return }
    while !step(&job, at: now, &buffers, &sent) {}
    changing = job
    endChange(at: now, &buffers, &sent)
  }

  private mutating func endChange(at now: Instant, _ buffers: inout Buffers, _ sent: inout [Sent]) {
    require(changing?.refused == 0, "there is room for what was not refused: \(live)")
    changing = nil
    checkTable()
    checkConfigured()
  }

  /// Leaves out the port forwards that have ended by themselves.
  mutating func forgetEndedStatics() {
    guard live.statics.contains(where: \.terms.endsByItself) else { return }
    var standing: Set<PortForward> = []
    reader.portForwards { standing.insert($0) }
    let outside = live.interfaces.outside.address
    let inForce = Set(live.statics)
    func hasEnded(_ mapping: Configuration.StaticMapping) -> Bool {
      let mapping = mapping.onMachine(outside)
      guard mapping.terms.endsByItself, inForce.contains(mapping),
        case .portForward(let transport, let outer, let inner, _) = mapping
      else { return false }
      return !standing.contains(PortForward(transport, public: outer, private: inner))
    }
    written.statics.removeAll(where: hasEnded)
    live.statics.removeAll(where: hasEnded)
  }

  // MARK: What must hold

  func checkTable() {
    let faults = faults
    require(faults.isEmpty, "\(faults)")
  }

  /// The gateway has what the configuration says, no more and no less.
  mutating func checkConfigured() {
    forgetEndedStatics()
    var ours: Set<IPv4Address> = []
    var at = 0
    while let address = gateway.translator.publicAddress(from: &at) { ours.insert(address) }
    require(ours == Set(live.publicAddresses), "\(ours) are ours, \(live.publicAddresses) expected")
    var standing: Set<String> = []
    reader.portForwards { standing.insert("\($0.transport) \($0.public) \($0.private)") }
    var expected: Set<String> = []
    for case .portForward(let transport, let outer, let inner, _) in live.statics {
      expected.insert("\(transport) \(outer) \(inner)")
    }
    require(standing == expected, "\(standing) stand, \(expected) expected")
    var pool: [IPv4Address] = []
    gateway.translator.shard.poolUse { use in
      if use.transport == .udp { pool.append(use.address) }
    }
    require(pool == live.nat.pool.map(\.address), "\(pool) is the pool, \(live.nat.pool) expected")
  }
}
