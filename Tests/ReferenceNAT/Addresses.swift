/// The side of the gateway on which a frame is seen.
public enum ReferenceSide: String, Hashable, Sendable, CaseIterable {
  case inside
  case outside
}

/// An IPv4 address as a number, the first octet highest.
public struct ReferenceAddress: Hashable, Comparable, Sendable {
  public var number: UInt32

  public init(_ number: UInt32) {
    self.number = number
  }

  /// Reads dotted decimal notation; anything else is a mistake in a test and traps.
  public init(_ text: String) {
    let octets = text.split(separator: ".").map { UInt32($0) ?? 256 }
    precondition(octets.count == 4 && octets.allSatisfy { $0 <= 255 }, "not an address: \(text)")
    number = octets.reduce(0) { $0 << 8 | $1 }
  }

  public static func < (left: ReferenceAddress, right: ReferenceAddress) -> Bool {
    left.number < right.number
  }
}

extension ReferenceAddress: ExpressibleByStringLiteral, CustomStringConvertible {
  public init(stringLiteral value: String) {
    self.init(value)
  }

  public var description: String {
    [24, 16, 8, 0].map { String(number >> $0 & 0xFF) }.joined(separator: ".")
  }
}

/// An address with a port, or with the query identifier where ICMP has one.
public struct ReferenceEndpoint: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var address: ReferenceAddress
  public var port: UInt16

  public init(_ address: ReferenceAddress, _ port: UInt16) {
    self.address = address
    self.port = port
  }

  public static func < (left: ReferenceEndpoint, right: ReferenceEndpoint) -> Bool {
    (left.address, left.port) < (right.address, right.port)
  }

  public var description: String { "\(address):\(port)" }
}

/// A network in prefix notation.
public struct ReferenceNetwork: Hashable, Sendable, CustomStringConvertible {
  public var address: ReferenceAddress
  public var prefixLength: Int

  public init(_ address: ReferenceAddress, _ prefixLength: Int) {
    precondition((0...32).contains(prefixLength), "not a prefix length: \(prefixLength)")
    self.address = address
    self.prefixLength = prefixLength
  }

  public var mask: UInt32 { prefixLength == 0 ? 0 : UInt32.max << UInt32(32 - prefixLength) }

  public func contains(_ other: ReferenceAddress) -> Bool {
    other.number & mask == address.number & mask
  }

  public var description: String { "\(address)/\(prefixLength)" }
}

/// The protocols that have bindings, in the order of the table of a replay.
public enum ReferenceProtocol: String, Hashable, Sendable, CaseIterable {
  case icmp
  case tcp
  case udp

  /// The protocol number of the IPv4 header; nil for the other transports.
  init?(number: UInt8) {
    switch number {
    case 1: self = .icmp
    case 6: self = .tcp
    case 17: self = .udp
    default: return nil
    }
  }
}
