/// Segments of a connection and the resulting state.
extension TCPHistory {
  /// The histories of one identifier: their names begin with it.
  static func of(_ identifier: String) -> [TCPHistory] {
    let histories = all.filter { $0.name.hasPrefix("\(identifier) ") }
    precondition(!histories.isEmpty, "there is no history of \(identifier)")
    return histories
  }

  private static let opening: [TCPConnection.Step] = [
    (1, .inside, .syn), (1.1, .outside, [.syn, .ack]), (1.2, .inside, .ack),
  ]

  /// Opened, and closed by both sides, the inside first.
  private static let closed = opening + [(2, .inside, .closing), (3, .outside, .closing)]

  /// Opened, and reset by the outside.
  private static let reset = opening + [(2, .outside, .rst)]

  private static let all: [TCPHistory] = [
    TCPHistory(
      name: "TCP1 handshake: established for 7440 s, RFC 5382 REQ-5",
      steps: opening,
      state: "established", due: 7_441_200),
    TCPHistory(
      name: "TCP2 SYN alone: transitory for 240 s",
      steps: [(1, .inside, .syn)],
      state: "syn-sent", due: 241_000),
    TCPHistory(
      name: "TCP3 a repeated SYN extends nothing",
      steps: [(1, .inside, .syn), (2, .inside, .syn), (240, .inside, .syn)],
      state: "syn-sent", due: 241_000),
    TCPHistory(
      name: "TCP3 ACK, data and FIN without an answer extend nothing",
      steps: [
        (1, .inside, .syn), (2, .inside, .ack), (3, .inside, [.psh, .ack]), (4, .inside, .closing),
        (5, .outside, .ack),
      ],
      state: "syn-sent", due: 241_000),
    TCPHistory(
      name: "TCP4 duplicates in the opening, RFC 7857 section 2.1",
      steps: [
        (1, .inside, .syn), (1.05, .inside, .syn), (1.1, .outside, [.syn, .ack]),
        (1.15, .outside, [.syn, .ack]), (1.2, .inside, .ack), (1.3, .inside, .ack),
      ],
      state: "established", due: 7_441_300),
    TCPHistory(
      name: "TCP4 a SYN-ACK counts from where it comes, its own side's does not",
      steps: [(1, .inside, .syn), (2, .inside, [.syn, .ack])],
      state: "syn-sent", due: 241_000),
    TCPHistory(
      name: "TCP5 closed by the inside first",
      steps: closed + [(4, .inside, .ack)],
      state: "closed", due: 243_000),
    TCPHistory(
      name: "TCP5 closed by the outside first",
      steps: opening + [(2, .outside, .closing), (3, .inside, .closing), (4, .outside, .ack)],
      state: "closed", due: 243_000),
    TCPHistory(
      name: "TCP5 closed by both at once",
      steps: opening + [(2, .inside, .closing), (2, .outside, .closing), (2.5, .inside, .ack)],
      state: "closed", due: 242_000),
    TCPHistory(
      name:
        "TCP6 half-closed: the established clock, restarted by data of the other side, RFC 6146 section 3.5.2.2",
      steps: opening + [(2, .inside, .closing), (1000, .outside, [.psh, .ack])],
      state: "half-closed", due: 8_440_000),
    TCPHistory(
      name: "TCP6 half-closed: a repeated FIN restarts it, and SYN too",
      steps: opening + [(2, .inside, .closing), (10, .inside, .closing), (20, .outside, .syn)],
      state: "half-closed", due: 7_460_000),
    TCPHistory(
      name: "TCP7 retransmitted FIN and last ACK pass and extend nothing",
      steps: closed + [(100, .outside, .closing), (200, .inside, .ack)],
      state: "closed", due: 243_000),
    TCPHistory(
      name: "TCP8 after both FINs a SYN of one side passes and restores nothing, RFC 7857 section 2.1",
      steps: closed + [(4, .inside, .syn), (5, .inside, .syn), (6, .outside, .ack)],
      state: "closed", due: 243_000),
    TCPHistory(
      name: "TCP9 SYN of both sides after the close: established again",
      steps: closed + [(4, .inside, .syn), (5, .outside, [.syn, .ack])],
      state: "established", due: 7_445_000),
    TCPHistory(
      name: "TCP9 SYN of both sides after the close, the outside first",
      steps: closed + [(4, .outside, .syn), (5, .inside, .syn)],
      state: "established", due: 7_445_000),
    TCPHistory(
      name: "TCP10 RST from outside passes: transitory, not freed, RFC 7857 section 2.3",
      steps: opening + [(2, .outside, .rst)],
      state: "reset", due: 242_000),
    TCPHistory(
      name: "TCP10 RST from inside, and another one that changes nothing",
      steps: opening + [(2, .inside, [.rst, .ack]), (3, .outside, .rst), (4, .inside, .rst)],
      state: "reset", due: 242_000),
    TCPHistory(
      name: "TCP10 RST when half-closed",
      steps: opening + [(2, .inside, .closing), (3, .outside, .rst)],
      state: "reset", due: 243_000),
    TCPHistory(
      name: "TCP10 RST after the close changes nothing",
      steps: closed + [(4, .inside, .rst)],
      state: "closed", due: 243_000),
    TCPHistory(
      name: "TCP11 data after RST: established again, RFC 6146 section 3.5.2.2",
      steps: reset + [(3, .outside, [.psh, .ack])],
      state: "established", due: 7_443_000),
    TCPHistory(
      name: "TCP11 data after RST: earlier FINs are forgotten",
      steps: opening + [
        (2, .inside, .closing), (3, .outside, .rst), (4, .inside, .ack), (5, .outside, .closing),
      ],
      state: "half-closed", due: 7_445_000),
    TCPHistory(
      name: "TCP11 after-reset: transitory stays so",
      steps: reset + [(3, .outside, [.psh, .ack]), (4, .inside, .ack)],
      state: "reset", due: 242_000,
      nat: ["tcp": "{ after-reset: transitory }"]),
    TCPHistory(
      name: "TCP11 after-reset: transitory, and SYN of both sides: established",
      steps: reset + [(3, .inside, .syn), (4, .outside, [.syn, .ack])],
      state: "established", due: 7_444_000,
      nat: ["tcp": "{ after-reset: transitory }"]),
    TCPHistory(
      name: "TCP13 RST in answer to SYN: transitory from then on",
      steps: [(1, .inside, .syn), (5, .outside, [.rst, .ack])],
      state: "reset", due: 245_000),
    TCPHistory(
      name: "TCP13 data after a refused SYN does not establish",
      steps: [
        (1, .inside, .syn), (5, .outside, [.rst, .ack]), (6, .inside, .ack), (7, .outside, [.psh, .ack]),
      ],
      state: "reset", due: 245_000),
    TCPHistory(
      name: "TCP13 a refused SYN, then SYN of both sides",
      steps: [
        (1, .inside, .syn), (5, .outside, [.rst, .ack]), (6, .inside, .syn), (7, .outside, [.syn, .ack]),
      ],
      state: "established", due: 7_447_000),
    TCPHistory(
      name: "TCP15 simultaneous open, RFC 5382 REQ-2a",
      steps: [(1, .inside, .syn), (1.1, .outside, .syn), (1.2, .inside, [.syn, .ack])],
      state: "established", due: 7_441_200),
    TCPHistory(
      name: "TCP17 SYN and challenge ACK on a live connection, then RST and a new one, RFC 5961",
      steps: opening + [
        (10, .inside, .syn), (10.1, .outside, .ack), (10.2, .inside, .rst), (11, .inside, .syn),
        (11.1, .outside, [.syn, .ack]), (11.2, .inside, .ack),
      ],
      state: "established", due: 7_451_200),
    TCPHistory(
      name: "TCP18 a late retransmission after a lost ACK passes",
      steps: closed + [(3.1, .inside, .ack), (30, .outside, [.fin, .psh, .ack]), (30.1, .inside, .ack)],
      state: "closed", due: 243_000),
    TCPHistory(
      name: "TCP19 a stale SYN-ACK changes nothing of a live connection, RFC 1337",
      steps: opening + [(10, .outside, [.syn, .ack]), (11, .inside, .ack)],
      state: "established", due: 7_451_000),
    TCPHistory(
      name: "TCP19 a RST in TIME-WAIT changes nothing, RFC 1337",
      steps: closed + [(4, .outside, [.psh, .ack]), (4.1, .inside, .rst), (5, .inside, .ack)],
      state: "closed", due: 243_000),
    TCPHistory(
      name: "TCP24 a lifetime for a destination port replaces tcp-established",
      steps: opening,
      state: "established", due: 601_200,
      nat: ["lifetimes": "{ ports: { tcp/443: 600s } }"]),
    TCPHistory(
      name: "TCP24 and leaves the transitory one",
      steps: closed,
      state: "closed", due: 243_000,
      nat: ["lifetimes": "{ ports: { tcp/443: 600s, tcp/444: 700s } }"]),
    TCPHistory(
      name: "TCP2 lifetimes are configured",
      steps: [(1, .inside, .syn)],
      state: "syn-sent", due: 301_000,
      nat: ["lifetimes": "{ tcp-transitory: 300s, tcp-established: 8000s }"]),
    TCPHistory(
      name: "TCP1 lifetimes are configured, established",
      steps: opening,
      state: "established", due: 8_001_200,
      nat: ["lifetimes": "{ tcp-transitory: 300s, tcp-established: 8000s }"]),
  ]
}
