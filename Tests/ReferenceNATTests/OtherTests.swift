import ReferenceNAT
import TestSupport
import Testing

struct HairpinTests {
  private let target = ReferenceEndpoint(Host.publicAddress, 6000)

  @Test("TCP by hairpin: handshake over both legs, no filter, HP2")
  func handshake() {
    var nat = ReferenceNAT(.plain)
    let first = ReferenceEndpoint(Host.one, 5000)
    let other = ReferenceEndpoint(Host.two, 6000)
    let syn = Flag.syn
    nat.give(Build.tcp(other, .init(Host.server, 80), syn), on: .inside, from: 3)
    let out = nat.give(Build.tcp(first, target, syn), on: .inside, from: 2)
    let seen = ReferenceEndpoint(Host.publicAddress, 5000)
    #expect(out.map(\.bytes) == [Build.sent(Build.tcp(seen, other, syn, timeToLive: 63), on: .inside, to: 3)])
    let back = nat.give(Build.tcp(other, seen, syn | Flag.ack), on: .inside, from: 3)
    #expect(
      back.map(\.bytes) == [
        Build.sent(Build.tcp(target, first, syn | Flag.ack, timeToLive: 63), on: .inside, to: 2)
      ])
    let hairpins = nat.table().flatMap(\.sessions).filter(\.hairpin)
    #expect(hairpins.map(\.state) == [.established, .established])
    #expect(nat.stats().events.hairpins == 2 && nat.counted.isEmpty)
  }

  @Test("a host meets its own endpoint: one session, counted both ways, its SYN both sides' SYN, HP9")
  func itself() {
    var nat = ReferenceNAT(.plain)
    let end = ReferenceEndpoint(Host.one, 6000)
    nat.give(Build.tcp(end, .init(Host.server, 80), Flag.syn), on: .inside)
    let out = nat.give(Build.tcp(end, target, Flag.syn), on: .inside)
    #expect(
      out.map(\.bytes) == [
        Build.sent(Build.tcp(target, end, Flag.syn, timeToLive: 63), on: .inside, to: 9)
      ])
    let session = nat.table()[0].sessions.first(where: \.hairpin)
    #expect(nat.table()[0].sessions.count == 2)
    #expect(session?.packetsOut == 1 && session?.packetsIn == 1 && session?.state == .established)
  }

  @Test("to a public endpoint without binding, and with hairpin off, HP11")
  func refused() {
    for (hairpin, reason) in [(true, "noBinding"), (false, "hairpinDisabled")] {
      var nat = ReferenceNAT(.plain.with { $0.hairpin = hairpin })
      #expect(nat.give(Build.udp(.init(Host.one, 5), target), on: .inside).isEmpty)
      #expect(nat.counted == [reason: 1] && nat.table().isEmpty)
      #expect(nat.give(Build.icmp(Host.one, Host.publicAddress, 8, identifier: 5), on: .inside).count == 1)
    }
  }

  @Test("a query hairpins over 1:1 under the sender's translated identifier, there and back, HP3")
  func query() {
    var nat = ReferenceNAT(
      .plain.with {
        $0.portChoice = .sequential
        $0.statics = [.oneToOne(public: "203.0.113.6", private: "192.168.1.20")]
      })
    let request = nat.give(Build.icmp(Host.one, "203.0.113.6", 8, identifier: 77), on: .inside)
    var expected = Build.icmp(Host.publicAddress, "192.168.1.20", 8, identifier: 0)
    lowerTimeToLive(&expected)
    #expect(request.map(\.bytes) == [Build.sent(expected, on: .inside, to: nil)], "\(text(request))")
    let reply = nat.give(Build.icmp("192.168.1.20", Host.publicAddress, 0, identifier: 0), on: .inside)
    expected = Build.icmp("203.0.113.6", Host.one, 0, identifier: 77)
    lowerTimeToLive(&expected)
    #expect(reply.map(\.bytes) == [Build.sent(expected, on: .inside, to: 9)], "\(text(reply))")
  }

  @Test("an error about a hairpinned packet shows its sender what it sent, HP5")
  func error() {
    var nat = ReferenceNAT(.plain)
    let first = ReferenceEndpoint(Host.one, 5000)
    let other = ReferenceEndpoint(Host.two, 6000)
    nat.give(Build.udp(other, .init(Host.server, 80)), on: .inside, from: 3)
    let out = nat.give(Build.udp(first, target), on: .inside, from: 2)
    let quoted = Array(out[0].bytes[14...])
    let error = Build.ipv4(
      Host.two, Host.publicAddress, 1, Build.icmpMessage(3, 3, rest: 0, quoted), timeToLive: 64)
    let left = nat.give(error, on: .inside, from: 3)
    let expected = Build.ipv4(
      Host.publicAddress, Host.one, 1,
      Build.icmpMessage(3, 3, rest: 0, Build.udp(first, target, timeToLive: 63)), timeToLive: 63)
    #expect(left.map(\.bytes) == [Build.sent(expected, on: .inside, to: 2)], "\(text(left))")
  }

  private func lowerTimeToLive(_ packet: inout [UInt8]) {
    packet[8] -= 1
    packet.replaceSubrange(10..<12, with: [0, 0])
    packet.replaceSubrange(10..<12, with: big(InternetChecksum.of(Array(packet[..<20]))))
  }
}

extension HairpinTests {
  @Test(
    "a host that meets its own endpoint makes one session, another host's two, against the limit, HP9 LIM3")
  func limit() {
    for (sender, isRefused) in [(Host.one, false), (Host.two, true)] {
      var nat = ReferenceNAT(.plain.with { $0.limits.sessions = 2 })
      nat.give(Build.udp(.init(Host.one, 6000), .init(Host.server, 80)), on: .inside)
      nat.give(Build.udp(.init(sender, 6000), target), on: .inside)
      #expect(nat.counted == (isRefused ? ["sessionLimit": 1] : [:]))
    }
  }
}

struct FragmentTests {
  private let segment = Build.udpSegment(
    .init(Host.one, 7000), .init(Host.server, 7), [UInt8](repeating: 5, count: 40))

  private func piece(
    _ range: Range<Int>, more: Bool, identification: UInt16 = 1, timeToLive: UInt8 = 64,
    from host: ReferenceAddress = Host.one
  ) -> [UInt8] {
    Build.ipv4(
      host, Host.server, 17, Array(segment[range]), timeToLive: timeToLive, identification: identification,
      more: more, offset: range.lowerBound)
  }

  @Test("an exact duplicate is dropped alone, FR6")
  func duplicate() {
    var nat = ReferenceNAT(.plain)
    nat.give(piece(16..<32, more: true), on: .inside)
    nat.give(piece(16..<32, more: true), on: .inside)
    nat.give(piece(0..<16, more: true), on: .inside)
    nat.give(piece(32..<48, more: false), on: .inside)
    #expect(nat.counted == ["fragmentDuplicate": 1] && nat.sent.count == 3)
    nat.give(piece(32..<48, more: false), on: .inside)
    #expect(nat.sent.count == 3, "complete is forgotten: this one waits in a new datagram")
  }

  @Test("overlap and contradictions about the end kill the datagram until its time is over, FR6")
  func overlap() {
    let killers: [(Range<Int>, Bool)] = [(8..<24, true), (16..<32, false), (8..<16, false), (0..<24, true)]
    for (range, more) in killers {
      var nat = ReferenceNAT(.plain)
      nat.give(piece(16..<32, more: true), on: .inside)
      nat.give(piece(range, more: more), on: .inside)
      #expect(nat.counted == ["fragmentOfDeadDatagram": 2], "\(range) \(more)")
      nat.give(piece(0..<16, more: true), on: .inside, at: 30 * second)
      #expect(nat.sent.isEmpty && nat.counted == ["fragmentOfDeadDatagram": 3], "\(range) \(more)")
      nat.give(piece(0..<16, more: true), on: .inside, at: 30 * second + 1)
      #expect(nat.sent.count == 1)
    }
  }

  @Test("a first fragment that is refused takes the held ones with it; time takes the rest, FR8")
  func refusedFirst() {
    var nat = ReferenceNAT(.plain)
    nat.give(piece(16..<48, more: false), on: .inside)
    nat.give(piece(0..<16, more: true, timeToLive: 1), on: .inside)
    #expect(nat.counted == ["ttlExceeded": 1, "fragmentOfDeadDatagram": 1])
    nat.give(piece(16..<48, more: false, identification: 2), on: .inside)
    nat.give(Build.icmp(Host.one, Host.server, 8), on: .inside, at: 30 * second)
    #expect(nat.counted["fragmentTimeout"] == nil)
    nat.give(Build.icmp(Host.one, Host.server, 8), on: .inside, at: 30 * second + 1)
    #expect(nat.counted["fragmentTimeout"] == 1)
  }

  @Test("two hosts with one identification towards one server do not merge, FR4 FR5")
  func identification() {
    var nat = ReferenceNAT(.plain)
    let instants = [(Host.one, UInt64(0)), (Host.two, 1), (Host.one, 2), (Host.two, 31 * second)]
    for (host, instant) in instants {
      nat.give(piece(0..<16, more: true, from: host), on: .inside, at: instant)
      nat.give(piece(16..<48, more: false, from: host), on: .inside, at: instant)
    }
    #expect(nat.sent.map { UInt16($0.bytes[18]) << 8 | UInt16($0.bytes[19]) } == [1, 1, 2, 2, 1, 1, 1, 1])
  }

  @Test("bounds: datagrams when one is opened, memory for what must wait, FR9 EX8")
  func bounds() {
    var nat = ReferenceNAT(
      .plain.with {
        $0.fragmentDatagrams = 1
        $0.fragmentMemory = 51
      })
    nat.give(piece(16..<48, more: false), on: .inside)
    #expect(nat.counted == ["fragmentMemoryLimit": 1])
    nat.give(piece(16..<48, more: false, identification: 2), on: .inside)
    #expect(nat.counted == ["fragmentMemoryLimit": 1, "fragmentDatagramLimit": 1])
    nat.give(piece(0..<16, more: true), on: .inside)
    nat.give(piece(16..<48, more: false), on: .inside)
    #expect(nat.sent.count == 2)
  }
}

struct StaticAndForwardingTests {
  @Test("a port forward is always listed, unfiltered, and the host answers from it, ST-2 ST-12")
  func forward() {
    let web = ReferenceEndpoint("192.168.1.10", 80)
    let published = ReferenceEndpoint(Host.publicAddress, 8080)
    var nat = ReferenceNAT(
      .plain.with { $0.statics = [.forward(.tcp, public: published, private: web)] })
    #expect(nat.table().count == 1)
    let client = ReferenceEndpoint(Host.server, 4444)
    let syn = Flag.syn
    let inward = nat.give(Build.tcp(client, published, syn), on: .outside)
    #expect(
      inward.map(\.bytes) == [Build.sent(Build.tcp(client, web, syn, timeToLive: 63), on: .inside, to: nil)])
    let outward = nat.give(Build.tcp(web, client, syn | Flag.ack), on: .inside)
    #expect(
      outward.map(\.bytes) == [
        Build.sent(Build.tcp(published, client, syn | Flag.ack, timeToLive: 63), on: .outside, to: 9)
      ])
    nat.give(Build.tcp(.init(Host.server, 5), published, Flag.ack), on: .outside)
    #expect(nat.counted == ["noSession": 1])
    #expect(nat.stats().pool.map(\.ports) == [64511, 64512, 65536])
  }

  @Test("exempt and inside-to-inside pass unchanged but TTL, FW2 FW3 FW5")
  func untranslated() {
    var nat = ReferenceNAT(
      .plain.with {
        $0.exempt = [.init("198.51.100.0", 24)]
        $0.routes = [.init(.init("10.9.0.0", 24), via: "192.168.1.254")]
      })
    let there = nat.give(Build.udp(.init(Host.one, 5), .init(Host.server, 6)), on: .inside)
    #expect(
      there.map(\.bytes) == [
        Build.sent(
          Build.udp(.init(Host.one, 5), .init(Host.server, 6), timeToLive: 63), on: .outside, to: nil)
      ])
    let back = nat.give(Build.udp(.init(Host.server, 6), .init(Host.one, 5)), on: .outside)
    #expect(
      back.map(\.bytes) == [
        Build.sent(Build.udp(.init(Host.server, 6), .init(Host.one, 5), timeToLive: 63), on: .inside, to: 9)
      ])
    let within = nat.give(Build.udp(.init(Host.one, 5), .init("10.9.0.7", 6)), on: .inside)
    #expect(within.map(\.side) == [.inside] && nat.table().isEmpty && nat.counted.isEmpty)
    nat.give(Build.udp(.init("192.0.2.1", 6), .init(Host.one, 5)), on: .outside)
    nat.give(Build.udp(.init(Host.server, 6), .init("192.168.1.1", 5)), on: .outside)
    #expect(nat.counted == ["noBinding": 1, "toGateway": 1])
  }

  @Test("an error from inside comes from the binding's address if its host sent it, IE4 IE5")
  func errorSource() {
    let far: ReferenceAddress = "203.0.113.9"
    var nat = ReferenceNAT(
      .plain.with {
        $0.poolAsked = [.init(far, [1024...65535])]
        $0.statics = [.oneToOne(public: "203.0.113.6", private: "192.168.1.20")]
      })
    nat.give(Build.udp(.init(Host.one, 5000), .init(Host.server, 53)), on: .inside)
    let reply = Build.udp(.init(Host.server, 53), .init(Host.one, 5000))
    let senders: [(ReferenceAddress, ReferenceAddress)] = [
      (Host.one, far), (Host.two, Host.publicAddress), ("192.168.1.20", "203.0.113.6"),
    ]
    for (sender, shown) in senders {
      let error = Build.ipv4(sender, Host.server, 1, Build.icmpMessage(3, 3, rest: 0, reply))
      let expected = Build.ipv4(
        shown, Host.server, 1,
        Build.icmpMessage(3, 3, rest: 0, Build.udp(.init(Host.server, 53), .init(far, 5000))),
        timeToLive: 63)
      let left = nat.give(error, on: .inside)
      #expect(left.map(\.bytes) == [Build.sent(expected, on: .outside, to: nil)], "\(text(left))")
    }
  }

  @Test("ARP from one of our own addresses teaches nothing and gets no answer; 0.0.0.0 gets one")
  func ownARP() {
    func request(from sender: ReferenceAddress) -> [UInt8] {
      let neighbour: [UInt8] = [0x0A, 0, 0, 0, 0, 9]
      return [UInt8](repeating: 0xFF, count: 6) + neighbour + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1] + neighbour
        + big(sender.number) + [0, 0, 0, 0, 0, 0] + big(Host.publicAddress.number)
    }
    var nat = ReferenceNAT(.plain)
    #expect(nat.giveFrame(request(from: Host.publicAddress), on: .outside).isEmpty)
    #expect(nat.giveFrame(request(from: "0.0.0.0"), on: .outside).count == 1)
    #expect(nat.counted.isEmpty)
  }

  @Test("an error that quotes an exempt destination passes to its inside host, if the quote may pass")
  func exemptQuote() {
    let sent = Build.udp(.init(Host.one, 5), .init(Host.server, 6), timeToLive: 1)
    let router: ReferenceAddress = "192.0.2.1"
    for (isExempt, quoted, passes) in [
      (true, sent, true), (false, sent, false), (true, Array(sent[..<23]), false),
    ] {
      var nat = ReferenceNAT(
        .plain.with { if isExempt { $0.exempt = [.init("198.51.100.0", 24)] } })
      let error = Build.ipv4(router, Host.one, 1, Build.icmpMessage(11, 0, rest: 0, quoted))
      #expect((nat.give(error, on: .outside).map(\.side) == [.inside]) == passes)
      #expect(nat.counted == (passes ? [:] : ["noBinding": 1]))
    }
  }

  @Test("fragments from outside reach the private host, each counted on the session, FR1")
  func inboundFragments() {
    var nat = ReferenceNAT(.plain)
    let private5000 = ReferenceEndpoint(Host.one, 5000)
    let server = ReferenceEndpoint(Host.server, 53)
    let published = ReferenceEndpoint(Host.publicAddress, 5000)
    nat.give(Build.udp(private5000, server), on: .inside)
    let data = (0..<32).map { UInt8($0) }
    func pieces(to end: ReferenceEndpoint, timeToLive: UInt8) -> [[UInt8]] {
      let segment = Build.udpSegment(server, end, data)
      return [(0, 16), (16, 32), (32, 40)].map { start, stop in
        Build.ipv4(
          Host.server, end.address, 17, Array(segment[start..<stop]), timeToLive: timeToLive,
          identification: 9, more: stop < 40, offset: start)
      }
    }
    for place in [2, 1, 0] {
      nat.give(pieces(to: published, timeToLive: 64)[place], on: .outside, at: second)
    }
    let expected = pieces(to: private5000, timeToLive: 63).map { Build.sent($0, on: .inside, to: 9) }
    #expect(nat.sent.dropFirst().map(\.bytes) == expected, "\(text(nat.sent))")
    let session = nat.table()[0].sessions[0]
    #expect(session.packetsIn == 3 && session.bytesIn == 100 && session.idle == 0)
  }

  @Test("off-link without a gateway is answered with 3/0, FW10")
  func noRoute() {
    var nat = ReferenceNAT(.plain.with { $0.outside.gateway = nil })
    let left = nat.give(Build.udp(.init(Host.one, 5), .init(Host.server, 6)), on: .inside)
    #expect(left.map { Array($0.bytes[34...35]) } == [[3, 0]] && nat.counted == ["noRoute": 1])
  }

  @Test("the budget of ICMP errors fills all the time")
  func budget() {
    var nat = ReferenceNAT(.plain.with { $0.icmpErrorsPerSecond = 2 })
    let packet = Build.udp(.init(Host.one, 5), .init(Host.server, 6), timeToLive: 1)
    let instants: [UInt64] = [0, 0, 0, second / 2 - 1, second / 2, second / 2]
    let answers = instants.map { nat.give(packet, on: .inside, at: $0).count }
    #expect(answers == [1, 1, 0, 0, 1, 0] && nat.stats().events.icmpErrorsSuppressed == 3)
    #expect(nat.counted == ["ttlExceeded": 6])
  }

  @Test(
    "replies from inside without a session, redirects, and spoofed sources end under their names, IQ5 IE16 FIL7"
  )
  func refusals() {
    var nat = ReferenceNAT(.plain)
    nat.give(Build.icmp(Host.one, Host.server, 0, identifier: 5), on: .inside)
    nat.give(Build.icmp(Host.one, Host.server, 5, 1), on: .inside)
    nat.give(Build.udp(.init("10.0.0.1", 1), .init(Host.server, 1)), on: .inside)
    nat.give(Build.udp(.init(Host.one, 1), .init(Host.publicAddress, 1)), on: .outside)
    nat.give(Build.udp(.init(Host.publicAddress, 1), .init("203.0.113.5", 1)), on: .outside)
    nat.give(Build.udp(.init(Host.one, 1), .init("203.0.113.255", 1)), on: .inside)
    nat.give(Build.ipv4(Host.one, Host.server, 47, [1, 2, 3]), on: .inside)
    #expect(
      nat.counted == [
        "noSession": 1, "icmpTypeNotTranslated": 1, "sourceNotInside": 1, "sourceInside": 1,
        "invalidSource": 1, "invalidDestination": 1, "unknownProtocol": 1,
      ])
    #expect(nat.sent.isEmpty && nat.table().isEmpty)
  }
}
