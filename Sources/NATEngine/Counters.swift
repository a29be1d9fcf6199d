public import NATMemory
public import NATWire

/// The counters of a gateway. One thread writes, any thread reads. Every number only grows.
///
/// A trivial handle: the memory belongs to the ``CounterStore``.
public struct Counters: BitwiseCopyable, Sendable {
  @usableFromInline let words: AtomicWords

  @usableFromInline static let received = 0
  @usableFromInline static let receivedBytes = 1
  @usableFromInline static let sent = 2
  @usableFromInline static let sentBytes = 3
  @usableFromInline static let captureDropped = 4
  @usableFromInline static let perInterface = 5
  @usableFromInline static var events: Int { InterfaceIndex.limit * perInterface }
  @usableFromInline static var drops: Int { events + 8 }
  static let count = drops + DropReason.allCases.count

  @inlinable @inline(__always) func add(_ value: Int, at index: Int) {
    words[index] = words[index] &+ UInt64(value)
  }

  /// Counts a received frame; bytes are frame lengths.
  @inlinable @inline(__always) public func countReceived(_ interface: InterfaceIndex, bytes: Int) {
    add(1, at: interface.place &* Counters.perInterface &+ Counters.received)
    add(bytes, at: interface.place &* Counters.perInterface &+ Counters.receivedBytes)
  }

  @inlinable @inline(__always) public func countSent(_ interface: InterfaceIndex, bytes: Int) {
    add(1, at: interface.place &* Counters.perInterface &+ Counters.sent)
    add(bytes, at: interface.place &* Counters.perInterface &+ Counters.sentBytes)
  }

  /// Counts frames that the capture of an interface lost for lack of room.
  public func countCaptureDropped(_ interface: InterfaceIndex, _ count: Int) {
    add(count, at: interface.place &* Counters.perInterface &+ Counters.captureDropped)
  }

  @inlinable @inline(__always) public func countDrop(_ reason: DropReason) {
    add(1, at: Counters.drops &+ Int(reason.rawValue))
  }

  public func countDrops(_ count: Int, _ reason: DropReason) {
    add(count, at: Counters.drops &+ Int(reason.rawValue))
  }

  @inlinable @inline(__always) public func count(_ event: GatewayEvent) {
    add(1, at: Counters.events &+ Int(event.rawValue))
  }

  public func drops(_ reason: DropReason) -> Int { Int(words[Counters.drops + Int(reason.rawValue)]) }

  /// All dropped packets.
  public var totalDrops: Int {
    var total: UInt64 = 0
    for index in Counters.drops..<Counters.count { total &+= words[index] }
    return Int(total)
  }

  public func events(_ event: GatewayEvent) -> Int { Int(words[Counters.events + Int(event.rawValue)]) }

  /// The traffic of one interface.
  public func interface(_ interface: InterfaceIndex) -> InterfaceCounters {
    let base = interface.place * Counters.perInterface
    return InterfaceCounters(
      packetsReceived: Int(words[base + Counters.received]),
      bytesReceived: Int(words[base + Counters.receivedBytes]),
      packetsSent: Int(words[base + Counters.sent]), bytesSent: Int(words[base + Counters.sentBytes]),
      captureDropped: Int(words[base + Counters.captureDropped]))
  }

  /// The traffic of all interfaces of a side.
  public func side(_ side: Side) -> InterfaceCounters {
    (0..<InterfaceIndex.limit / 2).reduce(into: InterfaceCounters()) {
      $0.add(interface(InterfaceIndex(side, $1)))
    }
  }
}

/// Counted events other than drops.
public enum GatewayEvent: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  /// A packet from inside host to inside host by a public endpoint. A datagram in fragments counts once.
  case hairpins
  /// An ICMP error held back by its side's budget.
  case icmpErrorsSuppressed
  /// A packet for an address of the machine's kernel, left to it.
  case leftToKernel
}

/// The traffic of an interface, or of several; bytes are frame lengths.
public struct InterfaceCounters: Sendable, Equatable {
  public var packetsReceived = 0
  public var bytesReceived = 0
  public var packetsSent = 0
  public var bytesSent = 0
  public var captureDropped = 0

  mutating func add(_ other: InterfaceCounters) {
    packetsReceived += other.packetsReceived
    bytesReceived += other.bytesReceived
    packetsSent += other.packetsSent
    bytesSent += other.bytesSent
    captureDropped += other.captureDropped
  }
}

/// The memory behind ``Counters``.
public final class CounterStore: Sendable {
  private let memory: MappedMemory
  public let counters: Counters

  public init() {
    memory = MappedMemory(byteCount: Counters.count * 8)
    counters = Counters(words: memory.words(count: Counters.count))
  }
}
