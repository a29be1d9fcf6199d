public import NATWire

/// 16 bits in network byte order.
public func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }

/// 32 bits in network byte order.
public func big(_ value: UInt32) -> [UInt8] {
  big(UInt16(value >> 16)) + big(UInt16(truncatingIfNeeded: value))
}

public func little(_ value: UInt16) -> [UInt8] { big(value).reversed() }
public func little(_ value: UInt32) -> [UInt8] { big(value).reversed() }

/// Reads 16 bits in network byte order.
public func word(_ bytes: [UInt8], _ offset: Int) -> UInt16 {
  UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
}

/// Reads 32 bits in network byte order.
public func doubleWord(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
  UInt32(word(bytes, offset)) << 16 | UInt32(word(bytes, offset + 2))
}

public func setWord(_ bytes: inout [UInt8], _ offset: Int, _ value: UInt16) {
  bytes.replaceSubrange(offset..<offset + 2, with: big(value))
}

public func setDoubleWord(_ bytes: inout [UInt8], _ offset: Int, _ value: UInt32) {
  bytes.replaceSubrange(offset..<offset + 4, with: big(value))
}

/// The bytes of hexadecimal text. White space is left out.
public func hex(_ text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// An IPv4 address in any of the forms that tests write.
public protocol AddressBytes {
  /// Four bytes in network order.
  var octets: [UInt8] { get }
}

extension Array: AddressBytes where Element == UInt8 {
  public var octets: [UInt8] { self }
}

extension UInt32: AddressBytes {
  public var octets: [UInt8] { big(self) }
}

extension String: AddressBytes {
  public var octets: [UInt8] { split(separator: ".").compactMap { UInt8($0) } }
}

extension IPv4Address: AddressBytes {
  public var octets: [UInt8] { big(rawValue) }
}

extension Frame {
  /// A copy of the bytes.
  public var bytes: [UInt8] { (0..<count).map { uint8(at: $0) } }
}
