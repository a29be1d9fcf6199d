import ReferenceNAT
import TestSupport
import Testing

/// `tcp.window-tracking` by numbers that were worked out by hand.
struct WindowTests {
  private static let client = ReferenceEndpoint(Host.one, 5000)
  private static let server = ReferenceEndpoint(Host.server, 80)
  private static let x = ReferenceEndpoint(Host.publicAddress, 5000)

  /// A connection that has begun: both windows are 64,240, the client's next number is 1001, the server's 5001.
  private static func connection() -> ReferenceNAT {
    var nat = ReferenceNAT(.plain.with { $0.windowTracking = true })
    nat.give(Build.tcp(client, server, Flag.syn, sequence: 1000), on: .inside)
    nat.give(
      Build.tcp(
        server, x, Flag.syn | Flag.ack, sequence: 5000, acknowledgement: 1001),
      on: .outside)
    return nat
  }

  @Test(
    "TCP12 a RST passes inside the window, by the page Window tracking, rule 4",
    arguments: [
      (5001, true), (5001 + 64240, true), (5001 + 64241, false), (5001 - 65535, true), (5001 - 65536, false),
      (1 << 31, false),
    ] as [(Int, Bool)])
  func reset(sequence: Int, passes: Bool) {
    var nat = Self.connection()
    let reset = Build.tcp(
      Self.server, Self.x, Flag.rst, sequence: UInt32(truncatingIfNeeded: sequence))
    #expect(nat.give(reset, on: .outside).count == (passes ? 1 : 0))
    #expect(nat.counted == (passes ? [:] : ["outsideWindow": 1]))
    #expect(nat.table()[0].sessions[0].state == (passes ? .reset : .established))
  }

  @Test(
    "a RST that answers a SYN acknowledges it, rule 2; one of nobody's opening is dropped",
    arguments: [(1001, true), (1000, false), (1002, false)] as [(UInt32, Bool)])
  func answer(acknowledgement: UInt32, passes: Bool) {
    var nat = ReferenceNAT(.plain.with { $0.windowTracking = true })
    nat.give(Build.tcp(Self.client, Self.server, Flag.syn, sequence: 1000), on: .inside)
    let reset = Build.tcp(
      Self.server, Self.x, Flag.rst | Flag.ack, sequence: 0,
      acknowledgement: acknowledgement)
    #expect(nat.give(reset, on: .outside).count == (passes ? 1 : 0))
  }
}
