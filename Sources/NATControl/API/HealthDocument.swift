/// Whether the gateway forwards packets, for load balancers and watchdogs.
public struct HealthDocument: Codable, Hashable, Sendable {
  public var healthy: Bool
  /// Why no packets are forwarded; empty if healthy. `degraded` of the status says what else is wrong.
  public var reasons: [String]

  public init(reasons: [String]) {
    healthy = reasons.isEmpty
    self.reasons = reasons
  }

  /// The document as text: `healthy`, or one reason a line.
  public func text(_ paint: Paint = .plain) -> String {
    healthy ? paint.good("healthy") + "\n" : reasons.map { paint.bad("unhealthy") + ": \($0)\n" }.joined()
  }
}
