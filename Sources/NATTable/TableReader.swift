import NATMemory
public import NATWire

/// A session and its binding at one moment.
public struct SessionSnapshot: BitwiseCopyable, Sendable {
  public var transport: TransportProtocol
  public var kind: BindingKind
  public var `private`: Endpoint
  public var `public`: Endpoint
  public var remote: Endpoint
  public var bindingCreated: Instant
  public var state: SessionState
  public var flags: SessionFlags
  public var expires: Instant
  public var lastPacket: Instant
  public var counters: SessionCounters
}

/// Reads the table while workers write it. It never waits, and nobody waits for it. One thread at a time may
/// use it.
public final class TableReader {
  private let table: TranslationTable
  private let reader: Int

  /// Records between two quiescent points. A retired record waits at most that long.
  private static let stride = 4096

  /// A position in a walk.
  public struct Cursor: BitwiseCopyable, Sendable {
    var shard = 0
    var record = 0
    public init() {}
  }

  /// Nil if there are ``Epochs/maximumReaders`` readers already.
  public init?(_ table: TranslationTable) {
    self.table = table
    guard let place = table.claimReader() else { return nil }
    reader = place
  }

  deinit { table.releaseReader(reader) }

  /// Reads at most `limit` records from `cursor` on, live or not.
  ///
  /// A whole walk gives each session that lives all the time exactly once, and any other session at most
  /// once.
  /// - Returns: where to continue; nil at the end.
  public func read(
    from cursor: Cursor, limit: Int, _ body: (SessionSnapshot) -> Void
  ) -> Cursor? {
    var at = cursor
    var left = limit
    while at.shard < table.shards.count {
      let count = Int(table.shards[at.shard].published.acquire(0))
      while at.record < count {
        guard left > 0 else { return at }
        let steps = min(left, TableReader.stride, count - at.record)
        table.epochs.enter(reader)
        for record in at.record..<at.record + steps {
          if let snapshot = snapshot(of: SessionIndex(UInt32(record)), in: table.sessions[at.shard]) {
            body(snapshot)
          }
        }
        table.epochs.leave(reader)
        at.record += steps
        left -= steps
      }
      at.shard += 1
      at.record = 0
    }
    return nil
  }

  /// Checks the state again after reading. If the session is still live, it and its binding were live all the
  /// time, because no record is used again within an epoch.
  private func snapshot(of session: SessionIndex, in sessions: SessionStore) -> SessionSnapshot? {
    guard let snapshot = SessionSnapshot(session, in: sessions, table.bindings),
      sessions.stateAfterReading(session).phase != .free
    else { return nil }
    return snapshot
  }

  /// The port forwards in force, with or without sessions.
  public func portForwards(_ body: (PortForward) -> Void) { table.portForwardList.forEach(body) }
}

extension SessionSnapshot {
  /// Nil if the record holds no session.
  init?(_ session: SessionIndex, in sessions: SessionStore, _ bindings: BindingStore) {
    let state = sessions.state(of: session)
    guard state.phase != .free else { return nil }
    let binding = sessions.binding(of: session)
    self.init(
      transport: bindings.transport(of: binding), kind: bindings.kind(of: binding),
      private: bindings.privateEndpoint(of: binding), public: bindings.publicEndpoint(of: binding),
      remote: sessions.remote(of: session), bindingCreated: bindings.instant(of: binding), state: state,
      flags: sessions.flags(of: session), expires: sessions.expires(session),
      lastPacket: sessions.lastPacket(session), counters: sessions.counters(of: session))
  }
}

extension TranslationTable {
  fileprivate func claimReader() -> Int? {
    while true {
      let claimed = readerClaims.acquire(0)
      let free = (~claimed).trailingZeroBitCount
      guard free < Epochs.maximumReaders else { return nil }
      if readerClaims.replace(claimed, with: claimed | 1 << UInt64(free), at: 0) { return free }
    }
  }

  fileprivate func releaseReader(_ reader: Int) {
    epochs.leave(reader)
    while true {
      let claimed = readerClaims.acquire(0)
      if readerClaims.replace(claimed, with: claimed & ~(1 << UInt64(reader)), at: 0) { return }
    }
  }
}
