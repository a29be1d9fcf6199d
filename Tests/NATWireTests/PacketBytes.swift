@testable import NATWire

/// Packets built by hand, with checksums from the slow reference.
struct PacketBytes {
  var source: [UInt8] = [192, 168, 1, 2]
  var destination: [UInt8] = [198, 51, 100, 7]
  var protocolNumber: UInt8 = 17
  var typeOfService: UInt8 = 0
  var identification: UInt16 = 0x1234
  var fragment: UInt16 = 0
  var timeToLive: UInt8 = 64
  /// Already padded to words of four bytes.
  var options: [UInt8] = []
  var payload: [UInt8] = []

  static func octets(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

  /// The checksum of RFC 1071, one word at a time.
  static func checksum(_ bytes: [UInt8]) -> UInt16 { ~slowSum(bytes) }

  static func slowSum(_ bytes: [UInt8]) -> UInt16 {
    var sum = 0
    for (index, byte) in bytes.enumerated() {
      sum += index % 2 == 0 ? Int(byte) << 8 : Int(byte)
      if sum > 0xFFFF { sum -= 0xFFFF }
    }
    return UInt16(sum)
  }

  /// The IPv4 packet.
  var ipv4: [UInt8] {
    let length = 20 + options.count + payload.count
    var header: [UInt8] = [0x40 | UInt8((20 + options.count) / 4), typeOfService]
    header += Self.octets(UInt16(length)) + Self.octets(identification) + Self.octets(fragment)
    header += [timeToLive, protocolNumber, 0, 0] + source + destination + options
    header.replaceSubrange(10..<12, with: Self.octets(Self.checksum(header)))
    return header + payload
  }

  /// The same behind an Ethernet header.
  var ethernet: [UInt8] { [2, 0x50, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x08, 0x00] + ipv4 }

  var pseudoHeader: [UInt8] {
    source + destination + [0, protocolNumber] + Self.octets(UInt16(payload.count))
  }

  static func udp(from source: UInt16 = 1234, to destination: UInt16 = 53, _ data: [UInt8] = [1, 2, 3])
    -> PacketBytes
  {
    var packet = PacketBytes()
    packet.payload = octets(source) + octets(destination) + octets(UInt16(8 + data.count)) + [0, 0] + data
    let sum = checksum(packet.pseudoHeader + packet.payload)
    packet.payload.replaceSubrange(6..<8, with: octets(sum == 0 ? 0xFFFF : sum))
    return packet
  }

  static func tcp(
    from source: UInt16 = 1234, to destination: UInt16 = 80, flags: UInt8 = 0x02, options: [UInt8] = [],
    _ data: [UInt8] = []
  ) -> PacketBytes {
    var packet = PacketBytes()
    packet.protocolNumber = 6
    packet.payload = octets(source) + octets(destination) + [0, 0, 0, 1, 0, 0, 0, 0]
    packet.payload += [UInt8((20 + options.count) / 4) << 4, flags, 0x20, 0, 0, 0, 0, 0] + options + data
    packet.payload.replaceSubrange(16..<18, with: octets(checksum(packet.pseudoHeader + packet.payload)))
    return packet
  }

  static func icmp(type: UInt8, code: UInt8 = 0, rest: [UInt8] = [0, 7, 0, 1], _ data: [UInt8] = [9, 9])
    -> PacketBytes
  {
    var packet = PacketBytes()
    packet.protocolNumber = 1
    packet.payload = [type, code, 0, 0] + rest + data
    packet.payload.replaceSubrange(2..<4, with: octets(checksum(packet.payload)))
    return packet
  }
}

/// Bytes in memory with the free bytes before them that a batch leaves.
@safe final class Buffer {
  private let memory: UnsafeMutableRawPointer
  let frame: Frame

  init(_ bytes: [UInt8]) {
    let headroom = FrameBatch.headroom
    // Safety: allocated here and freed in `deinit`, `bytes.count` bytes behind the headroom.
    unsafe memory = .allocate(byteCount: headroom + bytes.count + 1, alignment: 8)
    unsafe frame = Frame(unsafeBase: memory + headroom, count: bytes.count)
    for (index, byte) in bytes.enumerated() { frame.setUInt8(byte, at: index) }
  }

  deinit { unsafe memory.deallocate() }

  var bytes: [UInt8] { (0..<frame.count).map { frame.uint8(at: $0) } }

  /// What the bytes turn out to be.
  func decode(link: LinkLayer = .rawIP, wireLength: Int? = nil) -> (outcome: DecodeOutcome, packet: Packet) {
    var packet = Packet(frame: frame)
    let outcome = Packet.decode(frame, link: link, wireLength: wireLength ?? frame.count, into: &packet)
    return (outcome, packet)
  }

  func fault(link: LinkLayer = .rawIP, wireLength: Int? = nil) -> WireFault? {
    guard case .fault(let fault) = decode(link: link, wireLength: wireLength).outcome else { return nil }
    return fault
  }
}
