public import NATEngine
import NATTable
import NATWire

/// The ends of a frame that no counter tells.
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
/// What a debug build counts beside the counters, so that it can see whether they add up.
struct Ledger: BitwiseCopyable {
  /// Frames that passed all questions, to end as a ``FrameEnd``.
  var noted = 0
  /// Those of them that ended otherwise.
  var revoked = 0
  /// What the accounts were wrong by when the gateway was made: its counters need not have been at zero.
  var unaccounted = 0
}
#endif

// What holds after every packet. Debug builds check it, release builds contain none of it.
extension Gateway {
  /// Every frame ends in one way: noted here, held, or counted under one ``DropReason``.
  @inline(__always) mutating func note(_ end: FrameEnd) {
    #if DEBUG
    ledger.noted += 1
    #endif
  }

  /// It was noted, and ends otherwise: a frame that waited for its next hop in vain.
  @inline(__always) mutating func revoke(_ end: FrameEnd) {
    #if DEBUG
    ledger.revoked += 1
    #endif
  }

  /// Frames that an outbox held did not leave: the interface did not take them.
  public mutating func countUnsent(_ count: Int, as reason: DropReason) {
    for _ in 0..<count {
      revoke(.forwarded)
      counters.countDrop(reason)
    }
  }

  /// No packet with a private source leaves outside.
  @inline(__always) func checkSource(of frame: Frame, to side: Side) {
    #if DEBUG
    precondition(
      !leaksSource(frame, to: side),
      "from \(frame.address(at: Packet.networkOffset + IPv4.sourceOffset)) to the outside")
    #endif
  }

  #if DEBUG
  /// Whether a frame that leaves outside has another source than a public address of ours, or that of an inside
  /// host which sends to an exempt destination.
  func leaksSource(_ frame: Frame, to side: Side) -> Bool {
    hasLostSource(frame, to: side)
  }

  /// Received, less every way in which a frame can end; fragments that are held have not ended.
  var framesWithoutEnd: Int {
    counters.side(.inside).packetsReceived + counters.side(.outside).packetsReceived
      - counters.totalDrops - (ledger.noted - ledger.revoked) - heldFragments
  }

  /// What stood before a frame was worked on.
  struct Before: BitwiseCopyable {
    var table: TableCounts
    var noted: Int
  }

  var before: Before { Before(table: translator.shard.counts, noted: ledger.noted) }

  /// Called when a frame has been worked on: it has one end, and nothing is left of one that a question refused.
  func checkEnd(of outcome: DecodeOutcome, _ before: Before) {
    let without = framesWithoutEnd - ledger.unaccounted
    precondition(without == 0, "\(without) frames more received than forwarded, answered, held or dropped")
    let table = translator.shard.counts
    switch outcome {
    case .fault, .arp: precondition(table == before.table, "a frame that is no IPv4 packet made state")
    case .ipv4:
      // One whose next hop did not take it was dropped behind all questions, and has made its session.
      guard ledger.noted == before.noted else { return }
      precondition(
        table.sessionsCreated == before.table.sessionsCreated
          && table.bindingsCreated == before.table.bindingsCreated, "a dropped packet made state")
    }
  }
  #endif
}
