/// The packet that an ICMP error quotes (RFC 792, RFC 5508 section 4, RFC 4884).
///
/// All offsets count from the start of the error's frame. The bytes from ``offset`` to ``end`` lie inside it.
public struct QuotedPacket: BitwiseCopyable {
  /// Where the quoted IPv4 header begins.
  public var offset: Int
  public var headerLength: Int
  /// Where the quote ends: the first of the end of the error, its RFC 4884 length and the quoted packet's length.
  public var end: Int
  public var source: IPv4Address
  public var destination: IPv4Address
  public var protocolNumber: UInt8
  /// The quoted transport; nil if it is not translated by port.
  public var transport: TransportProtocol?
  /// The source port, or the identifier of a query.
  public var sourcePort: UInt16 = 0
  public var destinationPort: UInt16 = 0

  @inlinable public var transportOffset: Int { offset &+ headerLength }

  /// Bytes of the transport header that a quote must contain: the ports, or the identifier of a query.
  private static let portsLength = 4
  private static let identifierLength = 6

  /// Reads the quote of an ICMP error.
  ///
  /// The header checksum of the quote is not verified: some routers lower the TTL that they quote and leave the checksum
  /// as it was (not RFC 5508 REQ-3a, a SHOULD).
  ///
  /// - Returns: nil if the error may not pass: the quote is truncated in its IPv4 header or its ports, or is a later
  ///   fragment or an ICMP error itself (RFC 5508 REQ-3).
  public init?(in error: Packet) {
    let message = error.transportOffset
    let frame = error.frame
    let offset = message + ICMPv4.headerLength
    var end = frame.count
    let words = Int(frame.uint8(at: message + ICMPv4.quoteLengthOffset))
    if words > 0 { end = min(end, offset + words * 4) }
    guard end - offset >= IPv4.minimumHeaderLength else { return nil }
    let versionAndLength = frame.uint8(at: offset)
    let headerLength = Int(versionAndLength & 0x0F) * 4
    let totalLength = Int(frame.uint16(at: offset + IPv4.totalLengthOffset))
    guard versionAndLength >> 4 == 4, headerLength >= IPv4.minimumHeaderLength, totalLength >= headerLength,
      end - offset >= headerLength,
      frame.uint16(at: offset + IPv4.fragmentOffset) & IPv4.fragmentOffsetMask == 0
    else { return nil }
    end = min(end, offset + totalLength)
    self.offset = offset
    self.headerLength = headerLength
    self.end = end
    source = frame.address(at: offset + IPv4.sourceOffset)
    destination = frame.address(at: offset + IPv4.destinationOffset)
    protocolNumber = frame.uint8(at: offset + IPv4.protocolOffset)
    let transport = offset + headerLength
    switch protocolNumber {
    case IPv4.protocolTCP, IPv4.protocolUDP:
      guard end - transport >= QuotedPacket.portsLength else { return nil }
      self.transport = protocolNumber == IPv4.protocolTCP ? .tcp : .udp
      sourcePort = frame.uint16(at: transport)
      destinationPort = frame.uint16(at: transport + 2)
    case IPv4.protocolICMP:
      guard end - transport >= QuotedPacket.identifierLength else { return nil }
      let kind = ICMPv4.kind(ofType: frame.uint8(at: transport))
      guard kind == .query || kind == .queryReply else { return nil }
      self.transport = .icmp
      sourcePort = frame.uint16(at: transport + ICMPv4.identifierOffset)
      destinationPort = sourcePort
    default:
      self.transport = nil
    }
  }

  /// The offset of the transport's checksum field, if the quote contains it and it covers the addresses or the
  /// identifier.
  var checksumOffset: Int? {
    let field: Int
    switch protocolNumber {
    case IPv4.protocolTCP: field = TCP.checksumOffset
    case IPv4.protocolUDP, IPv4.protocolUDPLite, IPv4.protocolDCCP: field = UDP.checksumOffset
    case IPv4.protocolICMP: field = ICMPv4.checksumOffset
    default: return nil
    }
    return transportOffset + field + 2 <= end ? transportOffset + field : nil
  }
}

extension Packet {
  /// Replaces the endpoints in the quoted packet by those that the receiver of the error knows, and updates the quoted
  /// checksums and the checksum of the error (RFC 5508 REQ-4, REQ-5). A wrong quoted checksum stays wrong by as much.
  public func rewriteQuote(_ quote: QuotedPacket, source: Endpoint, destination: Endpoint) {
    var message = ChecksumDelta()
    var addresses = ChecksumDelta()
    addresses.replace(quote.source, with: source.address)
    addresses.replace(quote.destination, with: destination.address)
    message.add(addresses)
    frame.setAddress(source.address, at: quote.offset + IPv4.sourceOffset)
    frame.setAddress(destination.address, at: quote.offset + IPv4.destinationOffset)
    let headerChecksum = frame.uint16(at: quote.offset + IPv4.checksumOffset)
    let newHeaderChecksum = addresses.applied(to: headerChecksum)
    frame.setUInt16(newHeaderChecksum, at: quote.offset + IPv4.checksumOffset)
    message.replace(headerChecksum, with: newHeaderChecksum)

    // Skip words that do not change: updating could turn one zero of ones' complement into the other.
    var ports = ChecksumDelta()
    switch quote.transport {
    case .tcp, .udp:
      ports.replace(quote.sourcePort, with: source.port)
      ports.replace(quote.destinationPort, with: destination.port)
      frame.setUInt16(source.port, at: quote.transportOffset)
      frame.setUInt16(destination.port, at: quote.transportOffset + 2)
    case .icmp:
      // The identifier is source and destination port at once: take it from the endpoint that changed.
      let identifier = source.port != quote.sourcePort ? source.port : destination.port
      if identifier != quote.sourcePort {
        ports.replace(quote.sourcePort, with: identifier)
        frame.setUInt16(identifier, at: quote.transportOffset + ICMPv4.identifierOffset)
      }
    case nil: break
    }
    message.add(ports)

    if let offset = quote.checksumOffset {
      let old = frame.uint16(at: offset)
      if quote.transport != .icmp { ports.add(addresses) }
      let new: UInt16 =
        switch quote.protocolNumber {
        case IPv4.protocolUDP: ports.appliedUDP(to: old)
        case IPv4.protocolUDPLite: ports.appliedUDPLite(to: old)
        default: ports.applied(to: old)
        }
      frame.setUInt16(new, at: offset)
      message.replace(old, with: new)
    }
    let field = transportOffset + ICMPv4.checksumOffset
    frame.setUInt16(message.applied(to: frame.uint16(at: field)), at: field)
  }
}
