public import NATEngine
import NATTable
import NATWire

/// The ends of a frame that have no drop reason.
enum FrameEnd: BitwiseCopyable {
  /// On its way, whole or in fragments.
  case forwarded
  /// An echo request to the gateway.
  case answered
  /// Well-formed ARP, answered or not.
  case arp
  /// The machine's kernel takes it.
  case leftToKernel
}

#if DEBUG
/// Counts of a debug build, to check that the counters add up.
struct Ledger: BitwiseCopyable {
  /// Frames that ended as a ``FrameEnd``.
  var noted = 0
  /// Those of them that were dropped later.
  var revoked = 0
  /// The difference at the start: the counters of a new gateway need not be zero.
  var unaccounted = 0
}
#endif

// Invariants that hold after every packet. Debug builds check them; release builds contain none of this.
extension Gateway {
  /// Notes the end of a frame. Every frame ends once: noted here, held, or counted under one ``DropReason``.
  @inline(__always) mutating func note(_ end: FrameEnd) {
    #if DEBUG
    ledger.noted += 1
    #endif
  }

  /// Takes a noted end back: the frame waited for its next hop in vain, or the interface did not take it.
  @inline(__always) mutating func revoke(_ end: FrameEnd) {
    #if DEBUG
    ledger.revoked += 1
    #endif
  }

  /// Counts frames of an outbox that the interface did not take.
  public mutating func countUnsent(_ count: Int, as reason: DropReason) {
    for _ in 0..<count {
      revoke(.forwarded)
      counters.countDrop(reason)
    }
  }

  /// Checks that no packet with a private source leaves outside.
  @inline(__always) func checkSource(of frame: Frame, to interface: InterfaceIndex) {
    #if DEBUG
    precondition(
      !leaksSource(frame, to: interface),
      "from \(frame.address(at: Packet.networkOffset + IPv4.sourceOffset)) to the outside")
    #endif
  }

  #if DEBUG
  /// Whether a frame that leaves outside has a source that is neither one of our public addresses nor an
  /// inside host that sends to an exempt destination.
  func leaksSource(_ frame: Frame, to interface: InterfaceIndex) -> Bool {
    hasLostSource(frame, to: interface)
  }

  /// Frames received, less those that ended. Held fragments have not ended.
  var framesWithoutEnd: Int {
    interfaces.indices.reduce(0) { $0 + counters.interface($1).packetsReceived } - counters.totalDrops
      - (ledger.noted - ledger.revoked) - heldFragments
  }

  /// The state before a frame was processed.
  struct Before: BitwiseCopyable {
    var table: TableCounts
    var noted: Int
  }

  var before: Before { Before(table: translator.shard.counts, noted: ledger.noted) }

  /// Called after each frame: it has exactly one end, and a dropped one made no state.
  func checkEnd(of outcome: DecodeOutcome, _ before: Before) {
    let without = framesWithoutEnd - ledger.unaccounted
    precondition(without == 0, "\(without) frames more received than forwarded, answered, held or dropped")
    let table = translator.shard.counts
    switch outcome {
    case .fault, .arp: precondition(table == before.table, "a frame that is no IPv4 packet made state")
    case .ipv4:
      // A packet that its next hop did not take has passed all steps and has made its session.
      guard ledger.noted == before.noted else { return }
      precondition(
        table.sessionsCreated == before.table.sessionsCreated
          && table.bindingsCreated == before.table.bindingsCreated, "a dropped packet made state")
    }
  }
  #endif
}
