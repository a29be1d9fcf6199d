import FuzzerSupport
import NATEngine

@testable import NATWire
@testable import ReferenceNAT

/// One frame through the decoder.
///
/// The first byte: bit 0 raw IP, bits 1 and 2 make the IPv4 header's and the transport's checksum right, bits 3 to 4
/// how much longer the frame was on the wire (nothing, 1 byte, 1,000 bytes, nothing but 16 MiB). The rest is the frame.
@c(LLVMFuzzerTestOneInput)
public func fuzzDecoder(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var input = unsafe Input(data, count)
  let flags = input.byte()
  var bytes = input.rest()
  let link: LinkLayer = flags & 1 == 0 ? .ethernet : .rawIP
  let network = link == .ethernet ? networkStart(bytes) : 0
  if flags & 2 != 0 { mendHeader(&bytes, at: network) }
  if flags & 4 != 0 { mendTransport(&bytes, at: network) }
  let wireLength = bytes.count + [0, 1, 1000, 16 << 20][Int(flags >> 3 & 3)]

  // Exactly as long as the frame, so that the address sanitizer sees whatever reads or writes beyond.
  let memory = UnsafeMutableRawPointer.allocate(
    byteCount: FrameBatch.headroom + bytes.count, alignment: 16)
  defer { unsafe memory.deallocate() }
  // Safety: both parts lie in what was allocated above.
  unsafe memory.initializeMemory(as: UInt8.self, repeating: 0xA5, count: FrameBatch.headroom)
  unsafe bytes.withUnsafeBytes {
    if let base = $0.baseAddress {
      unsafe (memory + FrameBatch.headroom).copyMemory(from: base, byteCount: $0.count)
    }
  }
  let frame = unsafe Frame(unsafeBase: memory + FrameBatch.headroom, count: bytes.count)
  var packet = NATWire.Packet(frame: frame)
  let outcome = NATWire.Packet.decode(frame, link: link, wireLength: wireLength, into: &packet)

  switch (outcome, decode(bytes, wireLength: wireLength, ethernet: link == .ethernet)) {
  case (.fault(let fault), .drop(let reason)):
    require(DropReason(fault).name == reason.rawValue, "\(fault), but the reference says \(reason)")
  case (.arp, .arp(let expected)): compare(packet, expected)
  case (.ipv4, .ipv4(let expected, _)):
    compare(packet, expected)
    // Safety: allocated above.
    unsafe change(packet, from: UnsafeRawBufferPointer(start: memory, count: FrameBatch.headroom))
  case (let found, let expected): fatalError("\(found), but the reference says \(expected)")
  }
  return 0
}

/// Behind all VLAN tags.
private func networkStart(_ bytes: [UInt8]) -> Int {
  var type = 12
  while bytes.count >= type + 2, [0x8100, 0x88A8].contains(FuzzerSupport.word(bytes, type)) { type += 4 }
  return type + 2
}

private func compare(_ packet: NATWire.Packet, _ expected: ExpectedARP) {
  let body = packet.frame.window(
    at: Ethernet.headerLength, count: packet.frame.count - Ethernet.headerLength)
  guard let arp = NATWire.ARPPacket(body) else { fatalError("ARP that cannot be read") }
  let mac = (0..<6).map { UInt8(truncatingIfNeeded: arp.senderMAC.rawValue >> UInt64(40 - 8 * $0)) }
  require(
    arp.operation == expected.operation && mac == expected.senderMAC
      && arp.sender.rawValue == expected.sender.number && arp.target.rawValue == expected.target.number,
    "\(arp), but the reference says \(expected)")
}

/// Every field, and every byte of the window.
private func compare(_ packet: NATWire.Packet, _ expected: ExpectedPacket) {
  require(packet.frame.count == NATWire.Packet.networkOffset + packet.totalLength, "the window is the packet")
  let read = (NATWire.Packet.networkOffset..<packet.frame.count).map { packet.frame.uint8(at: $0) }
  require(read == expected.bytes, "the bytes are those of the packet")
  require(packet.headerLength == expected.headerLength, "header length")
  require(packet.source.rawValue == expected.source.number, "source")
  require(packet.destination.rawValue == expected.destination.number, "destination")
  require(packet.protocolNumber == expected.transport, "protocol")
  require(packet.timeToLive == expected.timeToLive, "TTL")
  require(packet.identification == expected.identification, "identification")
  require(packet.isFragment == expected.isFragment, "fragment")
  require(packet.hasMoreFragments == expected.moreFragments, "MF")
  require(packet.doesNotFragment == expected.dontFragment, "DF")
  require(packet.fragmentByteOffset == expected.fragmentOffset, "fragment offset")
  require((packet.kind == .laterFragment) == expected.isLaterFragment, "later fragment")
  require((packet.kind == .icmpError) == expected.isICMPError, "ICMP error")
  if !expected.isLaterFragment {
    require(packet.hasPartialChecksum == expected.hasPartialChecksum, "partial checksum")
    switch packet.kind {
    case .tcp:
      require(packet.transportHeaderLength == expected.tcpHeaderLength, "TCP header length")
      require(packet.tcpFlags.rawValue & 0x3F == expected.tcpFlags.rawValue, "TCP flags")
      require(packet.sourcePort == expected.sourcePort, "source port")
      require(packet.destinationPort == expected.destinationPort, "destination port")
    case .udp:
      require(packet.sourcePort == expected.sourcePort, "source port")
      require(packet.destinationPort == expected.destinationPort, "destination port")
    case .query, .queryReply:
      require(ICMPType.queries.contains(expected.icmpType), "query")
      require(packet.sourcePort == expected.icmpIdentifier, "identifier")
      require(packet.destinationPort == expected.icmpIdentifier, "identifier")
    case .icmpError, .icmpOther: require(packet.icmpType == expected.icmpType, "ICMP type")
    case .other, .laterFragment: break
    }
  }
  require(packet.transportOffset + packet.transportHeaderLength <= packet.frame.count, "transport header")
}

/// What the gateway may do to a packet stays inside it, and of the bytes before it touches those of a link header.
private func change(_ original: NATWire.Packet, from headroom: UnsafeRawBufferPointer) {
  var packet = original
  if packet.kind == .tcp {
    _ = packet.frame.clampMaximumSegmentSize(
      to: 536, tcpAt: packet.transportOffset, headerLength: packet.transportHeaderLength)
  }
  packet.rewrite(
    Rewrite(
      source: Endpoint(IPv4Address(203, 0, 113, 5), 50001), destination: Endpoint(packet.source, 7)))
  packet.completePartialChecksum()
  packet.frame.setEthernet(destination: .broadcast, source: .broadcast, type: Ethernet.typeIPv4)
  // Safety: the caller's memory lives through the call.
  let untouched = unsafe headroom.prefix(FrameBatch.headroom - Ethernet.headerLength)
  require(unsafe untouched.allSatisfy { $0 == 0xA5 }, "bytes before the link header")
}
