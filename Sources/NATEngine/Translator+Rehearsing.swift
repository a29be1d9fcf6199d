import NATTable
public import NATWire

/// What `commit` would make of a packet.
public struct Rehearsal: BitwiseCopyable {
  public var rewrite: Rewrite
  /// The public endpoint of a new dynamic binding.
  public var chosen: Endpoint?
  /// Why it would be refused.
  public var refusal: DropReason?
  /// Whether, in spite of that, a transitory session would make room.
  public var evicts: Bool
  /// Whether a binding or session would be made.
  public var makesSomething: Bool
}

extension Translator {
  /// Asks what `commit` asks, and makes nothing; the port is the one that the packet would get now.
  public mutating func rehearse(_ resolution: Resolution, _ packet: Packet, at now: Instant) -> Rehearsal {
    let kept = random
    defer { random = kept }
    var resolution = resolution
    var chosen: BindingIndex?
    let refusal = settle(&resolution, &chosen, packet, at: now)
    // Where an eviction makes room, a port is chosen all the same.
    let evicts = refusal?.shortage.map { shard.couldEvict(for: $0, keeping: resolution.kept) } ?? false
    if evicts, chosen == nil { chosen = choosePublic(&resolution, packet, at: now) }
    var rehearsal = Rehearsal(
      rewrite: Rewrite(
        source: Endpoint(packet.source, packet.sourcePort),
        destination: Endpoint(packet.destination, packet.destinationPort)),
      chosen: chosen.map { shard.bindings.publicEndpoint(of: $0) }, refusal: refusal?.reason,
      evicts: evicts,
      makesSomething: resolution.sender.map { $0.session == nil } ?? false
        || resolution.receiver.map { $0.session == nil } ?? false)
    if let sender = resolution.sender {
      rehearsal.rewrite.source = publicEndpoint(of: sender) ?? rehearsal.chosen ?? rehearsal.rewrite.source
    }
    if let receiver = resolution.receiver { rehearsal.rewrite.destination = receiver.private }
    return rehearsal
  }
}
