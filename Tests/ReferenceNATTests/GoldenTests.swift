import ReferenceNAT
import TestSupport
import Testing

/// Central cases, whose output was computed apart from this code.
struct GoldenTests {
  private func expect(
    _ left: [ReferenceFrame], _ side: ReferenceSide, _ expected: [[UInt8]],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let matches = left.map(\.bytes) == expected && left.allSatisfy { $0.side == side }
    #expect(
      matches, "left:\n\(text(left))\n\nexpected:\n\(expected.map(describe).joined(separator: "\n\n"))",
      sourceLocation: sourceLocation)
  }

  @Test("the reference example of the interfaces page, both directions, MAP2 PA1 FW13")
  func referenceExample() {
    var nat = ReferenceNAT(
      .plain.with {
        $0.poolAsked = [.init(Host.publicAddress, [50001...60000])]
        $0.portChoice = .sequential
        $0.parity = false
      })
    expect(nat.giveFrame(Golden.exampleOneIn, on: .inside), .outside, [Golden.exampleOneOut])
    expect(nat.giveFrame(Golden.exampleTwoIn, on: .inside), .outside, [Golden.exampleTwoOut])
    expect(nat.giveFrame(Golden.exampleThreeIn, on: .inside), .outside, [Golden.exampleThreeOut])
    expect(nat.giveFrame(Golden.exampleAnswerIn, on: .outside), .inside, [Golden.exampleAnswerOut])
    let table = nat.table()
    #expect(
      table.map { "\($0.flow) \($0.privateEnd) \($0.publicEnd) \($0.sessions[0].state.rawValue)" } == [
        "tcp 192.168.1.2:1234 203.0.113.5:50001 established",
        "tcp 192.168.1.3:2345 203.0.113.5:50002 syn-sent",
        "udp 192.168.1.3:2345 203.0.113.5:50001 active",
      ])
    #expect(table[0].sessions[0].bytesOut == 44 && table[0].sessions[0].bytesIn == 40)
    #expect(nat.stats().outside.bytesSent == 58 + 45 + 54 && nat.counted.isEmpty)
  }

  @Test("a partial checksum is completed on output, CS7")
  func partialChecksum() {
    var nat = ReferenceNAT(.plain)
    expect(nat.giveFrame(Golden.partialIn, on: .inside), .outside, [Golden.partialOut])
  }

  @Test("an echo request to the outside address is answered, IQ6 IQ10")
  func echoAnswer() {
    var nat = ReferenceNAT(.plain)
    expect(nat.giveFrame(Golden.echoIn, on: .outside), .outside, [Golden.echoOut])
    #expect(nat.counted.isEmpty && nat.table().isEmpty)
  }

  @Test("TTL 1 is answered with 11/0 that quotes the packet as it came, and makes nothing, FW4 UT7")
  func timeExceeded() {
    var nat = ReferenceNAT(.plain)
    expect(nat.giveFrame(Golden.ttlIn, on: .inside), .inside, [Golden.ttlOut])
    #expect(nat.counted == ["ttlExceeded": 1] && nat.table().isEmpty)
  }

  @Test("DF above the outside MTU is answered with 3/4, 576 bytes in all, FR11")
  func packetTooBig() {
    var nat = ReferenceNAT(.plain.with { $0.outside.mtu = 1400 })
    let frame = Golden.bigHeader + (0..<1400).map { UInt8($0 & 255) }
    expect(nat.giveFrame(frame, on: .inside), .inside, [Golden.bigOut])
    #expect(nat.counted == ["packetTooBig": 1])
  }

  @Test("an error of a router reaches the host with its own packet quoted, IE1 IE3 IE17")
  func inboundError() {
    var nat = ReferenceNAT(.plain)
    nat.giveFrame(Golden.queryIn, on: .inside)
    let before = nat.table()
    expect(nat.giveFrame(Golden.errorIn, on: .outside), .inside, [Golden.errorOut])
    #expect(nat.table() == before)
    expect(nat.giveFrame(Golden.replyError, on: .inside), .outside, [Golden.replyErrorOut])
  }

  @Test("a hairpinned datagram shows its sender's public endpoint, HP1 HP12")
  func hairpin() {
    var nat = ReferenceNAT(.plain)
    nat.giveFrame(Golden.queryIn, on: .inside)
    nat.giveFrame(
      [UInt8](Golden.hairpinIn[..<6]) + [0x0A, 0, 0, 0, 0, 3, 8, 0]
        + Build.udp(.init(Host.two, 6000), .init(Host.server, 9)), on: .inside)
    expect(nat.giveFrame(Golden.hairpinIn, on: .inside), .inside, [Golden.hairpinOut])
    #expect(nat.stats().events.hairpins == 1)
    #expect(nat.table().flatMap(\.sessions).filter(\.hairpin).count == 2)
  }

  @Test("other transports over 1:1 by address, UDP-Lite's sum carried, FW7 CS9")
  func otherTransports() {
    var nat = ReferenceNAT(
      .plain.with { $0.statics = [.oneToOne(public: "203.0.113.6", private: "192.168.1.20")] })
    expect(nat.giveFrame(Golden.greIn, on: .inside), .outside, [Golden.greOut])
    expect(nat.giveFrame(Golden.liteIn, on: .inside), .outside, [Golden.liteOut])
  }

  @Test("an echo request to a 1:1 address reaches its host, IQ7 ST-1")
  func oneToOneEcho() {
    var nat = ReferenceNAT(
      .plain.with { $0.statics = [.oneToOne(public: "203.0.113.6", private: "192.168.1.20")] })
    #expect(nat.table().isEmpty)
    expect(nat.giveFrame(Golden.oneToOneIn, on: .outside), .inside, [Golden.oneToOneOut])
    #expect(nat.table().map(\.kind) == [.static] && nat.stats().events.bindingsCreated == 0)
  }

  @Test("fragments leave in order of offset, the last one held until the first came, FR2 FR3")
  func fragments() {
    var nat = ReferenceNAT(.plain)
    expect(nat.giveFrame(Golden.fragmentLast, on: .inside), .outside, [])
    expect(
      nat.giveFrame(Golden.fragmentFirst, on: .inside), .outside,
      [Golden.fragmentFirstOut, Golden.fragmentLastOut])
    #expect(nat.table()[0].sessions[0].packetsOut == 2 && nat.counted.isEmpty)
  }

  @Test("a datagram above the MTU without DF is split, only copied options go on, FR11 FR13")
  func split() {
    var nat = ReferenceNAT(.plain.with { $0.outside.mtu = 100 })
    expect(nat.giveFrame(Golden.splitIn, on: .inside), .outside, [Golden.splitFirst, Golden.splitLast])
  }

  @Test("an MSS option at an odd place is lowered, TCP20 CS8")
  func clamp() {
    var nat = ReferenceNAT(.plain.with { $0.outside.mtu = 1460 })
    expect(nat.giveFrame(Golden.mssIn, on: .inside), .outside, [Golden.mssOut])
  }

  @Test("ARP for a public address is answered on the outside alone, ST-13")
  func arp() {
    var nat = ReferenceNAT(.plain)
    expect(nat.giveFrame(Golden.arpIn, on: .outside), .outside, [Golden.arpOut])
    expect(nat.giveFrame(Golden.arpIn, on: .inside), .inside, [])
    #expect(nat.counted.isEmpty)
  }

  @Test("a pool without ports refuses with 3/13, once a second, EX2 EX3")
  func exhaustion() {
    var nat = ReferenceNAT(.plain.with { $0.poolAsked = [] })
    expect(nat.giveFrame(Golden.exampleTwoIn, on: .inside), .inside, [Golden.prohibitedOut])
    expect(nat.giveFrame(Golden.exampleTwoIn, on: .inside, at: second - 1), .inside, [])
    expect(nat.giveFrame(Golden.exampleTwoIn, on: .inside, at: second), .inside, [Golden.prohibitedOut])
    #expect(nat.counted == ["portsExhausted": 3])
  }

  @Test("an unsolicited SYN is answered after 6 s with 3/3, stamped with its due time, TCP16")
  func unsolicitedSYN() {
    let syn = Build.tcp(.init(Host.one, 4000), .init("198.51.100.99", 80), Flag.syn)
    var nat = ReferenceNAT(.plain)
    nat.give(syn, on: .inside)
    expect(nat.giveFrame(Golden.unsolicitedIn, on: .outside, at: second), .outside, [])
    expect(nat.giveFrame(Golden.unsolicitedIn, on: .outside, at: 2 * second), .outside, [])
    let left = nat.give(syn, on: .inside, at: 7 * second)
    #expect(left.count == 2 && left.map(\.nanoseconds) == [7 * second, 7 * second])
    expect(Array(left.prefix(1)), .outside, [Golden.unsolicitedOut])
    #expect(nat.counted == ["filtered": 2])
  }
}
