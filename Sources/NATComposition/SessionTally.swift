public import NATControl
public import NATTable
public import NATWire

/// How many sessions of a walk over the table are of each protocol and state.
public struct SessionTally: Sendable {
  private struct Key: Hashable {
    var transport: TransportName
    var state: SessionDocument.State
  }

  /// Every pair that can be is there from the start, so that a counter of it never comes and goes.
  private var numbers: [Key: Int]

  public init() {
    let others = [TransportName.icmp, .udp].map { Key(transport: $0, state: .active) }
    let connections = SessionDocument.State.allCases.filter { $0 != .active }
      .map { Key(transport: .tcp, state: $0) }
    numbers = Dictionary(uniqueKeysWithValues: (others + connections).map { ($0, 0) })
  }

  /// Counts a session of a walk, unless it is due.
  /// - Complexity: O(1).
  public mutating func add(_ session: SessionSnapshot, at now: Instant) {
    guard session.expires >= now else { return }
    numbers[
      Key(transport: TransportName(session.transport), state: SessionDocument.State(session.state)),
      default: 0] += 1
  }

  /// By protocol, then by state, also those of which there are none.
  public var counts: [SessionCount] {
    numbers.map { SessionCount(transport: $0.transport, state: $0.state, count: $1) }
      .sorted { ($0.transport.rawValue, $0.state.rawValue) < ($1.transport.rawValue, $1.state.rawValue) }
  }
}
