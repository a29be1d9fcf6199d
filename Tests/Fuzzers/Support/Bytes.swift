// Packets as plain bytes, put together and examined without the code under test.

/// Reads 16 bits, the higher byte first.
public func word(_ bytes: [UInt8], _ offset: Int) -> UInt16 {
  UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
}

/// Reads 32 bits, the highest byte first.
public func doubleWord(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
  UInt32(word(bytes, offset)) << 16 | UInt32(word(bytes, offset + 2))
}

public func setWord(_ bytes: inout [UInt8], _ offset: Int, _ value: UInt16) {
  bytes[offset] = UInt8(value >> 8)
  bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
}

public func setDoubleWord(_ bytes: inout [UInt8], _ offset: Int, _ value: UInt32) {
  setWord(&bytes, offset, UInt16(value >> 16))
  setWord(&bytes, offset + 2, UInt16(truncatingIfNeeded: value))
}

public func two(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }

public func four(_ value: UInt32) -> [UInt8] {
  two(UInt16(value >> 16)) + two(UInt16(truncatingIfNeeded: value))
}

/// The sum of RFC 1071, folded.
public func onesSum(_ bytes: ArraySlice<UInt8>, startingWith start: UInt64 = 0) -> UInt16 {
  var sum = start
  var at = bytes.startIndex
  while at + 1 < bytes.endIndex {
    sum += UInt64(bytes[at]) << 8 | UInt64(bytes[at + 1])
    at += 2
  }
  if at < bytes.endIndex { sum += UInt64(bytes[at]) << 8 }
  while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
  return UInt16(sum)
}

/// An IPv4 packet that begins at `start` and whose lengths can be trusted.
public struct PlainPacket {
  public let bytes: [UInt8]
  public let start: Int
  public let headerLength: Int
  /// Where it ends in `bytes`.
  public let end: Int

  /// Nil unless header and total length fit.
  public init?(_ bytes: [UInt8], at start: Int) {
    guard bytes.count >= start + 20, bytes[start] >> 4 == 4 else { return nil }
    headerLength = Int(bytes[start] & 15) * 4
    let total = Int(word(bytes, start + 2))
    guard headerLength >= 20, total >= headerLength, start + total <= bytes.count else { return nil }
    self.bytes = bytes
    self.start = start
    end = start + total
  }

  /// The one behind an Ethernet header without tags.
  public init?(frame: [UInt8]) {
    guard frame.count >= 14, word(frame, 12) == 0x0800 else { return nil }
    self.init(frame, at: 14)
  }

  public var source: UInt32 { doubleWord(bytes, start + 12) }
  public var destination: UInt32 { doubleWord(bytes, start + 16) }
  public var protocolNumber: UInt8 { bytes[start + 9] }
  public var timeToLive: UInt8 { bytes[start + 8] }
  public var fragmentField: UInt16 { word(bytes, start + 6) }
  public var isFragment: Bool { fragmentField & 0x3FFF != 0 }
  public var transport: Int { start + headerLength }
  public var transportLength: Int { end - transport }
  public var hasRightHeaderChecksum: Bool { onesSum(bytes[start..<start + headerLength]) == 0xFFFF }

  public var isICMPError: Bool {
    protocolNumber == 1 && !isFragment && transportLength >= 8
      && [3, 4, 5, 11, 12].contains(bytes[transport])
  }

  /// What the transport's checksum covers beyond the addresses, if this is a whole TCP, UDP or ICMP packet whose header
  /// is there.
  public var segment: ArraySlice<UInt8>? {
    guard !isFragment else { return nil }
    switch protocolNumber {
    case 1: return transportLength >= 8 ? bytes[transport..<end] : nil
    case 6: return transportLength >= 20 ? bytes[transport..<end] : nil
    case 17:
      guard transportLength >= 8 else { return nil }
      let length = Int(word(bytes, transport + 4))
      return length >= 8 && length <= transportLength ? bytes[transport..<transport + length] : nil
    default: return nil
    }
  }

  /// Where the transport's checksum stands; nil where ``segment`` is.
  public var checksumPlace: Int? {
    guard segment != nil else { return nil }
    return transport + (protocolNumber == 1 ? 2 : protocolNumber == 6 ? 16 : 6)
  }

  private func pseudoHeaderSum(_ length: Int) -> UInt64 {
    guard protocolNumber != 1 else { return 0 }
    let words = [source >> 16, source & 0xFFFF, destination >> 16, destination & 0xFFFF]
    return words.reduce(UInt64(protocolNumber) + UInt64(length)) { $0 + UInt64($1) }
  }

  /// 0 for a checksum that is right, else by how much it is wrong; nil for UDP without one, and where there is none.
  public var checksumError: UInt16? {
    guard let segment, let place = checksumPlace else { return nil }
    if protocolNumber == 17, word(bytes, place) == 0 { return nil }
    return ~onesSum(segment, startingWith: pseudoHeaderSum(segment.count))
  }

  /// The pseudo-header's sum, as a sender leaves it to its device; nil where there is none.
  public var foldedPseudoHeader: UInt16? {
    guard let segment, protocolNumber != 1 else { return nil }
    return onesSum([], startingWith: pseudoHeaderSum(segment.count))
  }

  /// The checksum field holds the sum of the pseudo-header only.
  public var hasPartialChecksum: Bool {
    guard let segment, let place = checksumPlace, protocolNumber != 1 else { return false }
    let sum = pseudoHeaderSum(segment.count)
    return word(bytes, place) == onesSum([], startingWith: sum)
      && onesSum(segment, startingWith: sum) != 0xFFFF
  }
}

/// Makes the header's checksum right, if the header lies in the bytes.
public func mendHeader(_ bytes: inout [UInt8], at start: Int) {
  guard bytes.count >= start + 20 else { return }
  let end = min(bytes.count, start + max(20, Int(bytes[start] & 15) * 4))
  setWord(&bytes, start + 10, 0)
  setWord(&bytes, start + 10, ~onesSum(bytes[start..<end]))
}

/// Makes the transport's checksum right, if there is one.
public func mendTransport(_ bytes: inout [UInt8], at start: Int) {
  guard let place = PlainPacket(bytes, at: start)?.checksumPlace else { return }
  // Counts as zero, and does not say that a UDP datagram has no checksum.
  setWord(&bytes, place, 0xFFFF)
  guard let packet = PlainPacket(bytes, at: start), let missing = packet.checksumError else { return }
  setWord(&bytes, place, packet.protocolNumber == 17 && missing == 0 ? 0xFFFF : missing)
}
