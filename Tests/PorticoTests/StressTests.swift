import Foundation
import TestSupport
import Testing

/// Floods that want to use up what the gateway has: its time, its memory, its ports, and its patience with others.
///
/// Each is bounded in processor time and in resident memory, its drops are counted to the last packet, and the
/// bystanders' frames are compared byte for byte.
@Suite("Stress", .serialized)
struct StressTests {
  private static let server: [UInt8] = [198, 51, 100, 7]
  private static let attacker: [UInt8] = [192, 168, 1, 66]

  private func expectBounded(
    _ flood: Flood, from start: Flood.Use, packets: Int, kibibytes: Int,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let use = try flood.use()
    let time = (use.processor - start.processor) * 1_000_000 / Double(packets)
    let growth = use.peak - start.peak
    #expect(
      time < Stress.microsecondsPerPacket, "\(time) us of processor time a packet",
      sourceLocation: sourceLocation)
    #expect(growth < kibibytes, "\(growth) KiB more than at its start", sourceLocation: sourceLocation)
    print("stress: \(flood.sent) packets, \(time) us each, \(growth) KiB of \(use.peak)")
  }

  // MARK: Connections

  @Test("LIM6 a million SYNs from one host: held at its limit, others go on, RFC 6888 REQ-5")
  func synFlood() throws {
    let count = Stress.count(100_000, full: 1_000_000)
    let limit = Stress.count(8192, full: 65536)
    let flood = try Flood(
      .inside, nat: ["  limits: { per-host: { sessions: \(limit) } }"], pause: UInt64(count) * 10_000 / 1000)
    var frame = Frames.tcp(
      EthernetFrame.gatewayInside, Frames.stranger, from: (StressTests.attacker, 1234),
      to: (StressTests.server, 80),
      flags: 2)
    var start = try flood.use()
    for index in 0..<count {
      // Every pair of remote address and port once; port 0 is left out.
      if index % 65535 == 0 {
        Frames.set(0x6400 + index / 65535, at: 32, in: &frame)
        Frames.fixHeader(&frame)
      }
      Frames.set(1 + index % 65535, at: 36, in: &frame)
      try flood.send(frame, after: 10_000)
      if index == limit + limit / 2 {
        // The sessions, and the pages that their random places in the indexes touch, whose size is that of the limits.
        let full = try flood.use()
        #expect(full.peak - start.peak < 65536, "\(full.peak - start.peak) KiB for \(limit) sessions")
        start = full
      }
    }
    try expectBounded(flood, from: start, packets: count - limit - limit / 2, kibibytes: 2048)
    let outcome = try flood.finish()
    #expect(outcome.number("sessions") == limit + 1 && outcome.number("bindings") == 2)
    #expect(outcome.drops("hostSessionLimit") == count - limit)
    #expect(outcome.events("sessionsExpired") == 0)
  }

  @Test("LIM9 sessions made and ended a million times: memory stays")
  func turnover() throws {
    let count = Stress.count(100_000, full: 1_000_000)
    // Each lives a second, so that a thousand live at a time; ports rest for two more.
    let flood = try Flood(
      .inside, nat: ["  lifetimes: { udp: 300s, ports: { udp/53: 1s } }", "  port-rest: 2s"],
      pause: UInt64(count) * 1_000_000 / 1000)
    var frame = Frames.udp(
      EthernetFrame.gatewayInside, Frames.stranger, from: (StressTests.attacker, 1),
      to: (StressTests.server, 53),
      timeToLive: 64, data: [1])
    Frames.set(0, at: 40, in: &frame)
    // Everything has been used once when a twentieth is over.
    var start = try flood.use()
    for index in 0..<count {
      if index == count / 20 { start = try flood.use() }
      Frames.set(10_000 + index % 50_000, at: 34, in: &frame)
      try flood.send(frame, after: 1_000_000)
    }
    try expectBounded(flood, from: start, packets: count * 19 / 20, kibibytes: 1024)
    let outcome = try flood.finish()
    #expect(outcome.events("sessionsCreated") == count + 1)
    #expect(
      outcome.events("sessionsExpired") == outcome.events("sessionsCreated") - outcome.number("sessions"))
    #expect((1000...1003).contains(outcome.number("sessions")))
    #expect(outcome.drops("portsExhausted") == 0)
  }

  // MARK: Ports

  @Test("PA8 EX2 a pool of one port that somebody has: all others are refused, and told once a second")
  func onePort() throws {
    let count = Stress.count(50_000, full: 1_000_000)
    let flood = try Flood(
      .inside, nat: ["  pool: [{ address: 203.0.113.5, ports: 5000 }]"], pause: UInt64(count) * 100_000 / 1000
    )
    var frame = Frames.udp(
      EthernetFrame.gatewayInside, Frames.stranger, from: (StressTests.attacker, 1),
      to: (StressTests.server, 53),
      timeToLive: 64, data: [1])
    let start = try flood.use()
    for index in 0..<count {
      // A hundred hosts, all their ports.
      frame[29] = UInt8(2 + index % 100)
      Frames.set(index / 100, at: 34, in: &frame)
      Frames.fixHeader(&frame)
      try flood.send(frame, after: 100_000)
    }
    try expectBounded(flood, from: start, packets: count, kibibytes: 2048)
    let outcome = try flood.finish()
    #expect(outcome.drops("portsExhausted") == count)
    #expect(outcome.number("bindings") == 1 && outcome.number("sessions") == 1)
    // Ten thousand packets a second, each host a hundred of them.
    let seconds = count / 10_000
    let told = (outcome.stats["inside"] as? [String: Any])?["packetsSent"] as? Int ?? 0
    #expect(
      ((seconds - 1) * 100 + 1000...(seconds + 1) * 100 + 1000).contains(told), "\(told) told or answered")
  }

  @Test(
    "PA7 EX2 PF4 a pool with 99.9 % of its ports taken: new bindings cost no more, and the last ports are found"
  )
  func nearlyFull() throws {
    let churn = Stress.count(20_000, full: 500_000)
    let flood = try Flood(
      .inside,
      nat: [
        "  lifetimes: { udp: 30d, ports: { udp/53: 1s } }", "  port-rest: 0s",
        "  limits: { per-host: { ports: 65536 } }",
      ], pause: 17_000_000 * UInt64(churn) / 1000)
    var frame = Frames.udp(
      EthernetFrame.gatewayInside, Frames.stranger, from: (StressTests.attacker, 1),
      to: (StressTests.server, 9),
      timeToLive: 64, data: [1])
    Frames.set(0, at: 40, in: &frame)
    // 64,512 ports, the bystander's among them; 64 stay free.
    for index in 0..<64_447 {
      let port = 1024 + index
      Frames.set(port < 5000 ? port : port + 1, at: 34, in: &frame)
      try flood.send(frame, after: 1000)
    }
    var start = try flood.use()
    // Sixty a second, which live a second: every port they ask for is taken, sixty others are found.
    Frames.set(53, at: 36, in: &frame)
    frame[29] = 67
    Frames.fixHeader(&frame)
    for index in 0..<churn {
      // By then the pages of the indexes have been touched that so many random places are in.
      if index == churn / 2 { start = try flood.use() }
      Frames.set(1024 + index % 60_000, at: 34, in: &frame)
      try flood.send(frame, after: 17_000_000)
    }
    // And the refusals, of hosts that have nothing.
    let refused = Stress.count(20_000, full: 500_000)
    for index in 0..<refused {
      if index % 60_000 == 0 {
        frame[29] = UInt8(68 + index / 60_000)
        Frames.fixHeader(&frame)
      }
      Frames.set(1024 + index % 60_000, at: 34, in: &frame)
      try flood.send(frame, after: 1)
    }
    try expectBounded(flood, from: start, packets: churn / 2 + refused, kibibytes: 8192)
    let outcome = try flood.finish()
    // Those of the last second hold 59 of the 64: five more were to be had.
    #expect(outcome.drops("portsExhausted") == refused - 5)
    #expect(outcome.number("bindings") == 64_512)
    #expect(outcome.events("bindingsCreated") == 64_448 + churn + 5)
  }

  // MARK: From outside

  @Test("FIL4 65,536 probes of every public port, UDP, SYN and ACK: nothing is made, nothing grows")
  func probes() throws {
    let count = Stress.count(8192, full: 65536)
    let flood = try Flood(
      .outside, nat: ["  unsolicited-syn: answer"], pause: UInt64(count) * 3 * 10_000 / 1000)
    let gateway = (Frames.publicAddress, UInt16(1))
    var frames = [
      Frames.udp(
        EthernetFrame.gatewayOutside, Frames.router, from: (StressTests.server, 9), to: gateway,
        timeToLive: 64,
        data: [1]),
      Frames.tcp(
        EthernetFrame.gatewayOutside, Frames.router, from: (StressTests.server, 9), to: gateway, flags: 2),
      Frames.tcp(
        EthernetFrame.gatewayOutside, Frames.router, from: (StressTests.server, 9), to: gateway, flags: 16),
    ]
    let start = try flood.use()
    for port in 0..<count {
      for kind in frames.indices {
        Frames.set(port, at: 36, in: &frames[kind])
        try flood.send(frames[kind], after: 10_000)
      }
    }
    try expectBounded(flood, from: start, packets: 3 * count, kibibytes: 1024)
    let outcome = try flood.finish()
    // The bystander's own port alone has a binding, for UDP.
    #expect(outcome.drops("filtered") == 1)
    #expect(outcome.drops("portZero") == 3)
    #expect(outcome.drops("noBinding") == 3 * count - 4)
    #expect(outcome.number("bindings") == 1 && outcome.number("sessions") == 1)
    #expect(outcome.events("bindingsCreated") == 1 && outcome.events("sessionsCreated") == 1)
  }

  @Test(
    "FR9 EX8 orphan fragments, ten thousand and again: memory is capped, other traffic loses nothing, RFC 4787 REQ-14a"
  )
  func orphans() throws {
    let count = Stress.count(10_000, full: 10_000)
    let rounds = Stress.count(2, full: 20)
    // A round takes 40 s, so that what waits has died when the next one comes.
    let flood = try Flood(.outside, nat: [], pause: UInt64(rounds) * 40_000_000_000 / 1000)
    var frame = Frames.ipv4(
      EthernetFrame.gatewayOutside, Frames.router, from: StressTests.server, to: Frames.publicAddress,
      protocolNumber: 17,
      timeToLive: 64, field: 0x2000 | 185, payload: [UInt8](repeating: 0x55, count: 1480))
    var start = try flood.use()
    for round in 0..<rounds {
      for index in 0..<count {
        Frames.set(index, at: 18, in: &frame)
        Frames.fixHeader(&frame)
        try flood.send(frame, after: 100_000)
      }
      // After the first round all that there is has been used.
      if round == 0 {
        let first = try flood.use()
        #expect(first.peak - start.peak < 40960, "\(first.peak - start.peak) KiB for 8 MiB and its books")
        start = first
      }
      try flood.send(
        Frames.tcp(
          EthernetFrame.gatewayOutside, Frames.router, from: (StressTests.server, 9),
          to: (Frames.publicAddress, 1),
          flags: 16),
        after: 39_000_000_000)
    }
    try expectBounded(flood, from: start, packets: max(1, (rounds - 1) * count), kibibytes: 1024)
    let outcome = try flood.finish()
    #expect(outcome.drops("fragmentDatagramLimit") == rounds * (count - 4096))
    #expect(outcome.drops("fragmentTimeout") == rounds * 4096)
    #expect(outcome.drops("noBinding") == rounds)
    #expect(outcome.number("bindings") == 1)
  }

  @Test(
    "MAL11 random bytes and damaged packets on both sides: no crash, no growth, and others notice nothing",
    arguments: [Flood.Side.inside, .outside])
  func noise(side: Flood.Side) throws {
    let count = Stress.count(60_000, full: 2_000_000)
    let flood = try Flood(
      side, nat: ["  filtering: endpoint-independent"], pause: UInt64(count) * 10_000 / 1000)
    let (own, mac) =
      side == .inside
      ? (EthernetFrame.gatewayInside, Frames.stranger) : (EthernetFrame.gatewayOutside, Frames.router)
    let (source, destination) =
      side == .inside
      ? (StressTests.attacker, StressTests.server) : (StressTests.server, Frames.publicAddress)
    // Whole packets of many kinds; what is damaged is not the Ethernet header, so that it is looked at.
    let whole = [
      Frames.udp(own, mac, from: (source, 4000), to: (destination, 53), timeToLive: 64, data: [1, 2, 3]),
      Frames.tcp(own, mac, from: (source, 4000), to: (destination, 443), flags: 2),
      Frames.ipv4(
        own, mac, from: source, to: destination, protocolNumber: 1, timeToLive: 64,
        payload: [8, 0, 0xF7, 0xFD, 0, 1, 0, 1]),
      Frames.ipv4(
        own, mac, from: source, to: destination, protocolNumber: 17, timeToLive: 64, field: 0x2000,
        payload: [15, 160, 0, 53, 0, 64, 0, 0] + [UInt8](repeating: 7, count: 24)),
      Frames.ipv4(
        own, mac, from: source, to: destination, protocolNumber: 17, timeToLive: 64, field: 4,
        payload: [UInt8](repeating: 7, count: 32)),
      Frames.ipv4(
        own, mac, from: source, to: destination, protocolNumber: 1, timeToLive: 64,
        payload: [3, 3, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0] + destination + source
          + [0, 53, 15, 160, 0, 8, 0, 0]),
    ]
    var random = Generator(seed: side == .inside ? 1 : 2)
    func next(_ bound: Int) -> Int { random.below(bound) }
    var start = try flood.use()
    for index in 0..<count {
      if index == count / 4 { start = try flood.use() }
      var frame: [UInt8]
      if next(8) == 0 {
        frame = own + mac + (0..<next(120)).map { _ in UInt8(next(256)) }
      } else {
        frame = whole[next(whole.count)]
        let length = frame.count
        for _ in 0...next(3) { frame[14 + next(length - 14)] = UInt8(next(256)) }
        if next(4) > 0 { Frames.fixHeader(&frame) }
        if next(16) == 0 { frame.removeLast(next(length - 14)) }
      }
      // Not in the bystanders' name.
      if frame.count >= 34, frame[26..<34].contains(200) { frame[29] = 1 }
      try flood.send(frame, after: 10_000)
    }
    try expectBounded(flood, from: start, packets: count * 3 / 4, kibibytes: 32768)
    let outcome = try flood.finish()
    let received =
      (outcome.stats[side == .inside ? "inside" : "outside"] as? [String: Any])?["packetsReceived"] as? Int
    #expect((received ?? 0) > count)
  }

  // MARK: Statics

  @Test("ST-14 among ten thousand statics a packet is found as quickly as among ten, RFC 4787 REQ-1")
  func statics() throws {
    let count = Stress.count(20_000, full: 500_000)
    func seconds(statics: Int) throws -> Double {
      let lines = (0..<statics).map {
        "  - { protocol: all, public: 198.18.\($0 / 250).\(1 + $0 % 250), private: 10.9.\($0 / 250).\(1 + $0 % 250) }"
      }
      let flood = try Flood(
        .outside,
        nat: ["  port-choice: preserve", "routes: [{ network: 10.9.0.0/16, via: 192.168.1.2 }]", "static:"]
          + lines,
        pause: UInt64(count) * 10_000 / 1000)
      var frame = Frames.udp(
        EthernetFrame.gatewayOutside, Frames.router, from: (StressTests.server, 9),
        to: ([198, 18, 0, 1], 53),
        timeToLive: 64, data: [1])
      var start = try flood.use()
      for index in 0..<count + count / 10 {
        if index == count / 10 { start = try flood.use() }
        let place = index % statics
        frame[32] = UInt8(place / 250)
        frame[33] = UInt8(1 + place % 250)
        Frames.fixHeader(&frame)
        try flood.send(frame, after: 10_000)
      }
      let use = try flood.use()
      let outcome = try flood.finish()
      #expect(outcome.number("sessions") == min(statics, count + count / 10) + 1)
      return use.processor - start.processor
    }
    let (few, many) = (try seconds(statics: 10), try seconds(statics: 10_000))
    print("stress: \(count) packets to statics, \(few) s among ten, \(many) s among ten thousand")
    // More lines of cache, yes; a thousand times as many comparisons, no.
    #expect(many < 10 * few + 0.5)
  }
}
