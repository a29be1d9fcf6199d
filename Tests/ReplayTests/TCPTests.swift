import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 5382, RFC 6146 section 3.5.2, RFC 7857 section 2: states and timeouts of connections.
@Suite("TCP states and times")
struct TCPTests {
  private static let host = TCPConnection.host
  private static let remote = TCPConnection.remote
  private static let x = TCPConnection.x

  // MARK: Histories

  @Test(
    "TCP1 the handshake leads to established, and that lives 2 h 4 min, RFC 5382 REQ-5",
    arguments: TCPHistory.of("TCP1"))
  func established(history: TCPHistory) throws { try history.check() }

  @Test("TCP2 half-open connections live 4 min, RFC 5382 REQ-5", arguments: TCPHistory.of("TCP2"))
  func halfOpen(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP3 nothing that the opener repeats extends a half-open connection, RFC 5382 REQ-5",
    arguments: TCPHistory.of("TCP3"))
  func repeated(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP4 duplicates in the opening: established as normal, RFC 7857 section 2.1",
    arguments: TCPHistory.of("TCP4"))
  func duplicates(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP5 a close begun by the inside, the outside or both leads to the transitory clock, RFC 7857 section 2.1",
    arguments: TCPHistory.of("TCP5"))
  func closed(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP6 half-closed keeps the established clock, RFC 6146 section 3.5.2.2", arguments: TCPHistory.of("TCP6")
  )
  func halfClosed(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP7 a retransmitted FIN and the last ACK pass until the transitory end, RFC 5382 REQ-5",
    arguments: TCPHistory.of("TCP7"))
  func lastWords(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP8 a SYN of one side after the close passes and restores nothing, RFC 7857 section 2.1",
    arguments: TCPHistory.of("TCP8"))
  func oneSYN(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP9 SYNs of both sides after the close: established again, RFC 7857 section 2.1",
    arguments: TCPHistory.of("TCP9"))
  func bothSYNs(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP10 RST passes, and leaves the session transitory, RFC 7857 section 2.3",
    arguments: TCPHistory.of("TCP10"))
  func resets(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP11 data after RST returns to established, or not where so configured, RFC 6146 section 3.5.2.2",
    arguments: TCPHistory.of("TCP11"))
  func afterReset(history: TCPHistory) throws { try history.check() }

  @Test("TCP13 RST in answer to SYN: transitory, never established", arguments: TCPHistory.of("TCP13"))
  func refusals(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP15 simultaneous open: SYNs that cross establish, RFC 5382 REQ-2a", arguments: TCPHistory.of("TCP15"))
  func simultaneous(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP17 a challenge ACK on a live connection passes, then a new one works, RFC 5961",
    arguments: TCPHistory.of("TCP17"))
  func challenge(history: TCPHistory) throws { try history.check() }

  @Test("TCP18 a late retransmission after a lost ACK passes", arguments: TCPHistory.of("TCP18"))
  func lateRetransmission(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP19 a stale SYN-ACK and a RST in TIME-WAIT change nothing, RFC 1337", arguments: TCPHistory.of("TCP19")
  )
  func stale(history: TCPHistory) throws { try history.check() }

  @Test(
    "TCP24 a lifetime for the destination port replaces the established one",
    arguments: TCPHistory.of("TCP24"))
  func portLifetime(history: TCPHistory) throws { try history.check() }

  // MARK: Scenarios

  @Test("TCP9 reopening is one session ended, one created; packets and bytes run on, RFC 7857 section 2.1")
  func reopened() throws {
    var connection = try TCPConnection()
    connection.open()
    connection.play([
      (2, .inside, .closing), (3, .outside, .closing), (4, .inside, .syn),
      (5, .outside, [.syn, .ack]),
    ])
    let outcome = try connection.script.check(sessions: [
      "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:443 established idle 0 expires 7440 out 4/160 in 3/120"
    ])
    #expect(outcome.stats.events.sessionsCreated == 2)
    #expect(outcome.stats.events.sessionsExpired == 1)
    #expect(outcome.stats.events.bindingsCreated == 1)
  }

  @Test("TCP7 after the transitory time a packet of the old connection is dropped, a SYN opens a new one")
  func afterTheEnd() throws {
    var connection = try TCPConnection()
    connection.open()
    connection.play([(2, .inside, .closing), (3, .outside, .closing)])
    connection.script.dropped(.s(243.001), .inside, .tcp(TCPTests.host, TCPTests.remote, .ack), "noSession")
    connection.script.dropped(.s(243.002), .outside, .tcp(TCPTests.remote, TCPTests.x, .ack), "noBinding")
    connection.segment(.s(244), .inside, .syn)
    try connection.script.check()
  }

  @Test(
    "TCP14 ACK, FIN, RST or SYN-ACK without a session creates nothing, from either side",
    arguments: [SegmentFlags.ack, .fin, [.fin, .ack], .rst, [.rst, .ack], [.syn, .ack], [.psh, .ack]])
  func withoutSession(flags: SegmentFlags) throws {
    var script = try Script()
    script.dropped(.s(1), .inside, .tcp(TCPTests.host, TCPTests.remote, flags), "noSession")
    script.dropped(.s(2), .outside, .tcp(TCPTests.remote, TCPTests.x, flags), "noBinding")
    // The binding lives, but this remote has no session.
    script.outbound(.s(3), .tcp(TCPTests.host, TCPTests.remote, .syn), as: TCPTests.x)
    script.dropped(.s(4), .inside, .tcp(TCPTests.host, "151.101.65.69:443", flags), "noSession")
    script.dropped(.s(5), .outside, .tcp("142.250.195.100:444", TCPTests.x, flags), "noSession")
    try script.check(sessions: [
      "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:443 syn-sent idle 2 expires 238 out 1/40 in 0/0"
    ])
  }

  @Test("TCP14 loose: picked up from inside with ACK, never with RST, never from outside")
  func loose() throws {
    var script = try Script(["tcp": "{ loose: true }"])
    for (time, flags) in [
      (1.0, SegmentFlags.rst), (2, [.rst, .ack]), (3, .fin), (4, [.syn, .ack]), (5, .psh),
    ] {
      script.dropped(.s(time), .inside, .tcp(TCPTests.host, TCPTests.remote, flags), "noSession")
    }
    script.dropped(.s(6), .outside, .tcp(TCPTests.remote, TCPTests.x, .ack), "noBinding")
    script.outbound(.s(10), .tcp(TCPTests.host, TCPTests.remote, .ack), as: TCPTests.x)
    script.outbound(.s(11), .tcp("192.168.1.3:5000", TCPTests.remote, [.fin, .ack]), as: Stage.x(50002))
    try script.check(sessions: [
      "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:443 established idle 1 expires 7439 out 1/40 in 0/0",
      "tcp 192.168.1.3:5000 203.0.113.5:50002 142.250.195.100:443 half-closed idle 0 expires 7440 out 1/40 in 0/0",
    ])
  }

  @Test("TCP15 an outside SYN that filtering refuses, then the inside's own: the connection completes")
  func crossed() throws {
    var script = try Script()
    script.outbound(.s(1), .tcp(TCPTests.host, "151.101.65.69:80", .syn), as: TCPTests.x)
    script.dropped(.s(2), .outside, .tcp(TCPTests.remote, TCPTests.x, .syn), "filtered")
    script.outbound(.s(2.1), .tcp(TCPTests.host, TCPTests.remote, .syn), as: TCPTests.x)
    script.inbound(.s(3), .tcp(TCPTests.remote, TCPTests.x, .syn), to: TCPTests.host)
    script.outbound(.s(3.1), .tcp(TCPTests.host, TCPTests.remote, [.syn, .ack]), as: TCPTests.x)
    try script.check(sessions: [
      "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:443 established idle 0 expires 7440 out 2/80 in 1/40",
      "tcp 192.168.1.2:5000 203.0.113.5:50001 151.101.65.69:80 syn-sent idle 2.1 expires 237.9 out 1/40 in 0/0",
    ])
  }

  @Test(
    "TCP20 CS8 MSS clamp: a larger one is lowered, a smaller one kept, in SYN and SYN-ACK, at odd places too, others untouched",
    arguments: [
      // Options as they come, and as they go.
      ([2, 4, 0x23, 0x00], [2, 4, 0x05, 0xB4]), ([2, 4, 0x05, 0xB5], [2, 4, 0x05, 0xB4]),
      ([2, 4, 0x05, 0xB4], [2, 4, 0x05, 0xB4]), ([2, 4, 0x02, 0x00], [2, 4, 0x02, 0x00]), ([], []),
      ([1, 2, 4, 0x23, 0x00, 0, 0, 0], [1, 2, 4, 0x05, 0xB4, 0, 0, 0]),
      ([1, 1, 1, 2, 4, 0xFF, 0xFF, 0], [1, 1, 1, 2, 4, 0x05, 0xB4, 0]),
      // A small first option does not end the scan; a lowered one does.
      (
        [2, 4, 0x02, 0, 2, 4, 0xFF, 0xFF, 2, 4, 0xFF, 0xFF],
        [2, 4, 0x02, 0, 2, 4, 0x05, 0xB4, 2, 4, 0xFF, 0xFF]
      ),
    ] as [([UInt8], [UInt8])])
  func segmentSize(options: [UInt8], clamped: [UInt8]) throws { try pass(options, as: clamped) }

  @Test(
    "TCP21 a malformed list of options ends the scan: no loop, nothing read beyond, the segment passes",
    arguments: [
      [8, 0, 2, 4, 0xFF, 0xFF, 0, 0], [8, 1, 2, 4, 0xFF, 0xFF, 0, 0], [8, 40, 2, 4, 0xFF, 0xFF, 0, 0],
      [0, 0, 2, 4, 0xFF, 0xFF, 0, 0], [1, 1, 1, 2], [1, 1, 2, 4], [2, 3, 0xFF, 0], [2, 40, 0xFF, 0xFF],
      [2, 5, 0xFF, 0xFF], [1, 2, 4, 0xFF],
    ] as [[UInt8]])
  func malformedOptions(options: [UInt8]) throws { try pass(options, as: options) }

  /// SYN and SYN-ACK with options that leave as others, and other segments that leave unchanged.
  private func pass(_ options: [UInt8], as clamped: [UInt8]) throws {
    var script = try Script()
    func packet(_ source: End, _ destination: End, _ flags: SegmentFlags, _ options: [UInt8]) -> Datagram {
      Datagram(
        source: source, destination: destination,
        payload: .tcp(Datagram.Segment(flags: flags, options: options, data: [1])))
    }
    let (host, remote, x) = (TCPTests.host, TCPTests.remote, TCPTests.x)
    script.receive(.s(1), .inside, packet(host, remote, .syn, options))
    script.expect(.s(1), .outside, packet(host, remote, .syn, clamped).sent(as: x))
    script.receive(.s(2), .outside, packet(remote, x, [.syn, .ack], options))
    script.expect(.s(2), .inside, packet(remote, x, [.syn, .ack], clamped).delivered(to: host))
    script.outbound(.s(3), packet(host, remote, .ack, options), as: x)
    script.inbound(.s(4), packet(remote, x, .ack, options), to: host)
    try script.check()
  }

  @Test(
    "TCP20 mss-clamp: off, a number, and auto from the smaller MTU",
    arguments: [
      ("{ mss-clamp: off }", "", UInt16(9000)), ("{ mss-clamp: 1200 }", "", 1200),
      ("{ mss-clamp: auto }", ", mtu: 1280", 1240),
    ])
  func configuredSize(tcp: String, mtu: String, limit: UInt16) throws {
    var script = try Script(["tcp": tcp], interfaces: ("", mtu))
    func packet(_ size: UInt16) -> Datagram {
      Datagram(
        source: TCPTests.host, destination: TCPTests.remote,
        payload: .tcp(Datagram.Segment(flags: .syn, options: [2, 4] + big(size))))
    }
    script.receive(.s(1), .inside, packet(9000))
    script.expect(.s(1), .outside, packet(limit).sent(as: TCPTests.x))
    try script.check()
  }

  @Test(
    "TCP22 a keep-alive restarts the established clock from either side, RFC 5382 REQ-5, RFC 1122 section 4.2.3.6"
  )
  func keepAlive() throws {
    // A keep-alive: sequence number one less, with or without one byte, and its acknowledgement.
    func probe(_ source: End, _ destination: End, hasOctet: Bool) -> Datagram {
      let segment = Datagram.Segment(flags: .ack, sequence: 999, data: hasOctet ? [0] : [])
      return Datagram(source: source, destination: destination, payload: .tcp(segment))
    }
    for hasOctet in [true, false] {
      var connection = try TCPConnection()
      connection.open()
      connection.script.outbound(
        .s(7000), probe(TCPTests.host, TCPTests.remote, hasOctet: hasOctet), as: TCPTests.x)
      var other = connection
      try connection.endsAt(.s(14_440))
      other.script.inbound(
        .s(14_440), probe(TCPTests.remote, TCPTests.x, hasOctet: hasOctet), to: TCPTests.host)
      try other.endsAt(.s(21_880))
    }
  }

  @Test("TCP12 without window tracking a RST or data outside the window passes, RFC 7857 section 2.3")
  func outsideTheWindow() throws {
    func far(_ flags: SegmentFlags) -> Datagram {
      let segment = Datagram.Segment(flags: flags, sequence: 0x8000_0000, acknowledgement: 0x4000_0000)
      return Datagram(source: TCPTests.remote, destination: TCPTests.x, payload: .tcp(segment))
    }
    var connection = try TCPConnection()
    connection.open()
    connection.script.inbound(.s(2), far([.psh, .ack]), to: TCPTests.host)
    #expect(try connection.state() == "established")
    connection.script.inbound(.s(3), far(.rst), to: TCPTests.host)
    #expect(try connection.state() == "reset")
    try connection.endsAt(.s(243))
  }

  @Test(
    "MAL3 flags that no sender means are malformed: none of the six, SYN with FIN, SYN with RST",
    arguments: [
      SegmentFlags([]), [.syn, .fin], [.syn, .rst], [.syn, .fin, .ack], SegmentFlags(rawValue: 0xC0),
    ])
  func malformed(flags: SegmentFlags) throws {
    var connection = try TCPConnection()
    connection.open()
    connection.script.dropped(.s(2), .inside, .tcp(TCPTests.host, TCPTests.remote, flags), "badTCPFlags")
    connection.script.dropped(.s(3), .outside, .tcp(TCPTests.remote, TCPTests.x, flags), "badTCPFlags")
    try connection.script.check()
  }
}
