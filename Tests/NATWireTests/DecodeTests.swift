import TestSupport
import Testing

@testable import NATWire

/// Every way in which bytes are no packet, each by a packet made by hand.
@Suite struct DecodeTests {
  /// An IPv4 packet with some bytes changed and the header's checksum mended.
  private static func changed(_ packet: PacketBytes, _ change: (inout [UInt8]) -> Void) -> [UInt8] {
    var bytes = packet.ipv4
    change(&bytes)
    let header = min(bytes.count, max(20, Int(bytes[0] & 15) * 4))
    bytes.replaceSubrange(10..<12, with: [0, 0])
    bytes.replaceSubrange(10..<12, with: big(InternetChecksum.of(Array(bytes[..<header]))))
    return bytes
  }

  private static func with(_ packet: PacketBytes, _ change: (inout PacketBytes) -> Void) -> [UInt8] {
    var packet = packet
    change(&packet)
    return packet.ipv4
  }

  struct Case: CustomTestStringConvertible {
    let testDescription: String
    let fault: WireFault?
    let bytes: [UInt8]

    init(_ name: String, _ fault: WireFault?, _ bytes: [UInt8]) {
      testDescription = name
      self.fault = fault
      self.bytes = bytes
    }
  }

  static let quote = Array(PacketBytes.udp().ipv4.prefix(28))

  static let rawCases: [Case] = [
    Case("a UDP datagram", nil, PacketBytes.udp().ipv4),
    Case("a TCP segment", nil, PacketBytes.tcp().ipv4),
    Case("an echo request", nil, PacketBytes.icmp(type: 8).ipv4),
    Case("MAL4 an empty record", .frameTooShort, []),
    Case("IPv6 in raw IP", .ipv6, [0x60] + [UInt8](repeating: 0, count: 39)),
    Case("MAL1 version 5", .malformedIPv4, changed(.udp()) { $0[0] = 0x55 }),
    Case("MAL1 version 0", .malformedIPv4, changed(.udp()) { $0[0] = 0x05 }),
    Case("MAL1 header length 4 words", .malformedIPv4, changed(.udp()) { $0[0] = 0x44 }),
    Case("MAL1 header length 0", .malformedIPv4, changed(.udp()) { $0[0] = 0x40 }),
    Case("MAL1 header longer than the packet", .malformedIPv4, changed(.udp()) { $0[0] = 0x4F }),
    Case("MAL1 nineteen bytes", .malformedIPv4, Array(PacketBytes.udp().ipv4.prefix(19))),
    Case("MAL2 total length beyond the frame", .malformedIPv4, changed(.udp()) { $0[3] += 1 }),
    Case("MAL2 total length below the header", .malformedIPv4, changed(.udp()) { $0[3] = 19 }),
    Case("MAL2 total length 0", .malformedIPv4, changed(.udp()) { $0[3] = 0 }),
    Case("MAL2 total length that is the header alone", .malformedUDP, changed(.udp()) { $0[3] = 20 }),
    Case("CS6 a wrong header checksum", .badIPv4Checksum, PacketBytes.udp().ipv4.with(10) { $0 ^ 1 }),
    Case("MAL2 UDP length beyond the packet", .malformedUDP, changed(.udp()) { $0[25] += 1 }),
    Case("MAL2 UDP length 7", .malformedUDP, changed(.udp()) { $0[25] = 7 }),
    Case("UDP length below the packet's end", nil, changed(.udp()) { $0[25] = 9 }),
    Case("MAL2 seven bytes of UDP", .malformedUDP, with(.udp()) { $0.payload = Array($0.payload.prefix(7)) }),
    Case("MAL3 TCP data offset 4", .malformedTCP, changed(.tcp()) { $0[32] = 0x40 }),
    Case("MAL3 TCP data offset 0", .malformedTCP, changed(.tcp()) { $0[32] = 0 }),
    Case("MAL3 TCP data offset beyond the segment", .malformedTCP, changed(.tcp()) { $0[32] = 0x60 }),
    Case(
      "MAL3 nineteen bytes of TCP", .malformedTCP, with(.tcp()) { $0.payload = Array($0.payload.prefix(19)) }),
    Case("MAL3 no flags", .badTCPFlags, PacketBytes.tcp(flags: 0).ipv4),
    Case("MAL3 ECE and CWR alone", .badTCPFlags, PacketBytes.tcp(flags: 0xC0).ipv4),
    Case("MAL3 all flags", .badTCPFlags, PacketBytes.tcp(flags: 0x3F).ipv4),
    Case("MAL3 SYN with FIN", .badTCPFlags, PacketBytes.tcp(flags: 0x03).ipv4),
    Case("MAL3 SYN with RST", .badTCPFlags, PacketBytes.tcp(flags: 0x06).ipv4),
    Case("SYN with ECE and CWR", nil, PacketBytes.tcp(flags: 0xC2).ipv4),
    Case("FIN with RST", nil, PacketBytes.tcp(flags: 0x05).ipv4),
    Case("MAL7 TCP to port 0", .portZero, PacketBytes.tcp(to: 0).ipv4),
    Case("MAL7 UDP to port 0", .portZero, PacketBytes.udp(to: 0).ipv4),
    Case("PA5 UDP from port 0", nil, PacketBytes.udp(from: 0).ipv4),
    Case(
      "MAL9 seven bytes of ICMP", .malformedICMP,
      with(.icmp(type: 8)) { $0.payload = Array($0.payload.prefix(7)) }),
    Case(
      "MAL9 seven bytes of an ICMP error", .malformedICMP,
      with(.icmp(type: 3)) { $0.payload = Array($0.payload.prefix(7)) }),
    Case("an ICMP error", nil, PacketBytes.icmp(type: 3, code: 3, rest: [0, 0, 0, 0], quote).ipv4),
    Case(
      "IE11 an ICMP error with a wrong checksum", .badICMPChecksum,
      PacketBytes.icmp(type: 3, code: 3, rest: [0, 0, 0, 0], quote).ipv4.with(22) { $0 ^ 1 }),
    Case("an echo request with a wrong checksum", nil, PacketBytes.icmp(type: 8).ipv4.with(22) { $0 ^ 1 }),
    Case(
      "MAL5 record route and timestamp", nil,
      with(.udp()) { $0.options = [7, 7, 4, 0, 0, 0, 0, 68, 8, 5, 0, 0, 0, 0, 0, 0] }),
    Case("MAL5 end of options, then anything", nil, with(.udp()) { $0.options = [0, 131, 0, 255] }),
    Case("MAL5 no operation", nil, with(.udp()) { $0.options = [1, 1, 1, 1] }),
    Case("MAL5 loose source route", .sourceRoute, with(.udp()) { $0.options = [131, 7, 4, 10, 0, 0, 1, 0] }),
    Case(
      "MAL5 strict source route", .sourceRoute, with(.udp()) { $0.options = [1, 137, 7, 4, 10, 0, 0, 1] }),
    Case(
      "MAL5 the first finding decides", .sourceRoute,
      with(.udp()) { $0.options = [131, 3, 4, 7, 0, 0, 0, 0] }),
    Case("MAL5 option length 0", .badIPv4Options, with(.udp()) { $0.options = [7, 0, 0, 0] }),
    Case("MAL5 option length 1", .badIPv4Options, with(.udp()) { $0.options = [7, 1, 0, 0] }),
    Case("MAL5 option beyond the header", .badIPv4Options, with(.udp()) { $0.options = [7, 5, 0, 0] }),
    Case("MAL5 option without a length", .badIPv4Options, with(.udp()) { $0.options = [1, 1, 1, 7] }),
    Case(
      "FR7 eight bytes of a first TCP fragment", .firstFragmentTooSmall,
      with(.tcp()) {
        $0.fragment = 0x2000
        $0.payload = Array($0.payload.prefix(8))
      }),
    Case(
      "FR7 a first fragment that ends in the TCP options", .firstFragmentTooSmall,
      with(.tcp(options: [1, 1, 1, 1, 1, 1, 1, 1])) {
        $0.fragment = 0x2000
        $0.payload = Array($0.payload.prefix(24))
      }),
    Case(
      "a first fragment with no byte", .malformedIPv4,
      with(.udp()) {
        $0.fragment = 0x2000
        $0.payload = []
      }),
    Case(
      "FR10 a fragment with MF in no units of eight bytes", .malformedIPv4,
      with(.udp()) { $0.fragment = 0x2000 }),
    Case("FR10 a fragment beyond 65,535 bytes", .malformedIPv4, with(.udp()) { $0.fragment = 0x1FFF }),
    Case(
      "a last fragment of three bytes", nil,
      with(.udp()) {
        $0.fragment = 0x0010
        $0.payload = [1, 2, 3]
      }),
    Case(
      "a first UDP fragment", nil,
      with(.udp([UInt8](repeating: 1, count: 32))) {
        $0.fragment = 0x2000
        $0.payload = Array($0.payload.prefix(16))
      }),
    Case(
      "a first UDP fragment with length 7", .malformedUDP,
      with(.udp([UInt8](repeating: 1, count: 8))) {
        $0.fragment = 0x2000
        $0.payload[4] = 0
        $0.payload[5] = 7
      }),
    Case(
      "an ICMP error in fragments", nil,
      with(.icmp(type: 3, rest: [0, 0, 0, 0], quote + [0, 0, 0, 0])) {
        $0.fragment = 0x2000
      }),
    Case(
      "GRE of one byte", nil,
      with(.udp()) {
        $0.protocolNumber = 47
        $0.payload = [1]
      }),
    Case("MAL8 IGMP", nil, with(.udp()) { $0.protocolNumber = 2 }),
  ]

  @Test("raw IP", arguments: rawCases)
  func raw(test: Case) {
    #expect(Buffer(test.bytes).fault() == test.fault)
    // Behind Ethernet the answer is the same, but for what raw IP alone can say.
    guard !test.bytes.isEmpty, test.fault != .ipv6 else { return }
    let ethernet = PacketBytes.udp().ethernet.prefix(14) + test.bytes
    #expect(Buffer(Array(ethernet)).fault(link: .ethernet) == test.fault)
  }

  private static func ethernet(_ type: [UInt8], _ payload: [UInt8]) -> [UInt8] {
    Array(PacketBytes.udp().ethernet.prefix(12)) + type + payload
  }

  static let arp: [UInt8] = [
    0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 192, 168, 1, 2, 0, 0, 0, 0, 0, 0, 192, 168, 1, 1,
  ]

  static let ethernetCases: [Case] = [
    Case("MAL4 no byte", .frameTooShort, []),
    Case("MAL4 thirteen bytes", .frameTooShort, Array(PacketBytes.udp().ethernet.prefix(13))),
    Case("MAL4 the header alone", .malformedIPv4, Array(PacketBytes.udp().ethernet.prefix(14))),
    Case("MAL4 IPv6", .ipv6, ethernet([0x86, 0xDD], [0x60])),
    Case("MAL4 an unknown type", .unknownEtherType, ethernet([0x88, 0xCC], [1, 2, 3])),
    Case(
      "MAL4 an 802.3 length", .unknownEtherType, ethernet([0x00, 0x26], [UInt8](repeating: 0x42, count: 38))),
    Case("MAL4 a VLAN", .vlanTagged, ethernet([0x81, 0], [0, 5, 8, 0] + PacketBytes.udp().ipv4)),
    Case(
      "MAL4 a VLAN with priority", .vlanTagged,
      ethernet([0x81, 0], [0xE0, 1, 8, 0] + PacketBytes.udp().ipv4)),
    Case(
      "MAL4 a service tag", .vlanTagged, ethernet([0x88, 0xA8], [0x0F, 0xFF, 8, 0] + PacketBytes.udp().ipv4)),
    Case("MAL4 a tag cut off", .frameTooShort, ethernet([0x81, 0], [0, 0, 8])),
    Case("MAL4 a priority tag", nil, ethernet([0x81, 0], [0xE0, 0, 8, 0] + PacketBytes.udp().ipv4)),
    Case(
      "MAL4 two priority tags", nil,
      ethernet([0x88, 0xA8], [0, 0, 0x81, 0, 0, 0, 8, 0] + PacketBytes.udp().ipv4)),
    Case("MAL4 a priority tag, then a VLAN", .vlanTagged, ethernet([0x81, 0], [0, 0, 0x81, 0, 0, 1, 8, 0])),
    Case("MAL4 ARP", nil, ethernet([8, 6], arp)),
    Case("MAL4 ARP padded to 46 bytes", nil, ethernet([8, 6], arp + [UInt8](repeating: 0, count: 18))),
    Case("MAL4 ARP cut off", .malformedARP, ethernet([8, 6], arp.dropLast())),
    Case("MAL4 ARP for another hardware", .malformedARP, ethernet([8, 6], arp.with(1) { _ in 6 })),
    Case("MAL4 ARP for another protocol", .malformedARP, ethernet([8, 6], arp.with(2) { _ in 9 })),
    Case("MAL4 ARP with other lengths", .malformedARP, ethernet([8, 6], arp.with(5) { _ in 16 })),
  ]

  @Test("Ethernet", arguments: ethernetCases)
  func ethernet(test: Case) {
    #expect(Buffer(test.bytes).fault(link: .ethernet) == test.fault)
  }

  @Test("MAL12 every fault has a packet that shows it")
  func everyFault() {
    let shown = Set((Self.rawCases + Self.ethernetCases).compactMap(\.fault)).union([.captureTruncated])
    #expect(shown == Set(WireFault.allCases))
  }

  @Test("MAL10 what a capture cut off is said to be missing, whatever else is wrong with it")
  func cut() {
    let packet = PacketBytes.tcp([UInt8](repeating: 7, count: 100)).ipv4
    for length in [1, 19, 20, 39, 40, 139] {
      #expect(Buffer(Array(packet.prefix(length))).fault(wireLength: 140) == .captureTruncated, "\(length)")
      #expect(Buffer(Array(packet.prefix(length))).fault() == .malformedIPv4, "\(length)")
    }
    // A trailer may be cut: the packet is whole.
    #expect(Buffer(packet).fault(wireLength: 200) == nil)
  }

  @Test("what a packet says is read once, and rightly")
  func fields() {
    var bytes = PacketBytes.tcp(from: 0x1234, to: 0x5678, flags: 0x12, options: [1, 1, 1, 1], [9, 9, 9])
    bytes.options = [1, 1, 1, 1]
    bytes.fragment = 0x4000
    bytes.timeToLive = 9
    // IQ10: a trailer after the packet is not the packet's.
    let buffer = Buffer(bytes.ethernet + [0xEE, 0xEE, 0xEE])
    let (outcome, packet) = buffer.decode(link: .ethernet)
    guard case .ipv4 = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(
      packet.source == IPv4Address(192, 168, 1, 2) && packet.destination == IPv4Address(198, 51, 100, 7))
    #expect(packet.sourcePort == 0x1234 && packet.destinationPort == 0x5678)
    #expect(
      packet.totalLength == 24 + 24 + 3 && packet.headerLength == 24 && packet.transportHeaderLength == 24)
    #expect(packet.transportLength == 27 && packet.frame.count == 14 + 51)
    #expect(packet.transportOffset == 38 && packet.frame.uint16(at: packet.transportOffset) == 0x1234)
    #expect(packet.kind == .tcp && packet.transport == .tcp && packet.tcpFlags == [.syn, .ack])
    #expect(packet.timeToLive == 9 && packet.protocolNumber == 6 && packet.identification == 0x1234)
    #expect(packet.doesNotFragment && !packet.isFragment)
  }

  @Test("each kind of ICMP has its place, and its identifier stands as both ports")
  func icmpKinds() {
    for (types, kind) in [
      ([8, 13, 15, 17], PacketKind.query), ([0, 14, 16, 18], .queryReply), ([3, 4, 5, 11, 12], .icmpError),
      ([1, 9, 10, 30, 255], .icmpOther),
    ] as [([UInt8], PacketKind)] {
      for type in types {
        let packet = Buffer(PacketBytes.icmp(type: type).ipv4).decode().packet
        let isQuery = kind == .query || kind == .queryReply
        #expect(packet.kind == kind && packet.icmpType == type, "\(type)")
        #expect(
          packet.sourcePort == (isQuery ? 7 : 0) && packet.destinationPort == packet.sourcePort, "\(type)")
        #expect(packet.transport == (isQuery ? .icmp : nil))
      }
    }
  }

  @Test("a fragment after the first has no transport header, whatever its bytes say")
  func laterFragment() {
    var bytes = PacketBytes.tcp(to: 0, flags: 0)
    bytes.fragment = 0x0003
    let (_, packet) = Buffer(bytes.ipv4).decode()
    #expect(packet.kind == .laterFragment && packet.transport == nil && packet.isFragment)
    #expect(packet.fragmentByteOffset == 24 && !packet.hasMoreFragments && packet.destinationPort == 0)
  }

  @Test("a TCP super-frame of 64 KiB passes as one frame")
  func superFrame() {
    var bytes = PacketBytes.tcp(flags: 0x10, [UInt8](repeating: 5, count: 65535 - 40))
    let (outcome, packet) = Buffer(bytes.ethernet).decode(link: .ethernet)
    guard case .ipv4 = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(packet.totalLength == 65535 && packet.frame.count == 65549 && !packet.hasPartialChecksum)
    bytes.payload.replaceSubrange(
      16..<18, with: big(InternetChecksum.sum(bytes.pseudoHeader)))
    var partial = Buffer(bytes.ethernet).decode(link: .ethernet).packet
    #expect(partial.hasPartialChecksum)
    partial.completePartialChecksum()
    #expect(!partial.hasPartialChecksum)
  }

  @Test("an ARP packet is read at the start of its window")
  func readARP() throws {
    let buffer = Buffer(Self.ethernet([8, 6], Self.arp))
    let (outcome, packet) = buffer.decode(link: .ethernet)
    guard case .arp = outcome else {
      Issue.record("\(outcome)")
      return
    }
    let window = packet.frame.window(at: 14, count: packet.frame.count - 14)
    let arp = try #require(ARPPacket(window))
    #expect(arp.operation == ARP.request && arp.senderMAC == MACAddress(0x0200_0000_0009))
    #expect(arp.sender == IPv4Address(192, 168, 1, 2) && arp.target == IPv4Address(192, 168, 1, 1))
    let reply = Buffer([UInt8](repeating: 0xEE, count: 42))
    reply.frame.setARP(
      operation: ARP.request, from: (arp.senderMAC, arp.sender), to: (MACAddress(0), arp.target),
      ethernetDestination: MACAddress(0x0250_0000_0001))
    #expect(reply.bytes == buffer.bytes)
  }

  @Test(
    "the packet path hands on small values: a packet in 40 bytes, a frame in 16, an entry of a batch in 40 at most"
  )
  func sizes() {
    #expect(MemoryLayout<Packet>.stride == 40)
    #expect(MemoryLayout<Frame>.stride == 16)
    #expect(MemoryLayout<FrameBatch.Entry>.size <= 40)
  }
}

extension [UInt8] {
  /// The same bytes with the one at `index` changed.
  func with(_ index: Int, _ change: (UInt8) -> UInt8) -> [UInt8] {
    var copy = self
    copy[index] = change(copy[index])
    return copy
  }
}
