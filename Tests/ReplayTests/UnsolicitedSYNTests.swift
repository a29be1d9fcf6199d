import NATControl
import NATWire
import Testing

/// RFC 5382 REQ-4: inbound SYNs that the filter drops.
@Suite("TCP unsolicited SYNs")
struct UnsolicitedSYNTests {
  private static let host: End = "192.168.1.2:5000"
  private static let peer: End = "142.250.195.100:443"
  private static let stranger: End = "151.101.65.69:80"
  private static let x = Stage.x(50001)
  private static let syn = Datagram.tcp(stranger, x, .syn)
  private static let answer = Datagram.error(3, 3, from: Stage.gateway, about: syn)

  /// A live binding whose filter admits only the peer; unsolicited SYNs are answered.
  private func script(_ nat: [String: String] = ["unsolicited-syn": "answer"], more: [String] = []) throws
    -> Script
  {
    var script = try Script(nat, more: more)
    script.outbound(
      .s(1), .tcp(UnsolicitedSYNTests.host, UnsolicitedSYNTests.peer, .syn), as: UnsolicitedSYNTests.x)
    return script
  }

  /// A packet that changes nothing, so that earlier due times take effect.
  private func pass(_ script: inout Script, _ time: Duration) {
    script.dropped(time, .outside, .udp(UnsolicitedSYNTests.peer, Stage.x(59999)), "noBinding")
  }

  @Test("TCP16 silence for 6 s, then one 3/3 that quotes the SYN, stamped with its due time, RFC 5382 REQ-4")
  func answered() throws {
    var script = try script()
    script.dropped(.s(2), .outside, UnsolicitedSYNTests.syn, "filtered")
    pass(&script, .s(7.999))
    try script.check()
    script.expect(.s(8), .outside, UnsolicitedSYNTests.answer)
    pass(&script, .s(50))
    pass(&script, .s(60))
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 1 && outcome.stats.drops["filtered"] == 1)
  }

  @Test("TCP16 at its exact time the answer goes out before the packet of that instant")
  func exactly() throws {
    var script = try script()
    script.dropped(.s(2), .outside, UnsolicitedSYNTests.syn, "filtered")
    script.expect(.s(8), .outside, UnsolicitedSYNTests.answer)
    // Although that packet is the SYN that would have cancelled it.
    script.outbound(
      .s(8), .tcp(UnsolicitedSYNTests.host, UnsolicitedSYNTests.stranger, .syn), as: UnsolicitedSYNTests.x)
    try script.check()
  }

  @Test("TCP16 what is due after the last packet does not happen; unsolicited-syn: silent never answers")
  func neverDue() throws {
    var script = try script()
    script.dropped(.s(2), .outside, UnsolicitedSYNTests.syn, "filtered")
    try script.check()
    var silent = try self.script(["unsolicited-syn": "silent"])
    silent.dropped(.s(2), .outside, UnsolicitedSYNTests.syn, "filtered")
    pass(&silent, .s(20))
    try silent.check()
  }

  @Test("TCP16 TCP15 a SYN of the inside host on that pair cancels the answer, and the connection completes")
  func cancelled() throws {
    var script = try script()
    script.dropped(.s(2), .outside, UnsolicitedSYNTests.syn, "filtered")
    script.outbound(
      .s(7.9), .tcp(UnsolicitedSYNTests.host, UnsolicitedSYNTests.stranger, .syn), as: UnsolicitedSYNTests.x)
    pass(&script, .s(9))
    script.inbound(.s(10), UnsolicitedSYNTests.syn, to: UnsolicitedSYNTests.host)
    pass(&script, .s(20))
    try script.check()
  }

  @Test("TCP16 other packets of the host do not cancel it: to another port, to another host, or dropped")
  func notCancelled() throws {
    var script = try script()
    script.dropped(.s(2), .outside, UnsolicitedSYNTests.syn, "filtered")
    script.dropped(
      .s(3), .inside, .tcp(UnsolicitedSYNTests.host, UnsolicitedSYNTests.stranger, .ack), "noSession")
    let expired = Datagram.tcp(UnsolicitedSYNTests.host, UnsolicitedSYNTests.stranger, .syn).with {
      $0.timeToLive = 1
    }
    script.dropped(.s(4), .inside, expired, "ttlExceeded")
    script.expect(.s(4), .inside, .error(11, 0, from: "192.168.1.1", about: expired))
    script.outbound(
      .s(5), .tcp(UnsolicitedSYNTests.host, "198.51.100.7:80", .syn), as: UnsolicitedSYNTests.x)
    script.outbound(.s(6), .tcp("192.168.1.3:5000", UnsolicitedSYNTests.stranger, .syn), as: Stage.x(50002))
    script.expect(.s(8), .outside, UnsolicitedSYNTests.answer)
    pass(&script, .s(9))
    try script.check()
  }

  @Test(
    "TCP16 a SYN of the host to the same address opens the filter, but only that pair's answer is cancelled")
  func otherPort() throws {
    var script = try script()
    script.dropped(.s(2), .outside, UnsolicitedSYNTests.syn, "filtered")
    script.outbound(
      .s(3), .tcp(UnsolicitedSYNTests.host, "151.101.65.69:81", .syn), as: UnsolicitedSYNTests.x)
    script.inbound(.s(4), UnsolicitedSYNTests.syn, to: UnsolicitedSYNTests.host)
    script.expect(.s(8), .outside, UnsolicitedSYNTests.answer)
    pass(&script, .s(9))
    try script.check()
  }

  @Test(
    "TCP16 repetitions change nothing: one answer, about the first, six seconds after it; then another may wait"
  )
  func repeated() throws {
    var script = try script()
    script.dropped(.s(2), .outside, UnsolicitedSYNTests.syn, "filtered")
    for time in [3.0, 5, 7.999] {
      script.dropped(.s(time), .outside, UnsolicitedSYNTests.syn.with { $0.identification = 99 }, "filtered")
    }
    script.expect(.s(8), .outside, UnsolicitedSYNTests.answer)
    script.dropped(.s(9), .outside, UnsolicitedSYNTests.syn, "filtered")
    script.expect(.s(15), .outside, UnsolicitedSYNTests.answer)
    // Each pair of endpoints has its own timer.
    let other = Datagram.tcp("151.101.65.69:81", UnsolicitedSYNTests.x, .syn)
    script.dropped(.s(10), .outside, other, "filtered")
    script.expect(.s(16), .outside, .error(3, 3, from: Stage.gateway, about: other))
    pass(&script, .s(30))
    try script.check()
  }

  @Test(
    "TCP16 no answer where nothing is bound, over statics, about other segments, or where the filter admits")
  func otherCases() throws {
    var script = try script(
      more: ["static:", "  - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.3:80 }"])
    script.dropped(.s(2), .outside, .tcp(UnsolicitedSYNTests.stranger, Stage.x(50002), .syn), "noBinding")
    script.inbound(.s(2), .tcp(UnsolicitedSYNTests.stranger, Stage.x(80), .syn), to: "192.168.1.3:80")
    for flags in [SegmentFlags.ack, .rst, [.syn, .ack], .fin] {
      script.dropped(
        .s(3), .outside, .tcp(UnsolicitedSYNTests.stranger, UnsolicitedSYNTests.x, flags), "filtered")
    }
    script.inbound(
      .s(4), .tcp("142.250.195.100:444", UnsolicitedSYNTests.x, .syn), to: UnsolicitedSYNTests.host)
    pass(&script, .s(20))
    try script.check()
  }

  @Test("TCP16 what counts is that the binding lived when the SYN came, not when the answer is due")
  func bindingEnds() throws {
    var script = try script()
    script.dropped(.s(240), .outside, UnsolicitedSYNTests.syn, "filtered")  // the binding ends at 241 s
    script.expect(.s(246), .outside, UnsolicitedSYNTests.answer)
    pass(&script, .s(250))
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 0)
  }

  @Test("TCP16 the answers take from the outside's budget of ICMP errors")
  func budget() throws {
    var script = try script(["unsolicited-syn": "answer", "icmp-errors-per-second": "1"])
    let other = Datagram.tcp("151.101.65.69:81", UnsolicitedSYNTests.x, .syn)
    script.dropped(.s(2), .outside, UnsolicitedSYNTests.syn, "filtered")
    script.dropped(.s(2.5), .outside, other, "filtered")
    script.expect(.s(8), .outside, UnsolicitedSYNTests.answer)
    pass(&script, .s(20))
    let outcome = try script.check()
    #expect(outcome.stats.events.icmpErrorsSuppressed == 1)
  }

  @Test(
    "TCP16 at most 4,096 wait at a time; those beyond are dropped without an answer, and cost the others nothing"
  )
  func bounded() throws {
    var script = try script(["unsolicited-syn": "answer", "icmp-errors-per-second": "1000000"])
    for index in 0..<4200 {
      let syn = Datagram.tcp(
        End("151.101.\(index / 200).\(1 + index % 200)", 80), UnsolicitedSYNTests.x, .syn)
      let time = Duration.seconds(2) + .microseconds(index)
      script.dropped(time, .outside, syn, "filtered")
      if index < 4096 {
        script.expect(time + .seconds(6), .outside, .error(3, 3, from: Stage.gateway, about: syn))
      }
    }
    script.inbound(
      .s(7), .tcp(UnsolicitedSYNTests.peer, UnsolicitedSYNTests.x, [.syn, .ack]), to: UnsolicitedSYNTests.host
    )
    pass(&script, .s(9))
    try script.check()
  }
}
