import NATWire
import Testing

@testable import NATTable

/// The tracker against rows written by hand from RFC 5382, RFC 6146 section 3.5.2 and RFC 7857 section 2.
@Suite struct TCPTrackerTests {
  /// Every state that a session can be in: the marks say who opened, who sent a FIN, who sent a SYN since the close.
  enum Position: CaseIterable {
    case opened, openedOutside, established, finInside, finOutside
    case closed, closedSynInside, closedSynOutside
    case refused, refusedSynInside, refusedSynOutside
    case reset, resetSynInside, resetSynOutside

    var state: SessionState {
      switch self {
      case .opened: .opened(by: .inside)
      case .openedOutside: .opened(by: .outside)
      case .established: .established
      case .finInside: SessionState(.halfClosed, marks: 0b001)
      case .finOutside: SessionState(.halfClosed, marks: 0b010)
      case .closed: SessionState(.closed)
      case .closedSynInside: SessionState(.closed, marks: 0b001)
      case .closedSynOutside: SessionState(.closed, marks: 0b010)
      case .refused: SessionState(.reset)
      case .refusedSynInside: SessionState(.reset, marks: 0b001)
      case .refusedSynOutside: SessionState(.reset, marks: 0b010)
      case .reset: SessionState(.reset, marks: 0b100)
      case .resetSynInside: SessionState(.reset, marks: 0b101)
      case .resetSynOutside: SessionState(.reset, marks: 0b110)
      }
    }
  }

  enum Segment: CaseIterable {
    case syn, synAck, ack, fin, rst

    var flags: [TCPFlags] {
      switch self {
      case .syn: [.syn, [.syn, .psh], [.syn, .urg]]
      case .synAck: [[.syn, .ack], [.syn, .ack, .psh]]
      case .ack: [.ack, [.ack, .psh], .psh, .urg, [.ack, .psh, .urg]]
      case .fin: [.fin, [.fin, .ack], [.fin, .ack, .psh]]
      case .rst: [.rst, [.rst, .ack], [.rst, .fin], [.rst, .fin, .ack]]
      }
    }
  }

  /// One answer in three letters' width: where the session goes, and its clock (`-` keeps, `e` established clock
  /// restarted, `t` transitory clock started, `n` a new connection).
  typealias Answer = (Position, Character)
  typealias Row = (from: Position, inside: [Answer], outside: [Answer])

  // The columns: SYN, SYN-ACK, ACK or data, FIN, RST.
  static let rows: [Row] = [
    (
      .opened,
      [(.opened, "-"), (.opened, "-"), (.opened, "-"), (.opened, "-"), (.refused, "t")],
      [(.established, "e"), (.established, "e"), (.opened, "-"), (.opened, "-"), (.refused, "t")]
    ),
    (
      .openedOutside,
      [
        (.established, "e"), (.established, "e"), (.openedOutside, "-"), (.openedOutside, "-"),
        (.refused, "t"),
      ],
      [
        (.openedOutside, "-"), (.openedOutside, "-"), (.openedOutside, "-"), (.openedOutside, "-"),
        (.refused, "t"),
      ]
    ),
    (
      .established,
      [(.established, "e"), (.established, "e"), (.established, "e"), (.finInside, "e"), (.reset, "t")],
      [(.established, "e"), (.established, "e"), (.established, "e"), (.finOutside, "e"), (.reset, "t")]
    ),
    (
      .finInside,
      [(.finInside, "e"), (.finInside, "e"), (.finInside, "e"), (.finInside, "e"), (.reset, "t")],
      [(.finInside, "e"), (.finInside, "e"), (.finInside, "e"), (.closed, "t"), (.reset, "t")]
    ),
    (
      .finOutside,
      [(.finOutside, "e"), (.finOutside, "e"), (.finOutside, "e"), (.closed, "t"), (.reset, "t")],
      [(.finOutside, "e"), (.finOutside, "e"), (.finOutside, "e"), (.finOutside, "e"), (.reset, "t")]
    ),
    (
      .closed,
      [(.closedSynInside, "-"), (.closedSynInside, "-"), (.closed, "-"), (.closed, "-"), (.closed, "-")],
      [(.closedSynOutside, "-"), (.closedSynOutside, "-"), (.closed, "-"), (.closed, "-"), (.closed, "-")]
    ),
    (
      .closedSynInside,
      [
        (.closedSynInside, "-"), (.closedSynInside, "-"), (.closedSynInside, "-"), (.closedSynInside, "-"),
        (.closedSynInside, "-"),
      ],
      [
        (.established, "n"), (.established, "n"), (.closedSynInside, "-"), (.closedSynInside, "-"),
        (.closedSynInside, "-"),
      ]
    ),
    (
      .closedSynOutside,
      [
        (.established, "n"), (.established, "n"), (.closedSynOutside, "-"), (.closedSynOutside, "-"),
        (.closedSynOutside, "-"),
      ],
      [
        (.closedSynOutside, "-"), (.closedSynOutside, "-"), (.closedSynOutside, "-"),
        (.closedSynOutside, "-"),
        (.closedSynOutside, "-"),
      ]
    ),
    // A connection that was refused had never been established: data does not bring it back.
    (
      .refused,
      [
        (.refusedSynInside, "-"), (.refusedSynInside, "-"), (.refused, "-"), (.refused, "-"), (.refused, "-"),
      ],
      [
        (.refusedSynOutside, "-"), (.refusedSynOutside, "-"), (.refused, "-"), (.refused, "-"),
        (.refused, "-"),
      ]
    ),
    (
      .refusedSynInside,
      [
        (.refusedSynInside, "-"), (.refusedSynInside, "-"), (.refusedSynInside, "-"),
        (.refusedSynInside, "-"),
        (.refusedSynInside, "-"),
      ],
      [
        (.established, "n"), (.established, "n"), (.refusedSynInside, "-"), (.refusedSynInside, "-"),
        (.refusedSynInside, "-"),
      ]
    ),
    (
      .refusedSynOutside,
      [
        (.established, "n"), (.established, "n"), (.refusedSynOutside, "-"), (.refusedSynOutside, "-"),
        (.refusedSynOutside, "-"),
      ],
      [
        (.refusedSynOutside, "-"), (.refusedSynOutside, "-"), (.refusedSynOutside, "-"),
        (.refusedSynOutside, "-"), (.refusedSynOutside, "-"),
      ]
    ),
    // One that had been: anything but SYN and RST does, earlier FINs forgotten, and its own is none.
    (
      .reset,
      [
        (.resetSynInside, "-"), (.resetSynInside, "-"), (.established, "e"), (.established, "e"),
        (.reset, "-"),
      ],
      [
        (.resetSynOutside, "-"), (.resetSynOutside, "-"), (.established, "e"), (.established, "e"),
        (.reset, "-"),
      ]
    ),
    (
      .resetSynInside,
      [
        (.resetSynInside, "-"), (.resetSynInside, "-"), (.established, "e"), (.established, "e"),
        (.resetSynInside, "-"),
      ],
      [
        (.established, "n"), (.established, "n"), (.established, "e"), (.established, "e"),
        (.resetSynInside, "-"),
      ]
    ),
    (
      .resetSynOutside,
      [
        (.established, "n"), (.established, "n"), (.established, "e"), (.established, "e"),
        (.resetSynOutside, "-"),
      ],
      [
        (.resetSynOutside, "-"), (.resetSynOutside, "-"), (.established, "e"), (.established, "e"),
        (.resetSynOutside, "-"),
      ]
    ),
  ]

  static func letter(_ clock: TCPTracker.Clock) -> Character {
    switch clock {
    case .keep: "-"
    case .restartEstablished: "e"
    case .startTransitory: "t"
    case .reopen: "n"
    }
  }

  @Test("TCP1 TCP2 TCP3 TCP4 TCP5 TCP6 TCP7 TCP8 TCP9 TCP11 TCP13 every state, segment and side has its row")
  func everyRow() {
    #expect(Set(Self.rows.map(\.from)) == Set(Position.allCases))
    for row in Self.rows {
      for (side, answers) in [(Side.inside, row.inside), (.outside, row.outside)] {
        for (segment, answer) in zip(Segment.allCases, answers) {
          for flags in segment.flags {
            let step = TCPTracker.advance(row.from.state, on: flags, from: side)
            #expect(
              step.state == answer.0.state && Self.letter(step.clock) == answer.1,
              "\(row.from) on \(segment) from \(side)")
            // ECE and CWR (RFC 3168) change nothing.
            let marked = TCPFlags(rawValue: flags.rawValue | 0xC0)
            #expect(TCPTracker.advance(row.from.state, on: marked, from: side) == step)
          }
        }
      }
    }
  }

  @Test("TCP11 after-reset transitory: a reset connection stays one until both sides send a SYN")
  func resetIsFinal() {
    for (from, side, segment) in [
      (Position.reset, Side.inside, Segment.ack), (.reset, .outside, .fin), (.resetSynInside, .outside, .ack),
      (.resetSynOutside, .inside, .ack),
    ] {
      let step = TCPTracker.advance(from.state, on: segment.flags[0], from: side, resetIsFinal: true)
      #expect(step.state == from.state && step.clock == .keep, "\(from)")
    }
    let step = TCPTracker.advance(Position.resetSynInside.state, on: .syn, from: .outside, resetIsFinal: true)
    #expect(step.state == .established && step.clock == .reopen)
  }

  @Test("UDP and ICMP have no connection to follow")
  func active() {
    for side in Side.allCases {
      #expect(TCPTracker.advance(.active, on: .rst, from: side).state == .active)
    }
  }

  @Test("no two phases share a byte, and no state is zero, which means free")
  func bytes() {
    #expect(Set(Position.allCases.map(\.state.rawValue)).count == Position.allCases.count)
    #expect(Position.allCases.allSatisfy { $0.state.phase != .free })
  }
}
