/// The place of an interface in the gateway's list of interfaces.
///
/// Interfaces are numbered from 0 in the order of the configuration: the inside interfaces first, then the outside
/// ones. Counters, neighbours, captures and transmitters are arrays with one element an interface.
public struct InterfaceIndex: BitwiseCopyable, Hashable, Sendable {
  public var rawValue: UInt8

  /// How many interfaces a gateway may have. An index is always below.
  public static let limit = 64

  /// - Precondition: `rawValue` is below ``limit``.
  @inlinable public init(_ rawValue: UInt8) {
    precondition(rawValue < InterfaceIndex.limit)
    self.rawValue = rawValue
  }

  /// The index as the subscript of an array.
  @inlinable public var place: Int { Int(rawValue) }
}

/// On which side of the gateway an interface lies: towards the inside hosts, or towards the rest of the network.
public enum Side: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case inside, outside

  @inlinable public var other: Side { self == .inside ? .outside : .inside }
}

/// The protocols that are translated with a port, or with the query identifier that stands for one.
/// The raw values are the order in which a table is listed.
public enum TransportProtocol: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case icmp, tcp, udp
}

/// A point in time in nanoseconds. Where zero lies is the clock's own affair: the epoch in a replay,
/// the machine's start in a live gateway.
public struct Instant: BitwiseCopyable, Hashable, Comparable, Sendable {
  public var nanoseconds: UInt64

  @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// An instant that no clock reaches.
  @inlinable public static var never: Instant { Instant(nanoseconds: .max) }

  @inlinable public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

  /// Saturates at ``never``.
  @inlinable public func advanced(by nanoseconds: UInt64) -> Instant {
    let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
    return overflow ? .never : Instant(nanoseconds: sum)
  }
}
