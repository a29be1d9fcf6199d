/// Ethernet frames and ARP.
public enum EthernetFrame {
  /// The gateway's addresses where a configuration gives none.
  public static let gatewayInside: [UInt8] = [2, 0x50, 0, 0, 0, 1]
  public static let gatewayOutside: [UInt8] = [2, 0x50, 0, 0, 0, 2]
  public static let broadcast = [UInt8](repeating: 0xFF, count: 6)
  public static let typeIPv4: UInt16 = 0x0800
  public static let typeARP: UInt16 = 0x0806

  public static func bytes(
    to destination: [UInt8], from source: [UInt8], type: UInt16 = typeIPv4, _ payload: [UInt8]
  ) -> [UInt8] {
    destination + source + big(type) + payload
  }

  /// A station of a link.
  public typealias Station = (mac: [UInt8], address: [UInt8])

  /// The ARP message without its Ethernet header. Operation 1 is a request, 2 a reply.
  public static func arp(_ operation: UInt16, from sender: Station, to target: Station) -> [UInt8] {
    [0, 1, 8, 0, 6, 4] + big(operation) + sender.mac + sender.address + target.mac + target.address
  }

  /// A broadcast that asks who has an address.
  public static func arpRequest(from sender: Station, for address: [UInt8]) -> [UInt8] {
    bytes(
      to: broadcast, from: sender.mac, type: typeARP,
      arp(1, from: sender, to: ([UInt8](repeating: 0, count: 6), address)))
  }

  public static func arpReply(from sender: Station, to target: Station) -> [UInt8] {
    bytes(to: target.mac, from: sender.mac, type: typeARP, arp(2, from: sender, to: target))
  }
}
