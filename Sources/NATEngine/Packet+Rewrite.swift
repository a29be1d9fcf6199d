public import NATWire

extension Packet {
  /// Writes new endpoints and the decremented TTL, and carries both into the checksums (RFC 3022 section 4.1,
  /// RFC 1624). Nothing else of the packet changes.
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
      // One field serves as both ports: the one that changed is the identifier that the packet leaves with.
      let identifier = rewrite.source.port != sourcePort ? rewrite.source.port : rewrite.destination.port
      if identifier != sourcePort {
        var change = ChecksumDelta()
        change.replace(sourcePort, with: identifier)
        frame.setUInt16(identifier, at: transportOffset &+ ICMPv4.identifierOffset)
        carryIntoTransportChecksum(change, pseudoHeader: ChecksumDelta())
      }
      sourcePort = identifier
      destinationPort = identifier
    case .other: carryAddressesIntoOtherChecksum(addresses)
    case .icmpError, .icmpOther, .laterFragment: break
    }
    decrementTimeToLive(carrying: addresses)
  }

  /// Rewrites source and TTL of a packet of the fast path.
  @inlinable @inline(__always)
  public mutating func rewriteSource(to endpoint: Endpoint) {
    var delta = ChecksumDelta()
    delta.replace(source, with: endpoint.address)
    frame.setAddress(endpoint.address, at: Packet.networkOffset &+ IPv4.sourceOffset)
    source = endpoint.address
    rewritePort(sourcePort, to: endpoint.port, at: transportOffset, delta)
    sourcePort = endpoint.port
  }

  /// Rewrites destination and TTL of a packet of the fast path.
  @inlinable @inline(__always)
  public mutating func rewriteDestination(to endpoint: Endpoint) {
    var delta = ChecksumDelta()
    delta.replace(destination, with: endpoint.address)
    frame.setAddress(endpoint.address, at: Packet.networkOffset &+ IPv4.destinationOffset)
    destination = endpoint.address
    rewritePort(destinationPort, to: endpoint.port, at: transportOffset &+ 2, delta)
    destinationPort = endpoint.port
  }

  /// Rewrites the port at `offset`, or the identifier of a query; then the TTL.
  @inlinable @inline(__always)
  mutating func rewritePort(_ old: UInt16, to new: UInt16, at offset: Int, _ addresses: ChecksumDelta) {
    if kind == .tcp || kind == .udp {
      frame.setUInt16(new, at: offset)
      var all = addresses
      all.replace(old, with: new)
      carryIntoTransportChecksum(all, pseudoHeader: addresses)
    } else if new != old {
      // An unchanged identifier leaves the checksum alone: 0x0000 and 0xFFFF are not the same for a message of zeros.
      frame.setUInt16(new, at: transportOffset &+ ICMPv4.identifierOffset)
      var change = ChecksumDelta()
      change.replace(old, with: new)
      carryIntoTransportChecksum(change, pseudoHeader: ChecksumDelta())
    }
    decrementTimeToLive(carrying: addresses)
  }

  /// Writes another identification, and carries it into the header's checksum.
  public func rewriteIdentification(to identification: UInt16) {
    let network = Packet.networkOffset
    var delta = ChecksumDelta()
    delta.replace(self.identification, with: identification)
    frame.setUInt16(identification, at: network &+ IPv4.identificationOffset)
    let checksum = frame.uint16(at: network &+ IPv4.checksumOffset)
    frame.setUInt16(delta.applied(to: checksum), at: network &+ IPv4.checksumOffset)
  }

  /// Takes one from the TTL (RFC 1812 section 5.3.1), and carries that and `delta` into the header's checksum.
  @inlinable @inline(__always)
  public mutating func decrementTimeToLive(carrying delta: ChecksumDelta) {
    let network = Packet.networkOffset
    var delta = delta
    timeToLive &-= 1
    delta.addDecrement(of: 0x100)
    frame.setUInt8(timeToLive, at: network &+ IPv4.timeToLiveOffset)
    let checksum = frame.uint16(at: network &+ IPv4.checksumOffset)
    frame.setUInt16(delta.applied(to: checksum), at: network &+ IPv4.checksumOffset)
  }
}
