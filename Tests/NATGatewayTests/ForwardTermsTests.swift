import NATConfiguration
import NATEngine
import NATMemory
import NATWire
import TestSupport
import Testing

@testable import NATComposition
@testable import NATControl
@testable import NATGateway
@testable import NATTable

/// Port forwards that take less than everything, or end by themselves.
@Suite struct ForwardTermsTests {
  private static let web = Endpoint(IPv4Address(192, 168, 1, 10), 80)
  private static let public8080 = Endpoint(IPv4Address(203, 0, 113, 5), 8080)
  private static let synAck: UInt8 = 0x12
  private static let ack: UInt8 = 0x10

  /// TCP port 8080 leads to the web server, on these terms.
  private static func town(_ terms: String, more: String = "") throws -> Town {
    try Town(text(terms, more: more))
  }

  private static func text(_ terms: String, more: String = "") -> String {
    "static:\n  - { protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.10:80, \(terms) }\n\(more)"
  }

  private static func udp(_ terms: String) -> String {
    "static: [{ protocol: udp, public: 203.0.113.5:8080, private: 192.168.1.10:80, \(terms) }]"
  }

  private static func events(_ town: borrowing Town) -> [String] {
    var events: [String] = []
    while let event = town.table.events(worker: 0).read() {
      let remote = event.remote.port == 0 ? "" : " \(event.remote)"
      events.append(
        "\(event.kind) \(event.public)\(remote) \(event.reason.name) at \(event.instant.nanoseconds / 1_000_000)"
      )
    }
    return events
  }

  // MARK: Direction

  @Test(
    "ST-3 an inbound forward: sessions from outside use it both ways, what its host begins has a dynamic binding"
  )
  func inbound() throws {
    var town = try Self.town("direction: inbound")
    #expect(town.send(.tcp, from: Town.s1, to: Self.public8080, .outside).map(\.destination) == [Self.web])
    #expect(town.send(.tcp, Self.synAck, from: Self.web, to: Town.s1).map(\.source) == [Self.public8080])
    let begun = town.send(.tcp, from: Self.web, to: Town.s2)
    let x = try #require(begun.first?.source)
    #expect(begun.count == 1 && x.address == Self.public8080.address && x.port != 8080)
    #expect(town.send(.tcp, Self.synAck, from: Town.s2, to: x, .outside).map(\.destination) == [Self.web])
    // Each side's packets stay on the session that they belong to.
    #expect(town.send(.tcp, Self.ack, from: Self.web, to: Town.s1).map(\.source) == [Self.public8080])
    #expect(town.send(.tcp, Self.ack, from: Self.web, to: Town.s2).map(\.source) == [x])
    #expect(town.send(.tcp, Self.ack, from: Town.s2, to: Self.public8080, .outside) == [])
    #expect(town.faults() == [])
    // The dynamic binding ends for itself, and the forward for itself.
    let ended = town.perform(EndSessions(SessionFilter())).job.ended
    #expect(ended.sessions == 1 && ended.bindings == 1)
    #expect(town.send(.tcp, Self.ack, from: Self.web, to: Town.s1).map(\.source) == [Self.public8080])
    #expect(town.send(.tcp, from: Self.web, to: Town.s2).map(\.source.port) != [8080])
    #expect(try town.reload("").ended.sessions == 1)
    #expect(town.send(.tcp, Self.ack, from: Self.web, to: Town.s2).count == 1)
    #expect(town.faults() == [])
  }

  @Test(
    "ST-3 what the host of an inbound forward begins uses its 1:1 mapping, or none where there is no pool")
  func inboundBesideOthers() throws {
    var town = try Self.town(
      "direction: inbound", more: "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.10 }")
    town.send(.tcp, from: Town.s1, to: Self.public8080, .outside)
    let x = Endpoint(IPv4Address(203, 0, 113, 9), 80)
    #expect(town.send(.tcp, from: Self.web, to: Town.s2).map(\.source) == [x])
    #expect(town.send(.tcp, Self.synAck, from: Self.web, to: Town.s1).map(\.source) == [Self.public8080])
    #expect(town.send(.tcp, Self.synAck, from: Town.s2, to: x, .outside).map(\.destination) == [Self.web])
    #expect(town.faults() == [])

    var poor = try Self.town("direction: inbound", more: "nat: { pool: [] }")
    #expect(poor.send(.tcp, from: Town.s1, to: Self.public8080, .outside).count == 1)
    #expect(poor.send(.tcp, Self.synAck, from: Self.web, to: Town.s1).map(\.source) == [Self.public8080])
    // The host is told, and nothing goes out.
    #expect(poor.send(.tcp, from: Self.web, to: Town.s2).map(\.side) == [.inside])
    #expect(poor.counters.drops(.portsExhausted) == 1)
    #expect(poor.faults() == [])
  }

  @Test(
    "ST-3 ST-8 an inbound forward that is added leaves its host's dynamic binding alone, another one ends it")
  func addedBesideDynamic() throws {
    var town = try Town()
    town.send(.tcp, from: Self.web, to: Town.s2)
    let x = try #require(town.send(.tcp, from: Self.web, to: Town.s2).first?.source)
    #expect(try town.reload(Self.text("direction: inbound")).ended.sessions == 0)
    #expect(town.send(.tcp, from: Self.web, to: Town.s2).map(\.source) == [x])
    #expect(town.send(.tcp, from: Town.s1, to: Self.public8080, .outside).map(\.destination) == [Self.web])
    #expect(town.faults() == [])
    let (ended, _) = try town.reload(Self.text("direction: both"))
    #expect(ended.sessions == 2)
    #expect(town.send(.tcp, from: Self.web, to: Town.s2).map(\.source) == [Self.public8080])
    #expect(town.faults() == [])
  }

  @Test("ST-3 HP1 inside hosts reach an inbound forward, and its host reaches them as its dynamic binding")
  func inboundHairpin() throws {
    var town = try Self.town("direction: inbound")
    let there = town.send(.tcp, from: Town.c1, to: Self.public8080)
    #expect(there.map(\.destination) == [Self.web] && there.map(\.source) == [Town.x])
    #expect(
      town.send(.tcp, Self.synAck, from: Self.web, to: Town.x)
        == [Town.Sent(side: .inside, source: Self.public8080, destination: Town.c1)])
    #expect(town.faults() == [])
  }

  // MARK: Remotes

  @Test(
    "ST-5 a forward for one remote, one remote's port or a network takes packets of these and to these alone",
    arguments: [
      ("198.51.100.7", [true, true, false]), ("198.51.100.7:80", [true, false, false]),
      ("198.51.100.0/29", [true, true, false]), ("198.51.100.0/28", [true, true, true]),
    ])
  func remotes(remote: String, taken: [Bool]) throws {
    let remotes = [Town.s1, Endpoint(Town.s1.address, 81), Town.s2]
    for (end, isTaken) in zip(remotes, taken) {
      var town = try Self.town("remote: '\(remote)'")
      let sent = town.send(.tcp, from: end, to: Self.public8080, .outside)
      #expect(sent.map(\.destination) == (isTaken ? [Self.web] : []), "\(end)")
      #expect(town.counters.drops(.noBinding) == (isTaken ? 0 : 1))
      if isTaken {
        #expect(town.send(.tcp, Self.synAck, from: Self.web, to: end).map(\.source) == [Self.public8080])
      }
      var other = try Self.town("remote: '\(remote)'")
      let begun = other.send(.tcp, from: Self.web, to: end)
      #expect(begun.count == 1 && (begun.map(\.source) == [Self.public8080]) == isTaken, "\(end)")
      #expect(town.faults() == [] && other.faults() == [])
    }
  }

  @Test(
    "ST-5 ST-4 before a 1:1 mapping: the forward for its remote, others the wider rule; sessions go before both"
  )
  func mostSpecific() throws {
    let oneToOne = "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.20 }"
    let forward =
      "  - { protocol: tcp, public: 203.0.113.9:80, private: 192.168.1.10:80, remote: 198.51.100.7 }"
    var town = try Town("static:\n\(oneToOne)\n\(forward)")
    let x = Endpoint(IPv4Address(203, 0, 113, 9), 80)
    let wide = Endpoint(IPv4Address(192, 168, 1, 20), 80)
    #expect(town.send(.tcp, from: Town.s1, to: x, .outside).map(\.destination) == [Self.web])
    #expect(town.send(.tcp, from: Town.s2, to: x, .outside).map(\.destination) == [wide])
    #expect(town.send(.tcp, Self.synAck, from: wide, to: Town.s2).map(\.source) == [x])
    #expect(town.send(.tcp, Self.ack, from: Town.s2, to: x, .outside).map(\.destination) == [wide])
    // The 1:1 host begins towards the forward's remote: the answers are its own.
    let port81 = Endpoint(Town.s1.address, 81)
    #expect(town.send(.tcp, from: wide, to: port81).map(\.source) == [x])
    #expect(town.send(.tcp, Self.synAck, from: port81, to: x, .outside).map(\.destination) == [wide])
    #expect(town.faults() == [])
    // Removed, it exposes the wider one; added, it hides it again from its remote alone.
    #expect(try town.reload("static:\n\(oneToOne)").ended.sessions == 1)
    #expect(town.send(.tcp, from: Town.s1, to: x, .outside).map(\.destination) == [wide])
    #expect(try town.reload("static:\n\(oneToOne)\n\(forward)").ended.sessions == 3)
    #expect(town.send(.tcp, from: Town.s1, to: x, .outside).map(\.destination) == [Self.web])
    #expect(town.send(.tcp, from: Town.s2, to: x, .outside).map(\.destination) == [wide])
    #expect(town.faults() == [])
  }

  @Test("ST-5 two forwards of one private endpoint for two remotes: each leads out to its own")
  func twoRemotes() throws {
    var town = try Self.town(
      "remote: 198.51.100.7",
      more: "  - { protocol: tcp, public: 203.0.113.5:8081, private: 192.168.1.10:80, remote: 198.51.100.8 }")
    #expect(town.send(.tcp, from: Self.web, to: Town.s2).map(\.source.port) == [8081])
    #expect(town.send(.tcp, from: Self.web, to: Town.s1).map(\.source.port) == [8080])
    let third = town.send(.tcp, from: Self.web, to: Endpoint(IPv4Address(198, 51, 100, 9), 80))
    #expect(third.count == 1 && ![8080, 8081].contains(third[0].source.port))
    #expect(town.faults() == [])
  }

  @Test("ST-5 HP11 a forward for a remote outside takes nothing of inside hosts")
  func remoteHairpin() throws {
    var town = try Self.town("remote: 198.51.100.0/24")
    #expect(town.send(.tcp, from: Town.c1, to: Self.public8080) == [])
    #expect(town.counters.drops(.noBinding) == 1 && town.listing().count == 1)
  }

  @Test(
    "ST-5 explain says which forward would take a packet, and that nothing would where its remote is another's"
  )
  func explained() throws {
    let configuration = try Configuration.parse(
      Town.interfaces + Self.text("remote: 198.51.100.7, direction: inbound"), file: "portico.yaml")
    func explain(_ from: String, _ source: Endpoint, _ destination: Endpoint) throws -> ExplainDocument {
      func document(_ endpoint: Endpoint) -> EndpointDocument {
        EndpointDocument(address: "\(endpoint.address)", port: endpoint.port)
      }
      return try ExplainDocument.explain(
        ExplainRequest(
          from: from, transport: .tcp, source: document(source), destination: document(destination)),
        configuration)
    }
    let taken = try explain("outside", Town.s1, Self.public8080)
    #expect(taken.verdict == "forward" && taken.to == "inside")
    #expect(taken.steps.contains { $0.answer.contains("static binding at 203.0.113.5:8080") })
    #expect(try explain("outside", Town.s2, Self.public8080).drop == "noBinding")
    let begun = try explain("inside", Self.web, Town.s1)
    #expect(begun.verdict == "forward" && !begun.steps.contains { $0.answer.contains("8080") })
  }

  // MARK: Ends

  @Test(
    "ST-11 a one-shot takes one session, which lives to its end; with it the forward ends, its port and its address"
  )
  func oneShot() throws {
    var town = try Town(
      "static: [{ protocol: tcp, public: 203.0.113.9:8080, private: 192.168.1.10:80, once: true }]")
    let x = Endpoint(IPv4Address(203, 0, 113, 9), 8080)
    town.gateway.translator.shard.isNotingEvents = true
    #expect(town.frame(Town.request(for: x.address, .outside), .outside).count == 1)
    #expect(town.send(.tcp, from: Town.s1, to: x, .outside).map(\.destination) == [Self.web])
    #expect(town.send(.tcp, from: Town.s2, to: x, .outside) == [])
    #expect(town.send(.tcp, Self.synAck, from: Self.web, to: Town.s1).map(\.source) == [x])
    // What its host begins now has another binding.
    #expect(town.send(.tcp, from: Self.web, to: Town.s2).map(\.source.address) == [Town.x.address])
    #expect(town.send(.tcp, Self.ack, from: Town.s1, to: x, .outside).count == 1)
    #expect(town.frame(Town.request(for: x.address, .outside), .outside).count == 1)
    #expect(town.listing().contains("tcp static 192.168.1.10:80 203.0.113.9:8080 198.51.100.7:80"))
    #expect(town.faults() == [])
    _ = Self.events(town)
    let last = town.now
    town.wait(seconds: 7441)
    #expect(town.listing() == [] && town.faults() == [])
    let ended = Self.events(town)
    let due = last / 1_000_000 - 1 + 7_440_000
    #expect(
      Array(ended.suffix(2)) == [
        "sessionEnded 203.0.113.9:8080 198.51.100.7:80 expired at \(due)",
        "bindingEnded 203.0.113.9:8080 static-mapping-used at \(due)",
      ])
    #expect(town.frame(Town.request(for: x.address, .outside), .outside) == [])
    #expect(town.send(.tcp, from: Town.s1, to: x, .outside) == [])
  }

  @Test(
    "ST-11 ST-12 a one-shot that was refused for a limit is not used up; its port goes back without a rest")
  func oneShotRefused() throws {
    var town = try Self.town(
      "once: true",
      more: "nat: { pool: [{ address: 203.0.113.5, ports: 8080 }], limits: { per-host: { sessions: 1 } } }")
    town.send(.udp, from: Self.web, to: Town.s2)
    #expect(town.send(.tcp, from: Town.s1, to: Self.public8080, .outside) == [])
    #expect(town.counters.drops(.hostSessionLimit) == 1)
    _ = town.perform(EndSessions(SessionFilter()))
    #expect(town.send(.tcp, from: Town.s2, to: Self.public8080, .outside).count == 1)
    // Nobody answers: it ends with the transitory clock, 240 s.
    town.wait(seconds: 239)
    #expect(town.send(.tcp, from: Town.c1, to: Town.s1).map(\.side) == [.inside])
    town.wait(seconds: 2)
    #expect(town.send(.tcp, from: Town.c1, to: Town.s1).map(\.source) == [Self.public8080])
    #expect(town.faults() == [])
  }

  @Test("ST-11 a forward with a lifetime lives it to the nanosecond, and its sessions end with it")
  func lifetime() throws {
    var town = try Town(Self.udp("lifetime: 60s"))
    town.gateway.translator.shard.isNotingEvents = true
    // Its time begins with the first packet, whatever that is.
    town.send(from: Town.c1, to: Town.s1)
    let began = town.now
    town.wait(seconds: 30)
    #expect(town.send(from: Town.s1, to: Self.public8080, .outside).count == 1)
    // `send` is a millisecond later.
    town.now = began + 60_000_000_000 - 1_000_000
    #expect(town.send(from: Town.s2, to: Self.public8080, .outside).count == 1)
    _ = Self.events(town)
    town.now = began + 60_000_000_001 - 1_000_000
    #expect(town.send(from: Town.s1, to: Self.public8080, .outside) == [])
    #expect(town.counters.drops(.noBinding) == 1)
    let at = (began + 60_000_000_000) / 1_000_000
    #expect(
      Self.events(town) == [
        "sessionEnded 203.0.113.5:8080 198.51.100.8:80 static-mapping-expired at \(at)",
        "sessionEnded 203.0.113.5:8080 198.51.100.7:80 static-mapping-expired at \(at)",
        "bindingEnded 203.0.113.5:8080 static-mapping-expired at \(at)",
      ])
    #expect(town.listing() == ["udp dynamic 192.168.1.2:5000 203.0.113.5:5000 198.51.100.7:80"])
    #expect(town.faults() == [])
  }

  @Test(
    "ST-11 several lifetimes end in their order, without a packet too, with the addresses; a reload keeps clocks"
  )
  func lifetimes() throws {
    func text(_ seconds: [Int]) -> String {
      "static:\n"
        + seconds.enumerated().map {
          "  - { protocol: udp, public: 203.0.113.\(10 + $0):53, private: 192.168.1.10:53, lifetime: \($1)s }\n"
        }.joined()
    }
    var town = try Town(text([30, 10, 20]))
    func answers(_ town: inout Town) -> [Int] {
      (0..<3).map {
        town.frame(Town.request(for: IPv4Address(203, 0, 113, UInt8(10 + $0)), .outside), .outside).count
      }
    }
    #expect(answers(&town) == [1, 1, 1])
    town.wait(seconds: 11)
    #expect(answers(&town) == [1, 0, 1])
    // What stays as it is keeps its clock, what is changed begins anew.
    try town.reload(text([30, 10, 25]))
    town.wait(seconds: 11)
    #expect(answers(&town) == [1, 0, 1])
    town.wait(seconds: 9)
    #expect(answers(&town) == [0, 0, 1])
    town.wait(seconds: 6)
    #expect(answers(&town) == [0, 0, 0] && town.listing() == [])
    #expect(town.faults() == [])
  }

  @Test("ST-11 the host of a forward that has expired is translated by the pool from then on")
  func afterwards() throws {
    var town = try Town(Self.udp("lifetime: 5s"))
    town.send(from: Self.web, to: Town.s1)
    town.wait(seconds: 6)
    let sent = town.send(from: Self.web, to: Town.s1)
    #expect(sent.count == 1 && sent[0].source.port != 8080)
    #expect(town.faults() == [])
  }
}
