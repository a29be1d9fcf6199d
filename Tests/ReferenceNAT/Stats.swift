/// Frames and their lengths in bytes.
struct Traffic {
  var packets: UInt64 = 0
  var bytes: UInt64 = 0

  mutating func add(_ length: Int) {
    packets += 1
    bytes += UInt64(length)
  }
}

/// The counters, with the fields of the JSON object.
public struct ReferenceStats: Equatable, Sendable {
  public struct Interface: Equatable, Sendable {
    public var packetsReceived: UInt64
    public var bytesReceived: UInt64
    public var packetsSent: UInt64
    public var bytesSent: UInt64
    public var captureDropped: UInt64 = 0
  }

  public struct PoolRow: Equatable, Sendable {
    public var address: ReferenceAddress
    public var flow: ReferenceProtocol
    public var ports: Int
    public var inUse: Int
    public var resting: Int
  }

  public struct Events: Equatable, Sendable {
    public var bindingsCreated: UInt64 = 0
    public var sessionsCreated: UInt64 = 0
    public var sessionsExpired: UInt64 = 0
    public var hairpins: UInt64 = 0
    public var icmpErrorsSuppressed: UInt64 = 0
  }

  /// From the first to the last packet's clock.
  public var uptimeNanoseconds: UInt64
  public var bindings: Int
  public var sessions: Int
  public var inside: Interface
  public var outside: Interface
  public var pool: [PoolRow]
  /// Every reason is present, zero or not.
  public var drops: [String: UInt64]
  public var events: Events
}

/// One entry of the table. Times are nanoseconds.
public struct ReferenceBinding: Equatable, Sendable {
  public enum Kind: String, Sendable { case dynamic, `static` }

  public var flow: ReferenceProtocol
  public var kind: Kind
  public var privateEnd: ReferenceEndpoint
  public var publicEnd: ReferenceEndpoint
  public var age: UInt64
  public var sessions: [ReferenceSession]
}

/// One session of an entry of the table. Times are nanoseconds.
public struct ReferenceSession: Equatable, Sendable {
  public var remote: ReferenceEndpoint
  public var state: ReferenceState
  public var idle: UInt64
  public var expiresIn: UInt64
  public var packetsOut: UInt64
  public var bytesOut: UInt64
  public var packetsIn: UInt64
  public var bytesIn: UInt64
  public var hairpin: Bool
}

extension ReferenceNAT {
  /// Row "table of a replay", as of the last packet: icmp, tcp, udp; then private, then public endpoint, as
  /// numbers; sessions by remote.
  public func table() -> [ReferenceBinding] {
    let entries = bindings.values.map { binding in
      // A forward is listed as old as the gateway, also one that a reload added.
      let made = (binding.kind == .forward ? firstInstant : binding.made) ?? now
      return ReferenceBinding(
        flow: binding.flow, kind: binding.isStatic ? .static : .dynamic, privateEnd: binding.privateEnd,
        publicEnd: binding.publicEnd, age: now - made,
        sessions: binding.remotes.sorted().compactMap { remote in
          sessions[SessionKey(binding: binding.number, remote: remote)].map(listed)
        })
    }
    let order: [ReferenceProtocol: Int] = [.icmp: 0, .tcp: 1, .udp: 2]
    return entries.sorted {
      (order[$0.flow] ?? 0, $0.privateEnd, $0.publicEnd) < (order[$1.flow] ?? 0, $1.privateEnd, $1.publicEnd)
    }
  }

  private func listed(_ session: Session) -> ReferenceSession {
    ReferenceSession(
      remote: session.key.remote, state: session.state, idle: now - session.lastPassed,
      expiresIn: session.due - now, packetsOut: session.packetsOut, bytesOut: session.bytesOut,
      packetsIn: session.packetsIn, bytesIn: session.bytesIn, hairpin: session.hairpin)
  }

  /// The counters as of the last packet.
  public func stats() -> ReferenceStats {
    var rows: [ReferenceStats.PoolRow] = []
    for (place, pool) in settings.pool.enumerated() {
      for flow in [ReferenceProtocol.tcp, .udp, .icmp] {
        let inUse = bindings.values.filter {
          $0.kind == .dynamic && $0.flow == flow && $0.publicEnd.address == pool.address
        }
        let resting = holdDowns.filter {
          $0.port.flow == flow && $0.port.end.address == pool.address
        }
        rows.append(
          ReferenceStats.PoolRow(
            address: pool.address, flow: flow,
            ports: spaces[place][flow]?.count ?? 0, inUse: inUse.count, resting: resting.count))
      }
    }
    return ReferenceStats(
      uptimeNanoseconds: now - (firstInstant ?? now), bindings: bindings.count, sessions: sessions.count,
      inside: interface(.inside), outside: interface(.outside), pool: rows,
      drops: Dictionary(
        uniqueKeysWithValues: ReferenceDrop.allCases.map { ($0.rawValue, drops[$0] ?? 0) }),
      events: events)
  }

  private func interface(_ side: ReferenceSide) -> ReferenceStats.Interface {
    let arrived = received[side] ?? Traffic()
    let left = transmitted[side] ?? Traffic()
    return ReferenceStats.Interface(
      packetsReceived: arrived.packets, bytesReceived: arrived.bytes, packetsSent: left.packets,
      bytesSent: left.bytes)
  }
}
