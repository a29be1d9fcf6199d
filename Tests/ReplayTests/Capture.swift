import Foundation

/// One packet of a capture and its time.
struct Record: Equatable {
  /// Since 1970.
  var nanoseconds: UInt64
  var bytes: [UInt8]
  /// Length on the wire, if the capture cut the packet.
  var wireLength: Int?

  init(_ nanoseconds: UInt64, _ bytes: [UInt8], wireLength: Int? = nil) {
    self.nanoseconds = nanoseconds
    self.bytes = bytes
    self.wireLength = wireLength
  }
}

/// pcap files as these tests write and read them, without libpcap: nanoseconds, little endian.
enum Capture {
  enum Link: UInt32 {
    case null = 0
    case ethernet = 1
    case rawIP = 101
  }

  struct Unreadable: Error, CustomStringConvertible {
    let description: String
  }

  static func bytes(_ records: [Record], link: Link = .ethernet) -> [UInt8] {
    var bytes =
      little(0xA1B2_3C4D) + [2, 0, 4, 0] + little(0) + little(0) + little(262_144) + little(link.rawValue)
    for record in records {
      bytes +=
        little(UInt32(record.nanoseconds / 1_000_000_000))
        + little(UInt32(record.nanoseconds % 1_000_000_000))
      bytes += little(UInt32(record.bytes.count)) + little(UInt32(record.wireLength ?? record.bytes.count))
      bytes += record.bytes
    }
    return bytes
  }

  static func records(_ bytes: [UInt8], name: String) throws -> [Record] {
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

  static func read(_ url: URL) throws -> [Record] {
    try records(Array(Data(contentsOf: url)), name: url.lastPathComponent)
  }

  private static func little(_ value: UInt32) -> [UInt8] {
    [
      UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8),
      UInt8(truncatingIfNeeded: value >> 16),
      UInt8(truncatingIfNeeded: value >> 24),
    ]
  }
}
