import NATEngine
import NATGateway
import NATWire
import Testing

@testable import NATComposition
@testable import NATTable

/// What a walk through the table must find.
@Suite struct TableAuditTests {
  private static let c1 = Endpoint(Gate.host, 5000)
  private static let c2 = Endpoint(IPv4Address(192, 168, 1, 3), 5000)
  private static let x = Endpoint(Gate.publicAddress, 5000)
  private static let s1 = Endpoint(Gate.server, 53)
  private static let s2 = Endpoint(Gate.server, 54)

  private static func session(
    _ private: Endpoint, _ public: Endpoint, _ remote: Endpoint, _ kind: BindingKind = .dynamic
  ) -> SessionSnapshot {
    SessionSnapshot(
      transport: .udp, kind: kind, private: `private`, public: `public`, remote: remote,
      bindingCreated: Instant(nanoseconds: 0), state: .active, flags: [], expires: .never,
      lastPacket: Instant(nanoseconds: 0), counters: SessionCounters())
  }

  private static func faults(_ sessions: SessionSnapshot..., forwards: [PortForward] = []) -> [String] {
    var audit = TableAudit()
    for forward in forwards { audit.add(forward) }
    for session in sessions { audit.add(session) }
    return audit.faults
  }

  @Test("two sessions of one owner are no fault")
  func oneOwner() {
    #expect(Self.faults(Self.session(Self.c1, Self.x, Self.s1), Self.session(Self.c1, Self.x, Self.s2)) == [])
  }

  @Test("PA1 a public endpoint with two owners is a fault")
  func twoOwners() {
    let shared = "udp 203.0.113.5:5000 has two owners, 192.168.1.2:5000 and 192.168.1.3:5000"
    #expect(
      Self.faults(Self.session(Self.c1, Self.x, Self.s1), Self.session(Self.c2, Self.x, Self.s2)) == [shared])
    #expect(
      Self.faults(
        Self.session(Self.c2, Self.x, Self.s1),
        forwards: [PortForward(.udp, public: Self.x, private: Self.c1)]) == [shared])
    // The other protocol's port is another endpoint.
    #expect(
      Self.faults(
        Self.session(Self.c2, Self.x, Self.s1),
        forwards: [PortForward(.tcp, public: Self.x, private: Self.c1)]) == [])
  }

  @Test("MAP1 a private endpoint with two public ones is a fault, unless forwards give it more")
  func twoMappings() {
    let other = Endpoint(Gate.publicAddress, 5001)
    #expect(
      Self.faults(Self.session(Self.c1, Self.x, Self.s1), Self.session(Self.c1, other, Self.s2))
        == ["udp 192.168.1.2:5000 has two public endpoints, 203.0.113.5:5000 and 203.0.113.5:5001"])
    #expect(
      Self.faults(
        Self.session(Self.c1, Self.x, Self.s1, .portForward),
        Self.session(Self.c1, other, Self.s2, .portForward),
        forwards: [
          PortForward(.udp, public: Self.x, private: Self.c1),
          PortForward(.udp, public: other, private: Self.c1),
        ]) == [])
  }

  @Test("a session that stands twice, or over a binding that rests, is a fault")
  func impossibleSessions() {
    let session = Self.session(Self.c1, Self.x, Self.s1)
    #expect(Self.faults(session, session) == ["two sessions of udp 203.0.113.5:5000 with 198.51.100.7:53"])
    #expect(
      Self.faults(Self.session(Self.c1, Self.x, Self.s1, .held))
        == ["a session of udp 203.0.113.5:5000, which is held"])
  }

  private static func audit(_ gate: borrowing Gate) throws -> [String] {
    let reader = try #require(TableReader(gate.table))
    return TableAudit(reader, gate.gateway.translator.shard, at: gate.gateway.clock).faults
  }

  @Test("the table of a gateway at work has no fault")
  func atWork() throws {
    var gate = Gate()
    gate.receive(Gate.datagram, from: .inside)
    #expect(try Self.audit(gate) == [])
    #expect(gate.gateway.translator.shard.counts.sessions == 1)
  }

  @Test("a live table with two owners of one public endpoint is seen")
  func liveTwoOwners() throws {
    // No configuration may have a 1:1 address in the pool.
    var gate = Gate { settings in
      settings.table.oneToOne = [OneToOneMapping(public: Gate.publicAddress, private: Self.c2.address)]
    }
    gate.receive(Gate.datagram, from: .inside)
    let found = gate.gateway.translator.shard.oneToOne(private: Self.c2.address)
    let mapping = try #require(found)
    let now = gate.gateway.clock
    let made = gate.gateway.translator.shard.insertOneToOne(.udp, mapping, port: 5000, at: now)
    let binding = try #require(made)
    let session = gate.gateway.translator.shard.insertSession(
      binding, remote: Self.s2, state: .active, flags: [], opener: 54, at: now)
    #expect(session != nil)
    #expect(
      try Self.audit(gate).contains(
        "udp 203.0.113.5:5000 has two owners, 192.168.1.2:5000 and 192.168.1.3:5000"))
  }

  @Test("a binding of which nobody has counted a session is seen")
  func uncounted() throws {
    var gate = Gate()
    gate.receive(Gate.datagram, from: .inside)
    let elsewhere = gate.gateway.translator.shard.bindings.direct(poolAddress: 0, .udp, port: 6000)
    let now = gate.gateway.clock
    let isMade = gate.gateway.translator.shard.insertBinding(elsewhere, for: Self.c2, at: now)
    #expect(isMade)
    #expect(
      try Self.audit(gate)
        == ["sessions, dynamic bindings, 1:1 bindings: [1, 1, 0], but [1, 2, 0] are counted"])
  }
}
