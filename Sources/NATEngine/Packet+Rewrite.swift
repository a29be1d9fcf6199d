public import NATWire

extension Packet {
  /// Writes new endpoints and the decremented TTL, and carries both into the checksums (RFC 3022 section 4.1,
  /// RFC 1624). Nothing else of the packet changes.
  @inlinable @inline(__always)
  public mutating func rewrite(_ rewrite: Rewrite) {
    var addresses = ChecksumDelta()
    let network = Packet.networkOffset
    if rewrite.source.address != source {
      addresses.replace(source, with: rewrite.source.address)
      frame.setAddress(rewrite.source.address, at: network &+ IPv4.sourceOffset)
      source = rewrite.source.address
    }
    if rewrite.destination.address != destination {
      addresses.replace(destination, with: rewrite.destination.address)
      frame.setAddress(rewrite.destination.address, at: network &+ IPv4.destinationOffset)
      destination = rewrite.destination.address
    }
    switch kind {
    case .tcp, .udp:
      var all = addresses
      if rewrite.source.port != sourcePort {
        all.replace(sourcePort, with: rewrite.source.port)
        frame.setUInt16(rewrite.source.port, at: transportOffset)
        sourcePort = rewrite.source.port
      }
      if rewrite.destination.port != destinationPort {
        all.replace(destinationPort, with: rewrite.destination.port)
        frame.setUInt16(rewrite.destination.port, at: transportOffset &+ 2)
        destinationPort = rewrite.destination.port
      }
      carryIntoTransportChecksum(all, pseudoHeader: addresses)
    case .query, .queryReply:
      // One field serves as both; the side that changed says which identifier the packet leaves with.
      let identifier = rewrite.source.port != sourcePort ? rewrite.source.port : rewrite.destination.port
      if identifier != sourcePort {
        var change = ChecksumDelta()
        change.replace(sourcePort, with: identifier)
        frame.setUInt16(identifier, at: transportOffset &+ ICMPv4.identifierOffset)
        carryIntoTransportChecksum(change, pseudoHeader: ChecksumDelta())
      }
      sourcePort = identifier
      destinationPort = identifier
    case .icmpError, .icmpOther, .other, .laterFragment:
      break
    }
    decrementTimeToLive(carrying: addresses)
  }

  /// Takes one from the TTL (RFC 1812 section 5.3.1), and carries that and `delta` into the header's checksum.
  @inlinable @inline(__always)
  public mutating func decrementTimeToLive(carrying delta: ChecksumDelta) {
    let network = Packet.networkOffset
    var delta = delta
    let old = UInt16(timeToLive) << 8 | UInt16(protocolNumber)
    timeToLive &-= 1
    delta.replace(old, with: old &- 0x100)
    frame.setUInt8(timeToLive, at: network &+ IPv4.timeToLiveOffset)
    let checksum = frame.uint16(at: network &+ IPv4.checksumOffset)
    frame.setUInt16(delta.applied(to: checksum), at: network &+ IPv4.checksumOffset)
  }
}
