import NATEngine
import NATMemory
import NATTable
import NATWire

/// Which datagram a fragment belongs to (RFC 791 section 2.3), and from which side it comes.
struct DatagramKey: BitwiseCopyable, Equatable {
  let source: IPv4Address
  let destination: IPv4Address
  let identification: UInt16
  let protocolNumber: UInt8
  let side: Side

  init(of packet: Packet, from side: Side) {
    source = packet.source
    destination = packet.destination
    identification = packet.identification
    protocolNumber = packet.protocolNumber
    self.side = side
  }

  func hash(_ hash: KeyHash) -> UInt64 {
    hash(
      UInt64(source.rawValue) << 32 | UInt64(destination.rawValue),
      UInt64(identification) << 24 | UInt64(protocolNumber) << 16 | UInt64(side.rawValue) << 8 | 8)
  }
}

/// How the first fragment of a datagram passed. All others follow it.
struct DatagramPassage: BitwiseCopyable {
  /// The translated addresses.
  var source: IPv4Address
  var destination: IPv4Address
  /// Where it leaves, and the neighbour that it is handed to.
  var interface: InterfaceIndex
  var nextHop: IPv4Address
  /// The identification that all its fragments leave under.
  var identification: UInt16
  /// The session of the inside host that sends, if one does.
  var sender: CountedSession?
  /// The session of the inside host that receives, if one does.
  var receiver: CountedSession?
}

/// A session by its endpoints, not by its index: it may end, and its record be used for another one, before the
/// datagram is complete.
struct CountedSession: BitwiseCopyable {
  let binding: BindingIndex
  /// When the binding was made: another one at the same endpoint was made later.
  let bindingMade: Instant
  let remote: Endpoint
}

extension Translator {
  /// The session for later fragments to count on.
  func counted(_ session: SessionIndex) -> CountedSession {
    let binding = shard.sessions.binding(of: session)
    return CountedSession(
      binding: binding, bindingMade: shard.bindings.instant(of: binding),
      remote: shard.sessions.remote(of: session))
  }

  /// Counts a fragment after the first: packets, bytes and idle time. It restarts no timeout and changes no state.
  func countLaterFragment(bytes: Int, on passage: DatagramPassage, at now: Instant) {
    if let sender = passage.sender, let session = find(sender, at: now) {
      shard.countOut(session, bytes: bytes, at: now)
    }
    if let receiver = passage.receiver, let session = find(receiver, at: now) {
      shard.countIn(session, bytes: bytes, at: now)
    }
  }

  private func find(_ counted: CountedSession, at now: Instant) -> SessionIndex? {
    guard shard.bindings.isLive(counted.binding),
      shard.bindings.instant(of: counted.binding) == counted.bindingMade
    else { return nil }
    return shard.findSession(counted.binding, remote: counted.remote, at: now)
  }
}
