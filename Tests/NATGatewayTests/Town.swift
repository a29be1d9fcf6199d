import NATComposition
import NATConfiguration
import NATControl
import NATEngine
import NATGateway
import NATMemory
import NATTable
import NATWire
import TestSupport

@testable import NATGateway

/// A gateway by its configuration file, packets for it, and changes while it works.
struct Town: ~Copyable {
  static let interfaces = """
    interfaces:
      inside: { name: lan0, address: 192.168.1.1/24 }
      outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }

    """
  static let c1 = Endpoint(IPv4Address(192, 168, 1, 2), 5000)
  static let c2 = Endpoint(IPv4Address(192, 168, 1, 3), 6000)
  static let s1 = Endpoint(IPv4Address(198, 51, 100, 7), 80)
  static let s2 = Endpoint(IPv4Address(198, 51, 100, 8), 80)
  static let x = Endpoint(IPv4Address(203, 0, 113, 5), 5000)

  var gateway: Gateway
  let table: TranslationTable
  private(set) var configuration: Configuration
  /// The same before the host's addresses were put in.
  private let written: Configuration
  private let store = CounterStore()
  private var batch = FrameBatch(maximumFrameLength: 64 << 10)
  private var outbox = Outbox()
  var now: UInt64 = 1_000_000_000
  /// What left last, as bytes.
  private(set) var lastFrames: [[UInt8]] = []

  var counters: Counters { store.counters }

  /// - Parameter host: what the host has, where the text names the interfaces and follows it.
  init(
    _ text: String = "", host: Configuration.Machine? = nil,
    change: (inout GatewaySettings) -> Void = { _ in }
  ) throws {
    let parsed = try Configuration.parse(
      (host == nil ? Town.interfaces : "") + text + "\n", file: "portico.yaml")
    written = parsed
    configuration = parsed.resolved(host ?? Configuration.Machine()).configuration
    var settings = GatewaySettings(configuration)
    settings.table.reserve = .live(settings.table)
    change(&settings)
    var random = RandomSource(seed: 1)
    table = TranslationTable(settings.table, random: &random)
    gateway = Gateway(settings, table: table, worker: 0, counters: store.counters, random: random)
  }

  /// A packet as it left.
  struct Sent: Equatable {
    var side: Side
    var source: Endpoint
    var destination: Endpoint
    var isARP = false
  }

  /// Sends a packet; its frames leave at once.
  @discardableResult
  mutating func send(
    _ transport: TransportProtocol = .udp, _ flags: UInt8 = 0x02, from source: Endpoint,
    to destination: Endpoint, _ side: Side = .inside
  ) -> [Sent] {
    frame(Town.packet(transport, flags, from: source, to: destination, side), side)
  }

  @discardableResult
  mutating func frame(_ bytes: [UInt8], _ side: Side) -> [Sent] {
    now += 1_000_000
    // Safety: the batch copies the bytes.
    unsafe bytes.withUnsafeBytes {
      unsafe batch.append(
        $0, wireLength: bytes.count, at: Instant(nanoseconds: now), from: InterfaceIndex(side),
        link: .ethernet)
    }
    var sent: [Sent] = []
    while batch.processed < batch.count {
      gateway.process(&batch, into: &outbox)
      sent += collect()
    }
    batch.removeAll()
    return sent
  }

  /// Lets time pass.
  mutating func wait(seconds: UInt64) {
    now += seconds * 1_000_000_000
    gateway.advance(to: Instant(nanoseconds: now), into: &outbox)
    _ = collect()
  }

  /// Does a job to its end; between its steps `meanwhile` happens.
  /// - Returns: the job, what left, and how many steps it took.
  mutating func perform<Job: GatewayJob>(
    _ job: Job, meanwhile: (inout Town) -> Void = { _ in }
  ) -> (job: Job, sent: [Sent], steps: Int) {
    var job = job
    var sent: [Sent] = []
    var steps = 1
    while !job.step(&gateway, into: &outbox, at: Instant(nanoseconds: now)) {
      sent += collect()
      meanwhile(&self)
      steps += 1
    }
    return (job, sent + collect(), steps)
  }

  /// Comes to another configuration, as a reload does.
  @discardableResult
  mutating func reload(
    _ text: String, meanwhile: (inout Town) -> Void = { _ in }
  ) throws -> (ended: EndedSessions, sent: [Sent]) {
    let new = try Configuration.parse(Town.interfaces + text + "\n", file: "portico.yaml")
    let done = perform(
      GatewayChange(ChangePlan(from: configuration, to: new).operations), meanwhile: meanwhile)
    precondition(done.job.refused == 0, "there is room for everything")
    configuration = new
    return (done.job.ended, done.sent)
  }

  /// Comes to what the host has from now on, as news of its kernel's does.
  ///
  /// - Parameter held: what has waited for that.
  @discardableResult
  mutating func follow(
    _ host: Configuration.Machine, takingUp held: HeldTable? = nil, meanwhile: (inout Town) -> Void = { _ in }
  ) -> (ended: EndedSessions, sent: [Sent], restored: RestoredTable?) {
    let new = written.resolved(host).configuration
    let done = perform(
      GatewayChange(ChangePlan(from: configuration, to: new).operations, takingUp: held),
      meanwhile: meanwhile)
    precondition(done.job.refused == 0, "there is room for everything")
    configuration = new
    return (done.job.ended, done.sent, done.job.restored)
  }

  /// The table as a snapshot.
  mutating func snapshot() throws -> TableSnapshot {
    let saved = perform(SaveTable(limit: .max)).job
    var words: [UInt64] = []
    SnapshotHeader(clock: saved.clock, unixNanoseconds: saved.clock.nanoseconds, started: saved.clock).append(
      to: &words)
    words += saved.words
    TableSnapshot.appendCounts(saved.walk.counts, to: &words)
    var checksum = Checksum64()
    checksum.add(words[...])
    return try TableSnapshot(words + [checksum.value])
  }

  /// The table as a replay would list it, an entry a line.
  func listing() -> [String] {
    guard let reader = TableReader(table) else { return [] }
    let document = TableDocument(reader, started: gateway.clock, at: gateway.clock)
    return document.bindings.flatMap { Town.lines($0) }
  }

  static func lines(_ binding: BindingDocument) -> [String] {
    let head =
      "\(binding.transport) \(binding.kind) \(binding.privateEndpoint.address):\(binding.privateEndpoint.port)"
      + " \(binding.publicEndpoint.address):\(binding.publicEndpoint.port)"
    return binding.sessions.isEmpty
      ? [head] : binding.sessions.map { "\(head) \($0.remote.address):\($0.remote.port)" }
  }

  /// What must never be, as the audit finds it.
  func faults() -> [String] {
    guard let reader = TableReader(table) else { return ["no reader"] }
    return TableAudit(reader, gateway.translator.shard, at: gateway.clock).faults
  }

  private mutating func collect() -> [Sent] {
    var sent: [Sent] = []
    lastFrames = []
    for index in 0..<outbox.count {
      let entry = outbox[index]
      let frame = entry.frame
      lastFrames.append(frame.bytes)
      if frame.uint16(at: 12) == 0x0806 {
        sent.append(
          Sent(
            side: entry.side, source: Endpoint(frame.address(at: 28), 0),
            destination: Endpoint(frame.address(at: 38), 0), isARP: true))
        continue
      }
      let isICMP = frame.uint8(at: 23) == 1
      sent.append(
        Sent(
          side: entry.side,
          source: Endpoint(frame.address(at: 26), isICMP ? frame.uint16(at: 38) : frame.uint16(at: 34)),
          destination: Endpoint(frame.address(at: 30), isICMP ? frame.uint16(at: 38) : frame.uint16(at: 36))))
    }
    outbox.removeAll()
    return sent
  }

  // MARK: Packets

  static func packet(
    _ transport: TransportProtocol, _ flags: UInt8, from source: Endpoint, to destination: Endpoint,
    _ side: Side
  ) -> [UInt8] {
    let content: PacketBuilder.Content =
      switch transport {
      case .udp: .udp(source.port, destination.port, data: [])
      case .tcp: .tcp(source.port, destination.port, flags: flags)
      case .icmp: .query(side == .inside ? 8 : 0, source.port)
      }
    var builder = PacketBuilder(source.address, destination.address, content)
    builder.doesNotFragment = true
    builder.checksum = .none
    return EthernetFrame.bytes(
      to: side == .inside ? EthernetFrame.gatewayInside : EthernetFrame.gatewayOutside, from: neighbour,
      builder.bytes)
  }

  private static let neighbour: [UInt8] = [0x52, 0x54, 0, 0, 0, 9]

  /// Who has this address? From the outside router, or from an inside host.
  static func request(for address: IPv4Address, from sender: IPv4Address? = nil, _ side: Side) -> [UInt8] {
    let asker = sender ?? (side == .inside ? IPv4Address(192, 168, 1, 99) : IPv4Address(203, 0, 113, 1))
    return EthernetFrame.arpRequest(from: (neighbour, asker.octets), for: address.octets)
  }
}
