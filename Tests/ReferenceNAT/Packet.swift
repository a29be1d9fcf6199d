/// An IPv4 packet whose lengths have been checked, cut to its total length (IQ10: a trailer is not part of it).
struct Packet {
  var bytes: [UInt8]

  var headerLength: Int { Int(bytes[0] & 0x0F) * 4 }
  var totalLength: Int { bytes.count }
  var typeOfService: UInt8 { bytes[1] }
  var identification: UInt16 { word(bytes, 4) }
  var dontFragment: Bool { bytes[6] & 0x40 != 0 }
  var moreFragments: Bool { bytes[6] & 0x20 != 0 }
  /// In bytes.
  var fragmentOffset: Int { Int(word(bytes, 6) & 0x1FFF) * 8 }
  var timeToLive: UInt8 { bytes[8] }
  var transport: UInt8 { bytes[9] }
  var flow: ReferenceProtocol? { ReferenceProtocol(number: transport) }
  var source: ReferenceAddress { address(bytes, 12) }
  var destination: ReferenceAddress { address(bytes, 16) }
  var payload: ArraySlice<UInt8> { bytes[headerLength...] }

  var isFragment: Bool { moreFragments || fragmentOffset > 0 }
  /// A fragment after the first: it has no transport header.
  var isLaterFragment: Bool { fragmentOffset > 0 }

  // The transport header. Later fragments have none.
  var sourcePort: UInt16 { word(bytes, headerLength) }
  var destinationPort: UInt16 { word(bytes, headerLength + 2) }
  var tcpFlags: TCPFlags { TCPFlags(rawValue: bytes[headerLength + 13] & 0x3F) }
  var tcpHeaderLength: Int { Int(bytes[headerLength + 12] >> 4) * 4 }
  var icmpType: UInt8 { bytes[headerLength] }
  var icmpCode: UInt8 { bytes[headerLength + 1] }
  var icmpIdentifier: UInt16 { word(bytes, headerLength + 4) }

  var isICMPError: Bool {
    transport == Transport.icmp && !isLaterFragment && ICMPType.errors.contains(icmpType)
  }
  var isEchoRequest: Bool {
    transport == Transport.icmp && !isLaterFragment && icmpType == ICMPType.echoRequest
  }
  /// A SYN without ACK, the only packet that makes a TCP session.
  var isOpeningSYN: Bool {
    transport == Transport.tcp && !isLaterFragment && tcpFlags.contains(.syn) && !tcpFlags.contains(.ack)
  }

  /// The sender's endpoint; for ICMP the identifier stands as port.
  func senderEnd(_ flow: ReferenceProtocol) -> ReferenceEndpoint {
    ReferenceEndpoint(source, flow == .icmp ? icmpIdentifier : sourcePort)
  }

  /// The receiver's endpoint; for ICMP the identifier stands as port.
  func receiverEnd(_ flow: ReferenceProtocol) -> ReferenceEndpoint {
    ReferenceEndpoint(destination, flow == .icmp ? icmpIdentifier : destinationPort)
  }

  /// The receiver as the remote of a session; row "table of a replay": the remote port of ICMP is 0.
  func receiverAsRemote(_ flow: ReferenceProtocol) -> ReferenceEndpoint {
    ReferenceEndpoint(destination, flow == .icmp ? 0 : destinationPort)
  }

  /// The sender as the remote of a session.
  func senderAsRemote(_ flow: ReferenceProtocol) -> ReferenceEndpoint {
    ReferenceEndpoint(source, flow == .icmp ? 0 : sourcePort)
  }
}

// MARK: Checksums

extension Packet {
  /// Where the checksum of the transport stands in the packet, if its protocol covers the addresses or has
  /// a query identifier.
  var transportChecksumOffset: Int? {
    switch transport {
    case Transport.icmp: headerLength + 2
    case Transport.tcp: headerLength + 16
    case Transport.udp, Transport.dccp, Transport.udpLite: headerLength + 6
    default: nil
    }
  }

  var headerChecksumIsRight: Bool { onesSum(bytes[..<headerLength]) == 0xFFFF }
  var icmpChecksumIsRight: Bool { onesSum(payload) == 0xFFFF }

  /// The transport's bytes: for UDP by its own length, else the whole payload.
  var segment: ArraySlice<UInt8> {
    guard transport == Transport.udp else { return payload }
    return payload.prefix(Int(word(bytes, headerLength + 4)))
  }

  /// The sum of the pseudo header of RFC 793 and RFC 768, not folded.
  var pseudoHeaderSum: UInt64 {
    (words(source) + words(destination)).reduce(UInt64(transport) + UInt64(segment.count)) { $0 + UInt64($1) }
  }

  /// Replay: a partial checksum is the folded sum of the pseudo header, and the whole sum is not already right.
  /// Only whole TCP and UDP packets have one.
  var hasPartialChecksum: Bool {
    guard !isFragment, flow == .tcp || flow == .udp, let place = transportChecksumOffset else { return false }
    return word(bytes, place) == fold(pseudoHeaderSum)
      && onesSum(segment, startingWith: pseudoHeaderSum) != 0xFFFF
  }

  /// Computes the transport's checksum anew, as a driver would complete a partial one.
  mutating func completeChecksum() {
    guard let place = transportChecksumOffset else { return }
    setWord(&bytes, place, 0)
    let sum = ~onesSum(segment, startingWith: pseudoHeaderSum)
    setWord(&bytes, place, transport == Transport.udp && sum == 0 ? 0xFFFF : sum)
  }

  mutating func fixHeaderChecksum() {
    setWord(&bytes, 10, 0)
    setWord(&bytes, 10, ~onesSum(bytes[..<headerLength]))
  }

  mutating func fixICMPChecksum() {
    setWord(&bytes, headerLength + 2, 0)
    setWord(&bytes, headerLength + 2, ~onesSum(payload))
  }

  /// CS1, CS2, CS5: carries a change of words into the transport's checksum. UDP 0 stays 0 and no UDP or
  /// UDP-Lite checksum becomes 0; a wrong one stays wrong by as much.
  mutating func carryIntoTransportChecksum(from old: [UInt16], to new: [UInt16]) {
    guard !isLaterFragment, let place = transportChecksumOffset, place + 2 <= bytes.count else { return }
    let before = word(bytes, place)
    if transport == Transport.udp && before == 0 { return }
    let after = updatedChecksum(before, from: old, to: new)
    let zeroIsNone = transport == Transport.udp || transport == Transport.udpLite
    setWord(&bytes, place, zeroIsNone && after == 0 ? 0xFFFF : after)
  }
}

// MARK: Rewriting

extension Packet {
  /// Replaces endpoints of TCP, UDP or a query. `emit` fixes the header checksum later.
  /// A query has one identifier: the receiver's, where both ends are replaced.
  mutating func rewrite(source newSource: ReferenceEndpoint?, destination newDestination: ReferenceEndpoint?)
  {
    guard let flow else { return }
    if flow == .icmp {
      // An unchanged identifier leaves the checksum alone. The sum has two zeros; only one is right for a message of
      // zeros.
      if let identifier = newDestination?.port ?? newSource?.port, identifier != icmpIdentifier {
        carryIntoTransportChecksum(from: [icmpIdentifier], to: [identifier])
        setWord(&bytes, headerLength + 4, identifier)
      }
      if let newSource { setAddress(&bytes, 12, newSource.address) }
      if let newDestination { setAddress(&bytes, 16, newDestination.address) }
      return
    }
    if let newSource {
      carryIntoTransportChecksum(from: words(senderEnd(flow)), to: words(newSource))
      setAddress(&bytes, 12, newSource.address)
      setWord(&bytes, headerLength, newSource.port)
    }
    if let newDestination {
      carryIntoTransportChecksum(from: words(receiverEnd(flow)), to: words(newDestination))
      setAddress(&bytes, 16, newDestination.address)
      setWord(&bytes, headerLength + 2, newDestination.port)
    }
  }

  /// Replaces addresses alone: later fragments, and other transports over 1:1, whose checksum is carried
  /// where it covers the addresses.
  mutating func rewriteAddresses(
    source newSource: ReferenceAddress, destination newDestination: ReferenceAddress
  ) {
    if transport == Transport.dccp || transport == Transport.udpLite {
      if newSource != source { carryIntoTransportChecksum(from: words(source), to: words(newSource)) }
      if newDestination != destination {
        carryIntoTransportChecksum(from: words(destination), to: words(newDestination))
      }
    }
    setAddress(&bytes, 12, newSource)
    setAddress(&bytes, 16, newDestination)
  }

  mutating func setIdentification(_ value: UInt16) {
    setWord(&bytes, 4, value)
  }
}
