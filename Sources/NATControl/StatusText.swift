/// The status as text.
public enum StatusText {
  public static func render(_ status: StatusDocument, _ paint: Paint = .plain) -> String {
    let health =
      status.degraded.isEmpty
      ? paint.good("all is well") + "\n"
      : status.degraded.map { paint.bad("degraded") + ": \($0)\n" }.joined()
    let interfaces = [("inside", status.interfaces.inside), ("outside", status.interfaces.outside)].map {
      [$0, $1.name, $1.link, $1.address, $1.mac, "\($1.mtu)"]
    }
    let restored = status.restored.map { text($0) + "\n" } ?? ""
    return [
      "portico \(status.version), up \(HumanText.duration(status.uptime))\n" + health + restored,
      TextColumns.text(["SIDE", "INTERFACE", "LINK", "ADDRESS", "MAC", "MTU"], interfaces),
      TextColumns.text(
        ["WORKER", "BUSY", "ROUNDS", "LONGEST ROUND", "IN THE LAST MINUTE"],
        status.workers.map { row($0, status.uptime) }),
    ].joined(separator: "\n")
  }

  private static func text(_ restored: RestoredDocument) -> String {
    let from = restored.age.map { " of \(HumanText.duration($0)) ago" } ?? ""
    switch restored.outcome {
    case .none: return "state: began empty, \(restored.file) was not there"
    case .refused: return "state: began empty: \(restored.reason ?? "it was refused")"
    case .waiting: return "state\(from): waits: \(restored.reason ?? "")"
    case .restored:
      let figures = [
        (restored.bindings, "binding"), (restored.restingPorts, "resting port"),
      ].map { HumanText.amount($0, $1) }
      let gone = [
        (restored.expired, "expired"), (restored.notAllowed, "not allowed"),
        (restored.withoutRoom, "without room"), (restored.contradicting, "contradicting"),
      ].filter { $0.0 > 0 }.map { "\($0) \($1)" }
      return "state\(from): restored \(HumanText.amount(restored.sessions, "session")), "
        + (figures + gone).joined(separator: ", ")
    }
  }

  private static func row(_ worker: StatusDocument.Worker, _ uptime: Seconds) -> [String] {
    let permille = uptime.nanoseconds == 0 ? 0 : worker.busyNanoseconds / (uptime.nanoseconds / 1000 + 1)
    return [
      "\(worker.number)", HumanText.percent(permille: permille), HumanText.count(worker.rounds),
      "\(worker.longestRoundNanoseconds / 1000)us",
      "\((worker.longestRoundBySecondNanoseconds.max() ?? 0) / 1000)us",
    ]
  }
}
