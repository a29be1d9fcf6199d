import NATConfiguration
import NATControl
import NATTable
import NATWire
import ReferenceNAT
import TestSupport
import Testing

/// A gateway that was restored in the middle of a conversation, and one that went on.
@Suite struct RestoringTests {
  private static let conversations = 1...150
  private static let frames = 240

  /// Without what a snapshot does not hold: datagrams in fragments and their identifications, SYNs that wait for their
  /// answer, the order of eviction among sessions that are due in one nanosecond, lifetimes of forwards, and rates of
  /// sessions.
  private static let features = Features.implemented.subtracting([
    .fragments, .splitting, .unsolicitedSYNAnswers, .evict, .forwardTerms, .sessionRate, .reloads,
  ])

  @Test(
    "RC8 a restored gateway has the table of the one that went on, and answers the same to what comes next")
  func restored() throws {
    var sessions = 0
    var restingPorts = 0
    for seed in RestoringTests.conversations.map(UInt64.init) {
      var dice = Dice(seed: seed)
      var surroundings = Surroundings(RestoringTests.features, &dice)
      surroundings.configuration.nat.exhaustion = .silent
      surroundings.configuration.nat.icmpErrorsPerSecond = 1_000_000
      surroundings.configuration.nat.tcp.windowTracking = dice.percent(30)
      let configuration = surroundings.configuration
      var conversation = Conversation(surroundings, RestoringTests.features, dice)
      var first = EngineRun(configuration, seed: seed)
      for _ in 0..<RestoringTests.frames / 2 { conversation.hear(first.receive([conversation.next()])) }
      let snapshot = try first.snapshot()
      sessions += snapshot.counts.sessions
      restingPorts += snapshot.counts.ports
      // Other keys of the hash functions, the same port choice.
      var second = EngineRun(configuration, seed: seed &+ 1_000_000)
      let restored = second.restore(snapshot)
      #expect(
        restored.notAllowed + restored.withoutRoom + restored.contradicting == 0, "seed \(seed): \(restored)")
      #expect(second.tableReport == first.tableReport, "seed \(seed)")
      for number in 0..<RestoringTests.frames / 2 {
        let input = conversation.next()
        let sent = first.receive([input])
        conversation.hear(sent)
        let again = second.receive([input])
        guard again.map(Sent.init) == sent.map(Sent.init) else {
          Issue.record(
            """
            seed \(seed), frame \(number) after the restart
            \(text([input]))
            sent \(text(again))
            instead of \(text(sent))
            """)
          break
        }
      }
      #expect(second.tableReport == first.tableReport, "seed \(seed)")
    }
    #expect(sessions > 500 && restingPorts > 100, "\(sessions) sessions, \(restingPorts) resting ports")
  }

  /// A frame without the MAC address of its next hop: a restored gateway learns that anew.
  private struct Sent: Equatable {
    var side: String
    var nanoseconds: UInt64
    var bytes: ArraySlice<UInt8>

    init(_ frame: ReferenceFrame) {
      side = "\(frame.side)"
      nanoseconds = frame.nanoseconds
      bytes = frame.bytes.dropFirst(6)
    }
  }

  @Test("a gateway that evicts is restored to the same table, and goes on in order")
  func evicting() throws {
    let features = RestoringTests.features.union(.evict)
    for seed in (1...60).map(UInt64.init) {
      var dice = Dice(seed: seed)
      var surroundings = Surroundings(features, &dice)
      surroundings.configuration.nat.evict = .oldestTransitory
      let configuration = surroundings.configuration
      var conversation = Conversation(surroundings, features, dice)
      var first = EngineRun(configuration, seed: seed)
      for _ in 0..<RestoringTests.frames { conversation.hear(first.receive([conversation.next()])) }
      var second = EngineRun(configuration, seed: seed)
      _ = second.restore(try first.snapshot())
      #expect(second.tableReport == first.tableReport, "seed \(seed)")
      for _ in 0..<RestoringTests.frames { conversation.hear(second.receive([conversation.next()])) }
      // The report walks the table and finds it whole.
      #expect(!second.report.isEmpty)
    }
  }
}
