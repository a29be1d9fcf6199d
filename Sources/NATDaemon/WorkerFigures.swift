import NATMemory
import NATTable
import NATWire
import Synchronization

/// How busy a worker is. The worker writes; any thread may read.
final class WorkerFigures: Sendable {
  private let busy = Atomic<UInt64>(0)
  private let longest = Atomic<UInt64>(0)
  private let rounds = Atomic<UInt64>(0)
  private let beats = Atomic<UInt64>(0)
  /// The longest round of each recent second, at second modulo size. Word: second:24 | nanoseconds:40.
  private let words: AtomicWords
  private let memory: MappedMemory

  /// How many seconds are kept.
  static let remembered = 60
  private static let places: UInt64 = 64
  private static let longestRemembered: UInt64 = 1 << 40 - 1

  init() {
    memory = MappedMemory(byteCount: Int(WorkerFigures.places) * 8)
    words = memory.words(count: Int(WorkerFigures.places))
  }

  /// Nanoseconds of work since the start.
  var busyNanoseconds: UInt64 { busy.load(ordering: .relaxed) }
  /// The longest round since the start, in nanoseconds.
  var longestRoundNanoseconds: UInt64 { longest.load(ordering: .relaxed) }
  /// The number of rounds with work.
  var roundCount: UInt64 { rounds.load(ordering: .relaxed) }

  /// The number of rounds with or without work: at least ten a second unless the worker hangs.
  var heartbeats: UInt64 { beats.load(ordering: .relaxed) }

  func beat() { beats.store(heartbeats &+ 1, ordering: .relaxed) }

  /// The longest round of each of the last whole seconds in nanoseconds, latest first; 0 if idle.
  func longestRounds(at now: Instant) -> [UInt64] {
    let second = now.nanoseconds / 1_000_000_000
    return (1...UInt64(WorkerFigures.remembered)).prefix { $0 <= second }.map { back in
      let word = words[Int((second - back) % WorkerFigures.places)]
      return word >> 40 == (second - back) & 0xFF_FFFF ? word & WorkerFigures.longestRemembered : 0
    }
  }

  /// Counts a round that ends at `now`.
  func count(round nanoseconds: UInt64, at now: Instant) {
    busy.store(busyNanoseconds &+ nanoseconds, ordering: .relaxed)
    rounds.store(roundCount &+ 1, ordering: .relaxed)
    if nanoseconds > longestRoundNanoseconds { longest.store(nanoseconds, ordering: .relaxed) }
    let second = now.nanoseconds / 1_000_000_000
    let place = Int(second % WorkerFigures.places)
    let word = (second & 0xFF_FFFF) << 40 | min(nanoseconds, WorkerFigures.longestRemembered)
    let known = words[place]
    if known >> 40 != word >> 40 || known < word { words[place] = word }
  }
}
