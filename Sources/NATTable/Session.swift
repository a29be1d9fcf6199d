public import CLinuxPacket
public import NATMemory
public import NATWire
import Synchronization

/// The number of a session in its shard.
public struct SessionIndex: BitwiseCopyable, Hashable, Sendable {
  public let rawValue: UInt32
  @inlinable init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// Flags of a session, besides its state.
public struct SessionFlags: OptionSet, BitwiseCopyable, Sendable {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The inside host has sent a packet other than RST: it keeps its binding alive and opens the filter.
  @inlinable public static var insideUsed: SessionFlags { SessionFlags(rawValue: 1) }
  @inlinable public static var hairpin: SessionFlags { SessionFlags(rawValue: 2) }
}

/// The sessions of a shard: one cache line each, written by its worker, read by any thread.
///
/// | word | holds |
/// |---|---|
/// | 0 | remote address:32, binding:32 |
/// | 1 | remote port:16, state:8, flags:8, lifetime class:8, largest packet out:12, in:12 |
/// | 2 | expires, ns; in a retired record its epoch |
/// | 3 | last packet in either direction, ns |
/// | 4, 5 | packets and bytes out |
/// | 6, 7 | packets and bytes in |
///
/// Only the worker follows the four links beside it: the timer wheel's list and the binding's list, both
/// ways. With the index entry that is 80 B + 11.4 B, and 11.4 B for each remote address that a binding is
/// open to.
public struct SessionStore: BitwiseCopyable, Sendable {
  @usableFromInline let words: AtomicWords
  public let capacity: Int

  static let wordsPerSession = 8

  /// The place of a word in a record. Not an enum: its raw value would not be inlined in other modules.
  @usableFromInline struct Word: BitwiseCopyable {
    @usableFromInline let rawValue: Int
    @inlinable @inline(__always) init(_ rawValue: Int) { self.rawValue = rawValue }

    @inlinable static var key: Word { Word(0) }
    @inlinable static var state: Word { Word(1) }
    @inlinable static var expires: Word { Word(2) }
    @inlinable static var lastPacket: Word { Word(3) }
    @inlinable static var packetsOut: Word { Word(4) }
    @inlinable static var bytesOut: Word { Word(5) }
    @inlinable static var packetsIn: Word { Word(6) }
    @inlinable static var bytesIn: Word { Word(7) }
  }

  @inlinable @inline(__always) func at(_ session: SessionIndex, _ word: Word) -> Int {
    Int(session.rawValue) &* 8 &+ word.rawValue
  }

  @inlinable @inline(__always) public func binding(of session: SessionIndex) -> BindingIndex {
    BindingIndex(UInt32(truncatingIfNeeded: words[at(session, .key)]))
  }

  @inlinable @inline(__always) public func remote(of session: SessionIndex) -> Endpoint {
    Endpoint(
      IPv4Address(UInt32(truncatingIfNeeded: words[at(session, .key)] >> 32)),
      UInt16(truncatingIfNeeded: words[at(session, .state)] >> 48))
  }

  @inlinable @inline(__always) public func state(of session: SessionIndex) -> SessionState {
    SessionState(rawValue: UInt8(truncatingIfNeeded: words.acquire(at(session, .state)) >> 40))
  }

  @inlinable @inline(__always) func setState(_ state: SessionState, of session: SessionIndex) {
    let word = words[at(session, .state)]
    words.release(word & ~(0xFF << 40) | UInt64(state.rawValue) << 40, at: at(session, .state))
  }

  @inlinable @inline(__always) public func flags(of session: SessionIndex) -> SessionFlags {
    SessionFlags(rawValue: UInt8(truncatingIfNeeded: words[at(session, .state)] >> 32))
  }

  @inlinable @inline(__always) func setFlags(_ flags: SessionFlags, of session: SessionIndex) {
    let word = words[at(session, .state)]
    words.release(word & ~(0xFF << 32) | UInt64(flags.rawValue) << 32, at: at(session, .state))
  }

  @inlinable @inline(__always) public func lifetimeClass(of session: SessionIndex) -> LifetimeClass {
    LifetimeClass(rawValue: UInt8(truncatingIfNeeded: words[at(session, .state)] >> 24))
  }

  /// The timeout that each packet of the session restarts; nil in the states in which packets do not restart it.
  func restartedTimeout(of session: SessionIndex) -> RunningTimeout? {
    let state = state(of: session)
    if state.isTransitory || state.phase == .free { return nil }
    return RunningTimeout(state, lifetimeClass(of: session))
  }

  /// The earliest due time that a packet from `now` on may set. It is before the present due time only if the
  /// lifetime has become shorter since. `.never` if packets do not restart the timeout.
  func earliestEnd(of session: SessionIndex, at now: Instant, _ durations: OwnedArray<UInt64>) -> Instant {
    guard let timeout = restartedTimeout(of: session) else { return .never }
    return now.advanced(by: durations[timeout.place])
  }

  var dueTimes: TimerWheel.DueTimes {
    TimerWheel.DueTimes(
      in: words, wordsPerRecord: SessionStore.wordsPerSession, dueWord: Word.expires.rawValue)
  }

  @inlinable @inline(__always) public func expires(_ session: SessionIndex) -> Instant {
    Instant(nanoseconds: words[at(session, .expires)])
  }

  @inlinable @inline(__always) public func lastPacket(_ session: SessionIndex) -> Instant {
    Instant(nanoseconds: words[at(session, .lastPacket)])
  }

  /// Whether the record is the session of `binding` with `remote`.
  @inlinable @inline(__always) func matches(
    _ session: SessionIndex, _ binding: BindingIndex, _ remote: Endpoint
  ) -> Bool {
    let record = words.group(Int(session.rawValue))
    let second = record.acquire(Word.state.rawValue)
    return record[Word.key.rawValue] == UInt64(remote.address.rawValue) << 32 | UInt64(binding.rawValue)
      && second >> 48 == UInt64(remote.port) && second & 0xFF << 40 != 0
  }

  /// The same, and the session still lives at `now`.
  @inlinable @inline(__always)
  func matches(_ session: SessionIndex, _ binding: BindingIndex, _ remote: Endpoint, at now: Instant) -> Bool
  {
    matches(session, binding, remote)
      && words.group(Int(session.rawValue))[Word.expires.rawValue] >= now.nanoseconds
  }

  @inlinable @inline(__always) func prefetch(_ session: SessionIndex) {
    // Safety: a prefetch reads nothing and never faults.
    unsafe portico_prefetch(words.address(of: at(session, .key)))
  }

  /// The state, read after all earlier reads of other words.
  func stateAfterReading(_ session: SessionIndex) -> SessionState {
    atomicMemoryFence(ordering: .acquiring)
    return SessionState(rawValue: UInt8(truncatingIfNeeded: words[at(session, .state)] >> 40))
  }

  /// Packets and bytes that the private endpoint sent and received.
  public func counters(of session: SessionIndex) -> SessionCounters {
    SessionCounters(
      packetsOut: words[at(session, .packetsOut)], bytesOut: words[at(session, .bytesOut)],
      packetsIn: words[at(session, .packetsIn)], bytesIn: words[at(session, .bytesIn)])
  }
}

/// Only the worker writes these.
extension SessionStore {
  func setExpires(_ instant: Instant, of session: SessionIndex) {
    words[at(session, .expires)] = instant.nanoseconds
  }

  func setLastPacket(_ instant: Instant, of session: SessionIndex) {
    words[at(session, .lastPacket)] = instant.nanoseconds
  }

  func setCounters(_ counters: SessionCounters, of session: SessionIndex) {
    words[at(session, .packetsOut)] = counters.packetsOut
    words[at(session, .bytesOut)] = counters.bytesOut
    words[at(session, .packetsIn)] = counters.packetsIn
    words[at(session, .bytesIn)] = counters.bytesIn
  }

  /// Makes a new session visible to readers. The word with the state is the last store.
  func publish(
    _ session: SessionIndex, _ binding: BindingIndex, remote: Endpoint, _ state: SessionState,
    _ flags: SessionFlags, _ lifetime: LifetimeClass
  ) {
    words[at(session, .key)] = UInt64(remote.address.rawValue) << 32 | UInt64(binding.rawValue)
    let word =
      UInt64(remote.port) << 48 | UInt64(state.rawValue) << 40 | UInt64(flags.rawValue) << 32
      | UInt64(lifetime.rawValue) << 24
    words.release(word, at: at(session, .state))
  }

  /// Hides a session from readers.
  func clear(_ session: SessionIndex) { words.release(0, at: at(session, .state)) }

  /// The epoch in which a record was retired, in the word of the due time.
  func epoch(of session: SessionIndex) -> UInt64 { words[at(session, .expires)] }

  func setRetired(in epoch: UInt64, _ session: SessionIndex) { words[at(session, .expires)] = epoch }
}

/// Bytes are IPv4 total lengths as the packets came.
public struct SessionCounters: BitwiseCopyable, Equatable, Sendable {
  public var packetsOut: UInt64
  public var bytesOut: UInt64
  public var packetsIn: UInt64
  public var bytesIn: UInt64

  public init(packetsOut: UInt64 = 0, bytesOut: UInt64 = 0, packetsIn: UInt64 = 0, bytesIn: UInt64 = 0) {
    self.packetsOut = packetsOut
    self.bytesOut = bytesOut
    self.packetsIn = packetsIn
    self.bytesIn = bytesIn
  }
}
