import Foundation
import Logging
import NATComposition
import NATConfiguration
import NATEngine
import NATGateway
import NATKernel
import NATMemory
import NATTable
import NATWire
import Testing

@testable import NATControl
@testable import NATDaemon

/// A worker on its thread without interfaces, and its control.
final class Bench: Sendable {
  let control: GatewayControl
  let workers = WorkerSet()
  let interfaces = Interfaces()
  private let thread: WorkerThread
  let path: String

  /// Interfaces that are only spoken of.
  actor Interfaces: GatewayInterfaces {
    var guarded: [KernelRules.Scope] = []
    var host = Configuration.Machine()
    var link = "down"

    func set(_ host: Configuration.Machine) { self.host = host }
    /// Why the guards cannot change.
    var fault: InterfaceFault?
    func set(_ fault: InterfaceFault?) { self.fault = fault }
    func set(link: String) { self.link = link }
    func completed(_ configuration: Configuration) -> Configuration { configuration }
    func machine(
      _ configuration: Configuration, looksAtSockets: Bool
    ) throws(InterfaceFault) -> Configuration.Machine { host }
    func setScope(_ scope: KernelRules.Scope) throws(InterfaceFault) {
      if let fault { throw fault }
      guarded.append(scope)
    }
    var conditions: [NATDaemon.Condition] {
      [.link(link, .inside, "lan0"), .link(link, .outside, "lan0")].compactMap(\.self)
    }
    func documents(_ live: Configuration) -> StatusDocument.Interfaces {
      let document = StatusDocument.Interface(
        name: "lan0", address: "192.168.1.1/24", mac: "02:50:00:00:00:01", mtu: 1500, link: link)
      return StatusDocument.Interfaces(inside: document, outside: document)
    }
  }

  static let interfacesText = """
    interfaces:
      inside: { name: lan0, address: 192.168.1.1/24 }
      outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }

    """

  /// - Parameter reserve: what the table of the gateway keeps free; the control believes in a live gateway's.
  init(
    _ text: String = "", interfaces: String = Bench.interfacesText, host: Configuration.Machine? = nil,
    reserve: TableReserve? = nil
  ) throws {
    path = FileManager.default.temporaryDirectory.appending(path: "portico-\(UUID().uuidString).yaml").path
    try (interfaces + text).write(toFile: path, atomically: true, encoding: .utf8)
    let configuration = try Configuration.load(path: path)
    let machine = host ?? Configuration.Machine()
    let live = configuration.resolved(machine).configuration
    var settings = GatewaySettings(live)
    settings.table.reserve = .live(settings.table)
    // The clock is the machine's: nothing ends while a slow one is at it.
    settings.table.lifetimes.udp = 86_400_000_000_000
    var random = RandomSource(seed: 1)
    let memory = GatewayMemory(settings)
    var smaller = settings
    smaller.table.reserve = reserve ?? settings.table.reserve
    let gateway = Gateway(
      settings, table: reserve == nil ? memory.table : TranslationTable(smaller.table, random: &random),
      worker: 0, counters: memory.counters.counters, random: random)
    let logger = Logger(label: "test")
    let started = LiveClock.now
    let events = EventHub(workers, memory)
    let recorder = FlightRecorder(configuration.record, workers, started: started, logger: logger)
    let changes = ChangeCoordinator(
      ConfigurationInForce(written: configuration, live: live, machine: machine, file: path), workers,
      memory.table,
      interfaces: self.interfaces, events: events, state: nil, observers: [])
    control = GatewayControl(
      changes: changes, workers: workers, queries: TableQueries(table: memory.table, started: started),
      events: events, recorder: recorder, state: nil, interfaces: self.interfaces,
      components: ComponentList([self.interfaces, changes]))
    thread = WorkerThread(
      Worker(
        Pipeline(gateway), workers.members[0].mailbox, logger: logger, figures: workers.members[0].figures),
      number: 0)
  }

  var mailbox: Mailbox { workers.members[0].mailbox }

  func write(_ text: String) throws {
    try (Bench.interfacesText + text).write(toFile: path, atomically: true, encoding: .utf8)
  }

  func stop() async {
    mailbox.post { $0.isToStop = true }
    await thread.waitForEnd()
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Lets packets through, as if they had come in.
  func feed(_ packets: [(Endpoint, Endpoint)]) async {
    _ = await mailbox.perform(Feed(packets: packets))
  }

  /// Lets time pass in the gateway.
  func pass(seconds: UInt64) async { _ = await mailbox.perform(Pass(seconds: seconds)) }

  /// Lets the worker stand still from now on, until what is returned is signalled.
  func holdWorker() async -> DispatchSemaphore {
    let (gate, beginning) = (DispatchSemaphore(value: 0), AsyncStream<Void>.makeStream())
    mailbox.post(
      Command(
        step: { _, _ in
          beginning.continuation.finish()
          gate.wait()
          return true
        }, giveUp: {}))
    for await _ in beginning.stream {}
    return gate
  }

  struct Pass: GatewayJob {
    let seconds: UInt64

    mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool {
      gateway.advance(to: now.advanced(by: seconds * 1_000_000_000), into: &outbox)
      return true
    }
  }

  /// UDP packets from inside.
  struct Feed: GatewayJob {
    let packets: [(Endpoint, Endpoint)]

    mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool {
      for (source, destination) in packets {
        var random = RandomSource(seed: 1)
        let chosen = gateway.translator.shard.choosePublic(.udp, for: source, &random)
        let known = gateway.translator.shard.findBinding(.udp, private: source)
        if known == nil, let chosen {
          _ = gateway.translator.shard.insertBinding(chosen, for: source, at: now)
        }
        if let binding = known ?? chosen {
          _ = gateway.translator.shard.insertSession(
            binding, remote: destination, state: .active, flags: .insideUsed, opener: destination.port,
            at: now)
        }
      }
      return true
    }
  }
}

/// The operations of the control socket against a worker that runs.
@Suite struct GatewayControlTests {
  private static let c1 = Endpoint(IPv4Address(192, 168, 1, 2), 5000)
  private static func remote(_ number: Int) -> Endpoint {
    Endpoint(IPv4Address(0xC633_6400 + UInt32(number)), 80)
  }

  @Test(
    "RC2 the host's address changes: the guards keep to both until it is in force, and one event says what ended"
  )
  func followed() async throws {
    let text = """
      interfaces:
        inside: { name: lan0, address: 192.168.1.1/24 }
        outside: { name: wan0, address: host }

      """
    func host(_ last: UInt8) -> Configuration.Machine {
      Configuration.Machine(
        outside: Configuration.MachineAddress(
          IPv4Address(203, 0, 113, last), prefixLength: 24, gateway: IPv4Address(203, 0, 113, 1)))
    }
    let bench = try Bench(interfaces: text, host: host(5))
    await bench.interfaces.set(host(5))
    #expect(try await bench.control.changes.follow(looksAtSockets: true) == nil)
    await bench.feed((1...25).map { (Self.c1, Self.remote($0)) })
    let events = try await bench.control.events()
    // Guards that cannot change: nothing does, it is said once, and stands in the status.
    let fault = #expect(throws: InterfaceFault.self) { _ = try InterfaceFacts(name: "") }
    await bench.interfaces.set(host(77))
    await bench.interfaces.set(fault)
    await #expect(throws: ChangeCoordinator.FollowFault.self) {
      _ = try await bench.control.changes.follow(looksAtSockets: false)
    }
    #expect(try await bench.control.changes.follow(looksAtSockets: true) == nil)
    #expect(try await bench.control.status().degraded.joined().contains("cannot be followed: "))
    #expect(try await bench.control.table(TableFilter(), after: nil, limit: 100).bindings.count == 1)
    await bench.interfaces.set(nil)
    let done = try #require(try await bench.control.changes.follow(looksAtSockets: false))
    #expect(done.outside == "203.0.113.77/24" && done.gateway == "203.0.113.1" && done.sessionsEnded == 25)
    #expect(try await !bench.control.status().degraded.joined().contains("cannot be followed"))
    #expect(
      await bench.interfaces.guarded.map { $0.shared?.addresses.map(\.description) } == [
        ["203.0.113.5", "203.0.113.77"], ["203.0.113.77"],
      ])
    let said = await events.first { $0.kind == .addressChanged }
    #expect(said?.publicEndpoint?.address == "203.0.113.77" && said?.count == 25)
    #expect(try await bench.control.table(TableFilter(), after: nil, limit: 100).bindings.isEmpty)
    await bench.stop()
  }

  @Test("SH1 SH4 the table by pages, and its end by host; counts by protocol and state")
  func table() async throws {
    let bench = try Bench()
    await bench.feed((1...25).map { (Self.c1, Self.remote($0)) })
    let first = try await bench.control.table(TableFilter(), after: nil, limit: 10)
    #expect(first.bindings.count == 1 && first.bindings[0].sessions.count == 10)
    let second = try await bench.control.table(TableFilter(), after: first.next, limit: 100)
    #expect(second.bindings.first?.sessions.count == 15 && second.next == nil)
    let counts = try await bench.control.sessionCounts()
    #expect(counts.first { $0.transport == .udp }?.count == 25)
    let stats = try await bench.control.stats()
    #expect(stats.sessions == 25 && stats.bindings == 1)
    await #expect(throws: ControlError.self) {
      try await bench.control.table(TableFilter(), after: "nonsense", limit: 1)
    }
    var filter = TableFilter()
    filter.privateEndpoint = EndpointPattern(network: Self.c1.address.rawValue)
    let ended = try await bench.control.end(filter)
    #expect(ended.sessions == 25 && ended.bindings == 1 && ended.ended.count == 25)
    #expect(try await bench.control.table(TableFilter(), after: nil, limit: 10).bindings.isEmpty)
    await bench.stop()
  }

  @Test(
    "ST-9 a conflicting or bad static is refused and changes nothing; an added one is in force and listed")
  func statics() async throws {
    let bench = try Bench("static: [{ protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.10:80 }]")
    let entry = StaticDocument(
      protocolName: "udp", publicEndpoint: "203.0.113.9:53", privateEndpoint: "192.168.1.10:53")
    let added = try await bench.control.addStatic(entry)
    #expect(added.mapping == entry && added.ended.sessions == 0)
    #expect(try await bench.control.statics().statics.count == 2)
    #expect(try await bench.control.table(TableFilter(), after: nil, limit: 10).bindings.count == 2)
    let guarded = await bench.interfaces.guarded
    #expect(guarded.count == 2 && guarded.allSatisfy { $0.own.contains(IPv4Address(203, 0, 113, 9)) })
    await Self.expect(409, "static-mapping-conflict") { try await bench.control.addStatic(entry) }
    await Self.expect(400, "bad-static-mapping") {
      try await bench.control.addStatic(
        StaticDocument(protocolName: "all", publicEndpoint: "203.0.113.5", privateEndpoint: "192.168.1.11"))
    }
    await Self.expect(404, "no-such-static-mapping") {
      try await bench.control.removeStatic(protocol: "udp", public: "203.0.113.9:54")
    }
    #expect(try await bench.control.statics().statics.count == 2)
    _ = try await bench.control.removeStatic(protocol: "udp", public: "203.0.113.9:53")
    #expect(try await bench.control.statics().statics.count == 1)
    #expect(try await bench.control.table(TableFilter(), after: nil, limit: 10).bindings.count == 1)
    await bench.stop()
  }

  private static func expect<Answer>(
    _ status: Int, _ reason: String, _ body: () async throws -> Answer
  ) async {
    do {
      _ = try await body()
      Issue.record("accepted instead of refused: \(reason)")
    } catch let error as ControlError {
      #expect(error.status == status && error.reason == reason, "\(error)")
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test(
    "RC6 RC4 a reload: a bad file and a setting that needs a restart change nothing, a good one says what it changed"
  )
  func reload() async throws {
    let bench = try Bench()
    await bench.feed((1...5).map { (Self.c1, Self.remote($0)) })
    let entry = StaticDocument(
      protocolName: "udp", publicEndpoint: "203.0.113.9:53", privateEndpoint: "192.168.1.10:53")
    _ = try await bench.control.addStatic(entry)
    let before = try await bench.control.configuration()
    try bench.write("nat: { filterin: endpoint-independent }")
    await Self.expect(422, "bad-configuration") { try await bench.control.reload() }
    try bench.write("nat: { filtering: endpoint-independent }\nworkers: 2")
    await Self.expect(409, "needs-restart") { try await bench.control.reload() }
    #expect(try await bench.control.configuration() == before)
    // What an operator added stays.
    try bench.write("nat: { pool: [{ address: 203.0.113.8, ports: 1024-2047 }], hairpin: false }")
    let answer = try await bench.control.reload()
    #expect(
      answer.changed.map(\.setting) == [
        "nat.pool[203.0.113.8].ports", "nat.hairpin", "nat.pool[203.0.113.5].ports",
      ])
    #expect(
      answer.ended.sessions == 5 && answer.ended.ended.allSatisfy { $0.reason == "pool-address-removed" })
    #expect(try await bench.control.statics().statics == [entry])
    #expect(try await bench.control.stats().pool.map(\.address) == Array(repeating: "203.0.113.8", count: 3))
    // A file that wants what an operator has added is refused.
    try bench.write("static: [{ protocol: udp, public: 203.0.113.9:53, private: 192.168.1.11:53 }]")
    await Self.expect(409, "static-mapping-conflict") { try await bench.control.reload() }
    await bench.stop()
  }

  @Test("LG1 RC1 events of bindings, sessions and a reload reach whoever listens, with reasons, in order")
  func events() async throws {
    let bench = try Bench()
    let stream = try await bench.control.events()
    await bench.feed([(Self.c1, Self.remote(1))])
    _ = try await bench.control.end(TableFilter())
    _ = try await bench.control.reload()
    var seen: [EventDocument] = []
    for await event in stream {
      seen.append(event)
      if seen.count == 5 { break }
    }
    #expect(
      Set(seen.map(\.kind)) == [.bindingCreated, .sessionCreated, .sessionEnded, .bindingEnded, .reload])
    #expect(
      seen.map(\.kind).filter { $0 != .reload }
        == [.bindingCreated, .sessionCreated, .sessionEnded, .bindingEnded])
    #expect(seen.filter { $0.reason != nil }.map(\.reason) == ["operator", "operator"])
    await bench.stop()
  }

  @Test(
    "ST-11 a forward that has ended by itself is in force no more, its address free, and a reload brings the file's back"
  )
  func endsByItself() async throws {
    let file = "static: [{ protocol: tcp, public: 203.0.113.5:81, private: 192.168.1.10:81, lifetime: 2h }]"
    let bench = try Bench(file)
    let entry = StaticDocument(
      protocolName: "udp", publicEndpoint: "203.0.113.9:53", privateEndpoint: "192.168.1.10:53",
      direction: "inbound", remote: "198.51.100.0/24", once: true, lifetime: "3600s")
    #expect(try await bench.control.addStatic(entry).mapping == entry)
    #expect(try await bench.control.statics().statics.last == entry)
    let settings = try await bench.control.configuration().settings
    #expect(settings.first { $0.setting == "static[udp 203.0.113.9:53].lifetime" }?.value == "3600s")
    // A reload leaves it as it is, terms and all.
    #expect(try await bench.control.reload().changed == [])
    #expect(try await bench.control.statics().statics.last == entry)
    let events = try await bench.control.events()
    await bench.pass(seconds: 3601)
    #expect(try await bench.control.statics().statics.map(\.publicEndpoint) == ["203.0.113.5:81"])
    for await event in events where event.kind == .bindingEnded {
      #expect(event.reason == "static-mapping-expired" && event.publicEndpoint?.port == 53)
      break
    }
    await #expect {
      try await bench.control.removeStatic(protocol: "udp", public: "203.0.113.9:53")
    } throws: {
      ($0 as? ControlError)?.reason == "no-such-static-mapping"
    }
    await bench.pass(seconds: 7201)
    #expect(try await bench.control.statics().statics == [])
    let changed = try await bench.control.reload().changed
    #expect(changed.map(\.setting).first == "static[tcp 203.0.113.5:81].private")
    #expect(try await bench.control.statics().statics.count == 1)
    let guarded = await bench.interfaces.guarded
    #expect(guarded.last?.own.contains(IPv4Address(203, 0, 113, 9)) == false)
    await bench.stop()
  }

  @Test(
    "RC6 ST-9 a change that finds no room after all is taken back as a whole, on the socket and in the table")
  func noRoom() async throws {
    var reserve = TableReserve()
    reserve.forwards = 1
    let bench = try Bench(reserve: reserve)
    try bench.write(
      """
      nat: { pool: [{ address: 203.0.113.5, ports: 2000-2999 }] }
      static:
        - { protocol: tcp, public: 203.0.113.9:80, private: 192.168.1.10:80 }
        - { protocol: tcp, public: 203.0.113.9:81, private: 192.168.1.10:81 }
      """)
    await #expect {
      try await bench.control.reload()
    } throws: {
      ($0 as? ControlError)?.reason == "no-room"
    }
    #expect(try await bench.control.statics().statics == [])
    let settings = try await bench.control.configuration().settings
    #expect(settings.first { $0.setting == "nat.pool[203.0.113.5].ports" }?.value == "1024-65535")
    #expect(try await bench.control.stats().bindings == 0)
    let guarded = await bench.interfaces.guarded
    let left = guarded.first?.own.filter { $0 != IPv4Address(203, 0, 113, 9) }
    #expect(Set(guarded.last?.own ?? []) == Set(left ?? []))
    // The one place is free again.
    let entry = StaticDocument(
      protocolName: "tcp", publicEndpoint: "203.0.113.9:82", privateEndpoint: "192.168.1.10:82")
    _ = try await bench.control.addStatic(entry)
    #expect(try await bench.control.statics().statics == [entry])
    await #expect(throws: ControlError.self) {
      try await bench.control.addStatic(
        StaticDocument(
          protocolName: "tcp", publicEndpoint: "203.0.113.9:83", privateEndpoint: "192.168.1.10:83"))
    }
    #expect(try await bench.control.statics().statics == [entry])
    await bench.stop()
  }

  @Test("SH9 a listener that hangs loses events and hears how many; the worker goes on")
  func lost() async throws {
    let bench = try Bench()
    let stream = try await bench.control.events()
    for round in 0..<12 {
      await bench.feed((0..<1000).map { (Self.c1, Self.remote(round * 1000 + $0)) })
    }
    await bench.feed([(Endpoint(IPv4Address(192, 168, 1, 9), 1), Self.remote(1))])
    // It is told behind all that happened before: whatever has room with the listener is there.
    _ = try await bench.control.reload()
    var events = 0
    var lost: UInt64 = 0
    reading: for await event in stream {
      if event.kind == .lost {
        lost += event.count ?? 0
        break reading
      }
      events += 1
      // Room again: the next event tells of those that are missing.
      if events == 8000 { await bench.feed([(Endpoint(IPv4Address(192, 168, 1, 9), 2), Self.remote(1))]) }
    }
    #expect(events == 8192 && lost >= 12_001 - 8192)
    #expect(try await bench.control.stats().sessions == 12_002)
    await bench.stop()
  }

  @Test("a worker that has stopped gives up what it was asked")
  func stopped() async throws {
    let bench = try Bench()
    await bench.stop()
    await Self.expect(503, "stopping") { try await bench.control.stats() }
    await Self.expect(503, "stopping") { try await bench.control.end(TableFilter()) }
    #expect(try await bench.control.status().degraded.count == 2)
  }
}
