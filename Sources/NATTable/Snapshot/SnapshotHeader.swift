public import NATMemory
public import NATWire

/// The first ten words of a snapshot.
///
/// | word | holds |
/// |---|---|
/// | 0 | `PORTICO` and a line feed |
/// | 1 | version:32, flags:32 (1: with windows, 2: with the state of port choice) |
/// | 2, 3 | time of the snapshot: by the gateway's clock, and in ns since 1970 |
/// | 4 | start of the gateway, by its clock |
/// | 5, 6 | boot ID of the machine, from whose start the clock counts |
/// | 7, 8, 9 | key and counter of the random source that chooses ports |
public struct SnapshotHeader: Sendable {
  /// The time of the snapshot by the gateway's clock, like all its instants.
  public var clock: Instant
  public var unixNanoseconds: UInt64
  public var started: Instant
  /// Zeros if not known.
  public var boot: (UInt64, UInt64) = (0, 0)
  public var tracksWindows = false
  /// State of the generator that chooses ports. Secret, because it predicts the next ports. Only recordings hold it, so
  /// that a replay chooses the same ports; a state file does not.
  public var random: RandomSource?

  public static let version: UInt32 = 1
  static let magic: UInt64 = 0x0A4F_4349_5452_4F50
  static let words = 10
  var sessionWords: Int { tracksWindows ? SavedSession.wordsWithWindows : SavedSession.words }
  private static let withWindows: UInt64 = 1
  private static let withRandom: UInt64 = 2

  public init(clock: Instant, unixNanoseconds: UInt64, started: Instant) {
    self.clock = clock
    self.unixNanoseconds = unixNanoseconds
    self.started = started
  }

  /// The offset from the snapshot's clock to another clock.
  ///
  /// It is 0 if both clocks count from the same boot of the machine. Otherwise the wall clock tells how much
  /// time has passed. If the wall clock has gone back, no time counts as passed.
  public func offset(toClock now: Instant, unixNanoseconds unix: UInt64, boot: (UInt64, UInt64)) -> (
    nanoseconds: Int64, clockWentBack: Bool
  ) {
    if boot == self.boot, boot != (0, 0), now >= clock { return (0, false) }
    let passed = unix > unixNanoseconds ? unix - unixNanoseconds : 0
    return (
      Int64(truncatingIfNeeded: now.nanoseconds &- clock.nanoseconds &- passed), unix < unixNanoseconds
    )
  }

  public func append(to words: inout [UInt64]) {
    words.append(SnapshotHeader.magic)
    let flags =
      (tracksWindows ? SnapshotHeader.withWindows : 0) | (random == nil ? 0 : SnapshotHeader.withRandom)
    words.append(UInt64(SnapshotHeader.version) << 32 | flags)
    words.append(clock.nanoseconds)
    words.append(unixNanoseconds)
    words.append(started.nanoseconds)
    words.append(boot.0)
    words.append(boot.1)
    words.append(random?.key0 ?? 0)
    words.append(random?.key1 ?? 0)
    words.append(random?.counter ?? 0)
  }

  init(_ words: borrowing [UInt64]) throws(SnapshotFault) {
    guard words.count > 1 else { throw .length }
    guard words[0] == SnapshotHeader.magic else {
      throw words[0] == SnapshotHeader.magic.byteSwapped ? .byteOrder : .foreign
    }
    let version = UInt32(truncatingIfNeeded: words[1] >> 32)
    guard version == SnapshotHeader.version else { throw .version(version) }
    guard words.count >= SnapshotHeader.words else { throw .length }
    self.init(
      clock: Instant(nanoseconds: words[2]), unixNanoseconds: words[3],
      started: Instant(nanoseconds: words[4]))
    boot = (words[5], words[6])
    tracksWindows = words[1] & SnapshotHeader.withWindows != 0
    if words[1] & SnapshotHeader.withRandom != 0 {
      var source = RandomSource(key: (words[7], words[8]))
      source.counter = words[9]
      random = source
    }
  }
}

extension Instant {
  /// Instants before the clock's start become 0. ``never`` stays.
  public func shifted(by nanoseconds: Int64) -> Instant {
    if self == .never { return self }
    if nanoseconds >= 0 { return advanced(by: UInt64(nanoseconds)) }
    let back = nanoseconds.magnitude
    return Instant(nanoseconds: self.nanoseconds > back ? self.nanoseconds - back : 0)
  }
}
