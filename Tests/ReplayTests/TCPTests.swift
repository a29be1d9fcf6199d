import NATControl
import NATWire
import Testing

/// RFC 5382, RFC 6146 section 3.5.2, RFC 7857 section 2: states and times of connections.
@Suite("TCP states and times")
struct TCPTests {
  private static let host: End = "192.168.1.2:5000"
  private static let remote: End = "142.250.195.100:443"
  private static let x = Stage.x(50001)
  private static let closing: SegmentFlags = [.fin, .ack]

  enum From { case inside, outside }

  /// A connection of one host over 50001, said segment by segment. All segments pass.
  private struct Connection {
    var script: Script

    init(_ nat: [String: String] = [:]) throws { script = try Script(nat) }

    mutating func segment(_ time: Duration, _ from: From, _ flags: SegmentFlags) {
      switch from {
      case .inside: script.outbound(time, .tcp(host, remote, flags), as: x)
      case .outside: script.inbound(time, .tcp(remote, x, flags), to: host)
      }
    }

    mutating func play(_ steps: [(Double, From, SegmentFlags)]) {
      for (time, from, flags) in steps { segment(.s(time), from, flags) }
    }

    /// 1 s: SYN, SYN-ACK, ACK.
    mutating func open() { play([(1, .inside, .syn), (1.1, .outside, [.syn, .ack]), (1.2, .inside, .ack)]) }

    /// What the table says of it as of its last segment.
    mutating func state() throws -> String {
      let session = try script.run().table.bindings.first?.sessions.first
      return session.map { "\($0.state.rawValue) expires \($0.expiresIn)" } ?? "none"
    }

    /// Checks that the session lives until `due` and no longer.
    mutating func endsAt(_ due: Duration, sourceLocation: SourceLocation = #_sourceLocation) throws {
      // A segment to a port that nothing is bound to moves the clock and nothing else.
      var alive = self
      alive.script.dropped(due, .outside, .tcp(remote, Stage.x(59999), .ack), "noBinding")
      let there = try alive.script.check(sourceLocation: sourceLocation)
      #expect(there.stats.sessions == 1, "alive at its due time", sourceLocation: sourceLocation)
      var ended = self
      ended.script.dropped(due + .nanosecond, .outside, .tcp(remote, x, .ack), "noBinding")
      let gone = try ended.script.check(sourceLocation: sourceLocation)
      #expect(gone.stats.sessions == 0, "ended after it", sourceLocation: sourceLocation)
    }
  }

  /// A history, the state it leads to, and when that ends (in milliseconds).
  struct Case: CustomTestStringConvertible {
    var name: String
    var steps: [(Double, From, SegmentFlags)]
    var state: String
    var due: Int
    var nat: [String: String] = [:]

    var testDescription: String { name }
  }

  private static let opening: [(Double, From, SegmentFlags)] = [
    (1, .inside, .syn), (1.1, .outside, [.syn, .ack]), (1.2, .inside, .ack),
  ]

  static let cases: [Case] = [
    Case(
      name: "TCP1 handshake: established for 7440 s, RFC 5382 REQ-5", steps: opening, state: "established",
      due: 7_441_200),
    Case(
      name: "TCP2 SYN alone: transitory for 240 s", steps: [(1, .inside, .syn)], state: "syn-sent",
      due: 241_000),
    Case(
      name: "TCP3 a repeated SYN extends nothing",
      steps: [(1, .inside, .syn), (2, .inside, .syn), (240, .inside, .syn)],
      state: "syn-sent", due: 241_000),
    Case(
      name: "TCP3 ACK, data and FIN without an answer extend nothing",
      steps: [
        (1, .inside, .syn), (2, .inside, .ack), (3, .inside, [.psh, .ack]), (4, .inside, closing),
        (5, .outside, .ack),
      ],
      state: "syn-sent", due: 241_000),
    Case(
      name: "TCP4 duplicates in the opening, RFC 7857 section 2.1",
      steps: [
        (1, .inside, .syn), (1.05, .inside, .syn), (1.1, .outside, [.syn, .ack]),
        (1.15, .outside, [.syn, .ack]),
        (1.2, .inside, .ack), (1.3, .inside, .ack),
      ],
      state: "established", due: 7_441_300),
    Case(
      name: "TCP4 a SYN-ACK counts from where it comes, its own side's does not",
      steps: [(1, .inside, .syn), (2, .inside, [.syn, .ack])],
      state: "syn-sent", due: 241_000),
    Case(
      name: "TCP5 closed by the inside first",
      steps: opening + [(2, .inside, closing), (3, .outside, closing), (4, .inside, .ack)],
      state: "closed", due: 243_000),
    Case(
      name: "TCP5 closed by the outside first",
      steps: opening + [(2, .outside, closing), (3, .inside, closing), (4, .outside, .ack)],
      state: "closed", due: 243_000),
    Case(
      name: "TCP5 closed by both at once",
      steps: opening + [(2, .inside, closing), (2, .outside, closing), (2.5, .inside, .ack)],
      state: "closed", due: 242_000),
    Case(
      name:
        "TCP6 half-closed: the established clock, restarted by data of the other side, RFC 6146 section 3.5.2.2",
      steps: opening + [(2, .inside, closing), (1000, .outside, [.psh, .ack])], state: "half-closed",
      due: 8_440_000),
    Case(
      name: "TCP6 half-closed: a repeated FIN restarts it, and SYN too",
      steps: opening + [(2, .inside, closing), (10, .inside, closing), (20, .outside, .syn)],
      state: "half-closed",
      due: 7_460_000),
    Case(
      name: "TCP7 retransmitted FIN and last ACK pass and extend nothing",
      steps: opening + [
        (2, .inside, closing), (3, .outside, closing), (100, .outside, closing), (200, .inside, .ack),
      ],
      state: "closed", due: 243_000),
    Case(
      name: "TCP8 after both FINs a SYN of one side passes and restores nothing, RFC 7857 section 2.1",
      steps: opening + [
        (2, .inside, closing), (3, .outside, closing), (4, .inside, .syn), (5, .inside, .syn),
        (6, .outside, .ack),
      ],
      state: "closed", due: 243_000),
    Case(
      name: "TCP9 SYN of both sides after the close: established again",
      steps: opening + [
        (2, .inside, closing), (3, .outside, closing), (4, .inside, .syn), (5, .outside, [.syn, .ack]),
      ],
      state: "established", due: 7_445_000),
    Case(
      name: "TCP9 SYN of both sides after the close, the outside first",
      steps: opening + [
        (2, .inside, closing), (3, .outside, closing), (4, .outside, .syn), (5, .inside, .syn),
      ],
      state: "established", due: 7_445_000),
    Case(
      name: "TCP10 RST from outside passes: transitory, not freed, RFC 7857 section 2.3",
      steps: opening + [(2, .outside, .rst)],
      state: "reset", due: 242_000),
    Case(
      name: "TCP10 RST from inside, and another one that changes nothing",
      steps: opening + [(2, .inside, [.rst, .ack]), (3, .outside, .rst), (4, .inside, .rst)], state: "reset",
      due: 242_000),
    Case(
      name: "TCP10 RST when half-closed", steps: opening + [(2, .inside, closing), (3, .outside, .rst)],
      state: "reset",
      due: 243_000),
    Case(
      name: "TCP10 RST after the close changes nothing",
      steps: opening + [(2, .inside, closing), (3, .outside, closing), (4, .inside, .rst)], state: "closed",
      due: 243_000),
    Case(
      name: "TCP11 data after RST: established again, RFC 6146 section 3.5.2.2",
      steps: opening + [(2, .outside, .rst), (3, .outside, [.psh, .ack])], state: "established",
      due: 7_443_000),
    Case(
      name: "TCP11 data after RST: earlier FINs are forgotten",
      steps: opening + [
        (2, .inside, closing), (3, .outside, .rst), (4, .inside, .ack), (5, .outside, closing),
      ],
      state: "half-closed", due: 7_445_000),
    Case(
      name: "TCP11 after-reset: transitory stays so",
      steps: opening + [(2, .outside, .rst), (3, .outside, [.psh, .ack]), (4, .inside, .ack)], state: "reset",
      due: 242_000,
      nat: ["tcp": "{ after-reset: transitory }"]),
    Case(
      name: "TCP11 after-reset: transitory, and SYN of both sides: established",
      steps: opening + [(2, .outside, .rst), (3, .inside, .syn), (4, .outside, [.syn, .ack])],
      state: "established",
      due: 7_444_000, nat: ["tcp": "{ after-reset: transitory }"]),
    Case(
      name: "TCP13 RST in answer to SYN: transitory from then on",
      steps: [(1, .inside, .syn), (5, .outside, [.rst, .ack])],
      state: "reset", due: 245_000),
    Case(
      name: "TCP13 data after a refused SYN does not establish",
      steps: [
        (1, .inside, .syn), (5, .outside, [.rst, .ack]), (6, .inside, .ack), (7, .outside, [.psh, .ack]),
      ], state: "reset",
      due: 245_000),
    Case(
      name: "TCP13 a refused SYN, then SYN of both sides",
      steps: [
        (1, .inside, .syn), (5, .outside, [.rst, .ack]), (6, .inside, .syn), (7, .outside, [.syn, .ack]),
      ],
      state: "established", due: 7_447_000),
    Case(
      name: "TCP15 simultaneous open, RFC 5382 REQ-2a",
      steps: [(1, .inside, .syn), (1.1, .outside, .syn), (1.2, .inside, [.syn, .ack])],
      state: "established", due: 7_441_200),
    Case(
      name: "TCP17 SYN and challenge ACK on a live connection, then RST and a new one, RFC 5961",
      steps: opening + [
        (10, .inside, .syn), (10.1, .outside, .ack), (10.2, .inside, .rst), (11, .inside, .syn),
        (11.1, .outside, [.syn, .ack]), (11.2, .inside, .ack),
      ],
      state: "established", due: 7_451_200),
    Case(
      name: "TCP18 a late retransmission after a lost ACK passes",
      steps: opening + [
        (2, .inside, closing), (3, .outside, closing), (3.1, .inside, .ack),
        (30, .outside, [.fin, .psh, .ack]),
        (30.1, .inside, .ack),
      ],
      state: "closed", due: 243_000),
    Case(
      name: "TCP19 a stale SYN-ACK changes nothing of a live connection, RFC 1337",
      steps: opening + [(10, .outside, [.syn, .ack]), (11, .inside, .ack)],
      state: "established", due: 7_451_000),
    Case(
      name: "TCP19 a RST in TIME-WAIT changes nothing, RFC 1337",
      steps: opening + [
        (2, .inside, closing), (3, .outside, closing), (4, .outside, [.psh, .ack]), (4.1, .inside, .rst),
        (5, .inside, .ack),
      ],
      state: "closed", due: 243_000),
    Case(
      name: "TCP22 a keep-alive from outside restarts the established clock, RFC 5382 REQ-5",
      steps: opening + [(7000, .outside, .ack)], state: "established", due: 14_440_000),
    Case(
      name: "TCP22 a keep-alive from inside restarts the established clock",
      steps: opening + [(7000, .inside, .ack), (14_440, .inside, .ack)], state: "established", due: 21_880_000
    ),
    Case(
      name: "TCP24 a lifetime for a destination port replaces tcp-established", steps: opening,
      state: "established",
      due: 601_200, nat: ["lifetimes": "{ ports: { tcp/443: 600s } }"]),
    Case(
      name: "TCP24 and leaves the transitory one",
      steps: opening + [(2, .inside, closing), (3, .outside, closing)],
      state: "closed", due: 243_000, nat: ["lifetimes": "{ ports: { tcp/443: 600s, tcp/444: 700s } }"]),
    Case(
      name: "TCP2 lifetimes are configured", steps: [(1, .inside, .syn)], state: "syn-sent", due: 301_000,
      nat: ["lifetimes": "{ tcp-transitory: 300s, tcp-established: 8000s }"]),
    Case(
      name: "TCP1 lifetimes are configured, established", steps: opening, state: "established",
      due: 8_001_200,
      nat: ["lifetimes": "{ tcp-transitory: 300s, tcp-established: 8000s }"]),
  ]

  @Test("a connection's state and the end of its time", arguments: cases)
  func history(_ example: Case) throws {
    var connection = try Connection(example.nat)
    connection.play(example.steps)
    let state = try connection.state()
    #expect(state.hasPrefix(example.state + " "), "\(example.name): \(state)")
    try connection.endsAt(.milliseconds(example.due))
  }

  @Test("TCP9 reopening is one session ended, one created; packets and bytes run on, RFC 7857 section 2.1")
  func reopened() throws {
    var connection = try Connection()
    connection.open()
    connection.play([
      (2, .inside, TCPTests.closing), (3, .outside, TCPTests.closing), (4, .inside, .syn),
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
    var connection = try Connection()
    connection.open()
    connection.play([(2, .inside, TCPTests.closing), (3, .outside, TCPTests.closing)])
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
    // The binding lives; another remote's session does not exist.
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
    "TCP20 MSS clamp: a larger one is lowered, a smaller one kept, in SYN and SYN-ACK, at odd places too, others untouched",
    arguments: [
      // Options as they come, and as they go.
      ([2, 4, 0x23, 0x00], [2, 4, 0x05, 0xB4]), ([2, 4, 0x05, 0xB5], [2, 4, 0x05, 0xB4]),
      ([2, 4, 0x05, 0xB4], [2, 4, 0x05, 0xB4]), ([2, 4, 0x02, 0x00], [2, 4, 0x02, 0x00]), ([], []),
      ([1, 2, 4, 0x23, 0x00, 0, 0, 0], [1, 2, 4, 0x05, 0xB4, 0, 0, 0]),
      ([1, 1, 1, 2, 4, 0xFF, 0xFF, 0], [1, 1, 1, 2, 4, 0x05, 0xB4, 0]),
      // A small first one does not end the scan, a lowered one does.
      (
        [2, 4, 0x02, 0, 2, 4, 0xFF, 0xFF, 2, 4, 0xFF, 0xFF],
        [2, 4, 0x02, 0, 2, 4, 0x05, 0xB4, 2, 4, 0xFF, 0xFF]
      ),
      // Length 0, length beyond the header, and the end of the list end the scan.
      ([8, 0, 2, 4, 0xFF, 0xFF, 0, 0], [8, 0, 2, 4, 0xFF, 0xFF, 0, 0]),
      ([8, 40, 2, 4, 0xFF, 0xFF, 0, 0], [8, 40, 2, 4, 0xFF, 0xFF, 0, 0]),
      ([0, 0, 2, 4, 0xFF, 0xFF, 0, 0], [0, 0, 2, 4, 0xFF, 0xFF, 0, 0]),
    ] as [([UInt8], [UInt8])])
  func segmentSize(options: [UInt8], clamped: [UInt8]) throws {
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
        payload: .tcp(Datagram.Segment(flags: .syn, options: [2, 4] + Datagram.big(size))))
    }
    script.receive(.s(1), .inside, packet(9000))
    script.expect(.s(1), .outside, packet(limit).sent(as: TCPTests.x))
    try script.check()
  }

  @Test(
    "flags that no sender means are malformed: none of the six, SYN with FIN, SYN with RST",
    arguments: [
      SegmentFlags([]), [.syn, .fin], [.syn, .rst], [.syn, .fin, .ack], SegmentFlags(rawValue: 0xC0),
    ])
  func malformed(flags: SegmentFlags) throws {
    var connection = try Connection()
    connection.open()
    connection.script.dropped(.s(2), .inside, .tcp(TCPTests.host, TCPTests.remote, flags), "badTCPFlags")
    connection.script.dropped(.s(3), .outside, .tcp(TCPTests.remote, TCPTests.x, flags), "badTCPFlags")
    try connection.script.check()
  }
}
