import NATConfiguration
import NATWire
import ReferenceNAT
import TestSupport

/// The reference. Where the page leaves the choice of a port to chance, it takes the engine's choice, if the page allows
/// it.
struct ReferenceRun {
  private var reference: ReferenceNAT
  private let hints = PortHints()

  init(_ configuration: Configuration) {
    reference = ReferenceNAT(ReferenceSettings(configuration))
    reference.choosePort = { [hints] candidates in hints.choose(candidates) }
  }

  /// Puts a frame in.
  /// - Parameter engineSent: what the engine sent because of it.
  /// - Returns: what left.
  mutating func receive(_ input: Input, engineSent: [ReferenceFrame]) -> [ReferenceFrame] {
    // The packet's own frame is the last: answers that fell due before it come first.
    hints.ports = engineSent.reversed().compactMap { Seen($0)?.sourcePort }
    let before = reference.sent.count
    reference.receive(
      input.bytes, wireLength: input.wireLength, on: input.side == .inside ? .inside : .outside,
      ethernet: input.isEthernet, at: input.stamp)
    return Array(reference.sent[before...])
  }

  /// Comes to another configuration.
  /// - Returns: what left.
  mutating func reload(_ new: Configuration, at stamp: UInt64) -> [ReferenceFrame] {
    let before = reference.sent.count
    reference.change(to: ReferenceSettings(new), at: stamp)
    return Array(reference.sent[before...])
  }

  var table: [ReferenceBinding] { reference.table() }
  var stats: ReferenceStats { reference.stats() }

  /// Table and counters, as lines that can be compared.
  var report: [String] { lines(of: table) + lines(of: stats) }
}

/// The source ports of the frames that the engine sent last.
private final class PortHints {
  var ports: [UInt16] = []

  func choose(_ candidates: [UInt16]) -> UInt16 { ports.first { candidates.contains($0) } ?? candidates[0] }
}
