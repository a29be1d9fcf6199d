import NATControl
import NATWire
import TestSupport
import Testing

/// Ethernet, ARP, next hops, VLAN tags, trailers, raw IP, joined packets, TTL.
@Suite("FW frames and forwarding")
struct FrameTests {
  private static let host: End = "192.168.1.2:5000"
  private static let remote: End = "142.250.195.100:9"
  private static let x = Stage.x(50001)
  private static let out = Datagram.udp(host, remote)
  private static let back = Datagram.udp(remote, x)

  @Test("FW13 DSCP and ECN are kept both ways", arguments: [UInt8(0x01), 0x02, 0x03, 0xB8, 0xFF, 0x28])
  func typeOfService(value: UInt8) throws {
    var script = try Script()
    let mark: (inout Datagram) -> Void = { $0.typeOfService = value }
    script.outbound(.s(1), FrameTests.out.with(mark), as: FrameTests.x)
    script.inbound(.s(2), FrameTests.back.with(mark), to: FrameTests.host)
    script.outbound(
      .s(3), Datagram.tcp(FrameTests.host, FrameTests.remote, .syn).with(mark), as: FrameTests.x)
    script.outbound(.s(4), Datagram.echo(Stage.c1, Stage.s1, 1).with(mark), as: Stage.x(0))
    try script.check()
  }

  @Test("FW4 TTL 1 is answered 11/0 on the sender's side, quoting the packet as it came")
  func timeToLive() throws {
    var script = try Script()
    script.outbound(.s(1), FrameTests.out, as: FrameTests.x)
    var packet = FrameTests.out.with { $0.timeToLive = 1 }
    script.dropped(.s(2), .inside, packet, "ttlExceeded")
    script.expect(.s(2), .inside, .error(11, 0, from: "192.168.1.1", about: packet))
    packet = FrameTests.back.with { $0.timeToLive = 1 }
    script.dropped(.s(3), .outside, packet, "ttlExceeded")
    script.expect(.s(3), .outside, .error(11, 0, from: Stage.gateway, about: packet))
    // TTL 2 passes as 1. A binding that does not exist yet is not made.
    script.outbound(.s(4), FrameTests.out.with { $0.timeToLive = 2 }, as: FrameTests.x)
    packet = Datagram.udp("192.168.1.3:5000", FrameTests.remote).with { $0.timeToLive = 1 }
    script.dropped(.s(5), .inside, packet, "ttlExceeded")
    script.expect(.s(5), .inside, .error(11, 0, from: "192.168.1.1", about: packet))
    let outcome = try script.check()
    #expect(outcome.stats.events.bindingsCreated == 1)
  }

  // MARK: ARP and neighbours

  @Test("FW9 ARP requests for our addresses are answered, each on its own side")
  func arp() throws {
    var script = try Script(introducesHosts: false)
    let host = (mac: Link.mac(of: Stage.c1), address: Stage.c1)
    let router = (mac: Link.router, address: Script.router)
    let nobody = "00:00:00:00:00:00"
    func ask(
      _ time: Double, _ side: Side, _ asker: (mac: String, address: String), _ wanted: String,
      to: String = Link.broadcast
    ) {
      script.receive(
        .s(time), side,
        Link.frame(to, asker.mac, type: 0x0806, Link.arp(1, from: asker, to: (nobody, wanted))))
    }
    func answer(_ time: Double, _ side: Side, _ asker: (mac: String, address: String), _ wanted: String) {
      let own = side == .inside ? Link.gatewayInside : Link.gatewayOutside
      script.expect(
        .s(time), side, Link.frame(asker.mac, own, type: 0x0806, Link.arp(2, from: (own, wanted), to: asker)))
    }
    ask(1, .inside, host, "192.168.1.1")
    answer(1, .inside, host, "192.168.1.1")
    ask(2, .outside, router, "203.0.113.5")
    answer(2, .outside, router, "203.0.113.5")
    // The Ethernet destination does not matter: the gateway's, or another station's.
    ask(3, .outside, router, "203.0.113.5", to: Link.gatewayOutside)
    answer(3, .outside, router, "203.0.113.5")
    ask(3.5, .outside, router, "203.0.113.5", to: "02:01:02:03:04:05")
    answer(3.5, .outside, router, "203.0.113.5")
    // A probe (RFC 5227) asks without an address of its own.
    let probe = (mac: Link.mac(of: Stage.c2), address: "0.0.0.0")
    ask(4, .inside, probe, "192.168.1.1")
    answer(4, .inside, probe, "192.168.1.1")
    // Not ours, or not on that side; from one of our own addresses.
    ask(5, .inside, host, "192.168.1.3")
    ask(6, .inside, host, "203.0.113.5")
    ask(7, .outside, router, "192.168.1.1")
    ask(8, .outside, router, "203.0.113.6")
    ask(9, .outside, (mac: Link.router, address: Stage.gateway), "203.0.113.5")
    ask(10, .inside, (mac: Link.mac(of: Stage.c1), address: "192.168.1.1"), "192.168.1.1")
    // All were well-formed, so none counts as a drop.
    try script.check()
  }

  @Test("ST-13 ARP for every public address: pool, port forward and 1:1, on the outside")
  func publicAddresses() throws {
    var script = try Script(
      ["pool": "[{ address: 203.0.113.7, ports: 50001-60000 }]"],
      more: [
        "static:", "  - { protocol: tcp, public: 203.0.113.8:80, private: 192.168.1.2:80 }",
        "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.3 }",
      ], introducesHosts: false)
    let router = (mac: Link.router, address: Script.router)
    for (index, wanted) in ["203.0.113.5", "203.0.113.7", "203.0.113.8", "203.0.113.9"].enumerated() {
      script.receive(
        .s(Double(index)), .outside,
        Link.frame(
          Link.broadcast, Link.router, type: 0x0806,
          Link.arp(1, from: router, to: ("00:00:00:00:00:00", wanted))))
      script.expect(
        .s(Double(index)), .outside,
        Link.frame(
          Link.router, Link.gatewayOutside, type: 0x0806,
          Link.arp(2, from: (Link.gatewayOutside, wanted), to: router)))
    }
    try script.check()
  }

  @Test("MAL4 malformed ARP is a drop of its own")
  func malformedARP() throws {
    var script = try Script()
    let good = Link.arp(1, from: (Link.router, Script.router), to: ("00:00:00:00:00:00", Stage.gateway))
    for (index, change) in ([(0, 9), (2, 9), (4, 7), (5, 16)] as [(Int, UInt8)]).enumerated() {
      var body = good
      body[change.0] = change.1
      script.receive(
        .s(Double(index + 1)), .outside, Link.frame(Link.broadcast, Link.router, type: 0x0806, body))
    }
    script.receive(
      .s(9), .outside, Link.frame(Link.broadcast, Link.router, type: 0x0806, Array(good.dropLast())))
    script.expectDrop("malformedARP", 5)
    try script.check()
  }

  @Test("neighbours: placeholders at first, then what frames teach; a group address teaches nothing")
  func neighbours() throws {
    var script = try Script(introducesHosts: false)
    let bytes = FrameTests.out.sent(as: FrameTests.x).bytes
    func send(_ time: Double, from mac: String) {
      script.receive(.s(time), .inside, Link.frame(Link.gatewayInside, mac, FrameTests.out.bytes))
    }
    func answer(_ time: Double, from mac: String, to: String) {
      script.receive(.s(time), .outside, Link.frame(Link.gatewayOutside, mac, FrameTests.back.bytes))
      script.expect(
        .s(time), .inside,
        Link.frame(to, Link.gatewayInside, FrameTests.back.delivered(to: FrameTests.host).bytes))
    }
    send(1, from: "03:00:00:00:00:09")  // a group address, as no sender has
    script.expect(.s(1), .outside, Link.frame(Link.outsidePlaceholder, Link.gatewayOutside, bytes))
    answer(2, from: "52:54:00:00:00:11", to: Link.insidePlaceholder)
    send(3, from: "52:54:00:00:00:21")
    script.expect(.s(3), .outside, Link.frame("52:54:00:00:00:11", Link.gatewayOutside, bytes))
    answer(4, from: "52:54:00:00:00:12", to: "52:54:00:00:00:21")
    // A dropped packet also teaches a MAC; one that is malformed or for another station does not.
    script.receive(
      .s(5), .outside,
      Link.frame(
        Link.gatewayOutside, "52:54:00:00:00:13", Datagram.udp("198.51.100.7:1", Stage.x(50009)).bytes))
    script.expectDrop("noBinding")
    send(6, from: "52:54:00:00:00:22")
    script.expect(.s(6), .outside, Link.frame("52:54:00:00:00:13", Link.gatewayOutside, bytes))
    script.receive(
      .s(7), .outside,
      Link.frame(Link.gatewayOutside, "52:54:00:00:00:14", FrameTests.back.with { $0.headerError = 1 }.bytes))
    script.expectDrop("badIPv4Checksum")
    script.receive(
      .s(8), .outside, Link.frame("02:09:09:09:09:09", "52:54:00:00:00:15", FrameTests.back.bytes))
    script.expectDrop("notForUs")
    script.receive(.s(9), .outside, Link.frame(Link.broadcast, "52:54:00:00:00:16", FrameTests.back.bytes))
    script.expectDrop("notForUs")
    // On-link: the station itself is the next hop, and nothing about the router is learned.
    script.receive(
      .s(10), .outside,
      Link.frame(
        Link.gatewayOutside, "52:54:00:00:00:77", Datagram.udp("203.0.113.77:9", Stage.x(50009)).bytes))
    script.expectDrop("noBinding")
    send(11, from: "52:54:00:00:00:22")
    script.expect(.s(11), .outside, Link.frame("52:54:00:00:00:13", Link.gatewayOutside, bytes))
    let near = Datagram.udp(FrameTests.host, "203.0.113.77:9")
    script.receive(.s(12), .inside, Link.frame(Link.gatewayInside, "52:54:00:00:00:22", near.bytes))
    script.expect(
      .s(12), .outside,
      Link.frame("52:54:00:00:00:77", Link.gatewayOutside, near.sent(as: FrameTests.x).bytes))
    // A gratuitous ARP moves the router.
    script.introduce(Script.router, "52:54:00:00:00:18", on: .outside, at: .s(13))
    send(14, from: "52:54:00:00:00:22")
    script.expect(.s(14), .outside, Link.frame("52:54:00:00:00:18", Link.gatewayOutside, bytes))
    try script.check()
  }

  @Test("neighbours: a next hop that moves in the middle of a session is followed, on both sides")
  func movingNeighbours() throws {
    var script = try Script()
    script.outbound(.s(1), FrameTests.out, as: FrameTests.x)
    script.inbound(.s(2), FrameTests.back, to: FrameTests.host)
    script.outbound(.s(3), FrameTests.out, as: FrameTests.x)
    script.introduce(Script.router, "52:54:00:00:00:18", on: .outside, at: .s(4))
    script.receive(.s(5), .inside, FrameTests.out)
    script.expect(
      .s(5), .outside,
      Link.frame("52:54:00:00:00:18", Link.gatewayOutside, FrameTests.out.sent(as: FrameTests.x).bytes))
    script.introduce(Stage.c1, "52:54:00:00:00:28", on: .inside, at: .s(6))
    script.receive(
      .s(7), .outside, Link.frame(Link.gatewayOutside, "52:54:00:00:00:18", FrameTests.back.bytes))
    script.expect(
      .s(7), .inside,
      Link.frame(
        "52:54:00:00:00:28", Link.gatewayInside, FrameTests.back.delivered(to: FrameTests.host).bytes))
    try script.check()
  }

  @Test("neighbours: an ARP packet whose sender has a group address teaches nothing")
  func groupAddressInARP() throws {
    var script = try Script()
    script.introduce(Script.router, "03:00:00:00:00:09", on: .outside, at: .s(1))
    script.outbound(.s(2), FrameTests.out, as: FrameTests.x)
    try script.check()
  }

  @Test("a host behind an inside router is reached by it")
  func insideRouter() throws {
    var script = try Script(more: ["routes:", "  - { network: 10.9.0.0/24, via: 192.168.1.3 }"])
    let packet = Datagram.udp("10.9.0.7:5000", FrameTests.remote)
    script.receive(.s(1), .inside, Link.frame(Link.gatewayInside, Link.mac(of: Stage.c2), packet.bytes))
    script.expect(.s(1), .outside, packet.sent(as: FrameTests.x))
    script.receive(.s(2), .outside, FrameTests.back)
    script.expect(
      .s(2), .inside,
      Link.frame(
        Link.mac(of: Stage.c2), Link.gatewayInside, FrameTests.back.delivered(to: "10.9.0.7:5000").bytes))
    try script.check()
  }

  // MARK: Layout

  @Test(
    "MAL4 FW12 a VLAN tag with identifier 0 is taken off; any other tag is dropped",
    arguments: [UInt16(0x8100), 0x88A8])
  func vlan(type: UInt16) throws {
    var script = try Script()
    func tagged(_ tag: UInt16, _ packet: Datagram) -> [UInt8] {
      Link.frame(
        Link.gatewayInside, Link.mac(of: Stage.c1), type: type, big(tag) + [8, 0] + packet.bytes)
    }
    script.receive(.s(1), .inside, tagged(0, FrameTests.out))
    script.expect(.s(1), .outside, FrameTests.out.sent(as: FrameTests.x))
    script.receive(.s(2), .inside, tagged(0xE000, FrameTests.out))  // a priority, and identifier 0
    script.expect(.s(2), .outside, FrameTests.out.sent(as: FrameTests.x))
    for (time, tag) in [(3.0, UInt16(1)), (4, 0xFFF), (5, 0xE005), (6, 0x100), (7, 0x800)] {
      script.receive(.s(time), .inside, tagged(tag, FrameTests.out))
      script.expectDrop("vlanTagged")
    }
    try script.check()
  }

  @Test("MAL4 FW12 IPv6, unknown types and frames without a header are dropped under names of their own")
  func otherTypes() throws {
    var script = try Script()
    script.receive(
      .s(1), .inside,
      Link.frame(
        Link.gatewayInside, Link.mac(of: Stage.c1), type: 0x86DD, [0x60] + [UInt8](repeating: 0, count: 39)))
    script.receive(
      .s(2), .inside, Link.frame(Link.gatewayInside, Link.mac(of: Stage.c1), type: 0x88CC, [1, 2, 3]))
    script.receive(
      .s(3), .inside,
      Link.frame(Link.gatewayInside, Link.mac(of: Stage.c1), type: 46, [UInt8](repeating: 0, count: 46)))
    for length in [0, 1, 13] { script.receive(.s(4), .inside, [UInt8](repeating: 2, count: length)) }
    script.expectDrop("ipv6")
    script.expectDrop("unknownEtherType", 2)
    script.expectDrop("frameTooShort", 3)
    try script.check()
  }

  @Test("MAL10 a packet that the capture cut is dropped under a name of its own")
  func cut() throws {
    var script = try Script()
    let frame = Link.frame(Link.gatewayInside, Link.mac(of: Stage.c1), FrameTests.out.bytes)
    script.receive(.s(1), .inside, Array(frame.dropLast()), wireLength: frame.count)
    script.receive(.s(2), .inside, Array(frame.prefix(20)), wireLength: frame.count)
    script.expectDrop("captureTruncated", 2)
    script.receive(.s(3), .inside, Array(frame.dropLast()))
    script.expectDrop("malformedIPv4")
    // Cut in the trailer: the packet is whole.
    script.receive(.s(4), .inside, frame + [0, 0], wireLength: frame.count + 20)
    script.expect(.s(4), .outside, FrameTests.out.sent(as: FrameTests.x))
    try script.check()
  }

  @Test("an Ethernet trailer is cut off in both directions")
  func trailer() throws {
    var script = try Script()
    script.receive(
      .s(1), .inside,
      Link.frame(Link.gatewayInside, Link.mac(of: Stage.c1), FrameTests.out.bytes + [9, 9, 9]))
    script.expect(.s(1), .outside, FrameTests.out.sent(as: FrameTests.x))
    script.receive(
      .s(2), .outside,
      Link.frame(Link.gatewayOutside, Link.router, FrameTests.back.bytes + [UInt8](repeating: 0, count: 10)))
    script.expect(.s(2), .inside, FrameTests.back.delivered(to: FrameTests.host))
    try script.check()
  }

  @Test("raw IP comes in, Ethernet goes out", arguments: [(true, true), (true, false), (false, true)])
  func rawIP(isInsideRaw: Bool, isOutsideRaw: Bool) throws {
    var script = try Script(introducesHosts: false)
    script.insideLink = isInsideRaw ? .rawIP : .ethernet
    script.outsideLink = isOutsideRaw ? .rawIP : .ethernet
    script.receive(
      .s(1), .inside,
      isInsideRaw
        ? FrameTests.out.bytes + [0, 0]
        : Link.frame(Link.gatewayInside, Link.mac(of: Stage.c1), FrameTests.out.bytes))
    script.expect(
      .s(1), .outside,
      Link.frame(Link.outsidePlaceholder, Link.gatewayOutside, FrameTests.out.sent(as: FrameTests.x).bytes))
    script.receive(
      .s(2), .outside,
      isOutsideRaw
        ? FrameTests.back.bytes : Link.frame(Link.gatewayOutside, Link.router, FrameTests.back.bytes))
    script.expect(
      .s(2), .inside,
      Link.frame(
        isInsideRaw ? Link.insidePlaceholder : Link.mac(of: Stage.c1), Link.gatewayInside,
        FrameTests.back.delivered(to: FrameTests.host).bytes))
    if isInsideRaw {
      script.receive(.s(3), .inside, [0x60] + [UInt8](repeating: 0, count: 39))
      script.expectDrop("ipv6")
    }
    try script.check()
  }

  // MARK: Size

  private static func segment(_ source: End, _ destination: End, length: Int, _ flags: SegmentFlags = [.ack])
    -> Datagram
  {
    let data = (0..<length - 40).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    return Datagram(
      source: source, destination: destination, payload: .tcp(Datagram.Segment(flags: flags, data: data)))
  }

  @Test("CS7 a TCP super-frame passes as one frame, both ways", arguments: [1501, 16_000, 65_535])
  func superFrame(length: Int) throws {
    var script = try Script()
    script.outbound(.s(1), .tcp(FrameTests.host, FrameTests.remote, .syn), as: FrameTests.x)
    script.outbound(
      .s(2), FrameTests.segment(FrameTests.host, FrameTests.remote, length: length), as: FrameTests.x)
    script.inbound(
      .s(3), FrameTests.segment(FrameTests.remote, FrameTests.x, length: length), to: FrameTests.host)
    try script.check()
  }

  @Test("CS7 a partial checksum is completed on output")
  func partialChecksum() throws {
    var script = try Script()
    // The field holds the sum of the pseudo-header: a partial checksum that the device completes.
    func partial(_ packet: Datagram) -> [UInt8] {
      var bytes = packet.bytes
      let length = bytes.count - 20
      let isTCP = bytes[9] == 6
      let sum = ~InternetChecksum.of(
        InternetChecksum.pseudoHeader(
          source: Array(bytes[12..<16]), destination: Array(bytes[16..<20]), protocolNumber: bytes[9],
          length: length))
      let field = 20 + (isTCP ? 16 : 6)
      bytes[field] = UInt8(sum >> 8)
      bytes[field + 1] = UInt8(sum & 0xFF)
      return bytes
    }
    for (time, packet) in [
      (1.0, Datagram.tcp(FrameTests.host, FrameTests.remote, .syn, "odd")), (2, FrameTests.out),
      (3, FrameTests.segment(FrameTests.host, FrameTests.remote, length: 3001)),
    ] {
      script.receive(
        .s(time), .inside, Link.frame(Link.gatewayInside, Link.mac(of: Stage.c1), partial(packet)))
      script.expect(.s(time), .outside, packet.sent(as: FrameTests.x))
    }
    script.receive(.s(4), .outside, Link.frame(Link.gatewayOutside, Link.router, partial(FrameTests.back)))
    script.expect(.s(4), .inside, FrameTests.back.delivered(to: FrameTests.host))
    try script.check()
  }

  @Test("FR11 a TCP packet of the side's own size that the other side cannot take: 3/4 with its MTU")
  func tooBig() throws {
    var script = try Script(interfaces: ("", ", mtu: 1400"))
    script.outbound(.s(1), .tcp(FrameTests.host, FrameTests.remote, .syn), as: FrameTests.x)
    script.outbound(
      .s(2), FrameTests.segment(FrameTests.host, FrameTests.remote, length: 1400), as: FrameTests.x)
    for (time, length) in [(3.0, 1401), (4, 1500)] {
      let packet = FrameTests.segment(FrameTests.host, FrameTests.remote, length: length)
      script.dropped(.s(time), .inside, packet, "packetTooBig")
      script.expect(.s(time), .inside, .error(3, 4, rest: 1400, from: "192.168.1.1", about: packet))
    }
    // Larger than the inside MTU: a joined packet.
    script.outbound(
      .s(5), FrameTests.segment(FrameTests.host, FrameTests.remote, length: 1501), as: FrameTests.x)
    try script.check()
  }
}
