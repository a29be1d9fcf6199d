import FuzzerSupport
import NATConfiguration
import NATControl
import NATEngine
import NATGateway
import NATTable
import NATWire

/// A whole gateway: frames on both sides, one after the other, in one of several configurations. See ``Operation`` for
/// how an input is read.
///
/// Each frame is put in alone and looked at; for some inputs all of them once more into a new gateway, in batches and
/// with prefetching: the same must come out.
@c(LLVMFuzzerTestOneInput)
public func fuzzGateway(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var input = unsafe Input(data, count)
  let first = Int(input.byte())
  let setting = settings[first < settings.count ? first : first % Step.firstConfigurations]
  let flags = input.byte()
  let script = Script(
    input, links: (flags & 1 == 0 ? .ethernet : .rawIP, flags & 2 == 0 ? .ethernet : .rawIP),
    floodsFar: setting.configuration.nat.limits.sessions > 4096)
  var run = Run(setting)
  // Safety: libFuzzer calls from one thread, one call after the other.
  unsafe run.play(script, &buffers)
  // Both cost as much as a short input or more.
  run.finish(looksClosely: count % 16 == 0)
  guard count % 4 == 0 else { return 0 }
  let replayed = unsafe Run.replay(run.events, setting, batch: Int(flags >> 2) + 1, &buffers)
  require(replayed.sent == run.sent, "in batches other frames leave")
  require(replayed.report == run.report, "in batches another table or other counters come out")
  return 0
}

private let settings: [Setting] = {
  let all = Setting.all
  require(all.count == Step.configurationCount, "seeds are made for every configuration")
  return all
}()

// Made once: libFuzzer calls from one thread.
nonisolated(unsafe) private var buffers = Buffers()

/// One way through an input.
private struct Run: ~Copyable {
  private var machine: Machine
  private var checks: Checks
  /// Of what is in force.
  private var checksVersion = 0
  private(set) var events: [Event] = []
  private(set) var sent: [Sent] = []
  private var largestReceived = 0

  init(_ setting: Setting) {
    machine = Machine(setting)
    checks = Checks(machine.inForce)
  }

  mutating func play(_ script: consuming Script, _ buffers: inout Buffers) {
    var script = script
    while let event = script.next() {
      events.append(event)
      let left = receive(event, &buffers)
      sent += left
      script.hear(left)
    }
  }

  private mutating func receive(_ event: Event, _ buffers: inout Buffers) -> [Sent] {
    let counters = machine.counters
    let before = (
      drops: counters.totalDrops, inside: counters.side(.inside), outside: counters.side(.outside),
      table: machine.gateway.translator.shard.counts
    )
    if case .frame(let frame) = event { largestReceived = max(largestReceived, frame.bytes.count) }
    let left = machine.receive(event, &buffers)
    if checksVersion != machine.version {
      checks = Checks(machine.inForce)
      checksVersion = machine.version
    }
    for frame in left { checks.check(frame, largestReceived: largestReceived) }
    checkSides(before.inside, counters.side(.inside), event, left, .inside)
    checkSides(before.outside, counters.side(.outside), event, left, .outside)
    let table = machine.gateway.translator.shard.counts
    let hasMade =
      table.sessionsCreated != before.table.sessionsCreated
      || table.bindingsCreated != before.table.bindingsCreated
    guard case .frame(let frame) = event else {
      // A restored gateway has made what it took over.
      if case .restore = event { return left }
      require(!hasMade, "idleness made state")
      return left
    }
    if hasMade {
      let refusal = firstRefusal(
        frame.bytes, wireLength: frame.wireLength, isEthernet: frame.link == .ethernet)
      require(refusal == nil, "a malformed packet made state: \(frame)")
    }
    if counters.totalDrops == before.drops {
      for translated in left where translated.inPlace != nil { checks.compare(frame, with: translated) }
    }
    return left
  }

  private func checkSides(
    _ before: InterfaceCounters, _ after: InterfaceCounters, _ event: Event, _ left: [Sent], _ side: Side
  ) {
    var expected = before
    if case .frame(let frame) = event, frame.side == side {
      expected.packetsReceived += 1
      expected.bytesReceived += frame.bytes.count
    }
    for frame in left where frame.side == side {
      expected.packetsSent += 1
      expected.bytesSent += frame.bytes.count
    }
    require(expected == after, "\(side): \(expected) expected, \(after) counted")
  }

  /// The table, when all has come in.
  func finish(looksClosely: Bool) {
    let faults = machine.faults
    require(faults.isEmpty, "\(faults)")
    guard looksClosely else { return }
    let (table, stats) = (machine.tableDocument, machine.statsDocument)
    require(
      table.bindings.count == stats.bindings, "\(table.bindings.count) bindings, \(stats.bindings) counted")
    let sessions = table.bindings.reduce(0) { $0 + $1.sessions.count }
    require(sessions == stats.sessions, "\(sessions) sessions, \(stats.sessions) counted")
    // Where a change is not done, addresses give way that are no pool's any more.
    guard machine.changing == nil else { return }
    let inUse = stats.pool.reduce(0) { $0 + $1.inUse }
    let dynamic = table.bindings.count { $0.kind == .dynamic }
    require(inUse == dynamic, "\(dynamic) dynamic bindings, \(inUse) ports in use")
    // Bindings keep ports that are not offered any more.
    guard !machine.hasChanged else { return }
    for pool in stats.pool { require(pool.inUse + pool.resting <= pool.ports, "\(pool)") }
  }

  /// Drops and sessions: what says that two runs were one.
  var report: [Int] {
    let counts = machine.gateway.translator.shard.counts
    return DropReason.allCases.map { machine.counters.drops($0) }
      + GatewayEvent.allCases.map { machine.counters.events($0) }
      + [
        counts.sessions, counts.dynamicBindings, counts.oneToOneBindings, counts.sessionsCreated,
        counts.sessionsExpired, counts.bindingsCreated, machine.gateway.heldFragments,
      ]
  }

  static func replay(
    _ events: [Event], _ setting: Setting, batch: Int, _ buffers: inout Buffers
  ) -> (sent: [Sent], report: [Int]) {
    var setting = setting
    setting.sessionsWorthPrefetching = 1
    var run = Run(setting)
    var start = 0
    while start < events.count {
      let end = min(events.count, start + batch)
      run.machine.receive(events[start..<end], &buffers, &run.sent)
      start = end
    }
    return (run.sent, run.report)
  }
}
