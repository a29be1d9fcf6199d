import NATMemory
import NATWire

/// Why bytes are no snapshot that can be restored.
public enum SnapshotFault: Error, Equatable, Sendable {
  /// They begin otherwise.
  case foreign
  /// They were turned round by eight on their way.
  case byteOrder
  /// Another version of the format.
  case version(UInt32)
  /// They end too early, or too late.
  case length
  /// The sum is not theirs.
  case damaged
}

/// A table outside of a gateway: a value of 64-bit words, which in a file are little-endian.
///
/// A header; lifetimes of ports, in ns, by lifetime class from the fifth on; sessions; ports in hold-down; the pool addresses
/// of hosts. Then how many there are of each of the four, and the CRC-64 of all that stands before it.
public struct TableSnapshot: Sendable {
  public let header: SnapshotHeader
  public let counts: SnapshotCounts
  private let words: [UInt64]
  private let sessionWords: Int

  /// Words that stand at the beginning and at the end, and say how many there are between them.
  public static let headerWords = SnapshotHeader.words
  public static let trailerWords = 5

  /// Checks that both ends fit each other, and the length: to be asked before there is memory for all of it.
  ///
  /// - Parameters:
  ///   - first: the first ``headerWords``, or what there is of them.
  ///   - last: the last ``trailerWords``, or what there is of them.
  ///   - count: words in all.
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

  /// Writes what stands at the end but for the checksum, which comes behind it.
  public static func appendCounts(_ counts: SnapshotCounts, to words: inout [UInt64]) {
    words.append(UInt64(counts.lifetimes))
    words.append(UInt64(counts.sessions))
    words.append(UInt64(counts.ports))
    words.append(UInt64(counts.hosts))
  }

  /// The lifetime of a port, in ns, that a class stood for; nil for the classes of the protocols.
  func lifetime(of saved: LifetimeClass) -> UInt64? {
    let number = Int(saved.rawValue) - LifetimeTable.firstOverride
    guard (0..<counts.lifetimes).contains(number) else { return nil }
    return words[SnapshotHeader.words + number]
  }

  private var firstSession: Int { SnapshotHeader.words + counts.lifetimes }
  private var firstPort: Int { firstSession + counts.sessions * sessionWords }
  private var firstHost: Int { firstPort + counts.ports * SavedPort.words }

  /// Nil where the words are none.
  public func session(_ number: Int) -> SavedSession? {
    let at = firstSession + number * sessionWords
    return SavedSession(words[at..<at + sessionWords], hasWindows: header.tracksWindows)
  }

  /// Nil where the words are none.
  public func port(_ number: Int) -> SavedPort? {
    let at = firstPort + number * SavedPort.words
    return SavedPort(words[at..<at + SavedPort.words])
  }

  public func host(_ number: Int) -> SavedHost { SavedHost(words[firstHost + number]) }
}

/// How much a snapshot holds.
public struct SnapshotCounts: BitwiseCopyable, Equatable, Sendable {
  /// Lifetimes of ports.
  public var lifetimes = 0
  public var sessions = 0
  /// Ports in hold-down.
  public var ports = 0
  public var hosts = 0

  public init() {}

  /// What the words at the end say, if all that fills `wordCount` words.
  fileprivate init(
    _ header: SnapshotHeader, _ trailer: ArraySlice<UInt64>, wordCount: Int
  ) throws(SnapshotFault) {
    let room = wordCount - SnapshotHeader.words - TableSnapshot.trailerWords
    guard room >= 0, trailer.count == TableSnapshot.trailerWords else { throw .length }
    // What is counted has words, so nothing that is larger than the room can be right, and nothing else overflows.
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
