public import NATTable
public import NATWire

/// Walks a whole table and looks for contradictions, such as a public endpoint with two owners.
///
/// - Complexity: O(sessions) in time and memory. Debug builds audit now and then in a replay, and at its end.
public struct TableAudit {
  /// What is wrong, as text.
  public private(set) var faults: [String] = []

  private struct Place: Hashable {
    var transport: TransportProtocol
    var endpoint: Endpoint
  }

  private struct Use: Equatable {
    var bindings = 0
    var sessions = 0
  }

  private struct Member: Hashable {
    var binding: Place
    var owner: Endpoint
    var remote: Endpoint
  }

  /// The private endpoint of each public endpoint.
  private var owners: [Place: Endpoint] = [:]
  private var dynamicEndpoints: [Place: Endpoint] = [:]
  private var members: Set<Member> = []
  private var uses: [IPv4Address: Use] = [:]
  private var oneToOneBindings: Set<Place> = []
  private var forwards: Set<Place> = []

  init() {}

  /// Audits the table of a gateway at the time `now`, between two packets.
  public init(_ reader: TableReader, _ shard: borrowing Shard, at now: Instant) {
    reader.portForwards { add($0) }
    var sessions: [SessionSnapshot] = []
    var cursor: TableReader.Cursor? = TableReader.Cursor()
    while let from = cursor { cursor = reader.read(from: from, limit: .max) { sessions.append($0) } }
    for session in sessions {
      add(session)
      find(session, in: shard, at: now)
    }
    compare(shard)
  }

  /// A port forward owns its public endpoint with or without sessions.
  mutating func add(_ forward: PortForward) {
    let place = Place(transport: forward.transport, endpoint: forward.public)
    forwards.insert(place)
    own(place, forward.private)
  }

  mutating func add(_ session: SessionSnapshot) {
    let place = Place(transport: session.transport, endpoint: session.public)
    // A port forward can take a port of a 1:1 address. The 1:1 host may still send from that port, but does
    // not own it.
    let isShadowed = session.kind == .oneToOne && forwards.contains(place)
    let isNew = !isShadowed && own(place, session.private)
    if !members.insert(Member(binding: place, owner: session.private, remote: session.remote)).inserted {
      faults.append("two sessions of \(describe(place)) with \(session.remote)")
    }
    uses[session.private.address, default: Use()].sessions += 1
    switch session.kind {
    case .dynamic:
      if isNew { uses[session.private.address, default: Use()].bindings += 1 }
      let inside = Place(transport: session.transport, endpoint: session.private)
      if let known = dynamicEndpoints.updateValue(session.public, forKey: inside), known != session.public {
        faults.append("\(describe(inside)) has two public endpoints, \(known) and \(session.public)")
      }
    case .oneToOne: oneToOneBindings.insert(place)
    case .portForward: break
    case .free, .held, .closing: faults.append("a session of \(describe(place)), which is \(session.kind)")
    }
  }

  /// - Returns: whether the endpoint had no owner.
  @discardableResult
  private mutating func own(_ place: Place, _ owner: Endpoint) -> Bool {
    guard let known = owners.updateValue(owner, forKey: place) else { return true }
    if known != owner { faults.append("\(describe(place)) has two owners, \(known) and \(owner)") }
    return false
  }

  /// Checks that packets from both sides find the session.
  private mutating func find(_ session: SessionSnapshot, in shard: borrowing Shard, at now: Instant) {
    var next = shard.findBinding(session.transport, private: session.private)
    // A port forward and the 1:1 binding behind it may have the same endpoints.
    while let at = next,
      shard.bindings.publicEndpoint(of: at) != session.public
        || shard.findSession(at, remote: session.remote, at: now) == nil
    {
      next = shard.nextBinding(after: at)
    }
    guard let binding = next else {
      faults.append("nothing leads from \(session.private) to its session with \(session.remote)")
      return
    }
    if shard.bindings.privateEndpoint(of: binding) != session.private {
      faults.append("\(session.public) leads elsewhere than to \(session.private)")
    }
  }

  /// Compares the counts of the shard with what the walk found.
  private mutating func compare(_ shard: borrowing Shard) {
    let counts = shard.counts
    let listed = [members.count, dynamicEndpoints.count, oneToOneBindings.count]
    let counted = [counts.sessions, counts.dynamicBindings, counts.oneToOneBindings]
    if listed != counted {
      faults.append("sessions, dynamic bindings, 1:1 bindings: \(listed), but \(counted) are counted")
    }
    for (host, use) in uses {
      let counted = shard.use(of: host)
      if use != Use(bindings: counted.bindings, sessions: counted.sessions) {
        faults.append("\(host) has \(use), but \(counted) are counted")
      }
    }
  }

  private func describe(_ place: Place) -> String { "\(place.transport) \(place.endpoint)" }
}
