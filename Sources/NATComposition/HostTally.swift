public import NATControl
public import NATTable
public import NATWire

/// Counts bindings, sessions and traffic of each inside host in one walk over the table.
///
/// - Complexity: O(1) for each session. Memory grows with the hosts and bindings.
public struct HostTally: Sendable {
  private var hosts: [IPv4Address: HostsDocument.Host] = [:]
  /// The bindings counted so far, by their key without the remote endpoint.
  private var bindings: Set<BindingKey> = []

  public init() {}

  /// Counts a session, unless it has expired.
  public mutating func add(_ session: SessionSnapshot, at now: Instant) {
    guard session.expires >= now, session.kind.isLive else { return }
    let isNew = bindings.insert(BindingKey(session)).inserted
    change(session.private.address) { host in
      if isNew {
        if session.kind == .dynamic { host.dynamicBindings += 1 } else { host.staticBindings += 1 }
      }
      host.sessions += 1
      host.packetsOut &+= session.counters.packetsOut
      host.bytesOut &+= session.counters.bytesOut
      host.packetsIn &+= session.counters.packetsIn
      host.bytesIn &+= session.counters.bytesIn
    }
  }

  private mutating func change(_ address: IPv4Address, _ body: (inout HostsDocument.Host) -> Void) {
    body(&hosts[address, default: HostsDocument.Host(address: "\(address)")])
  }

  /// The hosts with the most sessions; ties are sorted by address. Call it after the walk.
  ///
  /// - Complexity: O(h log h) for h hosts.
  public consuming func document(_ reader: TableReader, limit: Int) -> HostsDocument {
    reader.portForwards { forward in
      if bindings.insert(BindingKey(forward)).inserted {
        change(forward.private.address) { $0.staticBindings += 1 }
      }
    }
    let sorted = hosts.sorted { ($1.value.sessions, $0.key.rawValue) < ($0.value.sessions, $1.key.rawValue) }
    return HostsDocument(hosts: sorted.prefix(max(0, limit)).map(\.value), total: sorted.count)
  }
}
