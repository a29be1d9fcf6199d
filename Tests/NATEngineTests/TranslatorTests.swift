import NATMemory
import NATTable
import NATWire
import Testing

@testable import NATEngine

@Suite struct TranslatorTests {
  typealias Fixture = TranslatorFixture
  let client = Endpoint(Fixture.host, 1234)
  let server = Endpoint(Fixture.server, 443)

  @Test("MAP1 one binding for all destinations of a private endpoint, and the way back restores it")
  func endpointIndependent() {
    var fixture = Fixture()
    let first = fixture.outbound(Fixture.packet(.udp, from: client, to: server)).rewrite
    #expect(first == Rewrite(source: Endpoint(Fixture.pool, 50001), destination: server))
    let elsewhere = Endpoint(IPv4Address(8, 8, 8, 8), 53)
    #expect(
      fixture.outbound(Fixture.packet(.udp, from: client, to: elsewhere)).rewrite?.source == first?.source)
    let next = Endpoint(Fixture.other, 1234)
    let second = fixture.outbound(Fixture.packet(.udp, from: next, to: server)).rewrite
    #expect(second?.source == Endpoint(Fixture.pool, 50002))
    let back = fixture.inbound(Fixture.packet(.udp, from: server, to: Endpoint(Fixture.pool, 50002))).rewrite
    #expect(back == Rewrite(source: server, destination: next))
  }

  @Test(
    "FIL1 FIL2 FIL3 the filter decides on a remote endpoint without a session",
    arguments: [
      (.endpointIndependent, nil, nil), (.addressDependent, nil, .filtered),
      (.addressAndPortDependent, .filtered, .filtered),
    ] as [(Filtering, DropReason?, DropReason?)])
  func filters(filtering: Filtering, samePeer: DropReason?, stranger: DropReason?) {
    var settings = TranslatorSettings()
    settings.udpFiltering = filtering
    var fixture = Fixture(settings)
    _ = fixture.outbound(Fixture.packet(.udp, from: client, to: server))
    let target = Endpoint(Fixture.pool, 50001)
    let otherPort = Endpoint(Fixture.server, 9)
    #expect(fixture.inbound(Fixture.packet(.udp, from: otherPort, to: target)).reason == samePeer)
    let other = Endpoint(IPv4Address(9, 9, 9, 9), 443)
    #expect(fixture.inbound(Fixture.packet(.udp, from: other, to: target)).reason == stranger)
    #expect(fixture.inbound(Fixture.packet(.udp, from: server, to: target)).reason == nil)
    #expect(fixture.inbound(Fixture.packet(.tcp, .syn, from: server, to: target)).reason == .noBinding)
  }

  @Test("TCP14 nothing but SYN without ACK makes a session, from either side")
  func openers() {
    var fixture = Fixture()
    for flags in [.ack, .fin, .rst, [.syn, .ack], [.ack, .psh]] as [TCPFlags] {
      #expect(fixture.outbound(Fixture.packet(.tcp, flags, from: client, to: server)).reason == .noSession)
    }
    #expect(fixture.translator.shard.counts.bindingsCreated == 0)
    #expect(fixture.outbound(Fixture.packet(.tcp, .syn, from: client, to: server)).rewrite != nil)
    let target = Endpoint(Fixture.pool, 50001)
    let otherPort = Endpoint(Fixture.server, 9)
    #expect(fixture.inbound(Fixture.packet(.tcp, .ack, from: otherPort, to: target)).reason == .noSession)
    #expect(fixture.inbound(Fixture.packet(.tcp, .syn, from: otherPort, to: target)).rewrite != nil)
  }

  @Test("EX2 EX5 a pool without a port refuses and leaves no trace; what lives goes on")
  func exhaustion() {
    var fixture = Fixture()
    for port in 1...10 as ClosedRange<UInt16> {
      #expect(
        fixture.outbound(Fixture.packet(.udp, from: Endpoint(Fixture.host, port), to: server)).rewrite != nil)
    }
    let counts = fixture.translator.shard.counts
    let late = Fixture.packet(.udp, from: Endpoint(Fixture.other, 11), to: server)
    #expect(fixture.outbound(late).reason == .portsExhausted)
    #expect(fixture.translator.shard.counts == counts)
    #expect(
      fixture.outbound(Fixture.packet(.udp, from: Endpoint(Fixture.host, 1), to: server)).rewrite != nil)
    // PA11: what becomes free rests, for others.
    fixture.pass(nanoseconds: 300_000_000_001)
    #expect(fixture.outbound(late).reason == .portsExhausted)
    #expect(
      fixture.outbound(Fixture.packet(.udp, from: Endpoint(Fixture.host, 77), to: server)).rewrite != nil)
    fixture.pass(nanoseconds: 119_999_999_998)
    #expect(fixture.outbound(late).reason == .portsExhausted)
    fixture.pass(nanoseconds: 1)
    #expect(fixture.outbound(late).rewrite?.source == Endpoint(Fixture.pool, 50002))
  }

  @Test("LIM1 LIM2 limits of a host count its dynamic bindings and all its sessions; others go on")
  func hostLimits() {
    var settings = TranslatorSettings()
    settings.portsPerHost = 2
    settings.sessionsPerHost = 3
    var fixture = Fixture(settings)
    func send(_ fixture: inout Fixture, _ host: IPv4Address, _ port: UInt16, _ remote: UInt16) -> DropReason?
    {
      fixture.outbound(
        Fixture.packet(.udp, from: Endpoint(host, port), to: Endpoint(Fixture.server, remote))
      ).reason
    }
    #expect(send(&fixture, Fixture.host, 1, 1) == nil)
    #expect(send(&fixture, Fixture.host, 2, 1) == nil)
    #expect(send(&fixture, Fixture.host, 3, 1) == .hostPortLimit)
    #expect(send(&fixture, Fixture.host, 1, 2) == nil)
    #expect(send(&fixture, Fixture.host, 1, 3) == .hostSessionLimit)
    #expect(send(&fixture, Fixture.other, 1, 1) == nil)
  }

  @Test("LIM3 H5 the table's and the sender's limits refuse a packet before a port is chosen for it")
  func limitsBeforePort() {
    func refused(
      _ reason: DropReason, to destination: Endpoint? = nil, _ settings: TranslatorSettings,
      change: @escaping (inout TableSettings) -> Void = { _ in }
    ) {
      var fixture = Fixture(settings) { table in
        table.policy.portChoice = .random
        change(&table)
      }
      let first = Fixture.packet(.udp, from: client, to: server)
      #expect(fixture.outbound(first).rewrite != nil, "\(reason)")
      var before = fixture.translator.random
      let own = fixture.translator.shard.findBinding(.udp, private: client).map {
        fixture.translator.shard.bindings.publicEndpoint(of: $0)
      }
      let second = Endpoint(client.address, client.port + 1)
      let target = destination ?? own ?? server
      for to in [server, target] {
        #expect(fixture.outbound(Fixture.packet(.udp, from: second, to: to)).reason == reason)
      }
      // Choosing a port draws from the source.
      #expect(before.next() == fixture.translator.random.next(), "\(reason)")
    }
    var settings = TranslatorSettings()
    refused(.bindingLimit, settings) { $0.bindingLimit = 1 }
    refused(.sessionLimit, settings) { $0.sessionLimit = 1 }
    settings.portsPerHost = 1
    refused(.hostPortLimit, settings)
    settings = TranslatorSettings()
    settings.sessionsPerHost = 1
    refused(.hostSessionLimit, settings)
    settings = TranslatorSettings()
    settings.sessionsPerSecond = 1
    refused(.hostSessionRate, settings)
  }

  @Test("LIM2 HP1 a hairpin receiver's limit counts a session only where the chosen port needs one")
  func receiverLimitAfterPort() {
    var settings = TranslatorSettings()
    settings.sessionsPerHost = 2
    var fixture = Fixture(settings)
    let peer = Endpoint(Fixture.other, 4000)
    let target = Endpoint(Fixture.pool, 50001)
    _ = fixture.outbound(Fixture.packet(.udp, from: peer, to: server))
    #expect(fixture.outbound(Fixture.packet(.udp, from: client, to: target)).rewrite?.destination == peer)
    // The receiver is at its limit. The sender's binding ends; the receiver's session with its public endpoint lives.
    let shard = fixture.translator.shard.findBinding(.udp, private: client)
    guard let binding = shard, let session = fixture.translator.shard.firstSession(of: binding) else {
      Issue.record("the sender has a session")
      return
    }
    fixture.translator.shard.end(session, at: fixture.now)
    let stranger = Endpoint(IPv4Address(192, 168, 1, 4), 5)
    #expect(fixture.outbound(Fixture.packet(.udp, from: stranger, to: target)).reason == .hostSessionLimit)
    // The sender gets its own port again, and with it the receiver's session.
    let again = fixture.outbound(Fixture.packet(.udp, from: client, to: target)).rewrite
    #expect(again == Rewrite(source: Endpoint(Fixture.pool, 50002), destination: peer))
  }

  @Test("PA11 H5 a packet costs the same however many ports of its host are in hold-down")
  func costOfHoldDown() {
    /// The least nanoseconds of a packet that ends with `reason`, or that gets the host's own port again.
    func cost(held count: Int, wellKnown: Bool, refused: Bool) -> UInt64 {
      var fixture = Fixture { table in
        table.pool = [PoolAddress(Fixture.pool, ports: [20000...UInt16(20000 + count - 1)])]
        table.bindingLimit = count
        table.sessionLimit = count
        table.policy.parity = true
      }
      for port in 0..<count {
        let host = Endpoint(Fixture.host, UInt16(20000 + port))
        #expect(fixture.outbound(Fixture.packet(.udp, from: host, to: server)).rewrite != nil)
      }
      fixture.pass(nanoseconds: 300_000_000_001)
      #expect(fixture.translator.shard.counts.dynamicBindings == 0)
      let sender = Endpoint(refused ? Fixture.other : Fixture.host, wellKnown ? 7 : 30007)
      let packet = Fixture.packet(.udp, from: sender, to: server)
      let clock = ContinuousClock()
      return (0..<20).map { _ in
        let start = clock.now
        let outcome = fixture.outbound(packet)
        let spent = clock.now - start
        #expect((outcome.reason == .portsExhausted) == refused)
        if let binding = fixture.translator.shard.findBinding(.udp, private: sender),
          let session = fixture.translator.shard.firstSession(of: binding)
        {
          fixture.translator.shard.end(session, at: fixture.now)
        }
        return UInt64(spent.components.attoseconds / 1_000_000_000)
      }.min() ?? 0
    }
    for (wellKnown, refused) in [(true, false), (false, false), (true, true)] {
      let few = cost(held: 16, wellKnown: wellKnown, refused: refused)
      let many = cost(held: 16_384, wellKnown: wellKnown, refused: refused)
      // A walk over all of them would cost hundreds of times as much.
      #expect(many < few * 10, "well-known \(wellKnown), refused \(refused): \(few) ns, \(many) ns")
    }
  }

  @Test("HP1 HP9 a hairpinned datagram comes from the sender's public endpoint; a host may meet itself")
  func hairpin() {
    var fixture = Fixture()
    let peer = Endpoint(Fixture.other, 4000)
    _ = fixture.outbound(Fixture.packet(.udp, from: peer, to: server))
    let target = Endpoint(Fixture.pool, 50001)
    let there = fixture.outbound(Fixture.packet(.udp, from: client, to: target)).rewrite
    #expect(there == Rewrite(source: Endpoint(Fixture.pool, 50002), destination: peer))
    let back = fixture.outbound(Fixture.packet(.udp, from: peer, to: Endpoint(Fixture.pool, 50002))).rewrite
    #expect(back == Rewrite(source: target, destination: client))
    let before = fixture.translator.shard.counts.sessions
    let itself = fixture.outbound(Fixture.packet(.udp, from: peer, to: target)).rewrite
    #expect(itself == Rewrite(source: target, destination: peer))
    #expect(fixture.translator.shard.counts.sessions == before + 1)
    #expect(fixture.counters.counters.events(.hairpins) == 3)
  }

  @Test("HP11 nothing is bound there: the packet is dropped and makes nothing")
  func hairpinToNothing() {
    var fixture = Fixture()
    let packet = Fixture.packet(.udp, from: client, to: Endpoint(Fixture.pool, 50009))
    #expect(fixture.outbound(packet).reason == .noBinding)
    let counts = fixture.translator.shard.counts
    #expect(counts.sessionsCreated == 0 && counts.bindingsCreated == 0)
  }

  @Test("a port that ended is not open: MAP11 inbound packets never make a binding")
  func inboundMakesNoBinding() {
    var settings = TranslatorSettings()
    settings.inboundRefresh = .off
    var fixture = Fixture(settings)
    let target = Endpoint(Fixture.pool, 50001)
    #expect(fixture.inbound(Fixture.packet(.udp, from: server, to: target)).reason == .noBinding)
    _ = fixture.outbound(Fixture.packet(.udp, from: client, to: server))
    fixture.pass(nanoseconds: 300_000_000_000)
    #expect(fixture.inbound(Fixture.packet(.udp, from: server, to: target)).rewrite != nil)
    fixture.pass(nanoseconds: 1)
    #expect(fixture.inbound(Fixture.packet(.udp, from: server, to: target)).reason == .noBinding)
  }

  @Test("ST-1 a 1:1 host is reached at its own public address, and answers from there")
  func oneToOne() {
    var fixture = Fixture()
    let target = Endpoint(Fixture.oneToOne.public, 80)
    let there = fixture.inbound(Fixture.packet(.tcp, .syn, from: server, to: target)).rewrite
    #expect(there?.destination == Endpoint(Fixture.oneToOne.private, 80))
    let answer = Fixture.packet(.tcp, [.syn, .ack], from: Endpoint(Fixture.oneToOne.private, 80), to: server)
    #expect(fixture.outbound(answer).rewrite?.source == target)
  }

  @Test("ST-1 ST-4 a 1:1 host that also has a port forward answers from the address at which it was reached")
  func oneToOneBesideForward() {
    let forward = PortForward(
      .tcp, public: Endpoint(Fixture.pool, 8080), private: Endpoint(Fixture.oneToOne.private, 80))
    var fixture = Fixture(forwards: [forward])
    let answer = Fixture.packet(.tcp, [.syn, .ack], from: forward.private, to: server)
    let target = Endpoint(Fixture.oneToOne.public, 80)
    let there = fixture.inbound(Fixture.packet(.tcp, .syn, from: server, to: target)).rewrite
    #expect(there?.destination == forward.private)
    #expect(fixture.outbound(answer).rewrite?.source == target)
    // And over the forward, with another peer, from the forward's endpoint.
    let second = Endpoint(IPv4Address(198, 51, 100, 8), 443)
    _ = fixture.inbound(Fixture.packet(.tcp, .syn, from: second, to: forward.public))
    let answerToSecond = Fixture.packet(.tcp, [.syn, .ack], from: forward.private, to: second)
    #expect(fixture.outbound(answerToSecond).rewrite?.source == forward.public)
  }
}
