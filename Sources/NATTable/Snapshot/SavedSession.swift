import NATMemory
import NATWire

/// A session and its binding in a snapshot.
///
/// | word | holds |
/// |---|---|
/// | 0 | private address:32, public address:32 |
/// | 1 | remote address:32, private port:16, public port:16 |
/// | 2 | remote port:16, protocol:8, kind of binding:8, state:8, flags:8, lifetime class:8, 0:8 |
/// | 3 | largest packet to the inside:16, to the outside:16, 0:32 |
/// | 4, 5, 6 | expires, last packet, binding made, ns |
/// | 7, 8 | packets and bytes out |
/// | 9, 10 | packets and bytes in |
/// | 11 to 15 | the windows of the connection, if they are tracked |
public struct SavedSession: BitwiseCopyable, Sendable {
  public var session: SessionSnapshot
  public var lifetime: LifetimeClass
  /// In bytes, IPv4 header included; `.max` while nothing is known.
  public var largestPacket: (inside: UInt16, outside: UInt16)
  public var windows: ConnectionWindows?

  static let words = 11
  static let wordsWithWindows = words + ConnectionWindows.words

  init(
    _ session: SessionSnapshot, _ index: SessionIndex, in sessions: SessionStore,
    _ windows: ConnectionWindows?
  ) {
    self.session = session
    lifetime = sessions.lifetimeClass(of: index)
    largestPacket = (
      sessions.largestPacket(of: index, to: .inside), sessions.largestPacket(of: index, to: .outside)
    )
    self.windows = windows
  }

  func append(to words: inout [UInt64]) {
    let session = self.session
    words.append(UInt64(session.private.address.rawValue) << 32 | UInt64(session.public.address.rawValue))
    words.append(
      UInt64(session.remote.address.rawValue) << 32 | UInt64(session.private.port) << 16
        | UInt64(session.public.port))
    let kinds = UInt64(session.transport.rawValue) << 40 | UInt64(session.kind.rawValue) << 32
    let states = UInt64(session.state.rawValue) << 24 | UInt64(session.flags.rawValue) << 16
    words.append(UInt64(session.remote.port) << 48 | kinds | states | UInt64(lifetime.rawValue) << 8)
    words.append(UInt64(largestPacket.inside) << 48 | UInt64(largestPacket.outside) << 32)
    words.append(session.expires.nanoseconds)
    words.append(session.lastPacket.nanoseconds)
    words.append(session.bindingCreated.nanoseconds)
    words.append(session.counters.packetsOut)
    words.append(session.counters.bytesOut)
    words.append(session.counters.packetsIn)
    words.append(session.counters.bytesIn)
    windows?.append(to: &words)
  }

  /// Nil if the words are no valid session: another program wrote the snapshot.
  init?(_ words: ArraySlice<UInt64>, hasWindows: Bool) {
    let at = words.startIndex
    func word(_ number: Int) -> UInt64 { words[at + number] }
    let kinds = word(2)
    guard let transport = TransportProtocol(rawValue: UInt8(truncatingIfNeeded: kinds >> 40)),
      let kind = BindingKind(rawValue: UInt8(truncatingIfNeeded: kinds >> 32)), kind.isLive
    else { return nil }
    let state = SessionState(rawValue: UInt8(truncatingIfNeeded: kinds >> 24))
    let flags = SessionFlags(rawValue: UInt8(truncatingIfNeeded: kinds >> 16))
    guard state.isOf(transport), flags.isSubset(of: [.insideUsed, .hairpin]) else { return nil }
    func endpoint(_ address: UInt64, _ port: UInt64) -> Endpoint {
      Endpoint(IPv4Address(UInt32(truncatingIfNeeded: address)), UInt16(truncatingIfNeeded: port))
    }
    session = SessionSnapshot(
      transport: transport, kind: kind, private: endpoint(word(0) >> 32, word(1) >> 16),
      public: endpoint(word(0), word(1)), remote: endpoint(word(1) >> 32, kinds >> 48),
      bindingCreated: Instant(nanoseconds: word(6)), state: state, flags: flags,
      expires: Instant(nanoseconds: word(4)), lastPacket: Instant(nanoseconds: word(5)),
      counters: SessionCounters(
        packetsOut: word(7), bytesOut: word(8), packetsIn: word(9), bytesIn: word(10)))
    lifetime = LifetimeClass(rawValue: UInt8(truncatingIfNeeded: kinds >> 8))
    largestPacket = (UInt16(word(3) >> 48), UInt16(truncatingIfNeeded: word(3) >> 32))
    windows = hasWindows ? ConnectionWindows(words[(at + SavedSession.words)...]) : nil
  }
}

extension SessionState {
  /// Whether a session of the protocol can be in this state.
  fileprivate func isOf(_ transport: TransportProtocol) -> Bool {
    let (marks, sides) = (rawValue & 0b1111, rawValue & SessionState.bothMarks)
    return switch phase {
    case .free: false
    case .active: transport != .tcp && marks == 0
    case .synSent: transport == .tcp && marks == sides && marks != 0
    case .established: transport == .tcp && marks == 0
    // With both marks the session would be in the next state.
    case .halfClosed: transport == .tcp && (marks == 0b01 || marks == 0b10)
    case .closed: transport == .tcp && marks < 0b11
    case .reset: transport == .tcp && marks & 0b1000 == 0 && sides != SessionState.bothMarks
    }
  }
}
