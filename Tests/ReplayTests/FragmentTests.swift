import NATControl
import NATWire
import Testing

/// RFC 4787 REQ-14, RFC 6864: fragments in any order, from many hosts.
@Suite("FR fragments")
struct FragmentTests {
  // MARK: In order, and not

  @Test("FR1 three fragments in order, both ways: UDP, RFC 4787 REQ-14")
  func udp() throws {
    var script = try Script()
    script.outbound(.s(1), FragmentStage.out, FragmentStage.lengths, as: FragmentStage.x)
    script.inbound(.s(2), FragmentStage.back, FragmentStage.lengths, to: FragmentStage.host)
    // Every fragment counts on the session; only the first restarts its clock.
    try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 active idle 0 expires 298.998 out 3/4068 in 3/4068"
    ])
  }

  @Test("FR1 three fragments in order, both ways: TCP and echo")
  func otherTransports() throws {
    var script = try Script()
    script.outbound(
      .s(1), Datagram.tcp(FragmentStage.host, FragmentStage.remote, .syn).identified(1), as: FragmentStage.x)
    script.inbound(
      .s(1.1), .tcp(FragmentStage.remote, FragmentStage.x, [.syn, .ack]), to: FragmentStage.host)
    script.outbound(
      .s(2), FragmentStage.segment(FragmentStage.host, FragmentStage.remote), FragmentStage.lengths,
      as: FragmentStage.x)
    script.inbound(
      .s(3), FragmentStage.segment(FragmentStage.remote, FragmentStage.x), FragmentStage.lengths,
      to: FragmentStage.host)
    script.outbound(
      .s(4), FragmentStage.ping(8, Stage.c1, Stage.s1, 4711, 4000), FragmentStage.lengths, as: Stage.x(0))
    script.inbound(
      .s(5), FragmentStage.ping(0, Stage.s1, Stage.gateway, 0, 4000), FragmentStage.lengths,
      to: End(Stage.c1, 4711))
    try script.check(sessions: [
      "icmp 192.168.1.2:4711 203.0.113.5:0 142.250.195.100:0 active idle 0 expires 58.998 out 3/4068 in 3/4068",
      "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 established idle 2 expires 7437.998 out 4/4120 in 4/4120",
    ])
  }

  @Test("FR1 a fragment after the first adds to the session, restarts no clock and moves no state")
  func counters() throws {
    var script = try FragmentStage.script()
    script.pass(
      .s(280), from: .inside, to: .outside, Array(FragmentStage.out.fragments(FragmentStage.lengths)[...1]),
      as: Array(FragmentStage.out.sent(as: FragmentStage.x).fragments(FragmentStage.lengths)[...1]),
      inOrder: [0, 1])
    let last = FragmentStage.out.fragments(FragmentStage.lengths)[2]
    script.receive(.s(300), .inside, last)
    script.expect(
      .s(300), .outside, FragmentStage.out.sent(as: FragmentStage.x).fragments(FragmentStage.lengths)[2])
    try script.check(sessions: [
      "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 active idle 0 expires 280 out 4/4104 in 0/0"
    ])
  }

  static let orders = [
    [4, 3, 2, 1, 0], [1, 0, 2, 3, 4], [4, 0, 3, 1, 2], [2, 4, 1, 0, 3], [3, 1, 4, 2, 0], [0, 4, 3, 2, 1],
    [1, 2, 3, 4, 0],
  ]

  @Test(
    "FR2 fragments in any order, the last one first: all leave, those that waited by offset",
    arguments: orders)
  func anyOrder(order: [Int]) throws {
    let lengths = [800, 808, 1200, 480]
    var script = try Script()
    script.outbound(.s(1), FragmentStage.out, lengths, as: FragmentStage.x, inOrder: order)
    script.inbound(.s(2), FragmentStage.back, lengths, to: FragmentStage.host, inOrder: order)
    // A complete datagram is forgotten: the same fragments again are a new datagram.
    script.outbound(.s(3), FragmentStage.out, lengths, as: FragmentStage.x, inOrder: order.reversed())
    script.inbound(.s(4), FragmentStage.back, lengths, to: FragmentStage.host, inOrder: order.reversed())
    try script.check()
  }

  @Test("FR2 forty fragments of 8 bytes in random order", arguments: [UInt64(1), 2, 3])
  func manyPieces(seed: UInt64) throws {
    let lengths = [Int](repeating: 8, count: 39)
    var order = Array(0..<40)
    var state = seed
    for index in order.indices {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      order.swapAt(index, Int(state >> 33) % 40)
    }
    var script = try Script()
    script.outbound(
      .s(1), .long(FragmentStage.host, FragmentStage.remote, 311), lengths, as: FragmentStage.x,
      inOrder: order)
    script.inbound(
      .s(2), .long(FragmentStage.remote, FragmentStage.x, 311), lengths, to: FragmentStage.host,
      inOrder: order)
    try script.check()
  }

  @Test("FR3 a later fragment before the first is held, and never leaves untranslated")
  func held() throws {
    for isInside in [true, false] {
      var script = try FragmentStage.script()
      let side = isInside ? Side.inside : .outside
      let fragments = (isInside ? FragmentStage.out : FragmentStage.back).fragments(FragmentStage.lengths)
      script.receive(.s(2), side, fragments[1])
      script.receive(.s(3), side, fragments[2])
      script.dropped(.s(4), .outside, .udp(FragmentStage.remote, Stage.x(59999)), "noBinding")
      try script.check()
    }
  }

  // MARK: Identifications

  @Test("FR4 two hosts with one identification towards one server, interleaved: two datagrams leave")
  func twoHosts() throws {
    var script = try Script()
    let other: End = "192.168.1.3:6000"
    let (first, second) = (FragmentStage.out, Datagram.long(other, FragmentStage.remote, 3000))
    let seen = (
      first.sent(as: FragmentStage.x).fragments(FragmentStage.lengths),
      second.sent(as: Stage.x(50002)).identified(8).fragments(FragmentStage.lengths)
    )
    for index in 0..<3 {
      let time = Duration.s(Double(1 + index))
      script.receive(time, .inside, first.fragments(FragmentStage.lengths)[index])
      script.expect(time, .outside, seen.0[index])
      script.receive(time, .inside, second.fragments(FragmentStage.lengths)[index])
      script.expect(time, .outside, seen.1[index])
    }
    // The same identification from two remotes is two datagrams; both keep it.
    script.outbound(.s(5), .udp(FragmentStage.host, "151.101.65.69:9"), as: FragmentStage.x)
    let answers: [Datagram] = [FragmentStage.back, .long("151.101.65.69:9", FragmentStage.x, 3000)]
    for index in 0..<3 {
      for answer in answers {
        let time = Duration.s(Double(6 + index))
        script.receive(time, .outside, answer.fragments(FragmentStage.lengths)[index])
        script.expect(
          time, .inside, answer.delivered(to: FragmentStage.host).fragments(FragmentStage.lengths)[index])
      }
    }
    try script.check()
  }

  @Test(
    "FR5 identifications of merged hosts do not collide for one destination and protocol, RFC 7857 section 10, RFC 6864"
  )
  func identifications() throws {
    var script = try Script()
    func host(_ index: Int) -> End { End("192.168.1.\(10 + index)", 5000) }
    let lengths = [1000]
    // Ten hosts count through the same identifications.
    for index in 0..<10 {
      script.outbound(
        .s(1) + .milliseconds(index * 10), .long(host(index), FragmentStage.remote, 2000), lengths,
        as: Stage.x(UInt16(50001 + index)), identification: UInt16(7 + index))
    }
    // The next free identification; for another destination or protocol it stays as it was.
    script.outbound(
      .s(2), .long(host(1), FragmentStage.remote, 2000, identification: 9), lengths, as: Stage.x(50002),
      identification: 17)
    script.outbound(.s(3), .long(host(2), "151.101.65.69:9", 2000), lengths, as: Stage.x(50003))
    script.outbound(
      .s(4), FragmentStage.ping(8, host(3).address, Stage.s1, 9, 2000), lengths, as: Stage.x(0))
    // The same host and identification once more: the same.
    script.outbound(
      .s(5), .long(host(4), FragmentStage.remote, 2000), lengths, as: Stage.x(50005), identification: 11)
    // Whole packets keep theirs.
    script.outbound(.s(6), .udp(host(5), FragmentStage.remote), as: Stage.x(50006))
    try script.check()
  }

  @Test(
    "FR5 an identification is taken for as long as a datagram may live, to the nanosecond",
    arguments: [true, false])
  func identificationsEnd(isTaken: Bool) throws {
    var script = try Script(["lifetimes": "{ fragment: 10s }"])
    let lengths = [1000]
    script.outbound(
      .s(1), .long(FragmentStage.host, FragmentStage.remote, 2000), lengths, as: FragmentStage.x)
    script.outbound(
      .s(11) + (isTaken ? .zero : .nanosecond), .long("192.168.1.3:5000", FragmentStage.remote, 2000),
      lengths,
      as: Stage.x(50002), identification: isTaken ? 8 : 7)
    try script.check()
  }

  @Test("FR5 at the end of the numbers comes zero")
  func identificationsWrap() throws {
    var script = try Script()
    for (index, identification) in [UInt16(65535), 0, 1].enumerated() {
      script.outbound(
        .s(Double(1 + index)),
        .long(End("192.168.1.\(10 + index)", 5000), FragmentStage.remote, 2000, identification: 65535),
        [1000],
        as: Stage.x(UInt16(50001 + index)), identification: identification)
    }
    try script.check()
  }
}
