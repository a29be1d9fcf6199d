import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 4787 REQ-13, RFC 1191, RFC 791: packets larger than the MTU of the next link.
@Suite("FR splitting")
struct SplittingTests {
  private static let host: End = "192.168.1.2:5000"
  private static let remote: End = "142.250.195.100:9"
  private static let x = Stage.x(50001)

  /// A script whose outside MTU is smaller than the inside's.
  private func script(outsideMTU: Int, insideMTU: Int = 1500) throws -> Script {
    try Script(interfaces: (", mtu: \(insideMTU)", ", mtu: \(outsideMTU)"))
  }

  @Test(
    "FR11 DF and larger than the way on: 3/4 with its MTU, quoting the packet as it came, from both sides, RFC 1191"
  )
  func dontFragment() throws {
    var script = try script(outsideMTU: 1400)
    script.outbound(.s(1), .udp(SplittingTests.host, SplittingTests.remote), as: SplittingTests.x)
    let fits = Datagram.long(SplittingTests.host, SplittingTests.remote, 1372).with {
      $0.flagsAndOffset = 0x4000
    }
    script.outbound(.s(2), fits, as: SplittingTests.x)
    let large = Datagram.long(SplittingTests.host, SplittingTests.remote, 1373).with {
      $0.flagsAndOffset = 0x4000
    }
    script.dropped(.s(3), .inside, large, "packetTooBig")
    script.expect(.s(3), .inside, .error(3, 4, rest: 1400, from: "192.168.1.1", about: large))
    try script.check()

    var other = try self.script(outsideMTU: 1500, insideMTU: 1280)
    other.outbound(.s(1), .udp(SplittingTests.host, SplittingTests.remote), as: SplittingTests.x)
    let answer = Datagram.long(SplittingTests.remote, SplittingTests.x, 1300).with {
      $0.flagsAndOffset = 0x4000
    }
    other.dropped(.s(2), .outside, answer, "packetTooBig")
    other.expect(.s(2), .outside, .error(3, 4, rest: 1280, from: Stage.gateway, about: answer))
    try other.check()
  }

  @Test(
    "FR11 FR13 DF clear: split in order, no fragment above the MTU, RFC 4787 REQ-13a",
    arguments: [68, 576, 1006, 1400, 1499])
  func split(mtu: Int) throws {
    var script = try script(outsideMTU: mtu)
    script.outbound(.s(1), .udp(SplittingTests.host, SplittingTests.remote, "x"), as: SplittingTests.x)
    let packet = Datagram.long(SplittingTests.host, SplittingTests.remote, 1472, identification: 77)
    // Payloads of the largest multiple of 8 that fits.
    let step = (mtu - 20) / 8 * 8
    let lengths = [Int](repeating: step, count: (1480 - 1) / step)
    script.receive(.s(2), .inside, packet)
    for fragment in packet.sent(as: SplittingTests.x).fragments(lengths) {
      script.expect(.s(2), .outside, fragment)
    }
    let outcome = try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 active idle 0 expires 300 out 2/1529 in 0/0"
    ])
    // FR13, as a receiver sees it.
    let pieces = outcome.outside.dropFirst().map { Array($0.bytes[14...]) }
    #expect(pieces.allSatisfy { $0.count <= mtu && $0[6] & 0x40 == 0 && $0[4...5] == [0, 77] })
    let whole = packet.sent(as: SplittingTests.x).bytes
    #expect(pieces.flatMap { $0[20...] } == Array(whole[20...]), "with the checksum over the whole datagram")
    #expect(
      pieces.dropLast().allSatisfy { $0[6] & 0x20 != 0 }
        && pieces.last?[6] == UInt8((step * lengths.count / 8) >> 8))
  }

  @Test("FR13 to the inside too: an answer larger than the inside's MTU, its identification unchanged")
  func inbound() throws {
    var script = try script(outsideMTU: 1500, insideMTU: 600)
    script.outbound(.s(1), .udp(SplittingTests.host, SplittingTests.remote), as: SplittingTests.x)
    let answer = Datagram.long(SplittingTests.remote, SplittingTests.x, 1400)
    script.receive(.s(2), .outside, answer)
    for fragment in answer.delivered(to: SplittingTests.host).fragments([576, 576]) {
      script.expect(.s(2), .inside, fragment)
    }
    try script.check()
  }

  @Test("FR13 a fragment that is still too large is split again, and MF stays where more follows")
  func again() throws {
    var script = try script(outsideMTU: 1000)
    let packet = Datagram.long(SplittingTests.host, SplittingTests.remote, 2952)
    let seen = packet.sent(as: SplittingTests.x)
    let pieces = seen.fragments([976, 504, 976])
    let fragments = packet.fragments([1480])
    script.receive(.s(1), .inside, fragments[0])
    script.expect(.s(1), .outside, pieces[0])
    script.expect(.s(1), .outside, pieces[1])
    script.receive(.s(2), .inside, fragments[1])
    script.expect(.s(2), .outside, pieces[2])
    script.expect(.s(2), .outside, pieces[3])
    try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 active idle 0 expires 299 out 2/3000 in 0/0"
    ])
  }

  @Test(
    "FR11 a fragment with DF that is too large: the first is answered and kills, a later one is dropped alone"
  )
  func fragmentWithDF() throws {
    var script = try script(outsideMTU: 1000)
    let packet = Datagram.long(SplittingTests.host, SplittingTests.remote, 2952).with {
      $0.flagsAndOffset = 0x4000
    }
    let fragments = packet.fragments([800, 1000])
    script.receive(.s(1), .inside, fragments[0])
    script.expect(.s(1), .outside, packet.sent(as: SplittingTests.x).fragments([800, 1000])[0])
    script.dropped(.s(2), .inside, fragments[1], "packetTooBig")
    let first = packet.identified(8).fragments([1200])
    script.dropped(.s(3), .inside, first[0], "packetTooBig")
    script.expect(.s(3), .inside, .error(3, 4, rest: 1000, from: "192.168.1.1", about: first[0]))
    script.dropped(.s(4), .inside, first[1], "fragmentOfDeadDatagram")
    try script.check()
  }

  @Test("FR13 FR5 what is split towards the outside shares the identifications of merged hosts")
  func identifications() throws {
    var script = try script(outsideMTU: 1000)
    for (index, host) in [End("192.168.1.2", 5000), "192.168.1.3:5000", "192.168.1.4:5000"].enumerated() {
      let packet = Datagram.long(host, SplittingTests.remote, 1400)
      let time = Duration.s(Double(1 + index))
      script.receive(time, .inside, packet)
      for fragment in packet.sent(as: Stage.x(UInt16(50001 + index))).identified(UInt16(7 + index)).fragments(
        [976])
      {
        script.expect(time, .outside, fragment)
      }
    }
    try script.check()
  }

  @Test("FR13 towards the inside identifications stay, though two hosts that hairpin have the same")
  func hairpinned() throws {
    var script = try script(outsideMTU: 1500, insideMTU: 600)
    script.outbound(.s(1), .udp(SplittingTests.host, SplittingTests.remote), as: SplittingTests.x)
    for (index, host) in [End("192.168.1.3", 5000), "192.168.1.4:5000"].enumerated() {
      let time = Duration.s(Double(2 + index))
      let packet = Datagram.long(host, SplittingTests.x, 1400)
      script.receive(time, .inside, packet)
      let seen = packet.hairpinned(from: Stage.x(UInt16(50002 + index)), to: SplittingTests.host)
      for fragment in seen.fragments([576, 576]) { script.expect(time, .inside, fragment) }
    }
    try script.check()
  }

  @Test("FR13 only options that are marked to be copied go on the later fragments, RFC 791 section 3.1")
  func options() throws {
    var script = try script(outsideMTU: 1000)
    // Record route is not copied, an option with the copy bit is.
    let packet = Datagram.long(SplittingTests.host, SplittingTests.remote, 1400).with {
      $0.options = [7, 7, 4, 0, 0, 0, 0, 148, 4, 1, 2, 1, 1, 0, 0, 0]
    }
    script.receive(.s(1), .inside, packet)
    let seen = packet.sent(as: SplittingTests.x)
    let pieces = seen.fragments([960])
    script.expect(.s(1), .outside, pieces[0])
    script.expect(.s(1), .outside, pieces[1].with { $0.options = [148, 4, 1, 2] })
    try script.check()
  }

  @Test("FR13 FW2 exempt packets and those between inside networks are split as a router does, or refused")
  func untranslated() throws {
    var script = try Script(["exempt": "[172.16.0.0/12]"], interfaces: ("", ", mtu: 1000"))
    let packet = Datagram.long(SplittingTests.host, "172.16.0.9:9", 1400)
    script.receive(.s(1), .inside, packet)
    for fragment in packet.with({ $0.timeToLive = 63 }).fragments([976]) {
      script.expect(.s(1), .outside, fragment)
    }
    let whole = packet.with { $0.flagsAndOffset = 0x4000 }
    script.dropped(.s(2), .inside, whole, "packetTooBig")
    script.expect(.s(2), .inside, .error(3, 4, rest: 1000, from: "192.168.1.1", about: whole))
    try script.check()
  }

  @Test("FR13 a TCP segment of the side's own size, DF clear, is split; a super-frame passes as one")
  func segments() throws {
    var script = try script(outsideMTU: 1000)
    func segment(_ count: Int) -> Datagram {
      Datagram(
        source: SplittingTests.host, destination: SplittingTests.remote,
        payload: .tcp(Datagram.Segment(flags: .ack, data: (0..<count).map { UInt8(truncatingIfNeeded: $0) }))
      ).with { $0.flagsAndOffset = 0 }
    }
    script.outbound(.s(1), .tcp(SplittingTests.host, SplittingTests.remote, .syn), as: SplittingTests.x)
    script.receive(.s(2), .inside, segment(1460))
    for fragment in segment(1460).sent(as: SplittingTests.x).fragments([976]) {
      script.expect(.s(2), .outside, fragment)
    }
    script.outbound(.s(3), segment(1461), as: SplittingTests.x)
    script.outbound(.s(4), segment(30_000), as: SplittingTests.x)
    try script.check()
  }
}
