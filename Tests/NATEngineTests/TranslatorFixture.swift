import NATMemory
import NATTable
import NATWire

@testable import NATEngine

/// A translator with a pool of one address, and packets as a decoder would hand them to it.
struct TranslatorFixture: ~Copyable {
  static let pool = IPv4Address(203, 0, 113, 5)
  static let host = IPv4Address(192, 168, 1, 2)
  static let other = IPv4Address(192, 168, 1, 3)
  static let server = IPv4Address(198, 51, 100, 7)
  static let oneToOne = OneToOneMapping(
    public: IPv4Address(203, 0, 113, 9), private: IPv4Address(192, 168, 1, 9))

  var translator: Translator
  let counters = CounterStore()
  var now = Instant(nanoseconds: 1_000_000_000)

  init(
    _ settings: TranslatorSettings = TranslatorSettings(), forwards: [PortForward] = [],
    change: (inout TableSettings) -> Void = { _ in }
  ) {
    var table = TableSettings(pool: [PoolAddress(Self.pool, ports: [50001...50010])])
    table.policy.portChoice = .sequential
    table.policy.parity = false
    table.bindingLimit = 100
    table.sessionLimit = 100
    table.forwards = forwards
    table.oneToOne = [Self.oneToOne]
    change(&table)
    var random = RandomSource(seed: 1)
    translator = Translator(
      table: TranslationTable(table, random: &random), tableSettings: table, worker: 0, settings: settings,
      outsideAddress: Self.pool, counters: counters.counters, random: random)
  }

  static func packet(
    _ kind: PacketKind, _ flags: TCPFlags = [], from source: Endpoint, to destination: Endpoint
  ) -> Packet {
    var packet = Packet(frame: EmptyFrame.shared.frame)
    packet.kind = kind
    packet.tcpFlags = flags
    packet.source = source.address
    packet.sourcePort = source.port
    packet.destination = destination.address
    packet.destinationPort = destination.port
    return packet
  }

  /// The packet's way from the inside to the outside, or to a public address of ours.
  mutating func outbound(_ packet: Packet) -> CommitOutcome {
    guard let transport = packet.transport else { return .drop(.unknownProtocol) }
    let outcome =
      if let role = translator.role(of: packet.destination) {
        translator.resolveHairpin(packet, transport, role, at: now)
      } else {
        translator.resolveOutbound(packet, transport, at: now)
      }
    return commit(outcome, packet)
  }

  mutating func inbound(_ packet: Packet) -> CommitOutcome {
    guard let transport = packet.transport, let role = translator.role(of: packet.destination) else {
      return .drop(.noBinding)
    }
    return commit(translator.resolveInbound(packet, transport, role, at: now), packet)
  }

  private mutating func commit(_ outcome: ResolveOutcome, _ packet: Packet) -> CommitOutcome {
    switch outcome {
    case .pass(let resolution): translator.commit(resolution, packet, at: now)
    case .drop(let reason): .drop(reason)
    }
  }

  mutating func pass(nanoseconds: UInt64) {
    now = now.advanced(by: nanoseconds)
    translator.shard.advance(to: now)
  }
}

extension CommitOutcome {
  var rewrite: Rewrite? { if case .forward(let commitment) = self { commitment.rewrite } else { nil } }
  var reason: DropReason? { if case .drop(let reason) = self { reason } else { nil } }
}

/// A frame of no bytes: a translator decides by what was decoded, and looks at no byte.
final class EmptyFrame: @unchecked Sendable {
  static let shared = EmptyFrame()
  private var outbox = Outbox()
  let frame: Frame

  private init() { frame = outbox.build(length: 0) }
}
