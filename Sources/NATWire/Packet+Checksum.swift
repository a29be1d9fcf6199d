extension Packet {
  /// Where the transport's checksum field lies in ``frame``; nil for kinds without one that a NAT carries along.
  @inlinable @inline(__always) var checksumOffset: Int? {
    switch kind {
    case .tcp: transportOffset &+ TCP.checksumOffset
    case .udp: transportOffset &+ UDP.checksumOffset
    case .query, .queryReply, .icmpError, .icmpOther: transportOffset &+ ICMPv4.checksumOffset
    case .other, .laterFragment: nil
    }
  }

  /// Bytes that the transport's checksum covers: a UDP datagram may be shorter than the packet's payload.
  var checksummedLength: Int {
    kind == .udp ? Int(frame.uint16(at: transportOffset &+ UDP.lengthOffset)) : transportLength
  }

  /// Whether `field` holds the folded sum of the pseudo-header and the whole segment does not add up:
  /// what a frame looks like whose sender left the checksum to its device (CHECKSUM_PARTIAL).
  ///
  /// - Complexity: O(1) for a packet whose field is anything else, else O(length).
  @inlinable @inline(__always)
  static func isPartial(
    _ field: UInt16, of segment: Frame, _ source: IPv4Address, _ destination: IPv4Address,
    _ protocolNumber: UInt8
  ) -> Bool {
    let pseudo = Frame.pseudoHeaderSum(
      source: source, destination: destination, protocolNumber: protocolNumber, length: segment.count)
    return field == pseudo.folded && !addsUp(segment, pseudo)
  }

  /// Whether the sum over pseudo-header and segment says that the checksum is right.
  @inline(never) @usableFromInline
  static func addsUp(_ segment: Frame, _ pseudo: ChecksumSum) -> Bool {
    var whole = segment.sum(from: 0, count: segment.count)
    whole.value &+= pseudo.value
    return whole.folded == 0xFFFF
  }

  /// Carries a change of the pseudo-header, or of the transport header, into the transport's checksum.
  ///
  /// - Parameter delta: the change of addresses and ports; `partial` that part of it which lies in the pseudo-header.
  @inlinable @inline(__always) public func carryIntoTransportChecksum(
    _ delta: ChecksumDelta, pseudoHeader partial: ChecksumDelta
  ) {
    guard let offset = checksumOffset else { return }
    let field = frame.uint16(at: offset)
    if hasPartialChecksum {
      frame.setUInt16(partial.appliedToPartial(field), at: offset)
    } else {
      frame.setUInt16(kind == .udp ? delta.appliedUDP(to: field) : delta.applied(to: field), at: offset)
    }
  }

  /// Carries a change of the addresses into the sum of a transport that is translated by address alone. DCCP and
  /// UDP-Lite have it where UDP has it (RFC 4340 section 5.1, RFC 3828 section 3.1); a packet too short for it is left
  /// alone, and so are all others: SCTP's CRC covers no addresses.
  public func carryAddressesIntoOtherChecksum(_ delta: ChecksumDelta) {
    guard protocolNumber == IPv4.protocolDCCP || protocolNumber == IPv4.protocolUDPLite,
      transportLength >= UDP.checksumOffset &+ 2
    else { return }
    let offset = transportOffset &+ UDP.checksumOffset
    let field = frame.uint16(at: offset)
    frame.setUInt16(
      protocolNumber == IPv4.protocolUDPLite ? delta.appliedUDPLite(to: field) : delta.applied(to: field),
      at: offset)
  }

  /// Finishes a partial checksum over the packet as it now stands: what a device does on its way out.
  ///
  /// - Complexity: O(length).
  @inline(never) public mutating func completePartialChecksum() {
    guard hasPartialChecksum, let offset = checksumOffset else { return }
    // The field holds the pseudo-header's sum, so the sum over the segment is the sum over all.
    let checksum = frame.sum(from: transportOffset, count: checksummedLength).checksum
    frame.setUInt16(kind == .udp && checksum == 0 ? 0xFFFF : checksum, at: offset)
    hasPartialChecksum = false
  }
}
