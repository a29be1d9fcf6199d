/// The direction of a packet on one session: from its inside host, or towards it.
enum Direction: Hashable {
  case outbound
  case inbound

  var other: Direction { self == .outbound ? .inbound : .outbound }
}

/// State of a session by the names of the table.
public enum ReferenceState: String, Sendable, Hashable {
  case active
  case synSent = "syn-sent"
  case established
  case halfClosed = "half-closed"
  case closed
  case reset
}

struct SessionKey: Hashable {
  let binding: Int
  let remote: ReferenceEndpoint
}

/// One binding towards one remote endpoint.
struct Session {
  let key: SessionKey
  let flow: ReferenceProtocol
  let hairpin: Bool
  /// Row "lifetime for a port" (TCP24): kept for the session's life; nil where the port has none of its own.
  let portLifetime: UInt64?

  var state: ReferenceState
  /// Row "idleSeconds, expiresInSeconds": two stamps.
  var lastPassed: UInt64
  /// When its lifetime is over. At this very instant it still lives.
  var due: UInt64 = 0
  /// Row "a session that only the remote used": whether the inside host has sent something other than RST.
  var usedByInside = false

  // TCP alone.
  /// Who sent the SYN that made it.
  var opener = Direction.outbound
  /// Who sent the one FIN of `half-closed`.
  var finished: Direction?
  /// Whether it was established before the RST.
  var resetWhileEstablished = false
  /// Who has sent a SYN since `closed` or `reset`.
  var openedAgain: Set<Direction> = []
  var windows = Windows()

  var packetsOut: UInt64 = 0
  var bytesOut: UInt64 = 0
  var packetsIn: UInt64 = 0
  var bytesIn: UInt64 = 0

  /// Whether the transitory lifetime holds.
  var isTransitory: Bool { state == .synSent || state == .closed || state == .reset }

  /// Begins the lifetime of the present state anew. Here a change of `lifetimes` takes effect (UT6).
  mutating func restart(_ lifetimes: ReferenceSettings.Lifetimes, at now: UInt64) {
    let ordinary = portLifetime ?? lifetimes.ordinary(flow)
    let inUse = state == .halfClosed ? min(ordinary, lifetimes.tcpHalfClosed) : ordinary  // D7
    due = now + (isTransitory ? lifetimes.tcpTransitory : inUse)
  }

  mutating func count(_ packet: Packet, _ direction: Direction, at now: UInt64) {
    lastPassed = now
    switch direction {
    case .outbound:
      packetsOut += 1
      bytesOut += UInt64(packet.totalLength)
    case .inbound:
      packetsIn += 1
      bytesIn += UInt64(packet.totalLength)
    }
  }
}

// MARK: TCP states

extension Session {
  /// Moves the TCP state by one packet that passes, and restarts the lifetime where the page says so.
  /// Returns true if a closed or reset session is established again: one ended, one created.
  mutating func advance(
    _ flags: TCPFlags, _ direction: Direction, _ settings: ReferenceSettings, at now: UInt64
  ) -> Bool {
    let lifetimes = settings.lifetimes
    switch state {
    case .active:
      return false

    case .synSent:
      // RST: `reset`. The other side's SYN or SYN-ACK: `established`. Anything else changes nothing (TCP3, TCP4).
      if flags.contains(.rst) {
        enterReset(wasEstablished: false, lifetimes, at: now)
      } else if flags.contains(.syn) && direction != opener {
        state = .established
        restart(lifetimes, at: now)
      }
      return false

    case .established, .halfClosed:
      if flags.contains(.rst) {
        enterReset(wasEstablished: true, lifetimes, at: now)
        return false
      }
      if flags.contains(.fin) {
        if finished == nil {
          finished = direction
          state = .halfClosed
        } else if finished == direction.other {
          state = .closed
          openedAgain = []
        }
      }
      restart(lifetimes, at: now)
      return false

    case .closed, .reset:
      // RST changes nothing.
      if flags.contains(.rst) { return false }
      if flags.contains(.syn) {
        openedAgain.insert(direction)
        guard openedAgain.count == 2 else { return false }
        becomeEstablished(lifetimes, at: now)
        return true
      }
      // TCP11: any packet without SYN and RST.
      if state == .reset && resetWhileEstablished && settings.afterReset == .established {
        becomeEstablished(lifetimes, at: now)
      }
      return false
    }
  }

  private mutating func enterReset(
    wasEstablished: Bool, _ lifetimes: ReferenceSettings.Lifetimes, at now: UInt64
  ) {
    state = .reset
    resetWhileEstablished = wasEstablished
    openedAgain = []
    restart(lifetimes, at: now)
  }

  private mutating func becomeEstablished(_ lifetimes: ReferenceSettings.Lifetimes, at now: UInt64) {
    state = .established
    finished = nil
    openedAgain = []
    restart(lifetimes, at: now)
  }
}
