import NATMemory
import NATWire

/// The lifetime of a session, as an index into the table of lifetimes.
public struct LifetimeClass: BitwiseCopyable, Equatable, Sendable {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var icmp: LifetimeClass { LifetimeClass(rawValue: 0) }
  @inlinable public static var udp: LifetimeClass { LifetimeClass(rawValue: 1) }
  @inlinable public static var tcpEstablished: LifetimeClass { LifetimeClass(rawValue: 2) }
  @inlinable public static var tcpTransitory: LifetimeClass { LifetimeClass(rawValue: 3) }
}

/// The timeout that runs for a session: it follows from the state and the lifetime class.
@usableFromInline struct RunningTimeout: BitwiseCopyable, Sendable {
  /// The place of its duration in the table of lifetimes.
  @usableFromInline let place: Int

  static let transitory = RunningTimeout(.established, .tcpTransitory)

  /// - Parameter state: one whose timeout packets restart.
  @inlinable @inline(__always) init(_ state: SessionState, _ lifetime: LifetimeClass) {
    place = Int(lifetime.rawValue) | (state.phase == .halfClosed ? RunningTimeout.firstHalfClosed : 0)
  }

  /// The second half of the table holds the durations of half-closed sessions, one for each lifetime class.
  @usableFromInline static let firstHalfClosed = 256
  /// How many durations the table holds.
  static let count = 2 * firstHalfClosed
}

extension SessionState {
  /// Whether a session in this state has the transitory timeout, which packets do not restart.
  var isTransitory: Bool {
    switch phase {
    case .synSent, .closed, .reset: true
    case .free, .established, .halfClosed, .active: false
    }
  }

  /// The timeout of a session in this state.
  func timeout(_ lifetime: LifetimeClass) -> RunningTimeout {
    isTransitory ? .transitory : RunningTimeout(self, lifetime)
  }
}

/// How long sessions live without a packet that restarts their timeout, in nanoseconds
/// (RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2).
public struct Lifetimes: Sendable {
  public var icmp: UInt64
  public var udp: UInt64
  public var tcpEstablished: UInt64
  /// For a connection in which one side has sent its FIN, if the established timeout is not shorter.
  public var tcpHalfClosed: UInt64
  public var tcpTransitory: UInt64
  /// By destination port of the packet that makes the session. For TCP it replaces `tcpEstablished`.
  public var tcpPorts: [UInt16: UInt64] = [:]
  public var udpPorts: [UInt16: UInt64] = [:]

  /// The defaults: 60 s, 300 s, 7440 s, 7440 s and 240 s.
  public init(
    icmp: UInt64 = 60_000_000_000, udp: UInt64 = 300_000_000_000,
    tcpEstablished: UInt64 = 7_440_000_000_000, tcpHalfClosed: UInt64 = 7_440_000_000_000,
    tcpTransitory: UInt64 = 240_000_000_000
  ) {
    self.icmp = icmp
    self.udp = udp
    self.tcpEstablished = tcpEstablished
    self.tcpHalfClosed = tcpHalfClosed
    self.tcpTransitory = tcpTransitory
  }

  /// Whether a timeout that packets restart is shorter than before.
  public func shorten(_ before: Lifetimes) -> Bool {
    icmp < before.icmp || udp < before.udp || tcpEstablished < before.tcpEstablished
      || tcpHalfClosed < before.tcpHalfClosed
  }

  /// The most different lifetimes that ports may have.
  public static let maximumOverrides = 256 - LifetimeTable.firstOverride
}

/// The lifetimes in the form that the packet path reads: two table look-ups.
struct LifetimeTable {
  struct Memory {
    /// In nanoseconds, by ``RunningTimeout/place``.
    let durations: OwnedArray<UInt64>
    /// The class of a session, by port.
    let tcpClasses: OwnedArray<UInt8>
    let udpClasses: OwnedArray<UInt8>
  }

  private let memory: Memory
  var durations: OwnedArray<UInt64> { memory.durations }
  /// Class by port lifetime. A class never changes, because sessions may still use it.
  private var classes: [UInt64: UInt8] = [:]

  /// The first class for the lifetime of a port.
  static let firstOverride = 4

  init(_ lifetimes: Lifetimes, _ memory: Memory) {
    self.memory = memory
    let isSet = set(lifetimes)
    precondition(isSet, "too many different lifetimes for ports")
  }

  /// The number of port lifetimes so far. Their classes begin with ``firstOverride``.
  var overrides: Int { classes.count }

  /// The class of a lifetime that a port has or had.
  func lifetimeClass(lasting duration: UInt64) -> LifetimeClass? {
    classes[duration].map { LifetimeClass(rawValue: $0) }
  }

  /// Whether there are enough classes.
  func hasRoom(for lifetimes: Lifetimes) -> Bool {
    let durations = Set(lifetimes.tcpPorts.values).union(lifetimes.udpPorts.values)
    return durations.subtracting(classes.keys).count + classes.count <= Lifetimes.maximumOverrides
  }

  /// Sets all lifetimes. False, with nothing changed, if there are not enough classes.
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
    for place in 0..<LifetimeTable.firstOverride + classes.count {
      durations[RunningTimeout.firstHalfClosed + place] = min(durations[place], lifetimes.tcpHalfClosed)
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
