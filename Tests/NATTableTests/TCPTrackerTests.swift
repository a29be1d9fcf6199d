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

  /// What a segment does to a session.
  enum Answer {
    /// Keeps the state and the clock.
    case stays
    /// Keeps the state and restarts the established clock.
    case restarts
    /// Changes the state and keeps the clock.
    case goes(Position)
    /// Leads to established and restarts its clock.
    case establishes
    /// Leads to half-closed and restarts the established clock.
    case halfCloses(Position)
    /// Starts the transitory clock.
    case ends(Position)
    /// Leads to established, as a new connection.
    case reopens

    func step(from position: Position) -> (state: SessionState, clock: TCPTracker.Clock) {
      switch self {
      case .stays: (position.state, .keep)
      case .restarts: (position.state, .restartEstablished)
      case .goes(let next): (next.state, .keep)
      case .establishes: (.established, .restartEstablished)
      case .halfCloses(let next): (next.state, .restartEstablished)
      case .ends(let next): (next.state, .startTransitory)
      case .reopens: (.established, .reopen)
      }
    }
  }

  // The columns: SYN, SYN-ACK, ACK or data, FIN, RST.
  static let rows: [(from: Position, side: Side, answers: [Answer])] = [
    (.opened, .inside, [.stays, .stays, .stays, .stays, .ends(.refused)]),
    (.opened, .outside, [.establishes, .establishes, .stays, .stays, .ends(.refused)]),
    (.openedOutside, .inside, [.establishes, .establishes, .stays, .stays, .ends(.refused)]),
    (.openedOutside, .outside, [.stays, .stays, .stays, .stays, .ends(.refused)]),
    (.established, .inside, [.restarts, .restarts, .restarts, .halfCloses(.finInside), .ends(.reset)]),
    (.established, .outside, [.restarts, .restarts, .restarts, .halfCloses(.finOutside), .ends(.reset)]),
    (.finInside, .inside, [.restarts, .restarts, .restarts, .restarts, .ends(.reset)]),
    (.finInside, .outside, [.restarts, .restarts, .restarts, .ends(.closed), .ends(.reset)]),
    (.finOutside, .inside, [.restarts, .restarts, .restarts, .ends(.closed), .ends(.reset)]),
    (.finOutside, .outside, [.restarts, .restarts, .restarts, .restarts, .ends(.reset)]),
    (.closed, .inside, [.goes(.closedSynInside), .goes(.closedSynInside), .stays, .stays, .stays]),
    (.closed, .outside, [.goes(.closedSynOutside), .goes(.closedSynOutside), .stays, .stays, .stays]),
    (.closedSynInside, .inside, [.stays, .stays, .stays, .stays, .stays]),
    (.closedSynInside, .outside, [.reopens, .reopens, .stays, .stays, .stays]),
    (.closedSynOutside, .inside, [.reopens, .reopens, .stays, .stays, .stays]),
    (.closedSynOutside, .outside, [.stays, .stays, .stays, .stays, .stays]),
    // A connection that was refused had never been established: data does not bring it back.
    (.refused, .inside, [.goes(.refusedSynInside), .goes(.refusedSynInside), .stays, .stays, .stays]),
    (.refused, .outside, [.goes(.refusedSynOutside), .goes(.refusedSynOutside), .stays, .stays, .stays]),
    (.refusedSynInside, .inside, [.stays, .stays, .stays, .stays, .stays]),
    (.refusedSynInside, .outside, [.reopens, .reopens, .stays, .stays, .stays]),
    (.refusedSynOutside, .inside, [.reopens, .reopens, .stays, .stays, .stays]),
    (.refusedSynOutside, .outside, [.stays, .stays, .stays, .stays, .stays]),
    // One that had been: anything but SYN and RST does, earlier FINs forgotten, and its own is none.
    (.reset, .inside, [.goes(.resetSynInside), .goes(.resetSynInside), .establishes, .establishes, .stays]),
    (
      .reset, .outside,
      [.goes(.resetSynOutside), .goes(.resetSynOutside), .establishes, .establishes, .stays]
    ),
    (.resetSynInside, .inside, [.stays, .stays, .establishes, .establishes, .stays]),
    (.resetSynInside, .outside, [.reopens, .reopens, .establishes, .establishes, .stays]),
    (.resetSynOutside, .inside, [.reopens, .reopens, .establishes, .establishes, .stays]),
    (.resetSynOutside, .outside, [.stays, .stays, .establishes, .establishes, .stays]),
  ]

  @Test("TCP1 TCP2 TCP3 TCP4 TCP5 TCP6 TCP7 TCP8 TCP9 TCP11 TCP13 every state, segment and side has its row")
  func everyRow() {
    let covered = Self.rows.map { "\($0.from) \($0.side)" }
    #expect(
      covered.sorted()
        == Position.allCases.flatMap { from in Side.allCases.map { "\(from) \($0)" } }.sorted())
    for (from, side, answers) in Self.rows {
      #expect(answers.count == Segment.allCases.count)
      for (segment, answer) in zip(Segment.allCases, answers) {
        let expected = answer.step(from: from)
        for flags in segment.flags {
          let step = TCPTracker.advance(from.state, on: flags, from: side)
          #expect(
            step.state == expected.state && step.clock == expected.clock, "\(from) on \(segment) from \(side)"
          )
          // ECE and CWR (RFC 3168) change nothing.
          let marked = TCPFlags(rawValue: flags.rawValue | 0xC0)
          #expect(TCPTracker.advance(from.state, on: marked, from: side) == step)
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
