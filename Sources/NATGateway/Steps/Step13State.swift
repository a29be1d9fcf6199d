import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// Limits and ports, for all that the packet needs; then bindings and sessions are made, and the packet counts on
  /// them.
  mutating func makeState(_ context: inout PacketContext) -> Verdict? {
    switch context.way {
    case .undecided, .plain, .addresses: return nil
    case .sessions(let resolution): return commit(resolution, &context)
    case .quote(_, let rewrite):
      if !context.isRehearsed { learnPathMTU(context.packet, rewrite) }
    case .follows(let passage):
      if !context.isRehearsed {
        translator.countLaterFragment(bytes: context.packet.totalLength, on: passage, at: context.now)
      }
    }
    return nil
  }

  private mutating func commit(_ resolution: Resolution, _ context: inout PacketContext) -> Verdict? {
    let outcome: CommitOutcome
    if context.isRehearsed {
      let rehearsal = translator.rehearse(resolution, context.packet, at: context.now)
      context.rehearsal = rehearsal
      outcome = rehearsal.outcome
    } else {
      outcome = translator.commit(resolution, context.packet, at: context.now)
    }
    switch outcome {
    case .drop(let reason): return .drop(reason, context.side == .inside ? .exhaustion : .none)
    case .forward(let commitment):
      context.commitment = commitment
      return nil
    }
  }

  /// An error 3/4 tells how large packets on this session may be (RFC 1191 section 4).
  private func learnPathMTU(_ packet: Packet, _ rewrite: ErrorRewrite) {
    guard packet.icmpType == ICMPv4.destinationUnreachable,
      packet.frame.uint8(at: packet.transportOffset + 1) == ICMPv4.fragmentationNeeded
    else { return }
    translator.learnPathMTU(
      packet.frame.uint16(at: packet.transportOffset + ICMPv4.nextHopMTUOffset), rewrite)
  }
}
