import NATEngine
import NATTable
import NATWire

extension Gateway {
  /// May these be source and destination (RFC 1812 sections 5.3.7 and 5.3.8, RFC 2827)?
  func checkAddresses(_ context: PacketContext) -> Verdict? {
    let source = context.packet.source
    let destination = context.packet.destination
    if isMartian(source) || source == destination || isInsideAddress(source) {
      return .drop(.invalidSource)
    }
    let isInside = insideNetworks.contains(source)
    // No public address lies in an inside network.
    if !isInside, translator.role(of: source) != nil { return .drop(.invalidSource) }
    if isMartian(destination) { return .drop(.invalidDestination) }
    if isInside == (context.side == .inside) { return nil }
    return .drop(isInside ? .sourceInside : .sourceNotInside)
  }

  /// Whether an address may be neither source nor destination: 0/8, 127/8, 224/3, and the network and broadcast
  /// addresses of our networks.
  func isMartian(_ address: IPv4Address) -> Bool {
    let raw = address.rawValue
    let first = raw >> 24
    return first == 0 || first == 127 || first >= 224 || interfaces.isSpecial(address)
  }
}
