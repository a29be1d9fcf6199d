import NATEngine
import NATMemory
import NATTable
import NATWire
import TestSupport

@testable import NATGateway

/// A gateway between 192.168.1.0/24 and 203.0.113.0/24, fed with one frame at a time.
struct Gate: ~Copyable {
  static let host = IPv4Address(192, 168, 1, 2)
  static let server = IPv4Address(198, 51, 100, 7)
  static let publicAddress = IPv4Address(203, 0, 113, 5)

  var gateway: Gateway
  let table: TranslationTable
  private let store = CounterStore()
  private var batch: FrameBatch
  private var outbox = Outbox()
  private var now: UInt64 = 1_000_000_000

  var counters: Counters { store.counters }

  /// A frame that left.
  struct Sent: Equatable {
    var interface: InterfaceIndex
    var nanoseconds: UInt64
    var bytes: [UInt8]
    var largestPacket: UInt16

    var side: Side { interface.side }
  }

  /// What has left since it was last looked at.
  private var sent: [Sent] = []

  /// - Parameter batchBytes: room for the frames of one batch.
  init(
    dropsBefore: Int = 0, batchBytes: Int = 128 << 10, change: (inout GatewaySettings) -> Void = { _ in }
  ) {
    batch = FrameBatch(maximumFrameLength: batchBytes)
    var settings = GatewaySettings(
      [
        Interface(
          .inside, address: IPv4Address(192, 168, 1, 1), prefixLength: 24,
          mac: GatewaySettings.defaultMAC.inside),
        Interface(
          .outside, address: Gate.publicAddress, prefixLength: 24, mac: GatewaySettings.defaultMAC.outside),
      ],
      insideNetworks: [IPv4Network(IPv4Address(192, 168, 1, 0), prefixLength: 24)],
      table: TableSettings(pool: [PoolAddress(Gate.publicAddress, ports: [1024...65535])]))
    settings.routes = [
      StaticRoute(IPv4Network(.any, prefixLength: 0), via: IPv4Address(203, 0, 113, 1), on: .outside)
    ]
    settings.exempt = [IPv4Network(IPv4Address(172, 16, 0, 0), prefixLength: 12)]
    settings.table.bindingLimit = 64
    settings.table.sessionLimit = 64
    change(&settings)
    for _ in 0..<dropsBefore { store.counters.countDrop(.noRoute) }
    var random = RandomSource(seed: 1)
    table = TranslationTable(settings.table, random: &random)
    gateway = Gateway(settings, table: table, worker: 0, counters: store.counters, random: random)
  }

  /// A millisecond after the last frame.
  mutating func receive(_ bytes: [UInt8], from interface: InterfaceIndex, link: LinkLayer = .ethernet) {
    receive(batch: [bytes], from: interface, link: link)
  }

  /// Frames in one batch, a millisecond apart.
  mutating func receive(
    batch frames: [[UInt8]], from interface: InterfaceIndex, link: LinkLayer = .ethernet
  ) {
    for bytes in frames {
      now += 1_000_000
      // Safety: the batch copies the bytes.
      unsafe bytes.withUnsafeBytes {
        unsafe batch.append(
          $0, wireLength: bytes.count, at: Instant(nanoseconds: now), from: interface, link: link)
      }
    }
    while batch.processed < batch.count {
      gateway.process(&batch, into: &outbox)
      collect()
    }
    batch.removeAll()
  }

  /// Lets time pass without a packet, as a live gateway's idle gaps do.
  mutating func wait(nanoseconds: UInt64) {
    now += nanoseconds
    gateway.advance(to: Instant(nanoseconds: now), into: &outbox)
    collect()
  }

  mutating func announce() {
    var next: Int? = 0
    while let from = next {
      next = gateway.announce(from: from, at: Instant(nanoseconds: now), into: &outbox)
      collect()
    }
  }

  /// What has left since the last call.
  mutating func takeSent() -> [Sent] {
    defer { sent = [] }
    return sent
  }

  private mutating func collect() {
    for index in 0..<outbox.count {
      let entry = outbox[index]
      sent.append(
        Sent(
          interface: entry.interface, nanoseconds: entry.instant.nanoseconds,
          bytes: entry.frame.bytes,
          largestPacket: entry.largestPacket))
    }
    outbox.removeAll()
  }

  #if DEBUG
  /// Makes a binding and a session, and claims that it was a frame that ended like this and went nowhere.
  static func makeState(behind outcome: DecodeOutcome) {
    var gate = Gate()
    var before = gate.gateway.before
    gate.receive(datagram, from: .inside)
    before.noted = gate.gateway.ledger.noted
    gate.gateway.checkEnd(of: outcome, before)
  }
  #endif

  // UDP 192.168.1.2:5000 to 198.51.100.7:53 without a checksum, four bytes, TTL 64. The header's words but for the
  // checksum sum up to 0x4500+0x0020+0x4000+0x4011+0xC0A8+0x0102+0xC633+0x6407 = 0x2B115, folded 0xB117.
  static let datagram: [UInt8] =
    [2, 0x50, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 2, 8, 0] + [
      0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 17, 0x4E, 0xE8, 192, 168, 1, 2, 198, 51, 100, 7,
      0x13, 0x88, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4,
    ]

  /// The same to another address.
  static func datagram(to destination: IPv4Address) -> [UInt8] {
    var frame = datagram
    setDoubleWord(&frame, 30, destination.rawValue)
    InternetChecksum.write(to: &frame, at: 24, over: 14..<34)
    return frame
  }

  /// 192.168.1.2 asks for 192.168.1.1.
  static let arpRequest: [UInt8] =
    [255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 0, 0, 2, 8, 6] + [
      0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0, 0, 2, 192, 168, 1, 2, 0, 0, 0, 0, 0, 0, 192, 168, 1, 1,
    ]
}

/// A frame of one's own, with room before it.
func withFrame<Result>(_ bytes: [UInt8], _ body: (Frame) -> Result) -> Result {
  var memory = [UInt8](repeating: 0, count: FrameBatch.headroom) + bytes
  // Safety: the frame is used only while the memory is there.
  return unsafe memory.withUnsafeMutableBytes {
    guard let base = $0.baseAddress else { preconditionFailure("the headroom is there") }
    return body(unsafe Frame(unsafeBase: base + FrameBatch.headroom, count: bytes.count))
  }
}
