public import NATWire

/// Why a session or binding ended.
public enum EndReason: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  /// Nothing restarted its clock in time.
  case expired
  /// Both sides had closed the connection, or one had reset it, and its time was over.
  case closed, reset
  /// The table was full (`evict: oldest-transitory`).
  case evicted
  /// An operator ended it.
  case ended
  case staticMappingAdded, staticMappingRemoved
  case poolAddressAdded, poolAddressRemoved
  /// Its public address was the host's, which has another one now, or none.
  case addressChanged
  /// Its public port is none of the pool's any more, and the kernel has it: a socket of the host's, or another range.
  case portOfHost
  /// Its host is in no inside network any more.
  case insideNetworkRemoved
  /// Its last session found no room.
  case refused
  /// The lifetime of a static mapping was over.
  case staticMappingExpired
  /// The one session of a static mapping has ended.
  case staticMappingUsed
}

/// Something that happened in a table, in 32 bytes.
public struct TableEvent: BitwiseCopyable, Sendable, Equatable {
  public enum Kind: UInt8, BitwiseCopyable, Sendable {
    case bindingCreated, bindingEnded, sessionCreated, sessionEnded
  }

  public var kind: Kind
  public var reason: EndReason
  public var transport: TransportProtocol
  public var instant: Instant
  public var `private`: Endpoint
  public var `public`: Endpoint
  /// Of bindings 0.0.0.0:0.
  public var remote: Endpoint

  public init(
    _ kind: Kind, _ reason: EndReason = .expired, _ transport: TransportProtocol,
    at instant: Instant, private: Endpoint, public: Endpoint, remote: Endpoint
  ) {
    self.kind = kind
    self.reason = reason
    self.transport = transport
    self.instant = instant
    self.private = `private`
    self.public = `public`
    self.remote = remote
  }
}

/// A bounded queue of events from the one thread that writes to the one that reads. What finds no room is counted.
///
/// - Complexity: O(1), without allocation or waiting.
public struct EventRing: BitwiseCopyable, Sendable {
  private let words: AtomicWords
  private let capacity: Int

  // Head, tail and the lost ones on lines of their own, then four words an event.
  private static let head = 0
  private static let tail = 8
  private static let lost = 16
  private static let first = 24

  /// - Precondition: `capacity` is a power of two.
  static func byteCount(_ capacity: Int) -> Int { (first + capacity * 4) * 8 }

  init(memory: MappedMemory, capacity: Int) {
    words = memory.words(count: EventRing.first + capacity * 4)
    self.capacity = capacity
  }

  /// The writer's.
  func write(_ event: TableEvent) {
    let head = words[EventRing.head]
    guard head &- words.acquire(EventRing.tail) < UInt64(capacity) else {
      words[EventRing.lost] = words[EventRing.lost] &+ 1
      return
    }
    let place = EventRing.first + Int(head % UInt64(capacity)) * 4
    words[place] = event.instant.nanoseconds
    words[place + 1] =
      UInt64(event.private.address.rawValue) << 32 | UInt64(event.private.port) << 16
      | UInt64(event.kind.rawValue) << 8 | UInt64(event.reason.rawValue)
    words[place + 2] =
      UInt64(event.public.address.rawValue) << 32 | UInt64(event.public.port) << 16
      | UInt64(event.transport.rawValue) << 8
    words[place + 3] = UInt64(event.remote.address.rawValue) << 32 | UInt64(event.remote.port) << 16
    words.release(head &+ 1, at: EventRing.head)
  }

  /// The reader's: the oldest event that has not been read; nil when there is none.
  public func read() -> TableEvent? {
    let tail = words[EventRing.tail]
    guard tail != words.acquire(EventRing.head) else { return nil }
    let place = EventRing.first + Int(tail % UInt64(capacity)) * 4
    func endpoint(_ word: UInt64) -> Endpoint {
      Endpoint(IPv4Address(UInt32(word >> 32)), UInt16(truncatingIfNeeded: word >> 16))
    }
    let (inner, outer) = (words[place + 1], words[place + 2])
    let event = TableEvent(
      TableEvent.Kind(rawValue: UInt8(truncatingIfNeeded: inner >> 8)) ?? .sessionEnded,
      EndReason(rawValue: UInt8(truncatingIfNeeded: inner)) ?? .expired,
      TransportProtocol(rawValue: UInt8(truncatingIfNeeded: outer >> 8)) ?? .icmp,
      at: Instant(nanoseconds: words[place]), private: endpoint(inner), public: endpoint(outer),
      remote: endpoint(words[place + 3]))
    words.release(tail &+ 1, at: EventRing.tail)
    return event
  }

  /// How many events found no room, since the beginning.
  public var lostCount: UInt64 { words[EventRing.lost] }
}
