public import Foundation

/// One packet of a capture and its time.
public struct Record: Equatable, Sendable {
  /// Since 1970.
  public var nanoseconds: UInt64
  public var bytes: [UInt8]
  /// Length on the wire, if the capture cut the packet.
  public var wireLength: Int?

  public init(_ nanoseconds: UInt64, _ bytes: [UInt8], wireLength: Int? = nil) {
    self.nanoseconds = nanoseconds
    self.bytes = bytes
    self.wireLength = wireLength
  }
}

/// pcap files of nanoseconds, little endian, written and read without libpcap.
public enum Capture {
  public enum Link: UInt32 {
    case null = 0
    case ethernet = 1
    case rawIP = 101
  }

  public struct Unreadable: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) { self.description = description }
  }

  public static func bytes(_ records: [Record], link: Link = .ethernet) -> [UInt8] {
    var file = CaptureBytes.pcap(magic: CaptureBytes.nanoseconds, snapLength: 262_144, link: link.rawValue)
    for record in records {
      file.record(
        UInt32(record.nanoseconds / 1_000_000_000), UInt32(record.nanoseconds % 1_000_000_000), record.bytes,
        wireLength: record.wireLength)
    }
    return file.bytes
  }

  public static func records(_ bytes: [UInt8], name: String) throws -> [Record] {
    func word(_ offset: Int) -> UInt32 {
      UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
        | UInt32(bytes[offset + 3]) << 24
    }
    guard bytes.count >= 24, word(0) == 0xA1B2_3C4D, word(4) == 0x0004_0002, word(16) == 262_144,
      word(20) == 1
    else {
      throw Unreadable(description: "\(name): no pcap header of nanoseconds, Ethernet, snap length 262144")
    }
    var records: [Record] = []
    var offset = 24
    while offset < bytes.count {
      guard offset + 16 <= bytes.count else {
        throw Unreadable(description: "\(name): record header cut at offset \(offset)")
      }
      let (captured, wire) = (Int(word(offset + 8)), Int(word(offset + 12)))
      guard captured == wire, offset + 16 + captured <= bytes.count else {
        throw Unreadable(description: "\(name): record cut at offset \(offset)")
      }
      records.append(
        Record(
          UInt64(word(offset)) * 1_000_000_000 + UInt64(word(offset + 4)),
          Array(bytes[offset + 16..<offset + 16 + captured])))
      offset += 16 + captured
    }
    return records
  }

  public static func read(_ url: URL) throws -> [Record] {
    try records(Array(Data(contentsOf: url)), name: url.lastPathComponent)
  }
}
