/// One frame that left the gateway: always Ethernet, not padded.
public struct ReferenceFrame: Equatable, Sendable {
  public var side: ReferenceSide
  public var nanoseconds: UInt64
  public var bytes: [UInt8]

  public init(side: ReferenceSide, nanoseconds: UInt64, bytes: [UInt8]) {
    self.side = side
    self.nanoseconds = nanoseconds
    self.bytes = bytes
  }
}

/// A plain, slow NAT that follows the fine print of the behaviours page rule by rule. Tests compare it with the engine
/// byte for byte. It has one worker and the clock of a replay, and shares no code with the modules of the program.
///
/// The order of questions is that of `receive` and `receiveIPv4`. A comment names the row or the identifier of the page
/// that the function below it follows.
public struct ReferenceNAT {
  public internal(set) var settings: ReferenceSettings
  public internal(set) var sent: [ReferenceFrame] = []
  /// Picks one of the free ports of a step of port choice, which come in rising order. Tests may pick otherwise.
  public var choosePort: (([UInt16]) -> UInt16) = { $0[0] }

  // The clock, which never goes back.
  var now: UInt64 = 0
  var firstInstant: UInt64?

  // Link.
  var neighbours: [ReferenceSide: [ReferenceAddress: [UInt8]]] = [.inside: [:], .outside: [:]]

  // State.
  var bindings: [Int: Binding] = [:]
  var lastBindingNumber = 0
  var forwardNumbers: [Int] = []
  /// Live bindings other than port forwards.
  var byPrivateEnd: [FlowEnd: Int] = [:]
  var byPublicEnd: [FlowEnd: Int] = [:]
  var sessions: [SessionKey: Session] = [:]
  /// The TCP sessions with the transitory lifetime, in the order in which they became transitory.
  var transitory: [SessionKey] = []
  /// No session ends before this instant. Most packets need no scan.
  var earliestDue: UInt64 = .max
  /// The pool address on which a host with a dynamic binding made its first one.
  var poolAddressOfHost: [ReferenceAddress: ReferenceAddress] = [:]
  /// In the order of their ends.
  var holdDowns: [HoldDown] = []
  /// LIM2: when a host's bucket of new sessions is full again.
  var paceFullAt: [ReferenceAddress: UInt64] = [:]
  /// The ports that dynamic bindings may get, by place in the pool.
  var spaces: [[ReferenceProtocol: [UInt16]]] = []
  var waitingSYNs: [WaitingSYN] = []
  var datagrams: [DatagramKey: Datagram] = [:]
  var identifications: [IdentificationGrant] = []

  // ICMP errors that the gateway writes.
  var buckets: [ReferenceSide: Bucket]
  var lastRefusalAnswer: [ReferenceAddress: UInt64] = [:]

  // Counters.
  var received: [ReferenceSide: Traffic] = [.inside: Traffic(), .outside: Traffic()]
  var transmitted: [ReferenceSide: Traffic] = [.inside: Traffic(), .outside: Traffic()]
  var drops: [ReferenceDrop: UInt64] = [:]
  var events = ReferenceStats.Events()

  public init(_ settings: ReferenceSettings) {
    self.settings = settings
    let full = Bucket(level: settings.icmpErrorsPerSecond * Bucket.oneError, at: 0)
    buckets = [.inside: full, .outside: full]
    for rule in settings.statics { putInForce(rule, at: nil) }
    choosePoolPorts()
  }

  /// Takes one captured frame through the questions of the page.
  /// - ethernet: frames are Ethernet; otherwise raw IPv4 records, for which no MAC is checked or learned.
  public mutating func receive(
    _ bytes: [UInt8], wireLength: Int, on side: ReferenceSide, ethernet: Bool, at nanoseconds: UInt64
  ) {
    if firstInstant == nil { firstInstant = max(now, nanoseconds) }
    advanceClock(to: nanoseconds)
    received[side, default: Traffic()].add(bytes.count)
    switch decode(bytes, wireLength: wireLength, ethernet: ethernet) {
    case .drop(let reason): drop(reason)
    case .arp(let packet): receiveARP(packet, on: side)
    case .ipv4(let packet, let frame): receiveIPv4(packet, frame: frame, on: side)
    }
  }

  mutating func drop(_ reason: ReferenceDrop) {
    drops[reason, default: 0] += 1
  }

  /// The order of questions after the first: link, addresses, the gateway's own traffic, exempt, and then
  /// what is translated.
  mutating func receiveIPv4(
    _ packet: Packet, frame: (destination: [UInt8], source: [UInt8])?, on side: ReferenceSide
  ) {
    if let frame, frame.destination != settings.interface(side).mac { return drop(.notForUs) }
    if let reason = addressFault(packet, on: side) { return drop(reason) }
    if let frame { learn(packet.source, at: frame.source, on: side) }

    if packet.destination == settings.inside.address { return receiveForInsideAddress(packet, on: side) }
    if isPublic(packet.destination) && !packet.isFragment && packet.isEchoRequest
      && !staticTakesEcho(packet, on: side)
    {
      return answerEcho(packet)
    }

    if goesUntranslated(packet, on: side) { return forwardUntranslated(packet, from: side) }
    if packet.isFragment { return receiveFragment(packet, on: side) }

    switch translate(packet, from: side) {
    case .drop(let reason): drop(reason)
    case .pass(let translated, let passage): emit(translated, passage: passage, original: packet, from: side)
    }
  }
}

// MARK: Time

extension ReferenceNAT {
  /// Row "Time": an earlier stamp counts as the clock; what falls due before the packet happens first, and at
  /// its exact due time a session and a datagram still live, while the answer to a SYN goes out.
  mutating func advanceClock(to nanoseconds: UInt64) {
    now = max(now, nanoseconds)
    startForwardLifetimes()
    answerWaitingSYNs()
    endDueForwards()
    endDueSessions(before: now)
    endDueDatagrams()
    holdDowns.removeAll { $0.until <= now }
    identifications.removeAll { now > $0.given + settings.lifetimes.fragment }
  }
}
