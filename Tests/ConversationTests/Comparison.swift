import NATConfiguration
import NATWire
import ReferenceNAT

/// Where engine and reference part.
struct Difference {
  /// How many frames had been given.
  var frames: Int
  var text: String
}

/// Both, fed with the same frames.
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

  /// Gives one frame to both.
  mutating func receive(_ input: Input) -> Difference? {
    given += 1
    let engineSent = engine.receive([input])
    sent += engineSent
    let referenceSent = reference.receive(input, engineSent: engineSent)
    guard engineSent != referenceSent else { return nil }
    return Difference(
      frames: given,
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
      frames: given,
      text: "engine alone reports:\n\(onlyMine.joined(separator: "\n"))\n\nreference alone reports:\n"
        + onlyTheirs.joined(separator: "\n"))
  }

  var engineReport: [String] { engine.report }
}

/// Runs recorded frames from the beginning.
func compare(_ inputs: [Input], _ configuration: Configuration, seed: UInt64) -> Difference? {
  var comparison = Comparison(configuration, seed: seed)
  for input in inputs {
    if let difference = comparison.receive(input) { return difference }
  }
  return comparison.compareReports()
}

/// Leaves out whatever is not needed for a difference: first behind the shortest failing prefix, then halves,
/// quarters and single frames.
func shorten(_ inputs: [Input], _ configuration: Configuration, seed: UInt64) -> [Input] {
  guard let first = compare(inputs, configuration, seed: seed) else { return inputs }
  var inputs = Array(inputs.prefix(first.frames))
  var length = inputs.count / 2
  while length > 0 {
    var start = 0
    while start < inputs.count {
      var fewer = inputs
      fewer.removeSubrange(start..<min(start + length, fewer.count))
      if let difference = compare(fewer, configuration, seed: seed) {
        inputs = Array(fewer.prefix(difference.frames))
      } else {
        start += length
      }
    }
    length /= 2
  }
  return inputs
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
