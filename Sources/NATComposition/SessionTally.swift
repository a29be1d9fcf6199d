public import NATControl
public import NATTable
public import NATWire

/// Counts the sessions of each protocol and state in one walk over the table.
public struct SessionTally: Sendable {
  private struct Key: Hashable {
    var transport: TransportName
    var state: SessionDocument.State
  }

  /// Every pair is present from the start, so that no metric appears and disappears.
  private var numbers: [Key: Int]

  public init() {
    let others = [TransportName.icmp, .udp].map { Key(transport: $0, state: .active) }
    let connections = SessionDocument.State.allCases.filter { $0 != .active }
      .map { Key(transport: .tcp, state: $0) }
    numbers = Dictionary(uniqueKeysWithValues: (others + connections).map { ($0, 0) })
  }

  /// Counts a session, unless it has expired.
  public mutating func add(_ session: SessionSnapshot, at now: Instant) {
    guard session.expires >= now else { return }
    numbers[
      Key(transport: TransportName(session.transport), state: SessionDocument.State(session.state)),
      default: 0] += 1
  }

  /// Sorted by protocol, then by state. Pairs without sessions are included.
  public var counts: [SessionCount] {
    numbers.map { SessionCount(transport: $0.transport, state: $0.state, count: $1) }
      .sorted { ($0.transport.rawValue, $0.state.rawValue) < ($1.transport.rawValue, $1.state.rawValue) }
  }
}
