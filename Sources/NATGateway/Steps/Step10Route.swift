import NATEngine
import NATWire

extension Gateway {
  /// Where does it leave? A later fragment takes the way of the first one.
  func findRoute(_ context: inout PacketContext) -> Verdict? {
    let destination: IPv4Address
    switch context.way {
    case .undecided: preconditionFailure("the steps before decide how a packet passes")
    case .plain: destination = context.packet.destination
    case .sessions(let resolution): destination = resolution.destination
    case .quote(_, let rewrite): destination = rewrite.destination
    case .addresses(let rewrite): destination = rewrite.destination.address
    case .follows: return nil
    }
    context.hop = routes.find(destination)
    return context.hop == nil ? .drop(.noRoute, .error(.destinationUnreachable(code: 0))) : nil
  }
}
