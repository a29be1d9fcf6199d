import Foundation
import NATConfiguration
import NATEngine
import NATGateway
import NATWire
import ReferenceNAT
import TestSupport
import Testing

/// What `explain` says of a frame beforehand, against what the gateway then does with it.
///
/// `PORTICO_CONVERSATIONS` and `PORTICO_CONVERSATION_SEED` are as in ``ConversationTests``.
@Suite struct ExplainPropertyTests {
  // Eviction is left out: what becomes free when a session is evicted is known only afterwards, so `explain` may name
  // another port, or miss that the packet meets a second limit.
  private let features = ConversationTests.features.subtracting(.evict)

  @Test("explain says of every frame of random conversations, without eviction, what then becomes of it")
  func everyFrame() {
    let first = ConversationTests.seed
    var verdicts: [String: Int] = [:]
    for seed in first..<first + (ConversationTests.count ?? 20) {
      guard let failure = hold(seed: seed, &verdicts) else { continue }
      Issue.record("\(failure)")
      return
    }
    #expect(verdicts.count > 30, "\(verdicts)")
  }

  /// Holds one conversation.
  /// - Returns: the first difference, for people.
  private func hold(seed: UInt64, _ verdicts: inout [String: Int]) -> String? {
    var dice = Dice(seed: seed)
    let surroundings = Surroundings(features, &dice)
    var conversation = Conversation(surroundings, features, dice)
    var engine = EngineRun(surroundings.configuration, seed: seed)
    for number in 0..<ConversationTests.frames {
      switch conversation.nextStep() {
      case .reload(let new, let stamp): conversation.hear(engine.reload(new, at: stamp))
      case .frame(let input):
        conversation.hear(engine.advance(to: input.stamp))
        let report = number % 16 == 0 ? engine.report : []
        let before = engine.drops
        let explanation = engine.explain(input)
        if engine.drops != before || number % 16 == 0 && engine.report != report {
          return "seed \(seed), frame \(number): explain changed something\n\(text([input]))"
        }
        let sent = engine.receive([input])
        conversation.hear(sent)
        verdicts["\(explanation.verdict)", default: 0] += 1
        let outcome = Outcome(
          input: input, sent: sent, drops: zip(engine.drops, before).map { $0 - $1 }, explanation)
        if let difference = outcome.difference {
          return """
            seed \(seed), frame \(number): \(difference)
            \(text([input]))
            explain says \(explanation.verdict): \(explanation.findings)
            sent:
            \(text(sent))
            """
        }
      }
    }
    return nil
  }
}

extension EngineRun {
  /// What the gateway would do with a frame.
  mutating func explain(_ input: Input) -> Explanation {
    var job = ExplainFrame(
      input.bytes, from: InterfaceIndex(input.side), link: input.isEthernet ? .ethernet : .rawIP,
      wireLength: input.wireLength)
    _ = job.step(&gateway, into: &outbox, at: Instant(nanoseconds: input.stamp))
    return job.explanation
  }

  /// By reason.
  var drops: [Int] { DropReason.allCases.map { Int(counterStore.counters.drops($0)) } }
}

/// What became of one frame.
private struct Outcome {
  let input: Input
  let sent: [ReferenceFrame]
  /// How many more by reason.
  let drops: [Int]
  let explanation: Explanation

  init(input: Input, sent: [ReferenceFrame], drops: [Int], _ explanation: Explanation) {
    self.input = input
    self.sent = sent
    self.drops = drops
    self.explanation = explanation
  }

  /// Where it differs from what `explain` said.
  var difference: String? {
    switch explanation.verdict {
    case .forward(let interface):
      forwardDifference(to: interface.side == .inside ? .inside : .outside)
    case .drop(let reason): dropDifference(reason)
    // The answer of an echo request without a route is not sent.
    case .answer: sent.count > 1 || hasDrops ? "not one answer" : nil
    case .wait, .learn: !sent.isEmpty || hasDrops ? "not nothing" : nil
    case .hold, .leave: "a replay has neither"
    }
  }

  private var hasDrops: Bool { drops.contains { $0 > 0 } }

  private func dropDifference(_ reason: DropReason) -> String? {
    var expected = [Int](repeating: 0, count: drops.count)
    expected[Int(reason.rawValue)] = 1
    // With a fragment that kills its datagram die those that waited.
    let dead = Int(DropReason.fragmentOfDeadDatagram.rawValue)
    if drops[dead] > expected[dead], isFragment { expected[dead] = drops[dead] }
    return drops == expected ? nil : "dropped otherwise"
  }

  private func forwardDifference(to side: ReferenceSide) -> String? {
    // Fragments that waited for this one are refused for TTL or MTU alone, and never answered.
    if hasDrops && !isFragment { return "dropped" }
    let said = explanation.after
    guard said.count >= 34 else { return "no frame was said" }
    guard let first = sent.first(where: { $0.side == side && $0.bytes.prefix(6) == said.prefix(6) }) else {
      return "not sent to that next hop"
    }
    // Source and destination.
    if first.bytes[26..<34] != said[26..<34] { return "other addresses" }
    let isWhole = sent.count == 1 && first.bytes.count == said.count
    // The identification of a fragment is given out when it leaves.
    if isWhole && !isFragment && first.bytes != said {
      return "another frame; explain said\n\(describe(said))"
    }
    return nil
  }

  private var isFragment: Bool {
    let start = input.isEthernet ? ipv4Start : 0
    guard input.bytes.count >= start + 8 else { return false }
    return word(input.bytes, start + 6) & 0x3FFF != 0
  }

  /// After VLAN tags.
  private var ipv4Start: Int {
    var type = 12
    while input.bytes.count >= type + 6, [0x8100, 0x88A8].contains(word(input.bytes, type)) { type += 4 }
    return type + 2
  }
}
