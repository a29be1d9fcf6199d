import NATMemory
import NATWire
import TestSupport

@testable import NATTable

/// The first answer in which table and model differ.
struct Difference: Error, CustomStringConvertible {
  var description: String
}

/// A shard in a box, as arrays cannot hold it otherwise.
final class ShardBox {
  var shard: Shard
  init(_ shard: consuming Shard) { self.shard = shard }
}

/// A small table and its model, driven together by random operations. Few hosts, ports and places, so that
/// collisions and exhaustion are everyday events.
final class SideBySide {
  typealias Place = DictionaryTable.Place
  typealias SessionKey = DictionaryTable.SessionKey

  var random: Generator
  let settings: TableSettings
  let table: TranslationTable
  let shards: [ShardBox]
  var models: [DictionaryTable] = []
  var portRandom: RandomSource
  var now: UInt64
  var reader: TableReader?
  let resetIsFinal: Bool

  let hosts = (2...7).map { IPv4Address(192, 168, 1, $0) }
  let privatePorts: [UInt16]
  let remotes = (1...4).map { IPv4Address(198, 51, 100, $0) }
  let remotePorts: [UInt16] = [53, 80, 443]

  init(seed: UInt64) {
    random = Generator(seed: seed)
    settings = SideBySide.settings(&random)
    privatePorts = SideBySide.privatePorts(of: settings)
    resetIsFinal = random.percent(30)
    portRandom = RandomSource(seed: random.next())
    now = random.pick([1, 1 << 40, 1_700_000_000_000_000_000])
    table = TranslationTable(settings, random: &portRandom)
    let table = table
    shards = (0..<settings.workers).map { ShardBox(table.makeShard(worker: $0)) }
    for worker in 0..<settings.workers {
      models.append(
        DictionaryTable(settings, worker: worker, resetIsFinal: resetIsFinal) {
          table.owner(of: $0) == worker
        })
    }
  }

  // MARK: A random world

  private static func settings(_ random: inout Generator) -> TableSettings {
    // Around the class boundary at 1024 and the granules of 512 that workers share.
    let ranges: [[ClosedRange<UInt16>]] = [
      [1020...1027], [1020...1027, 1536...1539], [2000...2003], [1022...1025, 5000...5002], [7...7],
      [510...513, 1023...1024, 60000...60003], [1...65535],
    ]
    let pool = (0..<1 + random.below(3)).map {
      PoolAddress(IPv4Address(203, 0, 113, UInt8(5 + $0)), ports: random.pick(ranges))
    }
    var settings = TableSettings(pool: pool)
    settings.workers = random.pick([1, 1, 3])
    settings.policy = PoolPolicy(
      portChoice: random.pick([.sequential, .sequential, .preserve, .random]), parity: random.percent(50),
      paired: random.percent(50), portRest: random.pick([0, 1, 70_000, 5_000_000_000, 120_000_000_000]))
    settings.lifetimes = Lifetimes(
      icmp: random.pick([1_000_000, 60_000_000_000]), udp: random.pick([50_000, 300_000_000_000]),
      tcpEstablished: 7_440_000_000_000,
      tcpHalfClosed: random.pick([3_000_000_000, 100_000_000_000, 9_000_000_000_000]),
      tcpTransitory: random.pick([2_000_000_000, 240_000_000_000]))
    settings.lifetimes.udpPorts = [53: 120_000_000_000]
    settings.lifetimes.tcpPorts = [80: 10_000_000_000]
    settings.bindingLimit = random.pick([3, 9, 40])
    settings.sessionLimit = random.pick([3, 12, 60])
    let elsewhere = IPv4Address(203, 0, 113, 20)
    let candidates = [
      PortForward(
        .tcp, public: Endpoint(pool[0].address, 1023), private: Endpoint(IPv4Address(192, 168, 1, 2), 80)),
      PortForward(
        .udp, public: Endpoint(pool[0].address, 2001), private: Endpoint(IPv4Address(192, 168, 1, 3), 53)),
      PortForward(
        .tcp, public: Endpoint(elsewhere, 8080), private: Endpoint(IPv4Address(192, 168, 1, 2), 80)),
      PortForward(
        .icmp, public: Endpoint(pool[0].address, 1), private: Endpoint(IPv4Address(192, 168, 1, 4), 1)),
      PortForward(
        .udp, public: Endpoint(elsewhere, 8080), private: Endpoint(IPv4Address(192, 168, 1, 5), 4)),
    ]
    settings.forwards = candidates.filter { _ in random.percent(40) }
    if random.percent(50) {
      settings.oneToOne = [
        OneToOneMapping(public: IPv4Address(203, 0, 113, 30), private: IPv4Address(192, 168, 1, 6)),
        OneToOneMapping(public: IPv4Address(203, 0, 113, 31), private: IPv4Address(192, 168, 1, 7)),
      ]
    }
    return settings
  }

  private static func privatePorts(of settings: TableSettings) -> [UInt16] {
    [0, 1, 7, 53, 80, 1023, 1024, 1025, 2002, 40001]
      + settings.pool.prefix(1).flatMap { [$0.ports[0].lowerBound] }
  }

  var summary: String {
    "pool \(settings.pool.map { "\($0.address) \($0.ports)" }), \(settings.policy), workers \(settings.workers), "
      + "bindings \(settings.bindingLimit), sessions \(settings.sessionLimit), forwards \(settings.forwards.count), "
      + "1:1 \(settings.oneToOne.count)"
  }

  // MARK: One operation

  func step() throws(Difference) {
    switch random.below(100) {
    case ..<25: try passTime()
    case ..<65: try outbound()
    case ..<88: try inbound()
    case ..<94: try endSession()
    case ..<95: toggleReader()
    default: try lookUp()
    }
    for (worker, box) in shards.enumerated() {
      let model = models[worker]
      let counts = box.shard.counts
      try expect(
        counts.sessions == model.sessions.count,
        "\(counts.sessions) live sessions instead of \(model.sessions.count)")
      try expect(counts.sessionsCreated == model.sessionsCreated, "sessions created")
      try expect(counts.sessionsExpired == model.sessionsExpired, "sessions ended")
      try expect(counts.bindingsCreated == model.bindingsCreated, "bindings created")
      try expect(counts.dynamicBindings == model.dynamicBindings, "dynamic bindings")
      try expect(counts.oneToOneBindings == model.oneToOneBindings, "1:1 bindings")
    }
  }

  func expect(_ holds: Bool, _ what: @autoclosure () -> String) throws(Difference) {
    if !holds { throw Difference(description: "\(what()) at \(now)") }
  }

  private func randomTransport() -> TransportProtocol { random.pick([.icmp, .tcp, .tcp, .tcp, .udp, .udp]) }

  private func randomFlags(_ transport: TransportProtocol) -> TCPFlags {
    guard transport == .tcp else { return [] }
    return random.pick([
      .syn, .syn, .syn, [.syn, .ack], .ack, .ack, [.ack, .psh], [.ack, .fin], .fin, .rst, [.rst, .ack], .urg,
    ])
  }

  // MARK: Time

  private func passTime() throws(Difference) {
    let previous = now
    for _ in 0..<1 + random.below(2) {
      now += nextPause()
      // A look-up is exact before anybody noticed what is due.
      let worker = random.below(models.count)
      if let (key, session) = models[worker].firstDue,
        let binding = index(of: key.place, worker)
      {
        let found = shards[worker].shard.findSession(
          binding, remote: key.remote, at: Instant(nanoseconds: now))
        try expect(
          (found != nil) == (session.expires >= now), "a session's life to its due time, from \(previous)")
      }
    }
    for worker in models.indices {
      models[worker].advance(to: now)
      shards[worker].shard.advance(to: Instant(nanoseconds: now))
    }
  }

  private func nextPause() -> UInt64 {
    let due = models[random.below(models.count)].dueTimes
    switch random.below(12) {
    case 0: return 0
    case 1: return UInt64(random.below(1000))
    case 2: return UInt64(random.below(1_000_000))
    case 3: return UInt64(random.below(1000)) * 65536
    case 4: return UInt64(random.below(1_000_000_000))
    case 5, 6: return UInt64(random.below(60)) * 1_000_000_000
    case 7: return random.percent(10) ? UInt64(random.below(400)) * 60_000_000_000 : 1
    default:
      guard !due.isEmpty else { return 1 }
      let instant = random.pick(due)
      return max(instant, now) - now + UInt64(random.below(2))
    }
  }

  // MARK: Packets

  func index(of place: Place, _ worker: Int) -> BindingIndex? {
    if let pool = settings.pool.firstIndex(where: { $0.address == place.public.address }) {
      return shards[worker].shard.findBinding(poolAddress: pool, place.transport, port: place.public.port)
    }
    return shards[worker].shard.findBinding(place.transport, public: place.public)
  }

  private func place(of binding: BindingIndex) -> Place {
    Place(
      transport: table.bindings.transport(of: binding), public: table.bindings.publicEndpoint(of: binding))
  }

  private func outbound() throws(Difference) {
    let transport = randomTransport()
    let `private` = Endpoint(random.pick(hosts), random.pick(privatePorts))
    let remote = Endpoint(random.pick(remotes), transport == .icmp ? 0 : random.pick(remotePorts))
    let worker = table.owner(of: `private`.address)
    let instant = Instant(nanoseconds: now)
    let found = shards[worker].shard.findBinding(transport, private: `private`)
    var expected = models[worker].find(transport, private: `private`)
    try expect(found.map { place(of: $0) } == expected, "the binding of \(`private`)")
    var binding = found
    if let first = found { binding = try chooseForward(first, remote, worker) }
    if binding == nil {
      let hasRoom = shards[worker].shard.hasRoom(sessions: 1)
      try expect(
        hasRoom == (models[worker].sessions.count < models[worker].sessionLimit), "room for a session")
      if let mapping = shards[worker].shard.oneToOne(private: `private`.address) {
        guard hasRoom else { return }
        binding = shards[worker].shard.insertOneToOne(transport, mapping, port: `private`.port, at: instant)
        try expect(binding != nil, "a 1:1 binding")
        let place = Place(transport: transport, public: Endpoint(mapping.public, `private`.port))
        models[worker].insertOneToOne(place, for: `private`, at: now)
      } else {
        // Now and then the session is only then found to have no room.
        guard hasRoom || random.percent(50) else { return }
        binding = try insertDynamic(transport, `private`, worker)
      }
    }
    guard let binding else { return }
    expected = place(of: binding)
    let flags = randomFlags(transport)
    try packet(binding, remote, from: .inside, flags, worker)
  }

  /// Of several forwards the one that has the session, else the first.
  private func chooseForward(
    _ first: BindingIndex, _ remote: Endpoint, _ worker: Int
  ) throws(Difference) -> BindingIndex {
    let instant = Instant(nanoseconds: now)
    var at: BindingIndex? = first
    var places: [Place] = []
    var chosen: BindingIndex?
    while let binding = at {
      places.append(place(of: binding))
      if chosen == nil, shards[worker].shard.findSession(binding, remote: remote, at: instant) != nil {
        chosen = binding
      }
      at = shards[worker].shard.nextBinding(after: binding)
    }
    if table.bindings.kind(of: first) == .portForward {
      let `private` = table.bindings.privateEndpoint(of: first)
      let transport = table.bindings.transport(of: first)
      let expected = settings.forwards.filter { $0.private == `private` && $0.transport == transport }.map(
        \.public)
      try expect(places.map(\.public) == expected, "the forwards of \(`private`)")
    } else {
      try expect(places.count == 1, "a binding that is no forward has none after it")
    }
    return chosen ?? first
  }

  private func insertDynamic(
    _ transport: TransportProtocol, _ private: Endpoint, _ worker: Int
  ) throws(Difference) -> BindingIndex? {
    let instant = Instant(nanoseconds: now)
    let hasRoom = shards[worker].shard.hasRoomForBinding
    try expect(
      hasRoom == (models[worker].dynamicBindings < models[worker].bindingLimit), "room for a binding")
    guard hasRoom else { return nil }
    let chosen = shards[worker].shard.choosePublic(transport, for: `private`, &portRandom)
    let choice = models[worker].choosePublic(transport, for: `private`)
    try expect((chosen != nil) == (choice != nil), "a port for \(transport) \(`private`)")
    guard let chosen, let choice else { return nil }
    let place = place(of: chosen)
    try expect(
      place.transport == transport && place.public.address == settings.pool[choice.poolAddress].address,
      "pool address for \(`private`): \(place)")
    if settings.policy.portChoice == .sequential {
      try expect(place.public.port == choice.lowest, "\(place) for \(`private`) instead of \(choice.lowest)")
    } else {
      try expect(
        choice.isAllowed(place.public.port), "\(place) for \(`private`), such as \(choice.lowest) was due")
    }
    // Choosing takes nothing: now and then nothing comes of it.
    if random.percent(5) { return nil }
    try expect(shards[worker].shard.insertBinding(chosen, for: `private`, at: instant), "a binding")
    models[worker].insertDynamic(place, for: `private`, poolAddress: choice.poolAddress, at: now)
    return chosen
  }

  private func inbound() throws(Difference) {
    let transport = randomTransport()
    var place = Place(
      transport: transport, public: Endpoint(random.pick(settings.pool).address, random.pick(privatePorts)))
    let known = models[random.below(models.count)].places
    if random.percent(80), !known.isEmpty {
      place = random.pick(known)
    } else if let mapping = settings.oneToOne.first, random.percent(30) {
      place.public.address = mapping.public
    }
    let remote = Endpoint(random.pick(remotes), place.transport == .icmp ? 0 : random.pick(remotePorts))
    let owner = models.firstIndex { $0.bindings[place] != nil }
    var worker = owner ?? random.below(models.count)
    var binding = index(of: place, worker)
    try expect((binding != nil) == (owner != nil), "the binding at \(place)")
    if let binding, let expected = models[worker].bindings[place] {
      try expect(table.bindings.kind(of: binding) == expected.kind, "kind of \(place)")
      try expect(
        table.bindings.privateEndpoint(of: binding) == expected.private, "private endpoint of \(place)")
      let isOpen = shards[worker].shard.isOpen(binding, to: remote.address)
      try expect(
        isOpen == models[worker].isOpen(place, to: remote.address), "\(place) open to \(remote.address)")
    } else if let mapping = settings.oneToOne.first(where: { $0.public == place.public.address }) {
      worker = table.owner(of: mapping.private)
      try expect(shards[worker].shard.oneToOne(public: mapping.public) == mapping, "a 1:1 mapping")
      guard models[worker].sessions.count < models[worker].sessionLimit else { return }
      let `private` = Endpoint(mapping.private, place.public.port)
      binding = shards[worker].shard.insertOneToOne(
        place.transport, mapping, port: place.public.port, at: Instant(nanoseconds: now))
      try expect(binding != nil, "a 1:1 binding")
      models[worker].insertOneToOne(place, for: `private`, at: now)
    }
    guard let binding else { return }
    try packet(binding, remote, from: .outside, randomFlags(place.transport), worker)
  }

  private func packet(
    _ binding: BindingIndex, _ remote: Endpoint, from side: Side, _ flags: TCPFlags, _ worker: Int
  ) throws(Difference) {
    let instant = Instant(nanoseconds: now)
    let place = place(of: binding)
    let key = SessionKey(place: place, remote: remote)
    var session = shards[worker].shard.findSession(binding, remote: remote, at: instant)
    try expect(
      (session != nil) == (models[worker].find(place, remote: remote, at: now) != nil), "session \(key)")
    if session == nil {
      var state = SessionState.active
      var connection: PlainConnection?
      if place.transport == .tcp {
        let opens = flags == .syn
        state = opens ? .opened(by: side) : .established
        connection = opens ? .opened(by: side) : .pickedUp
      }
      let isHairpin = random.percent(10)
      session = shards[worker].shard.insertSession(
        binding, remote: remote, state: state, flags: isHairpin ? .hairpin : [], opener: remote.port,
        at: instant)
      let made = models[worker].insertSession(
        key, connection, isHairpin: isHairpin, opener: remote.port, at: now)
      try expect((session != nil) == made, "room for session \(key)")
      guard session != nil else {
        shards[worker].shard.endUnused(binding, at: instant)
        models[worker].endUnused(place, at: now)
        return
      }
    }
    guard let session else { return }
    let bytes = 20 + random.below(1480)
    if side == .inside {
      shards[worker].shard.countOut(session, bytes: bytes, at: instant)
    } else {
      shards[worker].shard.countIn(session, bytes: bytes, at: instant)
    }
    if place.transport == .tcp {
      shards[worker].shard.track(session, flags, from: side, at: instant, resetIsFinal: resetIsFinal)
    } else if side == .inside {
      shards[worker].shard.restart(session, at: instant)
    }
    if side == .inside, !flags.contains(.rst) { shards[worker].shard.markInsideUsed(session) }
    models[worker].packet(key, from: side, bytes: bytes, flags: flags, at: now)
    try compare(session, key, worker)
  }

  private func compare(_ session: SessionIndex, _ key: SessionKey, _ worker: Int) throws(Difference) {
    let sessions = shards[worker].shard.sessions
    guard let expected = models[worker].sessions[key] else {
      throw Difference(description: "no session \(key)")
    }
    try expect(place(of: sessions.binding(of: session)) == key.place, "binding of session \(key)")
    try expect(sessions.remote(of: session) == key.remote, "remote of session \(key)")
    try expect(sessions.expires(session).nanoseconds == expected.expires, "due time of session \(key)")
    try expect(
      sessions.lastPacket(session).nanoseconds == expected.lastPacket, "last packet of session \(key)")
    try expect(sessions.counters(of: session) == expected.counters, "counters of session \(key)")
    try expect(
      sessions.state(of: session).phase == expected.connection?.phase ?? .active, "state of session \(key)")
    let flags = sessions.flags(of: session)
    try expect(flags.contains(.insideUsed) == expected.isInsideUsed, "use of session \(key)")
    try expect(flags.contains(.hairpin) == expected.isHairpin, "hairpin of session \(key)")
  }

  private func endSession() throws(Difference) {
    let worker = random.below(models.count)
    guard !models[worker].sessions.isEmpty else { return }
    let key = random.pick(models[worker].keys)
    guard let binding = index(of: key.place, worker) else {
      throw Difference(description: "no binding \(key)")
    }
    let instant = Instant(nanoseconds: now)
    guard let session = shards[worker].shard.findSession(binding, remote: key.remote, at: instant) else {
      throw Difference(description: "no session \(key)")
    }
    shards[worker].shard.end(session, at: instant)
    models[worker].end(key, at: now)
  }

  private func toggleReader() { reader = reader == nil ? TableReader(table) : nil }

  private func lookUp() throws(Difference) {
    let host = random.pick(hosts)
    let worker = table.owner(of: host)
    let use = shards[worker].shard.use(of: host)
    let expected = models[worker].use(of: host)
    try expect(use == expected, "\(host) has \(use) instead of \(expected)")
  }

  // MARK: The whole table

  func compareAll() throws(Difference) {
    guard let reader = reader ?? TableReader(table) else {
      throw Difference(description: "no place for a reader")
    }
    var snapshots: [SessionSnapshot] = []
    var cursor: TableReader.Cursor? = TableReader.Cursor()
    while let from = cursor {
      cursor = reader.read(from: from, limit: 1 + random.below(50)) { snapshots.append($0) }
    }
    try expect(snapshots.count == models.reduce(0) { $0 + $1.sessions.count }, "length of the listing")
    var seen = Set<SessionKey>()
    for snapshot in snapshots {
      let key = SessionKey(
        place: Place(transport: snapshot.transport, public: snapshot.public), remote: snapshot.remote)
      try expect(seen.insert(key).inserted, "\(key) is listed twice")
      guard let worker = models.firstIndex(where: { $0.sessions[key] != nil }),
        let session = models[worker].sessions[key], let binding = models[worker].bindings[key.place]
      else { throw Difference(description: "\(key) is listed and does not live") }
      try expect(snapshot.kind == binding.kind && snapshot.private == binding.private, "binding of \(key)")
      if binding.kind != .portForward {
        try expect(snapshot.bindingCreated.nanoseconds == binding.created, "age of the binding of \(key)")
      }
      try expect(
        snapshot.expires.nanoseconds == session.expires
          && snapshot.lastPacket.nanoseconds == session.lastPacket
          && snapshot.counters == session.counters
          && snapshot.state.phase == session.connection?.phase ?? .active
          && snapshot.flags.contains(.insideUsed) == session.isInsideUsed
          && snapshot.flags.contains(.hairpin) == session.isHairpin, "listing of \(key)")
    }
    for worker in models.indices {
      for place in models[worker].places { try compareBinding(place, worker) }
      for host in hosts where table.owner(of: host) == worker {
        let use = shards[worker].shard.use(of: host)
        try expect(use == models[worker].use(of: host), "use of \(host)")
      }
    }
  }

  private func compareBinding(_ place: Place, _ worker: Int) throws(Difference) {
    guard let binding = index(of: place, worker) else { throw Difference(description: "no binding \(place)") }
    for remote in remotes {
      try expect(
        shards[worker].shard.isOpen(binding, to: remote) == models[worker].isOpen(place, to: remote),
        "\(place) open to \(remote)")
    }
    var listed = Set<Endpoint>()
    var session = shards[worker].shard.firstSession(of: binding)
    while let at = session {
      let isNew = listed.insert(shards[worker].shard.sessions.remote(of: at)).inserted
      try expect(isNew, "\(place) lists a session twice")
      session = shards[worker].shard.session(after: at)
    }
    try expect(
      listed == Set(models[worker].sessions.keys.filter { $0.place == place }.map(\.remote)),
      "the sessions of \(place)")
  }

  /// Apart, because a report of the pool counts all of its ports.
  func comparePools() throws(Difference) {
    for worker in models.indices { try comparePool(worker) }
  }

  private func comparePool(_ worker: Int) throws(Difference) {
    var uses: [PoolUse] = []
    shards[worker].shard.poolUse { uses.append($0) }
    var expected: [PoolUse] = []
    for pool in settings.pool {
      for transport in [TransportProtocol.tcp, .udp, .icmp] {
        let forwards = settings.forwards.filter { forward in
          forward.transport == transport && forward.public.address == pool.address
            && (transport == .icmp || pool.ports.contains { $0.contains(forward.public.port) })
        }
        let ports = transport == .icmp ? 65536 : pool.ports.reduce(0) { $0 + $1.count }
        let inUse = models[worker].bindings.count { place, binding in
          binding.kind == .dynamic && place.transport == transport && place.public.address == pool.address
        }
        let resting = models[worker].resting.keys.count {
          $0.transport == transport && $0.public.address == pool.address
        }
        expected.append(
          PoolUse(
            address: pool.address, transport: transport, ports: ports - forwards.count, inUse: inUse,
            held: resting))
      }
    }
    try expect(uses == expected, "use of the pool: \(uses) instead of \(expected)")
  }
}
