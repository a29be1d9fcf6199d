/// The side of the gateway on which an interface lies: the inside hosts', or the rest of the network's.
public enum Side: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  case inside, outside

  @inlinable public var other: Side { self == .inside ? .outside : .inside }
}

/// One of the gateway's interfaces: its side, and its number on that side.
///
/// One byte, `number << 1 | side`, so that the side of a packet costs no look-up. Counters, neighbours, captures and
/// transmitters are arrays with one element for each index.
public struct InterfaceIndex: BitwiseCopyable, Hashable, Sendable {
  public let rawValue: UInt8

  /// How many interfaces a gateway may have, half of them on each side. An index is always below.
  @inlinable public static var limit: Int { 64 }
  /// The first interface of each side.
  @inlinable public static var inside: InterfaceIndex { InterfaceIndex(.inside) }
  @inlinable public static var outside: InterfaceIndex { InterfaceIndex(.outside) }

  /// - Precondition: `number` is at least 0 and below half of ``limit``.
  @inlinable public init(_ side: Side, _ number: Int = 0) {
    precondition(number >= 0 && number < InterfaceIndex.limit / 2)
    rawValue = UInt8(truncatingIfNeeded: number) << 1 | side.rawValue
  }

  /// - Precondition: `place` is the ``place`` of an index. The arrays behind an index check it.
  @inlinable @inline(__always) public init(place: Int) { rawValue = UInt8(truncatingIfNeeded: place) }

  @inlinable public var side: Side { rawValue & 1 == 0 ? .inside : .outside }

  /// The number of the interface on its side.
  @inlinable public var number: Int { place >> 1 }

  /// The index as the subscript of an array.
  @inlinable public var place: Int { Int(rawValue) }
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
