/// Why a frame fails to decode: the first step of the packet path. `DropReason` has a drop reason for each case.
public enum WireFault: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  /// Below the 14 bytes of an Ethernet header (or an empty record of raw IP).
  case frameTooShort
  /// A VLAN tag whose identifier is not 0.
  case vlanTagged
  case ipv6
  case unknownEtherType
  case malformedARP
  /// The capture cut the frame within its IPv4 packet.
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
  /// Of an ICMP error. Checksums of other ICMP messages in transit are not verified.
  case badICMPChecksum
  /// A first fragment without its whole transport header (RFC 1858).
  case firstFragmentTooSmall
}
