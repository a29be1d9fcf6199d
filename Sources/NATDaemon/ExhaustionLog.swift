import Logging
import NATEngine
import NATWire

/// Logs drops by limits and full queues: at once, then at most once a minute for each reason.
struct ExhaustionLog: Component {
  let counters: CounterStore
  let logger: Logger

  func run() async {
    var watches = ExhaustionLog.watches
    await repeatedly(every: .seconds(1)) {
      let now = LiveClock.now
      for index in watches.indices { watches[index].look(at: counters.counters, now: now, logger) }
    }
  }

  private struct Watch {
    let event: String
    let count: (Counters) -> Int
    var seen = 0
    var silentUntil = Instant(nanoseconds: 0)

    mutating func look(at counters: Counters, now: Instant, _ logger: Logger) {
      guard now >= silentUntil else { return }
      let count = count(counters)
      guard count > seen else { return }
      logger.warning(
        "packets dropped", metadata: ["reason": "\(event)", "packets": "\(count - seen)"])
      seen = count
      silentUntil = now.advanced(by: 60_000_000_000)
    }
  }

  private static var watches: [Watch] {
    let reasons: [DropReason] = [
      .portsExhausted, .bindingLimit, .sessionLimit, .hostPortLimit, .hostSessionLimit, .hostSessionRate,
      .fragmentDatagramLimit, .fragmentMemoryLimit, .nextHopQueueFull, .transmitQueueFull, .transmitRefused,
    ]
    return reasons.map { reason in Watch(event: reason.name) { $0.drops(reason) } }
      + Side.allCases.map { side in Watch(event: "captureDropped \(side)") { $0.side(side).captureDropped } }
  }
}
