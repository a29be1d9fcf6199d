import NATMemory
import NATWire

/// Which lifetime a session has: a number into the table of lifetimes.
public struct LifetimeClass: BitwiseCopyable, Equatable, Sendable {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var icmp: LifetimeClass { LifetimeClass(rawValue: 0) }
  @inlinable public static var udp: LifetimeClass { LifetimeClass(rawValue: 1) }
  @inlinable public static var tcpEstablished: LifetimeClass { LifetimeClass(rawValue: 2) }
  @inlinable public static var tcpTransitory: LifetimeClass { LifetimeClass(rawValue: 3) }
}

/// How long sessions live without a packet that restarts their timeout, in nanoseconds
/// (RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2).
public struct Lifetimes: Sendable {
  public var icmp: UInt64
  public var udp: UInt64
  public var tcpEstablished: UInt64
  public var tcpTransitory: UInt64
  /// By destination port of the packet that makes a session; for TCP in place of `tcpEstablished`.
  public var tcpPorts: [UInt16: UInt64] = [:]
  public var udpPorts: [UInt16: UInt64] = [:]

  /// The defaults: 60 s, 300 s, 7440 s and 240 s.
  public init(
    icmp: UInt64 = 60_000_000_000, udp: UInt64 = 300_000_000_000,
    tcpEstablished: UInt64 = 7_440_000_000_000, tcpTransitory: UInt64 = 240_000_000_000
  ) {
    self.icmp = icmp
    self.udp = udp
    self.tcpEstablished = tcpEstablished
    self.tcpTransitory = tcpTransitory
  }

  /// The most different durations that ports may have.
  public static let maximumOverrides = 256 - LifetimeTable.firstOverride
}

/// The lifetimes as the packet path reads them: two table look-ups.
struct LifetimeTable {
  struct Memory {
    /// By lifetime class, in nanoseconds.
    let durations: OwnedArray<UInt64>
    /// By port, the class of a session.
    let tcpClasses: OwnedArray<UInt8>
    let udpClasses: OwnedArray<UInt8>
  }

  private let memory: Memory
  var durations: OwnedArray<UInt64> { memory.durations }
  /// Classes that have been given to lifetimes of ports; sessions may still run on each of them, so none changes.
  private var classes: [UInt64: UInt8] = [:]

  /// The first class for the lifetime of a port.
  static let firstOverride = 4

  init(_ lifetimes: Lifetimes, _ memory: Memory) {
    self.memory = memory
    let isSet = set(lifetimes)
    precondition(isSet, "too many different lifetimes for ports")
  }

  /// Lifetimes that ports have had so far; their classes begin with ``firstOverride``.
  var overrides: Int { classes.count }

  /// The class of a lifetime that a port has, or has had.
  func lifetimeClass(lasting duration: UInt64) -> LifetimeClass? {
    classes[duration].map { LifetimeClass(rawValue: $0) }
  }

  /// Whether there are classes enough.
  func hasRoom(for lifetimes: Lifetimes) -> Bool {
    let durations = Set(lifetimes.tcpPorts.values).union(lifetimes.udpPorts.values)
    return durations.subtracting(classes.keys).count + classes.count <= Lifetimes.maximumOverrides
  }

  /// Sets all lifetimes; false, and nothing has changed, where there are not classes enough.
  mutating func set(_ lifetimes: Lifetimes) -> Bool {
    guard hasRoom(for: lifetimes) else { return false }
    for (index, duration) in [
      lifetimes.icmp, lifetimes.udp, lifetimes.tcpEstablished, lifetimes.tcpTransitory,
    ]
    .enumerated() {
      durations[index] = duration
    }
    for port in 0..<65536 {
      memory.tcpClasses[port] = LifetimeClass.tcpEstablished.rawValue
      memory.udpClasses[port] = LifetimeClass.udp.rawValue
    }
    for (port, duration) in lifetimes.tcpPorts.sorted(by: { $0.key < $1.key }) {
      memory.tcpClasses[Int(port)] = lifetimeClass(of: duration)
    }
    for (port, duration) in lifetimes.udpPorts.sorted(by: { $0.key < $1.key }) {
      memory.udpClasses[Int(port)] = lifetimeClass(of: duration)
    }
    return true
  }

  private mutating func lifetimeClass(of duration: UInt64) -> UInt8 {
    if let known = classes[duration] { return known }
    let new = UInt8(LifetimeTable.firstOverride + classes.count)
    classes[duration] = new
    durations[Int(new)] = duration
    return new
  }

  /// The class of a session made by a packet to `port`.
  func lifetimeClass(_ transport: TransportProtocol, port: UInt16) -> LifetimeClass {
    switch transport {
    case .icmp: .icmp
    case .tcp: LifetimeClass(rawValue: memory.tcpClasses[Int(port)])
    case .udp: LifetimeClass(rawValue: memory.udpClasses[Int(port)])
    }
  }
}
