import NATTable
public import NATWire

/// What `commit` would do with a packet.
public struct Rehearsal: BitwiseCopyable {
  public var outcome: CommitOutcome
  /// The public endpoint of a new dynamic binding.
  public var chosen: Endpoint?
  /// The limit that is reached. If ``outcome`` is still `.forward`, a transitory session ends to make room.
  public var refusal: DropReason?
  /// Whether a binding or session would be made.
  public var makesSomething: Bool
}

extension Translator {
  /// Does what `commit` does but makes nothing. The port is the one that the packet would get now.
  public mutating func rehearse(_ resolution: Resolution, _ packet: Packet, at now: Instant) -> Rehearsal {
    let kept = random
    defer { random = kept }
    var resolution = resolution
    var chosen: BindingIndex?
    let refusal = settle(&resolution, &chosen, packet, at: now)
    // If an eviction makes room, choose a port nevertheless.
    let evicts = refusal?.shortage.map { shard.couldEvict(for: $0, keeping: resolution.kept) } ?? false
    if evicts, chosen == nil { chosen = choosePublic(&resolution, packet, at: now) }
    let chosenEndpoint = chosen.map { shard.bindings.publicEndpoint(of: $0) }
    var rewrite = Rewrite(
      source: Endpoint(packet.source, packet.sourcePort),
      destination: Endpoint(packet.destination, packet.destinationPort))
    if let sender = resolution.sender {
      rewrite.source = publicEndpoint(of: sender) ?? chosenEndpoint ?? rewrite.source
    }
    if let receiver = resolution.receiver { rewrite.destination = receiver.private }
    let commitment = Commitment(
      rewrite: rewrite, sender: resolution.sender?.session, receiver: resolution.receiver?.session)
    let outcome: CommitOutcome =
      if let refusal, !evicts { .drop(refusal.reason) } else { .forward(commitment) }
    return Rehearsal(
      outcome: outcome,
      chosen: chosenEndpoint, refusal: refusal?.reason,
      makesSomething: resolution.sender.map { $0.session == nil } ?? false
        || resolution.receiver.map { $0.session == nil } ?? false)
  }
}
