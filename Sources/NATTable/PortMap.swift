import NATMemory
import NATWire

/// The ports of one address and protocol that a worker may hand out: a bitmap with summaries.
///
/// Each port has two bits: taken (in use, in hold-down or by a static mapping), and offered by the
/// configuration. Two summaries, for even and odd ports, have a bit for each word of the map with a free port
/// in this worker's granules (512 ports each). A top word has a bit for each word of a summary that is not
/// zero. So a search for the lowest or a random free port of any class and parity takes three steps, however
/// full the map is.
///
/// - Complexity: O(1) for every operation.
struct PortMap: BitwiseCopyable {
  /// Words of the map. All workers share it; each writes its own granules.
  static let mapWords = 1024
  static let summaryWords = 34

  private let taken: OwnedArray<UInt64>
  private let offered: OwnedArray<UInt64>
  private let summaries: OwnedArray<UInt64>
  private let mapBase: Int
  private let summaryBase: Int
  private let worker: Int
  private let workers: Int

  enum Parity: BitwiseCopyable { case even, odd, any }

  /// The port ranges of RFC 4787 REQ-3a, in words of the map.
  enum Class: BitwiseCopyable {
    case wellKnown, registered, all

    var words: Range<Int> {
      switch self {
      case .wellKnown: 0..<16
      case .registered: 16..<1024
      case .all: 0..<1024
      }
    }

    static func of(_ port: UInt16) -> Class { port < 1024 ? .wellKnown : .registered }
  }

  /// - Parameter ports: the bits of taken and of offered ports, both from `mapBase` on.
  /// - Precondition: no port is offered, or ``summarize()`` follows.
  init(
    _ ports: (taken: OwnedArray<UInt64>, offered: OwnedArray<UInt64>), mapBase: Int,
    summaries: OwnedArray<UInt64>, summaryBase: Int, worker: Int, workers: Int
  ) {
    taken = ports.taken
    offered = ports.offered
    self.mapBase = mapBase
    self.summaries = summaries
    self.summaryBase = summaryBase
    self.worker = worker
    self.workers = workers
  }

  /// Updates all summaries. Call it after the offered ports have changed.
  func summarize() {
    for word in 0..<PortMap.mapWords { summarize(word) }
  }

  /// Offers the ports of a pool address. Port ranges do not apply to ICMP query identifiers.
  static func offer(
    _ ports: [ClosedRange<UInt16>], _ transport: TransportProtocol, in offered: OwnedArray<UInt64>, place: Int
  ) {
    let base = PortSpace(poolPlace: place, transport).rawValue * mapWords
    for word in 0..<mapWords { offered[base + word] = transport == .icmp ? .max : 0 }
    guard transport != .icmp else { return }
    for range in ports {
      for port in Int(range.lowerBound)...Int(range.upperBound) {
        offered[base + port >> 6] |= 1 << UInt64(port & 63)
      }
    }
  }

  static func granule(of port: UInt16) -> Int { Int(port) >> 9 }

  func isFree(_ port: UInt16) -> Bool {
    PortMap.granule(of: port) % workers == worker && free(in: Int(port >> 6)) & bit(port) != 0
  }

  func isOffered(_ port: UInt16) -> Bool { offered[mapBase + Int(port >> 6)] & bit(port) != 0 }

  /// - Complexity: O(1), a thousand words.
  var offeredCount: Int {
    (mapBase..<mapBase + PortMap.mapWords).reduce(0) { $0 + offered[$1].nonzeroBitCount }
  }

  func take(_ port: UInt16) {
    taken[mapBase + Int(port >> 6)] |= bit(port)
    summarize(Int(port >> 6))
  }

  func free(_ port: UInt16) {
    taken[mapBase + Int(port >> 6)] &= ~bit(port)
    summarize(Int(port >> 6))
  }

  func lowest(_ portClass: Class, _ parity: Parity) -> UInt16? {
    let range = portClass.words
    guard let word = firstWord(from: range.lowerBound, before: range.upperBound, parity) else { return nil }
    return UInt16(word * 64 + free(in: word, parity).trailingZeroBitCount)
  }

  /// An unpredictable free port of the class and parity.
  func random(_ portClass: Class, _ parity: Parity, _ random: inout RandomSource) -> UInt16? {
    let range = portClass.words
    let start = range.lowerBound + random.next(below: range.count)
    guard
      let word = firstWord(from: start, before: range.upperBound, parity)
        ?? firstWord(from: range.lowerBound, before: start, parity)
    else { return nil }
    let bits = free(in: word, parity)
    let turn = UInt64(random.next(below: 64))
    let turned = bits >> turn | bits << ((64 - turn) & 63)
    return UInt16(word * 64 + (turned.trailingZeroBitCount + Int(turn)) & 63)
  }

  private static let evenBits: UInt64 = 0x5555_5555_5555_5555

  private func bit(_ port: UInt16) -> UInt64 { 1 << UInt64(port & 63) }

  private func free(in word: Int) -> UInt64 { offered[mapBase + word] & ~taken[mapBase + word] }

  private func free(in word: Int, _ parity: Parity) -> UInt64 {
    let free = free(in: word)
    return switch parity {
    case .even: free & PortMap.evenBits
    case .odd: free & ~PortMap.evenBits
    case .any: free
    }
  }

  private func summary(_ word: Int, _ parity: Parity) -> UInt64 {
    switch parity {
    case .even: summaries[summaryBase + word]
    case .odd: summaries[summaryBase + 17 + word]
    case .any: summaries[summaryBase + word] | summaries[summaryBase + 17 + word]
    }
  }

  private func firstWord(from lower: Int, before upper: Int, _ parity: Parity) -> Int? {
    guard lower < upper else { return nil }
    let group = lower >> 6
    var bits = summary(group, parity) & UInt64.max << UInt64(lower & 63)
    var found = group
    if bits == 0 {
      guard group < 15 else { return nil }
      let groups = summary(16, parity) & UInt64.max << UInt64(group + 1)
      guard groups != 0 else { return nil }
      found = groups.trailingZeroBitCount
      bits = summary(found, parity)
    }
    let word = found * 64 + bits.trailingZeroBitCount
    return word < upper ? word : nil
  }

  /// Updates the summaries for a word of the map. Words in other workers' granules count as full.
  private func summarize(_ word: Int) {
    let isMine = (word >> 3) % workers == worker
    for (offset, parity) in [(0, Parity.even), (17, Parity.odd)] {
      let at = summaryBase + offset + (word >> 6)
      let bit: UInt64 = 1 << UInt64(word & 63)
      if isMine && free(in: word, parity) != 0 { summaries[at] |= bit } else { summaries[at] &= ~bit }
      let top = summaryBase + offset + 16
      let group: UInt64 = 1 << UInt64(word >> 6)
      if summaries[at] != 0 { summaries[top] |= group } else { summaries[top] &= ~group }
    }
  }
}
