import NATControl
import NATWire
import Testing

/// A connection of one host over port 50001, segment by segment. All segments pass.
struct TCPConnection {
  static let host: End = "192.168.1.2:5000"
  static let remote: End = "142.250.195.100:443"
  static let x = Stage.x(50001)

  enum From { case inside, outside }

  /// Seconds, who sends, and what.
  typealias Step = (Double, From, SegmentFlags)

  var script: Script

  init(_ nat: [String: String] = [:]) throws { script = try Script(nat) }

  mutating func segment(_ time: Duration, _ from: From, _ flags: SegmentFlags) {
    switch from {
    case .inside:
      script.outbound(time, .tcp(TCPConnection.host, TCPConnection.remote, flags), as: TCPConnection.x)
    case .outside:
      script.inbound(time, .tcp(TCPConnection.remote, TCPConnection.x, flags), to: TCPConnection.host)
    }
  }

  mutating func play(_ steps: [Step]) {
    for (time, from, flags) in steps { segment(.s(time), from, flags) }
  }

  /// 1 s: SYN, SYN-ACK, ACK.
  mutating func open() { play([(1, .inside, .syn), (1.1, .outside, [.syn, .ack]), (1.2, .inside, .ack)]) }

  /// Its row in the table after its last segment.
  func state() throws -> String {
    let session = try script.run().table.bindings.first?.sessions.first
    return session.map { "\($0.state.rawValue)" } ?? "none"
  }

  /// Checks that the session lives until `due` and no longer.
  func endsAt(_ due: Duration, sourceLocation: SourceLocation = #_sourceLocation) throws {
    // A segment to an unbound port advances time and nothing else.
    var alive = self
    alive.script.dropped(
      due, .outside, .tcp(TCPConnection.remote, Stage.x(59999), .ack), "noBinding")
    let there = try alive.script.check(sourceLocation: sourceLocation)
    #expect(there.stats.sessions == 1, "alive at its due time", sourceLocation: sourceLocation)
    var ended = self
    ended.script.dropped(
      due + .nanosecond, .outside, .tcp(TCPConnection.remote, TCPConnection.x, .ack), "noBinding")
    let gone = try ended.script.check(sourceLocation: sourceLocation)
    #expect(gone.stats.sessions == 0, "ended after it", sourceLocation: sourceLocation)
  }
}

/// Segments, the resulting state, and when that ends (in milliseconds).
struct TCPHistory: CustomTestStringConvertible {
  var name: String
  var steps: [TCPConnection.Step]
  var state: String
  var due: Int
  var nat: [String: String] = [:]

  var testDescription: String { name }

  func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
    var connection = try TCPConnection(nat)
    connection.play(steps)
    #expect(try connection.state() == state, "\(name)", sourceLocation: sourceLocation)
    try connection.endsAt(.milliseconds(due), sourceLocation: sourceLocation)
  }
}

extension SegmentFlags {
  /// A FIN as it is usually sent.
  static let closing: SegmentFlags = [.fin, .ack]
}
