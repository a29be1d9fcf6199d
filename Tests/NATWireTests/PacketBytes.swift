import TestSupport

@testable import NATWire

/// A packet whose header fields a test changes one by one; the IPv4 checksum follows.
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

  private var builder: PacketBuilder {
    var builder = PacketBuilder(source, destination, .other(protocolNumber, payload))
    builder.typeOfService = typeOfService
    builder.identification = identification
    builder.fragmentField = fragment
    builder.timeToLive = timeToLive
    builder.options = options
    return builder
  }

  /// The IPv4 packet.
  var ipv4: [UInt8] { builder.bytes }

  /// The same behind an Ethernet header.
  var ethernet: [UInt8] { [2, 0x50, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x08, 0x00] + ipv4 }

  var pseudoHeader: [UInt8] {
    InternetChecksum.pseudoHeader(
      source: source, destination: destination, protocolNumber: protocolNumber, length: payload.count)
  }

  private init(_ content: PacketBuilder.Content) {
    let builder = PacketBuilder(source, destination, content).with {
      $0.numbers.sequence = 1
      $0.numbers.acknowledgement = 0
    }
    protocolNumber = builder.protocolNumber
    payload = builder.payload
  }

  static func udp(from source: UInt16 = 1234, to destination: UInt16 = 53, _ data: [UInt8] = [1, 2, 3])
    -> PacketBytes
  {
    PacketBytes(.udp(source, destination, data: data))
  }

  static func tcp(
    from source: UInt16 = 1234, to destination: UInt16 = 80, flags: UInt8 = 0x02, options: [UInt8] = [],
    _ data: [UInt8] = []
  ) -> PacketBytes {
    PacketBytes(.tcp(source, destination, flags: flags, options: options, data: data))
  }

  static func icmp(type: UInt8, code: UInt8 = 0, rest: [UInt8] = [0, 7, 0, 1], _ data: [UInt8] = [9, 9])
    -> PacketBytes
  {
    PacketBytes(.icmp(type: type, code: code, rest: doubleWord(rest, 0), data: data))
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

  var bytes: [UInt8] { frame.bytes }

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
