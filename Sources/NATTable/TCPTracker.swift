public import NATWire

/// The state of a session in one byte that is never zero.
///
/// The low bits are marks for the two sides: it sent the opening SYN (`synSent`), a SYN since the close
/// (`closed`, `reset`), or its FIN (`halfClosed`).
public struct SessionState: BitwiseCopyable, Equatable, Sendable {
  public enum Phase: UInt8, BitwiseCopyable, Sendable {
    case free = 0
    case synSent, established, halfClosed, closed, reset
    /// UDP and ICMP.
    case active
  }

  public var rawValue: UInt8

  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable init(_ phase: Phase, marks: UInt8 = 0) { rawValue = phase.rawValue << 4 | marks }

  @inlinable public var phase: Phase { Phase(rawValue: rawValue >> 4) ?? .free }

  @inlinable public static var active: SessionState { SessionState(.active) }

  /// A session picked up in the middle of its connection (`tcp.loose`).
  @inlinable public static var established: SessionState { SessionState(.established) }

  /// A session that a SYN opens.
  @inlinable public static func opened(by side: Side) -> SessionState {
    SessionState(.synSent, marks: mark(of: side))
  }

  @usableFromInline static let bothMarks: UInt8 = 0b011
  /// In `reset`: the connection had been established before.
  @usableFromInline static let hadBeenEstablished: UInt8 = 0b100

  @inlinable static func mark(of side: Side) -> UInt8 { side == .inside ? 0b001 : 0b010 }
}

/// The connection tracker: a pure function from state and segment to state and timeout.
///
/// ```
///                 SYN of the other side
///   SYN -> syn-sent -----------------> established <-------------------------.
///             |                          |    | FIN                           |
///             | RST                  RST |    v                               |
///             |                          |  half-closed --- FIN of the ----.  |
///             v                          v    | RST         other side     v  | SYN of both sides
///           reset <----------------------+----'                         closed'
///             |  SYN of both sides, or (had been established) any other segment but RST
///             '-------------------------------------------------------------> established
/// ```
/// Established and half-closed have the established timeout. Every segment except RST and the second FIN
/// restarts it. The other states have the transitory timeout, which starts once, on entry (RFC 5382 REQ-5,
/// RFC 6146 section 3.5.2, RFC 7857 section 2).
public enum TCPTracker {
  /// What happens to the session's timeout.
  public enum Clock: BitwiseCopyable, Sendable {
    case keep
    case restartEstablished
    case startTransitory
    /// The old connection has ended; a new one with the same endpoints is established.
    case reopen
  }

  public struct Step: BitwiseCopyable, Equatable, Sendable {
    public var state: SessionState
    public var clock: Clock

    @inlinable init(_ state: SessionState, _ clock: Clock) {
      self.state = state
      self.clock = clock
    }
  }

  /// - Parameters:
  ///   - side: the side that sent the segment.
  ///   - resetIsFinal: a reset connection stays reset (`tcp.after-reset: transitory`).
  /// - Precondition: the flags are not malformed.
  @inlinable
  public static func advance(
    _ state: SessionState, on flags: TCPFlags, from side: Side, resetIsFinal: Bool = false
  ) -> Step {
    let mark = SessionState.mark(of: side)
    let marks = state.rawValue & SessionState.bothMarks
    switch state.phase {
    case .established:
      if flags.contains(.rst) { return reset(wasEstablished: true) }
      if flags.contains(.fin) { return Step(SessionState(.halfClosed, marks: mark), .restartEstablished) }
      return Step(state, .restartEstablished)

    case .halfClosed:
      if flags.contains(.rst) { return reset(wasEstablished: true) }
      if flags.contains(.fin), marks & mark == 0 { return Step(SessionState(.closed), .startTransitory) }
      return Step(state, .restartEstablished)

    case .synSent:
      if flags.contains(.rst) { return reset(wasEstablished: false) }
      if flags.contains(.syn), marks & mark == 0 { return Step(.established, .restartEstablished) }
      return Step(state, .keep)

    case .closed, .reset:
      if flags.contains(.rst) { return Step(state, .keep) }
      if flags.contains(.syn) {
        if marks | mark == SessionState.bothMarks { return Step(.established, .reopen) }
        return Step(SessionState(rawValue: state.rawValue | mark), .keep)
      }
      if state.rawValue & SessionState.hadBeenEstablished != 0, !resetIsFinal {
        return Step(.established, .restartEstablished)
      }
      return Step(state, .keep)

    case .active, .free:
      return Step(state, .keep)
    }
  }

  @inlinable static func reset(wasEstablished: Bool) -> Step {
    Step(
      SessionState(.reset, marks: wasEstablished ? SessionState.hadBeenEstablished : 0), .startTransitory)
  }
}
