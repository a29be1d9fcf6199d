import NATTable
public import NATWire

extension Translator {
  /// How a packet of a transport protocol without translated ports passes: over 1:1 mappings, by address alone, and
  /// without a session. Nil where one of its inside hosts has no public address to itself.
  ///
  /// - Parameter role: of the destination; nil for an address outside.
  /// - Complexity: O(1).
  public func resolveOther(_ packet: Packet, _ role: PublicRole?, from side: Side) -> Rewrite? {
    var source = packet.source
    var destination = packet.destination
    if side == .inside {
      guard let mapping = shard.oneToOne(private: source) else { return nil }
      source = mapping.public
    }
    if side == .outside || role != nil {
      guard let mapping = shard.oneToOne(public: destination) else { return nil }
      destination = mapping.private
    }
    return Rewrite(source: Endpoint(source, 0), destination: Endpoint(destination, 0))
  }
}
