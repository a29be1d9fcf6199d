/// An IPv4 address in the machine's byte order: `192.168.1.2` is `0xC0A8_0102`.
public struct IPv4Address: BitwiseCopyable, Hashable, Comparable, Sendable {
  public var rawValue: UInt32

  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }

  @inlinable public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
    rawValue = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
  }

  /// `0.0.0.0`.
  @inlinable public static var any: IPv4Address { IPv4Address(0) }
  /// `255.255.255.255`.
  @inlinable public static var limitedBroadcast: IPv4Address { IPv4Address(.max) }

  @inlinable public static func < (a: IPv4Address, b: IPv4Address) -> Bool { a.rawValue < b.rawValue }
}

/// An IPv4 prefix such as `192.168.1.0/24` (RFC 4632). The bits after the prefix are zero.
public struct IPv4Network: BitwiseCopyable, Hashable, Sendable {
  public let address: IPv4Address
  /// 0 to 32.
  public let prefixLength: UInt8

  /// Clears the bits of `address` after the prefix.
  /// - Precondition: `prefixLength` is at most 32.
  @inlinable public init(_ address: IPv4Address, prefixLength: Int) {
    precondition((0...32).contains(prefixLength))
    self.prefixLength = UInt8(prefixLength)
    self.address = IPv4Address(address.rawValue & IPv4Network.mask(prefixLength))
  }

  @inlinable static func mask(_ prefixLength: Int) -> UInt32 {
    prefixLength == 0 ? 0 : UInt32.max << UInt32(32 - prefixLength)
  }

  @inlinable public var mask: UInt32 { IPv4Network.mask(Int(prefixLength)) }

  @inlinable public func contains(_ other: IPv4Address) -> Bool {
    other.rawValue & mask == address.rawValue
  }

  @inlinable public func overlaps(_ other: IPv4Network) -> Bool {
    contains(other.address) || other.contains(address)
  }

  /// The directed broadcast address; nil for prefixes of 31 and 32 bits (RFC 3021).
  @inlinable public var broadcast: IPv4Address? {
    prefixLength >= 31 ? nil : IPv4Address(address.rawValue | ~mask)
  }
}

/// An Ethernet address in the low 48 bits. The first octet on the wire is the most significant.
public struct MACAddress: BitwiseCopyable, Hashable, Sendable {
  public var rawValue: UInt64

  /// - Precondition: the upper 16 bits are zero.
  @inlinable public init(_ rawValue: UInt64) {
    precondition(rawValue >> 48 == 0)
    self.rawValue = rawValue
  }

  /// Takes the upper six bytes of eight.
  @inlinable init(upper bytes: UInt64) { rawValue = bytes >> 16 }

  /// `ff:ff:ff:ff:ff:ff`.
  @inlinable public static var broadcast: MACAddress { MACAddress(0xFFFF_FFFF_FFFF) }

  /// Whether it is a multicast or broadcast address (IEEE 802 group bit).
  @inlinable public var isGroup: Bool { rawValue >> 40 & 1 == 1 }
}

/// A transport endpoint: an address and a port, or an address and an ICMP query identifier.
public struct Endpoint: BitwiseCopyable, Hashable, Comparable, Sendable {
  public var address: IPv4Address
  public var port: UInt16

  @inlinable public init(_ address: IPv4Address, _ port: UInt16) {
    self.address = address
    self.port = port
  }

  @inlinable public static func < (a: Endpoint, b: Endpoint) -> Bool {
    a.address == b.address ? a.port < b.port : a.address < b.address
  }
}
