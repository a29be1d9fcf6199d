import NATConfiguration
import NATWire
import TestSupport

extension Conversation {
  /// Whether a frame asks only for what is switched on, whatever chance has made of it.
  func isAllowed(_ input: Input) -> Bool {
    guard
      let packet = packet(
        of: input.isEthernet ? input.bytes : [UInt8](repeating: 0, count: 12) + [8, 0] + input.bytes)
    else { return true }
    let fragmentField = word(packet, 6)
    let isFragment = fragmentField & 0x3FFF != 0
    if isFragment, !features.contains(.fragments) { return false }
    let header = Int(packet[0] & 0x0F) * 4
    if !features.contains(.errorsInTransit), packet[9] == 1, packet.count > header,
      [3, 4, 5, 11, 12].contains(packet[header])
    {
      return false
    }
    if !features.contains(.otherProtocols), ![1, 6, 17].contains(packet[9]), hasOneToOne { return false }
    if !features.contains(.splitting), fragmentField & 0x4000 == 0 {
      let interfaces = surroundings.configuration.interfaces
      let mtus = [interfaces.inside.mtu ?? 1500, interfaces.outside.mtu ?? 1500]
      let length = Int(word(packet, 2))
      let isSuperFrame = packet[9] == 6 && length > (mtus.max() ?? 0)
      if length > (mtus.min() ?? 0), !isSuperFrame { return false }
    }
    return true
  }

  private var hasOneToOne: Bool {
    surroundings.configuration.statics.contains {
      if case .oneToOne = $0 { true } else { false }
    }
  }

  /// The IPv4 packet of an Ethernet frame, if it holds a header; tags are skipped.
  private func packet(of frame: [UInt8]) -> [UInt8]? {
    var place = 12
    while frame.count >= place + 6, [0x8100, 0x88A8].contains(word(frame, place)) { place += 4 }
    guard frame.count >= place + 22, word(frame, place) == 0x0800 else { return nil }
    return Array(frame[(place + 2)...])
  }
}
