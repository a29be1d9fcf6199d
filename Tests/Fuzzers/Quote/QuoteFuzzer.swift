import FuzzerSupport
import NATEngine

@testable import NATWire
@testable import ReferenceNAT

/// One ICMP error through the reader of quotes, and the rewriting of what it quotes.
///
/// Bytes: flags (bit 0 makes the quoted header's checksum right, bit 1 the quoted transport's, bits 2 to 5 words of
/// options in the outer header), ICMP type, code, the four bytes behind the checksum, 12 bytes of new endpoints, the
/// quote.
@c(LLVMFuzzerTestOneInput)
public func fuzzQuote(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var input = unsafe Input(data, count)
  let flags = input.byte()
  let type = input.pick([3, 3, 11, 12, 4, 5] as [UInt8])
  let code = input.byte()
  let rest = four(UInt32(input.word()) << 16 | UInt32(input.word()))
  let source = Endpoint(IPv4Address(UInt32(input.word()) << 16 | UInt32(input.word())), input.word())
  let destination = Endpoint(IPv4Address(UInt32(input.word()) << 16 | UInt32(input.word())), input.word())
  var quote = input.rest()
  if flags & 1 != 0 { mendHeader(&quote, at: 0) }
  if flags & 2 != 0 { mendTransport(&quote, at: 0) }

  let options = [UInt8](repeating: 1, count: min(10, Int(flags >> 2 & 15)) * 4)
  var bytes = [0x45 + UInt8(options.count / 4), 0] + two(UInt16(20 + options.count + 8 + quote.count))
  bytes += [0, 0, 0x40, 0, 64, 1, 0, 0, 198, 51, 100, 7, 203, 0, 113, 5] + options
  bytes += [type, code, 0, 0] + rest + quote
  guard bytes.count <= 65535 else { return -1 }
  mendHeader(&bytes, at: 0)
  mendTransport(&bytes, at: 0)

  let memory = UnsafeMutableRawPointer.allocate(
    byteCount: FrameBatch.headroom + bytes.count, alignment: 16)
  defer { unsafe memory.deallocate() }
  // Safety: the packet lies in what was allocated above, behind the room for a link header.
  unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: FrameBatch.headroom)
  unsafe bytes.withUnsafeBytes {
    if let base = $0.baseAddress {
      unsafe (memory + FrameBatch.headroom).copyMemory(from: base, byteCount: $0.count)
    }
  }
  let frame = unsafe Frame(unsafeBase: memory + FrameBatch.headroom, count: bytes.count)
  var error = NATWire.Packet(frame: frame)
  guard case .ipv4 = NATWire.Packet.decode(frame, link: .rawIP, wireLength: bytes.count, into: &error) else {
    fatalError("a whole ICMP error with right checksums")
  }
  require(error.kind == .icmpError, "an ICMP error")

  var expected = ExpectedPacket(bytes: bytes)
  let found = QuotedPacket(in: error)
  let other = Quote(of: expected)
  guard let found, let other else {
    require(found == nil && other == nil, "one of two readers lets the quote pass")
    return 0
  }
  compare(found, other, expected)

  // Whoever is translated gets another address. Of a query only one end changes at a time: the field is one.
  guard source.address != found.source || destination.address != found.destination else { return 0 }
  let newDestination =
    found.transport == .icmp ? Endpoint(destination.address, source.port) : destination
  if changesNoSum([(found.source, source.address), (found.destination, newDestination.address)], []) {
    return 0
  }
  let ports = [(found.sourcePort, source.port), (found.destinationPort, newDestination.port)]
  if changesNoSum([(found.source, source.address), (found.destination, newDestination.address)], ports) {
    return 0
  }
  error.rewriteQuote(found, source: source, destination: newDestination)
  expected.rewrite(
    other, source: ReferenceEndpoint(ReferenceAddress(source.address.rawValue), source.port),
    destination: ReferenceEndpoint(ReferenceAddress(newDestination.address.rawValue), newDestination.port))
  let rewritten = (NATWire.Packet.networkOffset..<error.frame.count).map { error.frame.uint8(at: $0) }
  compare(rewritten, expected.bytes)
  return 0
}

/// Whether what changes adds up to nothing: a checksum may then become the other zero, and both are right (RFC 1624
/// section 3). No gateway has a pair of addresses like 255.255.255.255 and 0.0.0.0.
private func changesNoSum(_ addresses: [(IPv4Address, IPv4Address)], _ ports: [(UInt16, UInt16)]) -> Bool {
  func words(_ address: IPv4Address) -> UInt64 { UInt64(address.rawValue >> 16 + address.rawValue & 0xFFFF) }
  let before = addresses.map { words($0.0) }.reduce(0, +) + ports.map { UInt64($0.0) }.reduce(0, +)
  let after = addresses.map { words($0.1) }.reduce(0, +) + ports.map { UInt64($0.1) }.reduce(0, +)
  return before % 0xFFFF == after % 0xFFFF
}

private func compare(_ found: QuotedPacket, _ expected: Quote, _ error: ExpectedPacket) {
  let shift = NATWire.Packet.networkOffset
  require(found.offset == expected.start + shift, "where the quote begins")
  require(found.end == expected.end + shift, "where the quote ends")
  require(found.transportOffset == expected.transportStart + shift, "where its transport begins")
  require(found.source.rawValue == expected.source.number, "quoted source")
  require(found.destination.rawValue == expected.destination.number, "quoted destination")
  require(found.protocolNumber == expected.transport, "quoted protocol")
  if let flow = expected.flow {
    require(found.transport != nil, "quoted transport")
    require(found.sourcePort == expected.senderEnd(in: error, flow).port, "quoted source port")
    require(found.destinationPort == expected.receiverEnd(in: error, flow).port, "quoted destination port")
  } else {
    require(found.transport == nil, "quoted transport")
  }
}

private func compare(_ found: [UInt8], _ expected: [UInt8]) {
  require(found.count == expected.count, "length")
  for place in found.indices where found[place] != expected[place] {
    fatalError("byte \(place) is \(found[place]), but the reference says \(expected[place])")
  }
}
