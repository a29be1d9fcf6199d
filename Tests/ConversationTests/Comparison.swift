import NATConfiguration
import NATWire
import ReferenceNAT
import TestSupport

/// The first difference between engine and reference.
struct Difference {
  /// How many steps had been taken.
  var steps: Int
  var text: String
}

/// Engine and reference, taken through the same steps.
struct Comparison: ~Copyable {
  private var engine: EngineRun
  private var reference: ReferenceRun
  private var given = 0
  /// What the engine has sent so far.
  private(set) var sent: [ReferenceFrame] = []

  init(_ configuration: Configuration, seed: UInt64) {
    engine = EngineRun(configuration, seed: seed)
    reference = ReferenceRun(configuration)
  }

  /// Takes both through one step.
  mutating func take(_ step: Step) -> Difference? {
    given += 1
    let engineSent: [ReferenceFrame]
    let referenceSent: [ReferenceFrame]
    switch step {
    case .frame(let input):
      engineSent = engine.receive([input])
      referenceSent = reference.receive(input, engineSent: engineSent)
    case .reload(let configuration, let stamp):
      engineSent = engine.reload(configuration, at: stamp)
      referenceSent = reference.reload(configuration, at: stamp)
      if let difference = compareReports() { return difference }
    }
    sent += engineSent
    guard engineSent != referenceSent else { return nil }
    return Difference(
      steps: given,
      text: "engine sent:\n\(text(engineSent))\n\nreference sent:\n\(text(referenceSent))")
  }

  /// Compares table and counters as they stand.
  func compareReports() -> Difference? {
    let mine = engine.report
    let theirs = reference.report
    guard mine != theirs else { return nil }
    let onlyMine = mine.filter { !theirs.contains($0) }
    let onlyTheirs = theirs.filter { !mine.contains($0) }
    return Difference(
      steps: given,
      text: "engine alone reports:\n\(onlyMine.joined(separator: "\n"))\n\nreference alone reports:\n"
        + onlyTheirs.joined(separator: "\n"))
  }

  var engineReport: [String] { engine.report }
}

/// Takes recorded steps from the beginning.
func compare(_ steps: [Step], _ configuration: Configuration, seed: UInt64) -> Difference? {
  var comparison = Comparison(configuration, seed: seed)
  for step in steps {
    if let difference = comparison.take(step) { return difference }
  }
  return comparison.compareReports()
}

/// Leaves out what is not needed for a difference: first what follows the shortest failing prefix, then halves,
/// quarters and single steps.
func shorten(_ steps: [Step], _ configuration: Configuration, seed: UInt64) -> [Step] {
  guard let first = compare(steps, configuration, seed: seed) else { return steps }
  var steps = Array(steps.prefix(first.steps))
  var length = steps.count / 2
  while length > 0 {
    var start = 0
    while start < steps.count {
      var fewer = steps
      fewer.removeSubrange(start..<min(start + length, fewer.count))
      if let difference = compare(fewer, configuration, seed: seed) {
        steps = Array(fewer.prefix(difference.steps))
      } else {
        start += length
      }
    }
    length /= 2
  }
  return steps
}

/// The steps for people. Of a reload: what it changes.
func text(_ steps: [Step], from configuration: Configuration) -> String {
  var configuration = configuration
  return steps.map { step in
    switch step {
    case .frame(let input): return text([input])
    case .reload(let new, let stamp):
      defer { configuration = new }
      let changes = configuration.changes(to: new).map {
        "  \($0.setting): \($0.before ?? "none") -> \($0.after ?? "none")"
      }
      return "reload at \(stamp)\n" + changes.joined(separator: "\n")
    }
  }.joined(separator: "\n")
}

/// Frames for people.
func text(_ frames: [ReferenceFrame]) -> String {
  frames.isEmpty
    ? "nothing"
    : frames.map { "\($0.side) at \($0.nanoseconds)\n\(describe($0.bytes))" }.joined(separator: "\n")
}

func text(_ inputs: [Input]) -> String {
  inputs.map {
    let frame = $0.isEthernet ? $0.bytes : [UInt8](repeating: 0, count: 12) + [8, 0] + $0.bytes
    let cut = $0.wireLength == $0.bytes.count ? "" : ", \($0.wireLength) on the wire"
    return "\($0.side) at \($0.stamp)\($0.isEthernet ? "" : ", raw")\(cut)\n\(describe(frame))"
  }.joined(separator: "\n")
}
