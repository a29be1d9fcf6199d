/// The place of an interface in the gateway's list of interfaces.
///
/// Interfaces are numbered from 0 in the order of the configuration: the inside interfaces first, then the
/// outside ones. Counters, neighbours, captures and transmitters are arrays with one element an interface.
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

/// The side of the gateway on which an interface lies: the inside hosts', or the rest of the network's.
public enum Side: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case inside, outside

  @inlinable public var other: Side { self == .inside ? .outside : .inside }
}

/// The protocols that are translated by port, or by the query identifier in its place.
/// The raw values are the order in which a table is listed.
public enum TransportProtocol: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case icmp, tcp, udp
}

/// A point in time in nanoseconds: since 1970 in a replay, since the machine's start in a live gateway.
public struct Instant: BitwiseCopyable, Hashable, Comparable, Sendable {
  public var nanoseconds: UInt64

  @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// Later than all other instants.
  @inlinable public static var never: Instant { Instant(nanoseconds: .max) }

  @inlinable public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

  /// Saturates at ``never``.
  @inlinable public func advanced(by nanoseconds: UInt64) -> Instant {
    let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
    return overflow ? .never : Instant(nanoseconds: sum)
  }
}
