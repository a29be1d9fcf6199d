/// The packet quoted in an ICMP error, where it may pass: rows "errors" (IE7 to IE9, D4, MAL9).
struct Quote {
  /// Where it begins in the error.
  let start: Int
  /// Where it ends: at the packet's end, at its RFC 4884 length or at its own total length.
  let end: Int
  let transport: UInt8
  let source: ReferenceAddress
  let destination: ReferenceAddress
  /// Where its transport header begins.
  let transportStart: Int

  /// Nil if the quote may not pass: it is cut off before the ports, or it is a later fragment or an error. Its header
  /// checksum is not asked (D4).
  init?(of error: Packet) {
    let bytes = error.bytes
    let start = error.headerLength + 8
    var end = bytes.count
    let statedWords = Int(bytes[error.headerLength + 5])
    if statedWords > 0 { end = min(end, start + statedWords * 4) }
    guard end - start >= 20, bytes[start] >> 4 == 4 else { return nil }
    let headerLength = Int(bytes[start] & 0x0F) * 4
    guard headerLength >= 20, start + headerLength <= end else { return nil }
    let totalLength = Int(word(bytes, start + 2))
    guard totalLength >= headerLength else { return nil }
    end = min(end, start + totalLength)
    guard word(bytes, start + 6) & 0x1FFF == 0 else { return nil }

    self.start = start
    self.end = end
    transport = bytes[start + 9]
    source = address(bytes, start + 12)
    destination = address(bytes, start + 16)
    transportStart = start + headerLength
    let held = end - transportStart
    switch ReferenceProtocol(number: transport) {
    case .tcp, .udp: if held < 4 { return nil }
    case .icmp: if held < 6 || !ICMPType.queries.contains(bytes[transportStart]) { return nil }
    case nil: break
    }
  }

  var flow: ReferenceProtocol? { ReferenceProtocol(number: transport) }

  /// The quoted sender, for a query with its identifier.
  func senderEnd(in error: Packet, _ flow: ReferenceProtocol) -> ReferenceEndpoint {
    ReferenceEndpoint(source, word(error.bytes, transportStart + (flow == .icmp ? 4 : 0)))
  }

  func receiverEnd(in error: Packet, _ flow: ReferenceProtocol) -> ReferenceEndpoint {
    ReferenceEndpoint(destination, word(error.bytes, transportStart + (flow == .icmp ? 4 : 2)))
  }
}

extension Packet {
  /// Replaces endpoints in the quote of an error and carries all checksums but that of the outer header, so a wrong one
  /// stays wrong (D4). A transport checksum beyond the end of the quote is left alone. UDP 0 stays 0 (IE6); a wrong one stays wrong (IE12).
  /// Ports of other transports are not touched.
  mutating func rewrite(
    _ quote: Quote, source newSource: ReferenceEndpoint?, destination newDestination: ReferenceEndpoint?
  ) {
    // The quote as a packet, as far as the error holds it.
    var quoted = Packet(bytes: Array(bytes[quote.start..<quote.end]))
    if quoted.flow != nil {
      quoted.rewrite(source: newSource, destination: newDestination)
    } else {
      quoted.rewriteAddresses(
        source: newSource?.address ?? quote.source, destination: newDestination?.address ?? quote.destination)
    }
    let checksum = updatedChecksum(
      word(quoted.bytes, 10), from: words(quote.source) + words(quote.destination),
      to: words(quoted.source) + words(quoted.destination))
    setWord(&quoted.bytes, 10, checksum)
    bytes.replaceSubrange(quote.start..<quote.end, with: quoted.bytes)
    fixICMPChecksum()
  }
}
