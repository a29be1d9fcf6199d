extension Packet {
  /// The offset of the transport's checksum field in ``frame``; nil for kinds whose checksum a NAT does not update.
  @inlinable @inline(__always) var checksumOffset: Int? {
    switch kind {
    case .tcp: transportOffset &+ TCP.checksumOffset
    case .udp: transportOffset &+ UDP.checksumOffset
    case .query, .queryReply, .icmpError, .icmpOther: transportOffset &+ ICMPv4.checksumOffset
    case .other, .laterFragment: nil
    }
  }

  /// Bytes that the transport's checksum covers. A UDP datagram may be shorter than the packet's payload.
  var checksummedLength: Int {
    kind == .udp ? Int(frame.uint16(at: transportOffset &+ UDP.lengthOffset)) : transportLength
  }

  /// Whether a checksum is partial (CHECKSUM_PARTIAL): `field` holds the folded sum of the pseudo-header, and the
  /// checksum is not right as it is.
  ///
  /// - Complexity: O(1) if the field holds anything else, otherwise O(length).
  @inlinable @inline(__always)
  static func isPartial(
    _ field: UInt16, of segment: Frame, _ source: IPv4Address, _ destination: IPv4Address,
    _ protocolNumber: UInt8
  ) -> Bool {
    let pseudo = Frame.pseudoHeaderSum(
      source: source, destination: destination, protocolNumber: protocolNumber, length: segment.count)
    return field == pseudo.folded && !addsUp(segment, pseudo)
  }

  /// Whether the checksum over pseudo-header and segment is right.
  @inline(never) @usableFromInline
  static func addsUp(_ segment: Frame, _ pseudo: ChecksumSum) -> Bool {
    var whole = segment.sum(from: 0, count: segment.count)
    whole.value &+= pseudo.value
    return whole.folded == 0xFFFF
  }

  /// Updates the transport's checksum after a change of the pseudo-header or the transport header.
  ///
  /// - Parameter delta: the change of addresses and ports. `partial` is the part of it in the pseudo-header.
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

  /// Updates the checksum of a transport that is translated by address alone, after a change of the addresses. DCCP and
  /// UDP-Lite have the field where UDP has it (RFC 4340 section 5.1, RFC 3828 section 3.1). Packets that are too short,
  /// and all other protocols, stay as they are: the CRC of SCTP does not cover the addresses.
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

  /// Finishes a partial checksum, as a device with checksum offload does.
  ///
  /// - Complexity: O(length).
  @inline(never) public mutating func completePartialChecksum() {
    guard hasPartialChecksum, let offset = checksumOffset else { return }
    // The field holds the sum of the pseudo-header, so the sum over the segment includes it.
    let checksum = frame.sum(from: transportOffset, count: checksummedLength).checksum
    frame.setUInt16(kind == .udp && checksum == 0 ? 0xFFFF : checksum, at: offset)
    hasPartialChecksum = false
  }
}
