import TestSupport
import Testing

@Suite("The decoder of the tests")
struct PacketTextTests {
  private static let tcp = Datagram(
    source: "192.168.1.2:5000", destination: "142.250.195.100:443",
    payload: .tcp(Datagram.Segment(flags: [.syn, .ack], options: [2, 4, 5, 0xB4], data: [1, 2, 3])))

  private static func frame(_ packet: Datagram) -> [UInt8] {
    Link.frame(Link.gatewayInside, Link.router, packet.bytes)
  }

  static let frames: [(frame: [UInt8], lines: [String])] = [
    (
      frame(tcp) + [0, 0],
      [
        "Ethernet 52:54:00:00:00:01 > 02:50:00:00:00:01 type 0x0800 length 63",
        "IPv4 192.168.1.2 > 142.250.195.100 version 4 header 20 TOS 0x00 length 47 id 7 DF TTL 64 protocol 6 checksum 0x26b9 right",
        "TCP 5000 > 443 SYN ACK sequence 1000 acknowledgement 5000 header 24 window 64240",
        "right urgent 0 data 3",
        "  options 02 04 05 b4", "trailer of 2 bytes",
      ]
    ),
    (frame(tcp.with { $0.error = 1 }), ["WRONG urgent"]),
    (frame(tcp.with { $0.headerError = 1 }), ["protocol 6 checksum 0x26ba WRONG"]),
    (
      frame(.error(3, 4, rest: 1400, from: "192.168.1.1", about: .udp("192.168.1.2:7", "198.51.100.7:9"))),
      [
        "ICMP type 3 code 4 checksum", "right rest 0x00000578", "  quoted IPv4 192.168.1.2 > 198.51.100.7",
        "  quoted UDP 7 > 9 length 16",
      ]
    ),
    (
      frame(.echo("192.168.1.2", "198.51.100.7", 513)),
      ["ICMP type 8 code 0", "identifier 513 sequence 1 data 8"]
    ),
    (
      frame(tcp.with { $0.flagsAndOffset = 0x2001 }),
      ["MF offset 8", "payload of a later fragment, 27 bytes"]
    ),
    (
      Link.frame(
        Link.broadcast, Link.router, type: 0x8100,
        [0, 5, 8, 6] + Link.arp(1, from: (Link.router, "203.0.113.1"), to: (Link.broadcast, "203.0.113.5"))),
      ["type 0x0806 VLAN 5", "ARP operation 1 sender 52:54:00:00:00:01 203.0.113.1 target", "203.0.113.5"]
    ),
  ]

  @Test("frames as text", arguments: frames)
  func text(frame: [UInt8], lines: [String]) {
    let text = PacketText.describe(frame)
    for line in lines { #expect(text.contains(line)) }
  }

  @Test("a frame cut anywhere is described as far as it goes", arguments: frames)
  func cut(frame: [UInt8], lines: [String]) {
    for length in 0..<frame.count { #expect(!PacketText.describe(Array(frame.prefix(length))).isEmpty) }
  }

  @Test("the checksum against the examples of RFC 1071 and of known headers")
  func checksum() {
    #expect(InternetChecksum.of([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]) == ~0xDDF2)
    #expect(InternetChecksum.of([]) == 0xFFFF)
    #expect(InternetChecksum.of([0xFF]) == 0x00FF)
    // The well-known example of an IPv4 header.
    let header: [UInt8] = [
      0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xC0, 0xA8, 0, 1, 0xC0, 0xA8, 0, 0xC7,
    ]
    #expect(InternetChecksum.of(header) == 0xB861)
  }
}
