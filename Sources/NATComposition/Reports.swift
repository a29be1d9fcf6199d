public import NATControl
import NATEngine
public import NATGateway
public import NATTable
public import NATWire

extension TableDocument {
  /// The table at `now`, sorted by protocol, private and public endpoint; sessions by remote endpoint. Port
  /// forwards are listed with or without sessions.
  ///
  /// - Complexity: O(n log n) in the number of sessions.
  public init(_ reader: TableReader, started: Instant, at now: Instant) {
    var page = TablePage(at: now)
    var cursor: TableReader.Cursor? = TableReader.Cursor()
    while let from = cursor { cursor = reader.read(from: from, limit: .max) { page.add($0) } }
    self = page.document(reader, started: started)
  }
}

/// The sort key of the table.
struct BindingKey: Hashable, Comparable {
  var transport: TransportProtocol
  var `private`: Endpoint
  var `public`: Endpoint
  /// `0.0.0.0:0` for a binding without its sessions.
  var remote = Endpoint(.any, 0)

  static func < (a: BindingKey, b: BindingKey) -> Bool {
    (a.transport.rawValue, a.private, a.public, a.remote)
      < (b.transport.rawValue, b.private, b.public, b.remote)
  }
}

extension BindingKey {
  /// The key of the session's binding.
  init(_ session: SessionSnapshot) {
    self.init(transport: session.transport, private: session.private, public: session.public)
  }

  init(_ forward: PortForward) {
    self.init(transport: forward.transport, private: forward.private, public: forward.public)
  }
}

extension BindingDocument {
  init(_ session: SessionSnapshot, started: Instant, at now: Instant) {
    // A port forward is as old as the gateway.
    let created = session.kind == .portForward ? started : session.bindingCreated
    self.init(
      transport: TransportName(session.transport), kind: session.kind == .dynamic ? .dynamic : .static,
      privateEndpoint: EndpointDocument(session.private), publicEndpoint: EndpointDocument(session.public),
      age: Seconds(from: created, to: now))
  }

  init(_ forward: PortForward, started: Instant, at now: Instant) {
    self.init(
      transport: TransportName(forward.transport), kind: .static,
      privateEndpoint: EndpointDocument(forward.private), publicEndpoint: EndpointDocument(forward.public),
      age: Seconds(from: started, to: now))
  }
}

extension SessionDocument {
  init(_ session: SessionSnapshot, at now: Instant) {
    self.init(remote: EndpointDocument(session.remote), state: State(session.state))
    idle = Seconds(from: session.lastPacket, to: now)
    expiresIn = Seconds(from: now, to: session.expires)
    packetsOut = session.counters.packetsOut
    bytesOut = session.counters.bytesOut
    packetsIn = session.counters.packetsIn
    bytesIn = session.counters.bytesIn
    hairpin = session.flags.contains(.hairpin)
  }
}

extension SessionDocument.State {
  package init(_ state: SessionState) {
    self =
      switch state.phase {
      case .synSent: .synSent
      case .established: .established
      case .halfClosed: .halfClosed
      case .closed: .closed
      case .reset: .reset
      case .active, .free: .active
      }
  }
}

extension TransportName {
  package init(_ transport: TransportProtocol) {
    self =
      switch transport {
      case .icmp: .icmp
      case .tcp: .tcp
      case .udp: .udp
      }
  }
}

extension EndpointDocument {
  package init(_ endpoint: Endpoint) {
    self.init(address: endpoint.address.description, port: endpoint.port)
  }
}

extension Seconds {
  /// 0 if `end` is before `start`.
  package init(from start: Instant, to end: Instant) {
    self.init(nanoseconds: end > start ? end.nanoseconds - start.nanoseconds : 0)
  }
}

extension StatsDocument {
  /// The counters of a gateway now.
  public init(_ gateway: borrowing Gateway) { self.init(GatewayFigures(gateway)) }

  /// The figures of all workers. They share the counters; each has its own part of the table.
  /// - Parameter uptime: the time since the gateway started.
  /// - Precondition: there is at least one worker.
  public init(_ workers: [GatewayFigures], uptime: Seconds) {
    self.init(workers[0])
    self.uptime = uptime
    for part in workers.dropFirst().map({ StatsDocument($0) }) {
      bindings += part.bindings
      sessions += part.sessions
      events.bindingsCreated += part.events.bindingsCreated
      events.sessionsCreated += part.events.sessionsCreated
      events.sessionsExpired += part.events.sessionsExpired
      for index in pool.indices {
        pool[index].inUse += part.pool[index].inUse
        pool[index].resting += part.pool[index].resting
      }
    }
  }

  public init(_ figures: GatewayFigures) {
    let counts = figures.table
    let counters = figures.counters
    self.init(uptime: Seconds(from: figures.started ?? figures.clock, to: figures.clock))
    bindings = counts.dynamicBindings + counts.oneToOneBindings + figures.forwards
    sessions = counts.sessions
    inside = SideStats(counters.side(.inside))
    outside = SideStats(counters.side(.outside))
    pool = figures.pool.map {
      PoolStats(
        address: $0.address.description, transport: TransportName($0.transport), ports: $0.ports,
        inUse: $0.inUse, resting: $0.held)
    }
    drops = CounterList(DropReason.allCases.map { .init(name: $0.name, count: UInt64(counters.drops($0))) })
    events.bindingsCreated = UInt64(counts.bindingsCreated)
    events.sessionsCreated = UInt64(counts.sessionsCreated)
    events.sessionsExpired = UInt64(counts.sessionsExpired)
    events.hairpins = UInt64(counters.events(.hairpins))
    events.icmpErrorsSuppressed = UInt64(counters.events(.icmpErrorsSuppressed))
    events.leftToKernel = UInt64(counters.events(.leftToKernel))
  }
}

extension StatsDocument.SideStats {
  fileprivate init(_ side: InterfaceCounters) {
    self.init()
    packetsReceived = UInt64(side.packetsReceived)
    bytesReceived = UInt64(side.bytesReceived)
    packetsSent = UInt64(side.packetsSent)
    bytesSent = UInt64(side.bytesSent)
    captureDropped = UInt64(side.captureDropped)
  }
}
