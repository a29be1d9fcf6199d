extension GatewayOperations {
  /// - Complexity: one walk over the table for each page of 65,536 sessions.
  public func sessionCounts() async throws(ControlError) -> [SessionCount] {
    var counts: [SessionCount: Int] = [:]
    try await forEachPage { page in
      for binding in page.bindings {
        for session in binding.sessions {
          counts[SessionCount(transport: binding.transport, state: session.state, count: 0), default: 0] += 1
        }
      }
    }
    return counts.map { SessionCount(transport: $0.transport, state: $0.state, count: $1) }
      .sorted { ($0.transport.rawValue, $0.state.rawValue) < ($1.transport.rawValue, $1.state.rawValue) }
  }

  /// - Complexity: one walk over the table for each page of 65,536 sessions, and O(hosts log hosts).
  public func hosts(limit: Int) async throws(ControlError) -> HostsDocument {
    var hosts: [String: HostsDocument.Host] = [:]
    var last: BindingDocument?
    try await forEachPage { page in
      for var binding in page.bindings {
        let address = binding.privateEndpoint.address
        var host = hosts[address] ?? HostsDocument.Host(address: address)
        for session in binding.sessions {
          host.sessions += 1
          host.packetsOut &+= session.packetsOut
          host.bytesOut &+= session.bytesOut
          host.packetsIn &+= session.packetsIn
          host.bytesIn &+= session.bytesIn
        }
        binding.sessions = []
        if last?.isSameBinding(as: binding) != true {
          if binding.kind == .dynamic { host.dynamicBindings += 1 } else { host.staticBindings += 1 }
        }
        last = binding
        hosts[address] = host
      }
    }
    let sorted = hosts.values.sorted { ($1.sessions, $0.address) < ($0.sessions, $1.address) }
    return HostsDocument(hosts: Array(sorted.prefix(limit)), total: sorted.count)
  }

  private func forEachPage(_ body: (TableDocument) -> Void) async throws(ControlError) {
    var cursor: String?
    repeat {
      let page = try await table(TableFilter(), after: cursor, limit: 65_536)
      body(page)
      cursor = page.next
    } while cursor != nil
  }
}

extension BindingDocument {
  /// Whether both are entries of one binding, which goes on over the edge of a page.
  /// - Complexity: O(1).
  public func isSameBinding(as other: BindingDocument) -> Bool {
    transport == other.transport && privateEndpoint == other.privateEndpoint
      && publicEndpoint == other.publicEndpoint
  }
}
