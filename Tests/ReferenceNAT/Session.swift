/// The way a packet travels on one session: from its inside host or towards it.
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
  /// The lifetime of UDP, ICMP or established TCP, by the destination port of the packet that made it (TCP24).
  let longLifetime: UInt64
  let transitoryLifetime: UInt64

  var state: ReferenceState
  /// Row "idleSeconds, expiresInSeconds": two stamps.
  var lastPassed: UInt64
  var clockStarted: UInt64
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

  var packetsOut: UInt64 = 0
  var bytesOut: UInt64 = 0
  var packetsIn: UInt64 = 0
  var bytesIn: UInt64 = 0

  /// Whether the TCP clock in force is the transitory one.
  var isTransitory: Bool { state == .synSent || state == .closed || state == .reset }
  var lifetime: UInt64 { isTransitory ? transitoryLifetime : longLifetime }
  /// At this very instant it still lives.
  var due: UInt64 { clockStarted + lifetime }

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
  /// Moves the TCP state by one passing packet and restarts the clock where the page says so.
  /// Returns true when a closed or reset session is established again (one ended, one created).
  mutating func advance(
    _ flags: TCPFlags, _ direction: Direction, afterReset: ReferenceSettings.AfterReset, at now: UInt64
  ) -> Bool {
    switch state {
    case .active:
      return false

    case .synSent:
      // RST: `reset`. The other side's SYN or SYN-ACK: `established`. Anything else changes nothing (TCP3, TCP4).
      if flags.contains(.rst) {
        enterReset(wasEstablished: false, at: now)
      } else if flags.contains(.syn) && direction != opener {
        state = .established
        clockStarted = now
      }
      return false

    case .established, .halfClosed:
      if flags.contains(.rst) {
        enterReset(wasEstablished: true, at: now)
        return false
      }
      clockStarted = now
      if flags.contains(.fin) {
        if finished == nil {
          finished = direction
          state = .halfClosed
        } else if finished == direction.other {
          state = .closed
          openedAgain = []
        }
      }
      return false

    case .closed, .reset:
      // RST changes nothing.
      if flags.contains(.rst) { return false }
      if flags.contains(.syn) {
        openedAgain.insert(direction)
        guard openedAgain.count == 2 else { return false }
        becomeEstablished(at: now)
        return true
      }
      // TCP11: any packet without SYN and RST.
      if state == .reset && resetWhileEstablished && afterReset == .established {
        becomeEstablished(at: now)
      }
      return false
    }
  }

  private mutating func enterReset(wasEstablished: Bool, at now: UInt64) {
    state = .reset
    resetWhileEstablished = wasEstablished
    openedAgain = []
    clockStarted = now
  }

  private mutating func becomeEstablished(at now: UInt64) {
    state = .established
    finished = nil
    openedAgain = []
    clockStarted = now
  }
}
