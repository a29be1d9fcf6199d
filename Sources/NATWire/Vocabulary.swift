/// The two interfaces of the gateway.
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
