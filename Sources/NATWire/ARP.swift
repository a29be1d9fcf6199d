/// Offsets and numbers of ARP for IPv4 over Ethernet (RFC 826). Offsets count from the first byte of the ARP packet.
public enum ARP {
  public static let length = 28
  public static let hardwareEthernet: UInt16 = 1
  public static let operationOffset = 6
  public static let senderMACOffset = 8
  public static let senderAddressOffset = 14
  public static let targetMACOffset = 18
  public static let targetAddressOffset = 24
  public static let request: UInt16 = 1
  public static let reply: UInt16 = 2
}

/// The fields of an ARP packet whose length and types were checked.
public struct ARPPacket: BitwiseCopyable {
  public var operation: UInt16
  public var senderMAC: MACAddress
  public var sender: IPv4Address
  public var target: IPv4Address

  /// Reads an ARP packet at the start of the window; nil if it is shorter than 28 bytes or not IPv4 over Ethernet.
  @inlinable public init?(_ window: Frame) {
    guard window.count >= ARP.length,
      window.uint16(at: 0) == ARP.hardwareEthernet, window.uint16(at: 2) == Ethernet.typeIPv4,
      window.uint16(at: 4) == 6 << 8 | 4
    else { return nil }
    operation = window.uint16(at: ARP.operationOffset)
    senderMAC = window.macAddress(at: ARP.senderMACOffset)
    sender = window.address(at: ARP.senderAddressOffset)
    target = window.address(at: ARP.targetAddressOffset)
  }
}

extension Frame {
  /// Writes a whole ARP frame of 42 bytes, Ethernet header included.
  @inlinable public func setARP(
    operation: UInt16, from sender: (mac: MACAddress, address: IPv4Address),
    to target: (mac: MACAddress, address: IPv4Address), ethernetDestination: MACAddress
  ) {
    setEthernet(destination: ethernetDestination, source: sender.mac, type: Ethernet.typeARP)
    let body = window(at: Ethernet.headerLength, count: ARP.length)
    body.setUInt16(ARP.hardwareEthernet, at: 0)
    body.setUInt16(Ethernet.typeIPv4, at: 2)
    body.setUInt16(6 << 8 | 4, at: 4)
    body.setUInt16(operation, at: ARP.operationOffset)
    body.setMACAddress(sender.mac, at: ARP.senderMACOffset)
    body.setAddress(sender.address, at: ARP.senderAddressOffset)
    body.setMACAddress(target.mac, at: ARP.targetMACOffset)
    body.setAddress(target.address, at: ARP.targetAddressOffset)
  }
}
