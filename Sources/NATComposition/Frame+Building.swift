package import NATWire

extension Frame {
  /// Writes an IPv4 packet without options as long as the frame allows: the Ethernet type, the IPv4 header and its checksum.
  ///
  /// - Parameters:
  ///   - identification: the 16 bits of the identification, then flags and fragment offset.
  package func setIPv4(
    _ transport: UInt8, from source: IPv4Address, to destination: IPv4Address, timeToLive: UInt8 = 64,
    identification: UInt32 = 0
  ) {
    let network = Ethernet.headerLength
    setUInt16(Ethernet.typeIPv4, at: Ethernet.typeOffset)
    setUInt32(0x4500_0000 | UInt32(count - network), at: network)
    setUInt32(identification, at: network + IPv4.identificationOffset)
    setUInt32(
      UInt32(timeToLive) << 24 | UInt32(transport) << 16, at: network + IPv4.timeToLiveOffset)
    setAddress(source, at: network + IPv4.sourceOffset)
    setAddress(destination, at: network + IPv4.destinationOffset)
    // The header checksum is still 0: it was written with TTL and protocol.
    setUInt16(
      sum(from: network, count: IPv4.minimumHeaderLength).checksum, at: network + IPv4.checksumOffset)
  }

  /// Writes a UDP packet without payload: what ``setIPv4(_:from:to:timeToLive:identification:)`` writes, and the UDP header.
  ///
  /// - Parameters:
  ///   - checksum: of UDP; 0 for none (RFC 768).
  package func setUDP(
    from source: Endpoint, to destination: Endpoint, timeToLive: UInt8 = 64, identification: UInt32 = 0,
    checksum: UInt16 = 0
  ) {
    setIPv4(
      IPv4.protocolUDP, from: source.address, to: destination.address, timeToLive: timeToLive,
      identification: identification)
    let transport = Ethernet.headerLength + IPv4.minimumHeaderLength
    setUInt16(source.port, at: transport)
    setUInt16(destination.port, at: transport + 2)
    setUInt16(UInt16(count - transport), at: transport + UDP.lengthOffset)
    setUInt16(checksum, at: transport + UDP.checksumOffset)
  }
}
