import NATEngine
import NATWire

extension Gateway {
  /// May this destination be reached at all?
  func checkPublicAddress(_ context: PacketContext) -> Verdict? {
    guard context.role != nil else { return context.side == .outside ? .drop(.noBinding) : nil }
    // Whole echo requests have been answered; one in fragments is not.
    if isEchoToGateway(context.packet, context.role, from: context.side) { return .drop(.toGateway) }
    return context.side == .inside && !translator.settings.hairpin ? .drop(.hairpinDisabled) : nil
  }
}
