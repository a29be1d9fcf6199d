import ReferenceNAT
import TestSupport
import Testing

struct TCPTests {
  private static let fin = Flag.fin | Flag.ack
  private static let syn = Flag.syn
  private static let synACK = Flag.syn | Flag.ack
  private static let rst = Flag.rst
  private static let ack = Flag.ack

  /// One packet of a script: from inside ("o") or from outside ("i").
  struct Step: Sendable {
    let side: ReferenceSide
    let flags: UInt8
    init(_ side: ReferenceSide, _ flags: UInt8) {
      self.side = side
      self.flags = flags
    }
  }

  struct Script: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var afterReset = ReferenceSettings.AfterReset.established
    var loose = false
    /// Packets ten seconds apart, the first at zero.
    let steps: [Step]
    let state: ReferenceState?
    /// Seconds, after the last packet.
    let expiresIn: UInt64
    var ended: UInt64 = 0
  }

  private static let handshake = [Step(.inside, syn), Step(.outside, synACK), Step(.inside, ack)]
  private static let close = handshake + [Step(.inside, fin), Step(.outside, fin)]

  @Test(
    "states and clocks, TCP1 to TCP15",
    arguments: [
      Script(testDescription: "handshake", steps: handshake, state: .established, expiresIn: 7440),
      Script(testDescription: "SYN", steps: [Step(.inside, syn)], state: .synSent, expiresIn: 240),
      Script(
        testDescription: "repeated SYN, TCP3", steps: [Step(.inside, syn), Step(.inside, syn)],
        state: .synSent,
        expiresIn: 230),
      Script(
        testDescription: "ACK and FIN before the answer, TCP4",
        steps: [Step(.inside, syn), Step(.outside, ack), Step(.inside, fin)], state: .synSent, expiresIn: 220),
      Script(
        testDescription: "simultaneous open, TCP15", steps: [Step(.inside, syn), Step(.outside, syn)],
        state: .established, expiresIn: 7440),
      Script(
        testDescription: "RST answers SYN, TCP13", steps: [Step(.inside, syn), Step(.outside, rst)],
        state: .reset, expiresIn: 240),
      Script(
        testDescription: "data after that does not revive",
        steps: [Step(.inside, syn), Step(.outside, rst), Step(.inside, ack)], state: .reset, expiresIn: 230),
      Script(
        testDescription: "one FIN, TCP6", steps: handshake + [Step(.inside, fin)], state: .halfClosed,
        expiresIn: 7440),
      Script(
        testDescription: "FIN repeated", steps: handshake + [Step(.inside, fin), Step(.inside, fin)],
        state: .halfClosed, expiresIn: 7440),
      Script(testDescription: "both FIN, TCP5", steps: close, state: .closed, expiresIn: 240),
      Script(
        testDescription: "nothing restarts the clock of closed, TCP7", steps: close + [Step(.inside, ack)],
        state: .closed, expiresIn: 230),
      Script(
        testDescription: "RST in closed", steps: close + [Step(.outside, rst)], state: .closed, expiresIn: 230
      ),
      Script(
        testDescription: "SYN from one side, TCP8", steps: close + [Step(.inside, syn)], state: .closed,
        expiresIn: 230),
      Script(
        testDescription: "SYN from both, TCP9", steps: close + [Step(.inside, syn), Step(.outside, synACK)],
        state: .established, expiresIn: 7440, ended: 1),
      Script(
        testDescription: "RST, TCP10", steps: handshake + [Step(.outside, rst)], state: .reset, expiresIn: 240
      ),
      Script(
        testDescription: "data after RST, TCP11",
        steps: handshake + [Step(.outside, rst), Step(.inside, ack)],
        state: .established, expiresIn: 7440),
      Script(
        testDescription: "data after RST, cfg transitory", afterReset: .transitory,
        steps: handshake + [Step(.outside, rst), Step(.inside, ack)], state: .reset, expiresIn: 230),
      Script(
        testDescription: "earlier FINs are forgotten after a reset",
        steps: handshake
          + [Step(.inside, fin), Step(.outside, rst), Step(.inside, ack), Step(.outside, fin)],
        state: .halfClosed, expiresIn: 7440),
      Script(testDescription: "RST alone, TCP14", steps: [Step(.inside, rst)], state: nil, expiresIn: 0),
      Script(testDescription: "ACK alone, TCP14", steps: [Step(.inside, ack)], state: nil, expiresIn: 0),
      Script(
        testDescription: "loose picks up an ACK", loose: true, steps: [Step(.inside, ack)],
        state: .established,
        expiresIn: 7440),
      Script(
        testDescription: "loose picks up a FIN", loose: true, steps: [Step(.inside, fin)], state: .halfClosed,
        expiresIn: 7440),
      Script(
        testDescription: "loose picks up no SYN-ACK", loose: true, steps: [Step(.inside, synACK)], state: nil,
        expiresIn: 0),
    ])
  func script(_ script: Script) {
    var nat = ReferenceNAT(
      .plain.with {
        $0.afterReset = script.afterReset
        $0.loose = script.loose
      })
    let server = ReferenceEndpoint(Host.server, 80)
    for (place, step) in script.steps.enumerated() {
      let packet =
        step.side == .inside
        ? Build.tcp(.init(Host.one, 5000), server, step.flags)
        : Build.tcp(server, .init(Host.publicAddress, 5000), step.flags)
      nat.give(packet, on: step.side, at: UInt64(place) * 10 * second)
    }
    let session = nat.table().first?.sessions.first
    #expect(session?.state == script.state)
    #expect(session?.expiresIn ?? 0 == script.expiresIn * second)
    #expect(nat.stats().events.sessionsExpired == script.ended)
    #expect(nat.counted == (script.state == nil ? ["noSession": 1] : [:]))
  }

  @Test("from outside the filter is asked before the flags, FIL11")
  func inboundData() {
    var nat = ReferenceNAT(.plain)
    nat.give(Build.tcp(.init(Host.one, 5000), .init(Host.server, 80), Self.syn), on: .inside)
    let target = ReferenceEndpoint(Host.publicAddress, 5000)
    nat.give(Build.tcp(.init(Host.otherServer, 80), target, Self.ack), on: .outside)
    nat.give(Build.tcp(.init(Host.server, 81), target, Self.ack), on: .outside)
    #expect(nat.counted == ["filtered": 1, "noSession": 1])
    nat.give(Build.tcp(.init(Host.server, 81), target, Self.syn), on: .outside)
    #expect(nat.table()[0].sessions.map(\.state) == [.synSent, .synSent])
  }

  @Test("an inside SYN cancels the answer to an unsolicited one, TCP16")
  func cancelled() {
    var nat = ReferenceNAT(.plain)
    nat.give(Build.tcp(.init(Host.one, 5000), .init(Host.server, 80), Self.syn), on: .inside)
    let stranger = ReferenceEndpoint(Host.otherServer, 7)
    nat.give(Build.tcp(stranger, .init(Host.publicAddress, 5000), Self.syn), on: .outside)
    nat.give(Build.tcp(.init(Host.one, 5000), stranger, Self.syn), on: .inside, at: second)
    let left = nat.give(Build.udp(.init(Host.one, 1), stranger), on: .inside, at: 20 * second)
    #expect(left.count == 1)
  }

  @Test("a lifetime by destination port replaces the established one, TCP24 UT8")
  func lifetimeOfPort() {
    var nat = ReferenceNAT(
      .plain.with { $0.lifetimes.ports = [.init(.tcp, 80): 900 * second, .init(.udp, 53): 120 * second] })
    nat.give(Build.tcp(.init(Host.one, 5000), .init(Host.server, 80), Self.syn), on: .inside)
    nat.give(Build.tcp(.init(Host.server, 80), .init(Host.publicAddress, 5000), Self.synACK), on: .outside)
    nat.give(Build.udp(.init(Host.one, 5000), .init(Host.server, 53)), on: .inside)
    #expect(nat.table().flatMap(\.sessions).map(\.expiresIn) == [900 * second, 120 * second])
  }
}
