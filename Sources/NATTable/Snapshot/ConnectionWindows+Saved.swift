import NATMemory

/// The windows of a connection in a snapshot: five words.
///
/// | word | holds |
/// |---|---|
/// | 0 | inside end:32, limit:32 |
/// | 1 | inside window:32, outside end:32 |
/// | 2 | outside limit:32, window:32 |
/// | 3 | opening first:32, end:32 |
/// | 4 | opening window:16, scale:8, sender:8; scales inside:8, outside:8; begun:8, 0:8 |
extension ConnectionWindows {
  static let words = 5

  func append(to words: inout [UInt64]) {
    func pair(_ high: UInt32, _ low: UInt32) -> UInt64 { UInt64(high) << 32 | UInt64(low) }
    words.append(pair(inside.end, inside.limit))
    words.append(pair(inside.window, outside.end))
    words.append(pair(outside.limit, outside.window))
    words.append(pair(opening.first, opening.end))
    let sent = UInt64(opening.window) << 48 | UInt64(opening.scale) << 40
    let scales = UInt64(inside.scale) << 24 | UInt64(outside.scale) << 16
    words.append(sent | UInt64(opening.sender.rawValue) << 32 | scales | (hasBegun ? 1 << 8 : 0))
  }

  /// Nil if the words are invalid.
  init?(_ words: ArraySlice<UInt64>) {
    let at = words.startIndex
    func high(_ number: Int) -> UInt32 { UInt32(truncatingIfNeeded: words[at + number] >> 32) }
    func low(_ number: Int) -> UInt32 { UInt32(truncatingIfNeeded: words[at + number]) }
    func byte(_ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: words[at + 4] >> shift) }
    guard let sender = Opener(rawValue: byte(32)) else { return nil }
    self.init()
    inside = Sender(end: high(0), limit: low(0), window: high(1), scale: byte(24))
    outside = Sender(end: low(1), limit: high(2), window: low(2), scale: byte(16))
    opening = Opening(
      first: high(3), end: low(3), window: UInt16(words[at + 4] >> 48), scale: byte(40), sender: sender)
    hasBegun = byte(8) != 0
  }
}
