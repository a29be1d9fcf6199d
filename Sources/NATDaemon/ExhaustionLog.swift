import Logging
import NATEngine
import NATWire

/// Says in the log what the gateway has run out of: once when it begins, and once a minute while it goes on.
struct ExhaustionLog {
  private struct Watch {
    let event: String
    let count: (Counters) -> Int
    var seen = 0
    var silentUntil = Instant(nanoseconds: 0)
  }

  private var watches: [Watch]
  private static let interval: UInt64 = 60_000_000_000

  init() {
    let reasons: [DropReason] = [
      .portsExhausted, .bindingLimit, .sessionLimit, .hostPortLimit, .hostSessionLimit,
      .hostSessionRate, .fragmentDatagramLimit,
      .fragmentMemoryLimit, .nextHopQueueFull, .transmitQueueFull, .transmitRefused,
    ]
    watches =
      reasons.map { reason in Watch(event: reason.name) { $0.drops(reason) } }
      + Side.allCases.map { side in Watch(event: "captureDropped \(side)") { $0.side(side).captureDropped } }
  }

  /// Looks at the counters.
  mutating func look(at counters: Counters, now: Instant, _ logger: Logger) {
    for index in watches.indices where now >= watches[index].silentUntil {
      let count = watches[index].count(counters)
      guard count > watches[index].seen else { continue }
      logger.warning(
        "packets dropped",
        metadata: ["reason": "\(watches[index].event)", "packets": "\(count - watches[index].seen)"])
      watches[index].seen = count
      watches[index].silentUntil = now.advanced(by: ExhaustionLog.interval)
    }
  }
}
