import NATMemory
import NATWire

/// Why a snapshot cannot be restored.
public enum SnapshotFault: Error, Equatable, Sendable {
  /// It is no snapshot: the first word is wrong.
  case foreign
  /// The bytes of each word are in reverse order.
  case byteOrder
  case version(UInt32)
  /// It is too short or too long.
  case length
  /// The checksum is wrong.
  case damaged
}

/// A saved table: 64-bit words, little-endian in a file.
///
/// The parts: a header; the lifetimes of ports in ns, by lifetime class from the fifth on; sessions; ports in
/// hold-down; the pool addresses of hosts; the counts of these four; the CRC-64 of all words before it.
public struct TableSnapshot: Sendable {
  public let header: SnapshotHeader
  public let counts: SnapshotCounts
  private let words: [UInt64]
  private let sessionWords: Int

  public static let headerWords = SnapshotHeader.words
  public static let trailerWords = 5

  /// Checks header, counts and length. Call it before memory for all words is allocated.
  ///
  /// - Parameters:
  ///   - first: the first ``headerWords`` words, or fewer if the snapshot is shorter.
  ///   - last: the last ``trailerWords`` words, or fewer.
  ///   - count: all words.
  /// - Complexity: O(1).
  public static func check(first: [UInt64], last: [UInt64], count: Int) throws(SnapshotFault) {
    _ = try SnapshotCounts(SnapshotHeader(first), last[...], wordCount: count)
  }

  /// - Complexity: O(words).
  public init(_ words: consuming [UInt64]) throws(SnapshotFault) {
    header = try SnapshotHeader(words)
    counts = try SnapshotCounts(
      header, words[max(0, words.count - TableSnapshot.trailerWords)...], wordCount: words.count)
    sessionWords = header.sessionWords
    var checksum = Checksum64()
    checksum.add(words[..<(words.count - 1)])
    guard checksum.value == words[words.count - 1] else { throw .damaged }
    self.words = words
  }

  /// Appends the trailer without the checksum. The caller appends the checksum.
  public static func appendCounts(_ counts: SnapshotCounts, to words: inout [UInt64]) {
    words.append(UInt64(counts.lifetimes))
    words.append(UInt64(counts.sessions))
    words.append(UInt64(counts.ports))
    words.append(UInt64(counts.hosts))
  }

  /// The port lifetime, in ns, of a saved class; nil for the classes of the protocols.
  func lifetime(of saved: LifetimeClass) -> UInt64? {
    let number = Int(saved.rawValue) - LifetimeTable.firstOverride
    guard (0..<counts.lifetimes).contains(number) else { return nil }
    return words[SnapshotHeader.words + number]
  }

  private var firstSession: Int { SnapshotHeader.words + counts.lifetimes }
  private var firstPort: Int { firstSession + counts.sessions * sessionWords }
  private var firstHost: Int { firstPort + counts.ports * SavedPort.words }

  /// Nil if the words are invalid.
  public func session(_ number: Int) -> SavedSession? {
    let at = firstSession + number * sessionWords
    return SavedSession(words[at..<at + sessionWords], hasWindows: header.tracksWindows)
  }

  /// Nil if the words are invalid.
  public func port(_ number: Int) -> SavedPort? {
    let at = firstPort + number * SavedPort.words
    return SavedPort(words[at..<at + SavedPort.words])
  }

  public func host(_ number: Int) -> SavedHost { SavedHost(words[firstHost + number]) }
}

/// The size of each part of a snapshot.
public struct SnapshotCounts: BitwiseCopyable, Equatable, Sendable {
  /// Lifetimes of ports.
  public var lifetimes = 0
  public var sessions = 0
  /// Ports in hold-down.
  public var ports = 0
  public var hosts = 0

  public init() {}

  /// Reads the counts in the trailer. They must account for all `wordCount` words.
  fileprivate init(
    _ header: SnapshotHeader, _ trailer: ArraySlice<UInt64>, wordCount: Int
  ) throws(SnapshotFault) {
    let room = wordCount - SnapshotHeader.words - TableSnapshot.trailerWords
    guard room >= 0, trailer.count == TableSnapshot.trailerWords else { throw .length }
    // Each entry takes a word or more, so no count can exceed the room. This check also prevents an overflow
    // below.
    let counted = trailer.prefix(4).map { Int(clamping: $0) }
    guard counted.allSatisfy({ $0 <= room }), room < 1 << 48 else { throw .length }
    lifetimes = counted[0]
    sessions = counted[1]
    ports = counted[2]
    hosts = counted[3]
    let used =
      lifetimes + sessions * header.sessionWords + ports * SavedPort.words + hosts * SavedHost.words
    guard used == room else { throw .length }
  }
}
