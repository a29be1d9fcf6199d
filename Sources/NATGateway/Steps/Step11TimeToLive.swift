import NATEngine
import NATWire

extension Gateway {
  /// Does it have a hop left (RFC 1812 section 5.3.1)?
  @inline(__always)
  func checkTimeToLive(_ context: PacketContext) -> Verdict? {
    context.packet.timeToLive > 1 ? nil : .drop(.ttlExceeded, .error(.timeExceeded))
  }
}
