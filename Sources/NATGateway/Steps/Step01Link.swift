import NATEngine
import NATWire

extension Gateway {
  /// Is the frame for our MAC address?
  @inline(__always)
  func checkLink(_ context: PacketContext) -> Verdict? {
    guard context.link == .ethernet, context.destinationMAC != mac(of: context.interface) else { return nil }
    return .drop(.notForUs)
  }
}
