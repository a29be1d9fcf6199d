/// Why a capture could not be opened. `description` says what was found and what was expected.
public struct CaptureFault: Error, Equatable, CustomStringConvertible {
  public enum Kind: Sendable {
    /// The file is missing, not readable, or not a file: exit code 66.
    case noInput
    /// The file is not a capture that can be read: exit code 65.
    case badData
  }

  public let kind: Kind
  /// As given by the caller; `standard input` for `-`.
  public let path: String
  public let description: String

  init(_ kind: Kind, path: String, _ text: String) {
    self.kind = kind
    self.path = path
    description = "\(path): \(text)"
  }
}

/// Where a capture becomes unreadable. The records before it are good; exit code 65.
public struct CaptureDamage: Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Sendable {
    /// The file ends inside a record.
    case truncated
    /// A record violates the format.
    case invalid
    /// Reading failed in the device or the file system.
    case unreadable
  }

  public let kind: Kind
  /// As given by the caller; `standard input` for `-`.
  public let path: String
  /// Where the damaged record begins, in bytes from the start of the file. In a pcapng file the damaged block
  /// may lie after it, because blocks without a packet are skipped. Nil for pcapng read from a pipe.
  public let offset: UInt64?
  /// The number of records before it.
  public let recordsBefore: UInt64
  public let description: String

  /// - Parameter text: libpcap's message, which names what was found and what was expected.
  init(_ kind: Kind, path: String, offset: UInt64?, isBlock: Bool, recordsBefore: UInt64, text: String) {
    self.kind = kind
    self.path = path
    self.offset = offset
    self.recordsBefore = recordsBefore
    let place =
      switch (offset, isBlock) {
      case (let offset?, false): "the record at byte offset \(offset)"
      case (let offset?, true): "the block at or after byte offset \(offset)"
      case (nil, _): "a block of unknown byte offset (a pipe)"
      }
    let before = "(\(recordsBefore) \(recordsBefore == 1 ? "record" : "records") before it)"
    description =
      switch kind {
      case .truncated: "\(path): \(place) \(before) is cut off: \(text); expected a whole record"
      case .invalid: "\(path): \(place) \(before) is damaged: \(text)"
      case .unreadable: "\(path): \(place) \(before) cannot be read: \(text)"
      }
  }
}
