/// A well-formed ARP packet for Ethernet and IPv4.
struct ARPPacket {
  let operation: UInt16
  let senderMAC: [UInt8]
  let sender: ReferenceAddress
  let target: ReferenceAddress
}

/// What the first question makes of a frame.
enum Decoded {
  case drop(ReferenceDrop)
  case arp(ARPPacket)
  /// `frame`: the destination and source of the Ethernet header; nil for a raw record.
  case ipv4(Packet, frame: (destination: [UInt8], source: [UInt8])?)
}

/// The first question: all lengths (IPv4, then transport), then checksums (IPv4 header, then ICMP error),
/// then options, then flags, then port 0.
func decode(_ bytes: [UInt8], wireLength: Int, ethernet: Bool) -> Decoded {
  let captureIsCut = bytes.count < wireLength
  guard ethernet else {
    if bytes.isEmpty { return .drop(.frameTooShort) }
    if bytes[0] >> 4 == 6 { return .drop(.ipv6) }
    return decodeIPv4(bytes, captureIsCut: captureIsCut, frame: nil)
  }
  guard bytes.count >= 14 else { return .drop(.frameTooShort) }
  var typeOffset = 12
  // Row "layout": a VLAN tag with identifier 0 is taken off, any other tag is dropped.
  while [0x8100, 0x88A8].contains(word(bytes, typeOffset)) {
    guard bytes.count >= typeOffset + 6 else { return .drop(.frameTooShort) }
    if word(bytes, typeOffset + 2) & 0x0FFF != 0 { return .drop(.vlanTagged) }
    typeOffset += 4
  }
  let content = Array(bytes[(typeOffset + 2)...])
  switch word(bytes, typeOffset) {
  case 0x0800:
    return decodeIPv4(
      content, captureIsCut: captureIsCut,
      frame: (destination: Array(bytes[0..<6]), source: Array(bytes[6..<12])))
  case 0x0806: return decodeARP(content)
  case 0x86DD: return .drop(.ipv6)
  default: return .drop(.unknownEtherType)
  }
}

func decodeARP(_ bytes: [UInt8]) -> Decoded {
  guard bytes.count >= 28, word(bytes, 0) == 1, word(bytes, 2) == 0x0800, bytes[4] == 6, bytes[5] == 4
  else { return .drop(.malformedARP) }
  return .arp(
    ARPPacket(
      operation: word(bytes, 6), senderMAC: Array(bytes[8..<14]), sender: address(bytes, 14),
      target: address(bytes, 24)))
}

func decodeIPv4(
  _ bytes: [UInt8], captureIsCut: Bool, frame: (destination: [UInt8], source: [UInt8])?
) -> Decoded {
  // MAL1, MAL2, MAL10.
  let whenShort: ReferenceDrop = captureIsCut ? .captureTruncated : .malformedIPv4
  guard bytes.count >= 20 else { return .drop(whenShort) }
  if bytes[0] >> 4 != 4 { return .drop(.malformedIPv4) }
  let headerLength = Int(bytes[0] & 0x0F) * 4
  let totalLength = Int(word(bytes, 2))
  guard headerLength >= 20, totalLength >= headerLength else { return .drop(.malformedIPv4) }
  guard totalLength <= bytes.count else { return .drop(whenShort) }
  let packet = Packet(bytes: Array(bytes[..<totalLength]))
  // FR10: what would pass 65,535 bytes when put together.
  if packet.fragmentOffset + totalLength > 65535 { return .drop(.malformedIPv4) }
  // A fragment carries something.
  if packet.isFragment && packet.payload.isEmpty { return .drop(.malformedIPv4) }
  // All fragments but the last carry whole units of 8 bytes.
  if packet.moreFragments && packet.payload.count % 8 != 0 { return .drop(.malformedIPv4) }
  if let reason = transportLengthFault(packet) { return .drop(reason) }

  // CS6, IE11.
  if !packet.headerChecksumIsRight { return .drop(.badIPv4Checksum) }
  if packet.isICMPError && !packet.isFragment && !packet.icmpChecksumIsRight {
    return .drop(.badICMPChecksum)
  }

  if let reason = optionFault(packet) { return .drop(reason) }

  guard !packet.isLaterFragment else { return .ipv4(packet, frame: frame) }
  // Row "flags".
  if packet.flow == .tcp {
    let flags = packet.tcpFlags
    if flags.isEmpty || flags.isSuperset(of: [.syn, .fin]) || flags.isSuperset(of: [.syn, .rst]) {
      return .drop(.badTCPFlags)
    }
  }
  // MAL7.
  if packet.flow == .tcp || packet.flow == .udp, packet.destinationPort == 0 { return .drop(.portZero) }
  return .ipv4(packet, frame: frame)
}

/// MAL2, MAL3, MAL9, row "first fragment".
func transportLengthFault(_ packet: Packet) -> ReferenceDrop? {
  let length = packet.payload.count
  if packet.isLaterFragment { return nil }
  let whole = !packet.isFragment
  switch packet.flow {
  case .icmp:
    if length < 8 { return whole ? .malformedICMP : .firstFragmentTooSmall }
  case .udp:
    if length < 8 { return whole ? .malformedUDP : .firstFragmentTooSmall }
    let stated = Int(word(packet.bytes, packet.headerLength + 4))
    if stated < 8 || (whole && stated > length) { return .malformedUDP }
  case .tcp:
    if length < 20 { return whole ? .malformedTCP : .firstFragmentTooSmall }
    if packet.tcpHeaderLength < 20 { return .malformedTCP }
    if packet.tcpHeaderLength > length { return whole ? .malformedTCP : .firstFragmentTooSmall }
  case nil: break
  }
  return nil
}

/// Row "IP options" (MAL5): a length below 2 or beyond the header, and source routes.
func optionFault(_ packet: Packet) -> ReferenceDrop? {
  var place = 20
  while place < packet.headerLength {
    let kind = packet.bytes[place]
    if kind == 0 { return nil }
    if kind == 1 {
      place += 1
      continue
    }
    guard place + 1 < packet.headerLength else { return .badIPv4Options }
    let length = Int(packet.bytes[place + 1])
    if length < 2 || place + length > packet.headerLength { return .badIPv4Options }
    if kind == 131 || kind == 137 { return .sourceRoute }
    place += length
  }
  return nil
}
