public import NATWire

/// The captures of the two sides as one sequence, ordered by time.
///
/// Each file keeps its own order. Of the next records of both files the one with the earlier time stamp comes
/// first; at equal times the inside one. Nothing is copied: a record waits in the memory of its reader. If a
/// file is damaged, its good records still take part, and the other file is read to its end.
public struct CaptureMerge: ~Copyable {
  /// The damage found so far: at most one entry a side.
  public private(set) var damages: [CaptureDamage] = []

  private var inside: CaptureReader?
  private var outside: CaptureReader?
  private var insideHead: CapturedRecord?
  private var outsideHead: CapturedRecord?
  private var needsInside = true
  private var needsOutside = true

  /// Either side may be missing.
  public init(inside: consuming CaptureReader?, outside: consuming CaptureReader?) {
    self.inside = inside
    self.outside = outside
  }

  /// The link layer of a side's records; nil without a capture of that side.
  public func link(of side: Side) -> LinkLayer? {
    switch side {
    case .inside: CaptureMerge.link(of: inside)
    case .outside: CaptureMerge.link(of: outside)
    }
  }

  /// How much of the files has been read and their size, in bytes, for a progress line. The size is nil if
  /// one of them is not a regular file.
  public var progress: (read: UInt64, total: UInt64?) {
    let (one, other) = (CaptureMerge.progress(of: inside), CaptureMerge.progress(of: outside))
    guard let oneTotal = one.total, let otherTotal = other.total else { return (one.read + other.read, nil) }
    return (one.read + other.read, oneTotal + otherTotal)
  }

  /// The next record and its side; nil at the end of both files, after which ``damages`` is complete.
  /// The record's bytes are valid until the next call.
  /// - Complexity: O(length of one record).
  public mutating func next() -> (side: Side, record: CapturedRecord)? {
    // Reading on ends the life of the last record, so it happens at the next call only.
    if needsInside {
      needsInside = false
      insideHead = CaptureMerge.head(of: &inside, damages: &damages)
    }
    if needsOutside {
      needsOutside = false
      outsideHead = CaptureMerge.head(of: &outside, damages: &damages)
    }
    if let first = insideHead {
      if let other = outsideHead, other.stamp < first.stamp {
        needsOutside = true
        return (.outside, other)
      }
      needsInside = true
      return (.inside, first)
    }
    guard let only = outsideHead else { return nil }
    needsOutside = true
    return (.outside, only)
  }

  private static func link(of reader: borrowing CaptureReader?) -> LinkLayer? {
    switch reader {
    case .some(let reader): reader.link
    case .none: nil
    }
  }

  private static func progress(of reader: borrowing CaptureReader?) -> (read: UInt64, total: UInt64?) {
    switch reader {
    case .some(let reader): (reader.bytesRead, reader.totalBytes)
    case .none: (0, 0)
    }
  }

  private static func head(of reader: inout CaptureReader?, damages: inout [CaptureDamage]) -> CapturedRecord?
  {
    switch reader?.next() {
    case .record(let record): return record
    case .damaged(let damage):
      damages.append(damage)
      return nil
    case .end, nil: return nil
    }
  }
}
