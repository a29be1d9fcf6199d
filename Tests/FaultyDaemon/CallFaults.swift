import Glibc
import Synchronization
import TestSupport

/// Decides what the system calls of the packet path answer.
struct CallFaults: Sendable {
  enum Answer {
    /// At most so many messages.
    case takes(Int)
    case fails(Int32)
  }

  static let shared = Mutex<CallFaults?>(nil)

  private static let worker = Atomic<UInt>(0)

  /// Whether this thread is the daemon's worker; it says so itself.
  static var isWorker: Bool {
    get { worker.load(ordering: .relaxed) == UInt(pthread_self()) }
    set { if newValue { worker.store(UInt(pthread_self()), ordering: .relaxed) } }
  }

  private let rates: FaultRates
  private var random: Generator
  /// Calls for which the device stays full.
  private var callsFull = 0
  var tally = FaultTally.Calls()

  init(_ rates: FaultRates, seed: UInt64) {
    self.rates = rates
    random = Generator(seed: seed)
  }

  mutating func answer(messages count: Int) -> Answer {
    // Longer than a batch is offered again, now and then.
    if callsFull == 0, random.happens(rates.full) { callsFull = 1 + random.below(40) }
    if callsFull > 0 {
      callsFull -= 1
      tally.full += 1
      return .fails(ENOBUFS)
    }
    if random.happens(rates.interrupt) {
      tally.interrupted += 1
      return .fails(EINTR)
    }
    if count > 1, random.happens(rates.short) {
      tally.short += 1
      return .takes(1 + random.below(count - 1))
    }
    return .takes(count)
  }

  mutating func interruptsWait() -> Bool {
    guard random.happens(rates.interrupt) else { return false }
    tally.interrupted += 1
    return true
  }

  mutating func count(sent isIPv4: Bool) {
    if isIPv4 { tally.sent.ipv4 += 1 } else { tally.sent.other += 1 }
  }
}
