import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 4787 section 4, RFC 5382 REQ-1.
@Suite("MAP mapping")
struct MappingTests {
  @Test("MAP1 one public endpoint towards every remote, UDP, RFC 4787 REQ-1")
  func udp() throws {
    var script = try Script()
    for (time, remote) in [
      (1.0, "142.250.195.100:3478"), (2, "142.250.195.100:3479"), (3, "151.101.65.69:3478"),
    ] as [(Double, End)] {
      script.outbound(.s(time), .udp("192.168.1.2:5000", remote), as: Stage.x(50001))
      script.inbound(.s(time + 0.1), .udp(remote, Stage.x(50001)), to: "192.168.1.2:5000")
    }
    script.outbound(.s(4), .udp("192.168.1.2:5001", "142.250.195.100:3478"), as: Stage.x(50002))
    script.outbound(.s(5), .udp("192.168.1.3:5000", "142.250.195.100:3478"), as: Stage.x(50003))
    try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:3478 active idle 3.9 expires 296 out 1/36 in 1/36",
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:3479 active idle 2.9 expires 297 out 1/36 in 1/36",
      "udp 192.168.1.2:5000 203.0.113.5:50001 151.101.65.69:3478 active idle 1.9 expires 298 out 1/36 in 1/36",
      "udp 192.168.1.2:5001 203.0.113.5:50002 142.250.195.100:3478 active idle 1 expires 299 out 1/36 in 0/0",
      "udp 192.168.1.3:5000 203.0.113.5:50003 142.250.195.100:3478 active idle 0 expires 300 out 1/36 in 0/0",
    ])
  }

  @Test("MAP2 three connections from one private port have one public endpoint, RFC 5382 REQ-1")
  func tcp() throws {
    var script = try Script()
    for (time, remote) in [(1.0, "142.250.195.100:80"), (2, "142.250.195.100:443"), (3, "151.101.65.69:80")]
      as [(Double, End)]
    {
      script.outbound(.s(time), .tcp("192.168.1.2:5000", remote, .syn), as: Stage.x(50001))
      script.inbound(.s(time + 0.1), .tcp(remote, Stage.x(50001), [.syn, .ack]), to: "192.168.1.2:5000")
    }
    let outcome = try script.check()
    #expect(outcome.stats.bindings == 1 && outcome.stats.sessions == 3)
  }

  @Test("MAP3 a conflict over the preserved port: still one public endpoint towards all, and another one")
  func conflict() throws {
    let packets: [Datagram] = [
      .udp("192.168.1.3:5000", "142.250.195.100:3478"), .udp("192.168.1.2:5000", "151.101.65.69:3478"),
      .udp("192.168.1.2:5000", "142.250.195.100:3478"), .udp("192.168.1.2:5000", "142.250.195.100:9"),
    ]
    let ends = try Script.publicEnds(
      ["pool": "[{ address: 203.0.113.5, ports: 1024-65535 }]", "port-choice": "preserve", "parity": "true"],
      packets
    ).ends
    #expect(ends[0] == Stage.x(5000))
    #expect(ends[1] != nil && ends[1] != ends[0] && ends[1] == ends[2] && ends[1] == ends[3])
  }

  @Test("MAP4 UDP and TCP of one private port are independent; one ends, the other lives, RFC 7857 section 5")
  func protocols() throws {
    var script = try Script()
    script.outbound(.s(1), .udp("192.168.1.9:5000", "142.250.195.100:3478"), as: Stage.x(50001))
    script.outbound(.s(2), .udp("192.168.1.2:5000", "142.250.195.100:3478"), as: Stage.x(50002))
    script.outbound(.s(3), .tcp("192.168.1.2:5000", "142.250.195.100:80", .syn), as: Stage.x(50001))
    script.inbound(.s(3.1), .tcp("142.250.195.100:80", Stage.x(50001), [.syn, .ack]), to: "192.168.1.2:5000")
    script.outbound(.s(303), .tcp("192.168.1.2:5000", "142.250.195.100:80", .ack), as: Stage.x(50001))
    script.dropped(.s(304), .outside, .udp("142.250.195.100:3478", Stage.x(50002)), "noBinding")
    try script.check(sessions: [
      "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:80 established idle 1 expires 7439 out 2/80 in 1/40"
    ])
  }

  @Test("MAP10 all else stays: TOS, DF, identification, options, payload, TCP options and window")
  func otherFields() throws {
    var script = try Script()
    let timestamps: [UInt8] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]
    for (time, field) in [(1.0, UInt16(0x4000)), (2, 0), (3, 0x8000)] {
      let change: (inout Datagram) -> Void = {
        $0.flagsAndOffset = field
        $0.typeOfService = 0xB9
        $0.identification = 0xABCD
        $0.options = [7, 7, 4, 0, 0, 0, 0, 0]  // record route with room, end of list
      }
      var segment = Datagram.Segment(flags: [.psh, .ack], options: timestamps, data: Array("odd".utf8))
      segment.window = 1
      let tcp = Datagram(
        source: "192.168.1.2:5000", destination: "142.250.195.100:80", payload: .tcp(segment))
      let back = Datagram(source: "142.250.195.100:80", destination: Stage.x(50001), payload: .tcp(segment))
      if time == 1 {
        script.outbound(.s(0.5), .tcp("192.168.1.2:5000", "142.250.195.100:80", .syn), as: Stage.x(50001))
      }
      script.outbound(.s(time), tcp.with(change), as: Stage.x(50001))
      script.inbound(.s(time + 0.1), back.with(change), to: "192.168.1.2:5000")
      script.outbound(
        .s(time + 0.2), Datagram.udp("192.168.1.2:5000", "142.250.195.100:80").with(change),
        as: Stage.x(50001))
      script.outbound(.s(time + 0.3), Datagram.echo(Stage.c1, Stage.s1, 5).with(change), as: Stage.x(0))
    }
    try script.check()
  }

  @Test("CS1 a UDP checksum of zero stays zero; CS5 a wrong checksum stays wrong by as much")
  func checksums() throws {
    var script = try Script()
    let bare = Datagram.udp("192.168.1.2:5000", "142.250.195.100:9").with {
      $0.payload = .udp([1, 2, 3], hasChecksum: false)
    }
    script.outbound(.s(1), bare, as: Stage.x(50001))
    let answer = bare.with {
      $0.source = "142.250.195.100:9"
      $0.destination = Stage.x(50001)
    }
    script.inbound(.s(2), answer, to: "192.168.1.2:5000")
    for error in [UInt16(1), 0x1234, 0xFFFE] {
      let time = Duration.s(3) + .milliseconds(Int(error))
      let wrong: (inout Datagram) -> Void = { $0.error = error }
      script.outbound(
        time, Datagram.udp("192.168.1.2:5000", "142.250.195.100:9").with(wrong), as: Stage.x(50001))
      script.outbound(
        time + .nanosecond, Datagram.tcp("192.168.1.2:5000", "142.250.195.100:9", .syn).with(wrong),
        as: Stage.x(50001))
      script.outbound(
        time + .nanoseconds(2), Datagram.echo(Stage.c1, Stage.s1, 5).with(wrong), as: Stage.x(0))
    }
    try script.check()
  }

  @Test("CS4 payloads of no, one, three and many bytes", arguments: [0, 1, 2, 3, 4, 5, 7, 8, 63, 1471, 1472])
  func lengths(count: Int) throws {
    var script = try Script()
    let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 1) }
    var packet = Datagram.udp("192.168.1.2:5000", "142.250.195.100:9")
    packet.payload = .udp(data, hasChecksum: true)
    script.outbound(.s(1), packet, as: Stage.x(50001))
    packet.source = "142.250.195.100:9"
    packet.destination = Stage.x(50001)
    script.inbound(.s(2), packet, to: "192.168.1.2:5000")
    packet = Datagram.echo(Stage.c1, Stage.s1, 5)
    packet.payload = .query(type: 8, sequence: 9, data: data)
    script.outbound(.s(3), packet, as: Stage.x(0))
    try script.check()
  }

  @Test(
    "MAP11 the outside makes sessions under a binding, never bindings, and keeps none alive, RFC 4787 REQ-8")
  func insideAlone() throws {
    var script = try Script(["filtering": "endpoint-independent", "inbound-refresh": "true"])
    script.dropped(.s(0.5), .outside, .udp("151.101.65.69:9", Stage.x(50001)), "noBinding")
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:9"), as: Stage.x(50001))
    script.inbound(.s(2), .udp("151.101.65.69:9", Stage.x(50001)), to: "192.168.1.2:5000")
    script.inbound(.s(300), .udp("151.101.65.69:9", Stage.x(50001)), to: "192.168.1.2:5000")
    // The inside host's own session ends at 301 s exactly, and the other one with it.
    script.inbound(.s(301), .udp("151.101.65.69:9", Stage.x(50001)), to: "192.168.1.2:5000")
    script.dropped(.s(301) + .nanosecond, .outside, .udp("151.101.65.69:9", Stage.x(50001)), "noBinding")
    let outcome = try script.check(sessions: [])
    #expect(outcome.stats.events.bindingsCreated == 1)
    #expect(outcome.stats.events.sessionsCreated == 2)
    #expect(outcome.stats.events.sessionsExpired == 2)
  }

  @Test("MAP11 a session that the inside host answers on keeps the binding alive")
  func answered() throws {
    var script = try Script(["filtering": "endpoint-independent"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", "142.250.195.100:9"), as: Stage.x(50001))
    script.inbound(.s(2), .udp("151.101.65.69:9", Stage.x(50001)), to: "192.168.1.2:5000")
    script.outbound(.s(100), .udp("192.168.1.2:5000", "151.101.65.69:9"), as: Stage.x(50001))
    script.inbound(.s(302), .udp("198.51.100.7:9", Stage.x(50001)), to: "192.168.1.2:5000")
    try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50001 151.101.65.69:9 active idle 202 expires 98 out 1/36 in 1/36",
      "udp 192.168.1.2:5000 203.0.113.5:50001 198.51.100.7:9 active idle 0 expires 300 out 0/0 in 1/36",
    ])
  }
}
