import NATControl
import NATWire

extension ExplainRequest {
  private static let flagNames = ["fin", "syn", "rst", "psh", "ack", "urg"]

  /// Refuses what no packet has.
  func check() throws(ControlError) {
    func refused(_ name: String, _ found: String, _ right: String) -> ControlError {
      ControlError(status: 400, reason: "bad-value", "\(name) is \(quoted(found)); it would be \(right)")
    }
    guard from == "inside" || from == "outside" else { throw refused("from", from, "inside or outside") }
    for (name, endpoint) in [("source", source), ("destination", destination)]
    where IPv4Address(endpoint.address) == nil {
      throw refused("\(name).address", endpoint.address, "an IPv4 address like 192.168.1.2")
    }
    if let flag = flags?.first(where: { !ExplainRequest.flagNames.contains($0) }) {
      throw refused("a flag", flag, "one of \(ExplainRequest.flagNames.joined(separator: ", "))")
    }
    if flags != nil && transport != .tcp {
      throw ControlError(
        status: 400, reason: "bad-value", "flags are given for \(transport.rawValue); only tcp has them")
    }
  }
}
