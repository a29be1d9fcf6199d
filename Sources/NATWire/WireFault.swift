/// Why bytes are not a packet that may be looked at further: the first question of every packet.
public enum WireFault: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  /// Below the 14 bytes of an Ethernet header (or an empty record of raw IP).
  case frameTooShort
  /// A VLAN tag whose identifier is not 0.
  case vlanTagged
  case ipv6
  case unknownEtherType
  case malformedARP
  /// The capture holds fewer bytes than the frame had, and the IPv4 packet is among what is missing.
  case captureTruncated
  /// Version, header length or total length (RFC 1812 section 5.2.2).
  case malformedIPv4
  case badIPv4Checksum
  case badIPv4Options
  case sourceRoute
  case malformedTCP
  case malformedUDP
  case malformedICMP
  case badTCPFlags
  /// Destination port 0.
  case portZero
  /// Of an ICMP error; those of other ICMP messages in transit are not looked at.
  case badICMPChecksum
  /// A first fragment without its whole transport header (RFC 1858).
  case firstFragmentTooSmall
}
