import NATEngine
import NATTable
import NATWire
import Testing

@testable import NATGateway

/// `lifetimes.tcp-half-closed`: the timeout of a connection in which one side has sent its FIN.
@Suite("Half-closed connections")
struct HalfClosedTests {
  private static let (syn, synACK, ack, finACK): (UInt8, UInt8, UInt8, UInt8) = (0x02, 0x12, 0x10, 0x11)

  /// A connection between ``Town/c1`` and ``Town/s1``, with a FIN of the inside host.
  private func halfClosed(_ lifetimes: String) throws -> Town {
    var town = try Town("nat: { lifetimes: { \(lifetimes) } }")
    town.send(.tcp, Self.syn, from: Town.c1, to: Town.s1)
    town.send(.tcp, Self.synACK, from: Town.s1, to: Town.x, .outside)
    town.send(.tcp, Self.ack, from: Town.c1, to: Town.s1)
    town.send(.tcp, Self.finACK, from: Town.c1, to: Town.s1)
    return town
  }

  /// Checks that the session ends this many seconds after the last packet, and not a second before.
  private func endsAfter(
    _ seconds: UInt64, _ town: inout Town, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    town.wait(seconds: seconds - 1)
    #expect(town.gateway.translator.shard.counts.sessions == 1, sourceLocation: sourceLocation)
    town.wait(seconds: 2)
    #expect(town.gateway.translator.shard.counts.sessions == 0, sourceLocation: sourceLocation)
    #expect(town.faults() == [], sourceLocation: sourceLocation)
  }

  @Test("D7 the first FIN starts the half-closed timeout, which may be shorter")
  func firstFIN() throws {
    var town = try halfClosed("tcp-half-closed: 300s")
    endsAfter(300, &town)
  }

  @Test("D7 each packet of either side restarts the timeout, the repeated FIN too")
  func restarted() throws {
    var town = try halfClosed("tcp-half-closed: 300s")
    for _ in 0..<5 {
      town.wait(seconds: 200)
      #expect(town.send(.tcp, Self.ack, from: Town.s1, to: Town.x, .outside).count == 1)
      town.wait(seconds: 200)
      #expect(town.send(.tcp, Self.finACK, from: Town.c1, to: Town.s1).count == 1)
    }
    endsAfter(300, &town)
  }

  @Test(
    "D7 a shorter established timeout, or a shorter timeout of the port, holds for half-closed connections too",
    arguments: [
      ("tcp-established: 100s", 100), ("tcp-established: 24h", 7440), ("ports: { tcp/80: 50s }", 50),
      ("tcp-half-closed: 300s, ports: { tcp/80: 24h }", 300),
      ("tcp-half-closed: 24h, tcp-established: 200s", 200), ("tcp-half-closed: 24h", 7440),
    ])
  func smaller(lifetimes: String, seconds: UInt64) throws {
    var town = try halfClosed(lifetimes)
    endsAfter(seconds, &town)
  }

  @Test("D7 before the FIN and after both FINs the other timeouts hold")
  func otherStates() throws {
    var town = try Town("nat: { lifetimes: { tcp-half-closed: 20s } }")
    town.send(.tcp, Self.syn, from: Town.c1, to: Town.s1)
    town.send(.tcp, Self.synACK, from: Town.s1, to: Town.x, .outside)
    endsAfter(7440, &town)
    town = try halfClosed("tcp-half-closed: 20s, tcp-transitory: 240s")
    town.send(.tcp, Self.finACK, from: Town.s1, to: Town.x, .outside)
    endsAfter(240, &town)
  }

  @Test("D7 a timeout that becomes shorter holds from the next packet on; the one that runs is not cut")
  func reload() throws {
    var town = try halfClosed("tcp-half-closed: 1000s")
    try town.reload("nat: { lifetimes: { tcp-half-closed: 100s } }")
    town.wait(seconds: 500)
    #expect(town.send(.tcp, Self.ack, from: Town.s1, to: Town.x, .outside).count == 1)
    endsAfter(100, &town)
  }
}
