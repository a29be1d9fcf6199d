import Foundation
import NATConfiguration
import NATWire
import ReferenceNAT
import Testing

/// Random conversations through the engine and through the reference, byte for byte.
///
/// `PORTICO_CONVERSATION_SEED` begins elsewhere, `PORTICO_CONVERSATIONS` sets how many are held (by default as many as
/// a minute allows), `PORTICO_CONVERSATION_FRAMES` how long they are, and `PORTICO_CONVERSATION_FEATURES` is the sum of
/// the switches that are on.
struct ConversationTests {
  private static let seed = number("PORTICO_CONVERSATION_SEED") ?? 1
  /// Nil: as many as a minute allows.
  private static let count = number("PORTICO_CONVERSATIONS")
  private static let frames = Int(number("PORTICO_CONVERSATION_FRAMES") ?? 300)
  private static let features =
    number("PORTICO_CONVERSATION_FEATURES").map { Features(rawValue: Int($0)) } ?? .implemented

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
    var inputs: [Input] = []
    var difference: Difference?
    for _ in 0..<ConversationTests.frames {
      let heard = comparison.sent.count
      let input = conversation.next()
      inputs.append(input)
      difference = comparison.receive(input)
      if difference != nil { break }
      conversation.hear(Array(comparison.sent[heard...]))
    }
    if difference == nil { difference = comparison.compareReports() }
    if difference != nil { return explain(inputs, configuration, seed: seed) }
    return batchDifference(
      inputs, configuration, seed: seed, sent: comparison.sent, report: comparison.engineReport)
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

  private func explain(_ inputs: [Input], _ configuration: Configuration, seed: UInt64) -> String {
    let short = shorten(inputs, configuration, seed: seed)
    let difference = compare(short, configuration, seed: seed)
    return """
      seed \(seed), \(inputs.count) frames, shortened to \(short.count):
      \(unusual(configuration))

      \(text(short))

      \(difference?.text ?? "no difference any more")
      """
  }

  /// The same frames in batches of random size, prefetched or not, must leave as the same bytes.
  private func batchDifference(
    _ inputs: [Input], _ configuration: Configuration, seed: UInt64, sent: [ReferenceFrame], report: [String]
  ) -> String? {
    var dice = Dice(seed: seed)
    let isPrefetched = dice.percent(70)
    var engine = EngineRun(configuration, seed: seed, isPrefetched: isPrefetched)
    var batchSent: [ReferenceFrame] = []
    var start = 0
    while start < inputs.count {
      let end = min(inputs.count, start + dice.number(1...100))
      batchSent += engine.receive(inputs[start..<end])
      start = end
    }
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
