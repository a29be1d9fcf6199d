import CPcap
import Glibc
import Synchronization
import TestSupport

/// Decides what happens to each frame that comes in, and keeps those that come late.
struct CaptureFaults: Sendable {
  enum Fate: Equatable {
    case pass, lose, duplicate
    /// Comes in behind so many later ones of its side.
    case delay(Int)
    /// So many bytes are left; whether the wire cut it, or the capture.
    case truncate(Int, onTheWire: Bool)
  }

  /// A frame that comes late.
  struct Late: Sendable {
    let capture: UInt
    var behind: Int
    var frame: HeldFrame
  }

  /// The daemon's one worker calls, so nobody ever waits for the lock.
  static let shared = Mutex<CaptureFaults?>(nil)

  private let rates: FaultRates
  private var random: Generator
  private var late: [Late] = []
  var tally = FaultTally.Capture()

  init(_ rates: FaultRates, seed: UInt64) {
    self.rates = rates
    random = Generator(seed: seed)
  }

  mutating func fate(length: Int, isIPv4: Bool) -> Fate {
    if random.happens(rates.loss) {
      tally.lost += 1
      return .lose
    }
    if random.happens(rates.reorder) {
      tally.reordered += 1
      return .delay(1 + random.below(3))
    }
    if random.happens(rates.duplicate) {
      tally.duplicated += 1
      return .duplicate
    }
    if isIPv4, length > 14, random.happens(rates.truncate) {
      tally.truncated += 1
      return .truncate(14 + random.below(length - 14), onTheWire: random.happens(0.5))
    }
    return .pass
  }

  mutating func keep(_ frame: HeldFrame, behind count: Int, of capture: UInt) {
    late.append(Late(capture: capture, behind: count, frame: frame))
  }

  /// One more frame of the capture has come in, or none has for a while: those whose time it is.
  mutating func due(of capture: UInt, isIdle: Bool) -> [HeldFrame] {
    guard !late.isEmpty else { return [] }
    for index in late.indices where late[index].capture == capture { late[index].behind -= 1 }
    let isDue = { (one: Late) in one.capture == capture && (one.behind < 0 || isIdle) }
    defer { late.removeAll(where: isDue) }
    return late.filter(isDue).map(\.frame)
  }

  mutating func count(delivered isIPv4: Bool) {
    if isIPv4 { tally.delivered.ipv4 += 1 } else { tally.delivered.other += 1 }
  }
}

extension Generator {
  mutating func happens(_ rate: Double) -> Bool { Double(next() >> 11) < rate * 0x1p53 }
}
