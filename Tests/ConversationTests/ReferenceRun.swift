import NATConfiguration
import NATWire
import ReferenceNAT

/// The reference. Where the page leaves a choice of port to chance, it takes the engine's, if that is one of those
/// the page allows.
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

  /// Table and counters, as lines that can be compared.
  var report: [String] { lines(of: reference.table()) + lines(of: reference.stats()) }
}

/// The ports that the engine showed with its last frames.
private final class PortHints {
  var ports: [UInt16] = []

  func choose(_ candidates: [UInt16]) -> UInt16 { ports.first { candidates.contains($0) } ?? candidates[0] }
}
