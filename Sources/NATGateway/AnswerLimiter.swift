import NATMemory
import NATTable
import NATWire

/// Limits the answers about exhaustion to one a second for each inside host, all causes together.
///
/// Fixed memory: if more hosts than it has places for are refused within a second, the others get no answer.
///
/// - Complexity: O(1).
struct AnswerLimiter: BitwiseCopyable {
  private struct Entry: BitwiseCopyable {
    var address: UInt64
    var answered: UInt64
  }

  private let entries: OwnedArray<Entry>
  private let hash: KeyHash

  private static let capacity = 1 << 16
  private static let probes = 32
  private static let second: UInt64 = 1_000_000_000
  static let byteCount = capacity * MemoryLayout<Entry>.stride

  init(memory: MappedMemory, hash: KeyHash) {
    entries = memory.array(of: Entry.self, count: AnswerLimiter.capacity)
    self.hash = hash
  }

  /// Whether an answer to the host is due; if so, the next one is due a second later.
  func isDue(_ host: IPv4Address, at now: Instant) -> Bool {
    let key = UInt64(host.rawValue) | 1 << 32
    let home = Int(hash.ofAddress(host) >> 32)
    var vacant: Int?
    for step in 0..<AnswerLimiter.probes {
      let place = (home + step) & (AnswerLimiter.capacity - 1)
      let entry = entries[place]
      let isOver = entry.address == 0 || now.nanoseconds - entry.answered >= AnswerLimiter.second
      if entry.address == key {
        guard isOver else { return false }
        vacant = place
        break
      }
      if isOver, vacant == nil { vacant = place }
    }
    guard let vacant else { return false }
    entries[vacant] = Entry(address: key, answered: now.nanoseconds)
    return true
  }
}
