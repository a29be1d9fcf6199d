/// Offsets and numbers of the Ethernet II header: destination, source, type (IEEE 802.3).
public enum Ethernet {
  public static let headerLength = 14
  public static let destinationOffset = 0
  public static let sourceOffset = 6
  public static let typeOffset = 12

  public static let typeIPv4: UInt16 = 0x0800
  public static let typeARP: UInt16 = 0x0806
  public static let typeIPv6: UInt16 = 0x86DD
  /// IEEE 802.1Q customer tag and 802.1ad service tag.
  public static let typeVLAN: UInt16 = 0x8100
  public static let typeServiceVLAN: UInt16 = 0x88A8
  public static let vlanTagLength = 4
  /// The bits of the identifier in a tag. Identifier 0 is a priority tag: the frame belongs to no VLAN.
  public static let vlanIdentifierMask: UInt16 = 0x0FFF
}

/// The link layer of a frame: what begins at its first byte.
public enum LinkLayer: UInt8, BitwiseCopyable, Sendable {
  case ethernet
  /// An IPv4 packet without a link header.
  case rawIP
}

extension Frame {
  /// Writes an Ethernet header at the start of the frame.
  @inlinable @inline(__always) public func setEthernet(
    destination: MACAddress, source: MACAddress, type: UInt16
  ) {
    // Fourteen bytes in two overlapping stores of eight.
    setUInt64(destination.rawValue << 16 | source.rawValue >> 32, at: Ethernet.destinationOffset)
    setUInt64(source.rawValue << 16 | UInt64(type), at: Ethernet.sourceOffset)
  }
}
