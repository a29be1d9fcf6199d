import Foundation
import NATConfiguration
import NATWire
import ReferenceNAT
import TestSupport
import Testing

/// Random conversations through the engine and through the reference, byte for byte.
///
/// `PORTICO_CONVERSATION_SEED` begins elsewhere, `PORTICO_CONVERSATIONS` sets how many are held (by default as many as
/// a minute allows), `PORTICO_CONVERSATION_FRAMES` how long they are, and `PORTICO_CONVERSATION_FEATURES` is the sum of
/// the switches that are on. `PORTICO_CONVERSATION_SCENARIOS` names a folder that gets each conversation as a scenario;
/// conversations then have no reloads, which a replay cannot show.
struct ConversationTests {
  static let seed = number("PORTICO_CONVERSATION_SEED") ?? 1
  /// Nil: as many as a minute allows.
  static let count = number("PORTICO_CONVERSATIONS")
  static let frames = Int(number("PORTICO_CONVERSATION_FRAMES") ?? 300)
  static let features =
    (number("PORTICO_CONVERSATION_FEATURES").map { Features(rawValue: Int($0)) } ?? .implemented)
    .subtracting(scenarios == nil ? [] : .reloads)
  private static let scenarios = ProcessInfo.processInfo.environment["PORTICO_CONVERSATION_SCENARIOS"]

  /// After so many it is enough.
  private static let mostFailures = 5

  private static func number(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
  }

  @Test("every frame, the table and the counters are those of the reference")
  func conversationsAreThoseOfTheReference() {
    var failures = 0
    let start = ContinuousClock.now
    for seed in ConversationTests.seed..<ConversationTests.seed + (ConversationTests.count ?? .max / 2) {
      if ConversationTests.count == nil, ContinuousClock.now - start > .seconds(60) { return }
      guard let failure = hold(seed: seed) else { continue }
      Issue.record("\(failure)")
      failures += 1
      if failures == ConversationTests.mostFailures { return }
    }
  }

  /// Holds one conversation.
  /// - Returns: what went wrong, for people.
  private func hold(seed: UInt64) -> String? {
    var dice = Dice(seed: seed)
    let surroundings = Surroundings(ConversationTests.features, &dice)
    let configuration = surroundings.configuration
    var conversation = Conversation(surroundings, ConversationTests.features, dice)
    var comparison = Comparison(configuration, seed: seed)
    var steps: [Step] = []
    var difference: Difference?
    for _ in 0..<ConversationTests.frames {
      let heard = comparison.sent.count
      let step = conversation.nextStep()
      steps.append(step)
      difference = comparison.take(step)
      if difference != nil { break }
      conversation.hear(Array(comparison.sent[heard...]))
    }
    if difference == nil { difference = comparison.compareReports() }
    if let folder = ConversationTests.scenarios { write(steps, configuration, seed: seed, to: folder) }
    if difference != nil { return describe(steps, configuration, seed: seed) }
    return batchDifference(
      steps, configuration, seed: seed, sent: comparison.sent, report: comparison.engineReport)
  }

  private func write(_ steps: [Step], _ configuration: Configuration, seed: UInt64, to folder: String) {
    let inputs = steps.compactMap { step -> Input? in
      guard case .frame(let input) = step else { return nil }
      return input
    }
    #expect(throws: Never.self) {
      try ScenarioFolder(configuration, inputs).write(
        to: URL(fileURLWithPath: folder).appending(path: "conversation-\(seed)"))
    }
  }

  /// The settings that are not the default.
  private func unusual(_ configuration: Configuration) -> String {
    let plain = Configuration(
      interfaces: Configuration.Interfaces(
        inside: .init(name: "", address: .any, prefixLength: 0),
        outside: .init(name: "", address: .any, prefixLength: 0)))
    return plain.changes(to: configuration).compactMap { change in
      change.after.map { "\(change.setting): \($0)" }
    }.joined(separator: "\n")
  }

  private func describe(_ steps: [Step], _ configuration: Configuration, seed: UInt64) -> String {
    let short = shorten(steps, configuration, seed: seed)
    let difference = compare(short, configuration, seed: seed)
    return """
      seed \(seed), \(steps.count) steps, shortened to \(short.count):
      \(unusual(configuration))

      \(text(short, from: configuration))

      \(difference?.text ?? "no difference any more")
      """
  }

  /// The same frames in batches of random size, prefetched or not, must leave as the same bytes.
  private func batchDifference(
    _ steps: [Step], _ configuration: Configuration, seed: UInt64, sent: [ReferenceFrame], report: [String]
  ) -> String? {
    var dice = Dice(seed: seed)
    let isPrefetched = dice.percent(70)
    var engine = EngineRun(configuration, seed: seed, isPrefetched: isPrefetched)
    var batchSent: [ReferenceFrame] = []
    var waiting: [Input] = []
    var size = dice.number(1...100)
    for step in steps {
      switch step {
      case .frame(let input): waiting.append(input)
      case .reload: size = 0
      }
      if waiting.count >= size {
        batchSent += engine.receive(waiting[...])
        waiting = []
        size = dice.number(1...100)
      }
      if case .reload(let new, let stamp) = step { batchSent += engine.reload(new, at: stamp) }
    }
    batchSent += engine.receive(waiting[...])
    if batchSent == sent, engine.report == report { return nil }
    let place = zip(batchSent, sent).prefix { $0 == $1 }.count
    return """
      seed \(seed): in batches\(isPrefetched ? ", prefetched" : ""), frame \(place) of \(batchSent.count) that left differs from that of single frames
      \(text(Array(batchSent.dropFirst(place).prefix(1))))
      instead of
      \(text(Array(sent.dropFirst(place).prefix(1))))
      \(unusual(configuration))
      """
  }
}
