import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 768, RFC 1071, RFC 1624: checksums of translated packets.
@Suite("CS checksums")
struct ChecksumTests {
  private static let host: End = "192.168.1.2:5000"
  private static let remote: End = "142.250.195.100:9"
  private static let x = Stage.x(50001)

  /// A packet whose last two data bytes make its checksum 0 or 0xFFFF, as it leaves or as it arrives.
  private func zeroed(_ packet: Datagram, asSeen: (Datagram) -> Datagram) -> Datagram {
    func filled(_ word: UInt16) -> Datagram {
      packet.with {
        switch $0.payload {
        case .udp: $0.payload = .udp([7, 7] + big(word), hasChecksum: true)
        case .tcp(var segment):
          segment.data = [7, 7] + big(word)
          $0.payload = .tcp(segment)
        default: break
        }
      }
    }
    // With a last word of zero the checksum is the word that makes the sum all ones.
    let seen = asSeen(filled(0)).bytes
    let field = seen[9] == 17 ? 26 : 36
    return filled(UInt16(seen[field]) << 8 | UInt16(seen[field + 1]))
  }

  private func checksum(_ packet: Datagram) -> UInt16 {
    let bytes = packet.bytes
    let field = bytes[9] == 17 ? 26 : 36
    return UInt16(bytes[field]) << 8 | UInt16(bytes[field + 1])
  }

  @Test("CS2 a UDP checksum that comes to 0 is written as ffff, a TCP one may be 0, RFC 768, RFC 1624")
  func otherZero() throws {
    var script = try Script()
    script.outbound(.s(0.5), .tcp(ChecksumTests.host, ChecksumTests.remote, .syn), as: ChecksumTests.x)
    for (time, packet) in [
      (1.0, Datagram.udp(ChecksumTests.host, ChecksumTests.remote)),
      (2, .tcp(ChecksumTests.host, ChecksumTests.remote, .ack)),
    ] {
      let isUDP = time == 1
      // Right when it leaves.
      let out = zeroed(packet) { $0.sent(as: ChecksumTests.x) }
      #expect(checksum(out.sent(as: ChecksumTests.x)) == (isUDP ? 0xFFFF : 0))
      script.outbound(.s(time), out, as: ChecksumTests.x)
      // Right when it comes: 0 (TCP) or ffff (UDP) becomes something else.
      let own = zeroed(packet) { $0 }
      #expect(checksum(own) == (isUDP ? 0xFFFF : 0))
      script.outbound(.s(time + 0.1), own, as: ChecksumTests.x)
      // And the same from outside.
      let back = packet.with {
        $0.source = ChecksumTests.remote
        $0.destination = ChecksumTests.x
      }
      script.inbound(
        .s(time + 0.2), zeroed(back) { $0.delivered(to: ChecksumTests.host) }, to: ChecksumTests.host)
      script.inbound(.s(time + 0.3), zeroed(back) { $0 }, to: ChecksumTests.host)
    }
    try script.check()
  }

  @Test("CS3 every private and public port in turn: no checksum drifts, RFC 1624")
  func drift() throws {
    // Sources and public ports run through their ranges in opposite directions.
    let ports = stride(from: 1, through: 65535, by: 13).map { UInt16($0) }
    var script = try Script([
      "pool": "[{ address: 203.0.113.5, ports: 1-65535 }]", "port-choice": "preserve", "parity": "true",
    ])
    for (index, port) in ports.enumerated() {
      let packet = Datagram.udp(End(Stage.c1, port), ChecksumTests.remote)
      script.outbound(.milliseconds(index + 1), packet, as: Stage.x(port))
      script.inbound(
        .milliseconds(index + 1), .udp(ChecksumTests.remote, Stage.x(port)), to: End(Stage.c1, port))
    }
    try script.check()
  }

  @Test(
    "CS5 a wrong checksum stays wrong by as much from outside too, and over hairpin; nothing is repaired",
    arguments: [UInt16(1), 0x1234, 0xFFFE])
  func notRepaired(error: UInt16) throws {
    let wrong: (inout Datagram) -> Void = { $0.error = error }
    var script = try Script()
    script.outbound(.s(1), .udp(ChecksumTests.host, ChecksumTests.remote).with(wrong), as: ChecksumTests.x)
    script.inbound(
      .s(2), Datagram.udp(ChecksumTests.remote, ChecksumTests.x).with(wrong), to: ChecksumTests.host)
    script.outbound(
      .s(3), .tcp(ChecksumTests.host, ChecksumTests.remote, .syn).with(wrong), as: ChecksumTests.x)
    script.inbound(
      .s(4), Datagram.tcp(ChecksumTests.remote, ChecksumTests.x, [.syn, .ack]).with(wrong),
      to: ChecksumTests.host)
    script.outbound(.s(5), Datagram.echo(Stage.c1, Stage.s1, 9).with(wrong), as: Stage.x(0))
    script.inbound(
      .s(6), Datagram.echoReply(Stage.s1, Stage.gateway, 0).with(wrong), to: End(Stage.c1, 9))
    script.hairpin(
      .s(7), Datagram.udp("192.168.1.3:6000", ChecksumTests.x).with(wrong), from: Stage.x(50002),
      to: ChecksumTests.host)
    // It still made state.
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 5)
  }

  @Test(
    "CS6 a wrong header checksum: dropped and counted, from both sides, translated or not, RFC 1812 section 5.2.2"
  )
  func header() throws {
    var script = try Script(["exempt": "[172.16.0.0/12]"])
    script.outbound(.s(1), .udp(ChecksumTests.host, ChecksumTests.remote), as: ChecksumTests.x)
    for error in [UInt16(1), 0x0100, 0x8000, 0xFFFE] {
      let wrong: (inout Datagram) -> Void = { $0.headerError = error }
      for packet in [
        Datagram.udp(ChecksumTests.host, ChecksumTests.remote),
        .tcp("192.168.1.3:1", ChecksumTests.remote, .syn),
        .echo(Stage.c2, Stage.s1, 9), .echo(Stage.c1, "192.168.1.1", 9),
        .udp(ChecksumTests.host, "172.16.0.9:9"),
        .udp(ChecksumTests.host, "192.168.1.3:9"),
      ] {
        script.dropped(.s(2), .inside, packet.with(wrong), "badIPv4Checksum")
      }
      for packet in [
        Datagram.udp(ChecksumTests.remote, ChecksumTests.x), .echo(Stage.s1, Stage.gateway, 9),
        .udp("172.16.0.9:9", ChecksumTests.host),
      ] {
        script.dropped(.s(2), .outside, packet.with(wrong), "badIPv4Checksum")
      }
    }
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 1)
  }
}
