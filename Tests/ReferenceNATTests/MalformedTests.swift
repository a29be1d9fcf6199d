import ReferenceNAT
import TestSupport
import Testing

struct MalformedTests {
  private static let good = Build.frame(
    Build.tcp(.init(Host.one, 5000), .init(Host.server, 80), Flag.syn), on: .inside)
  private static let datagram = Build.frame(
    Build.udp(.init(Host.one, 5000), .init(Host.server, 80)), on: .inside)
  private static let ping = Build.frame(Build.icmp(Host.one, Host.server, 8), on: .inside)

  /// The frame with other bytes at a place of its IPv4 packet, the header checksum mended.
  private static func changed(_ frame: [UInt8], _ place: Int, _ bytes: [UInt8]) -> [UInt8] {
    var frame = frame
    frame.replaceSubrange(14 + place..<14 + place + bytes.count, with: bytes)
    frame.replaceSubrange(24..<26, with: [0, 0])
    let header = min(frame.count, 14 + max(20, Int(frame[14] & 15) * 4))
    frame.replaceSubrange(24..<26, with: big(InternetChecksum.of(Array(frame[14..<header]))))
    return frame
  }

  private static func withOptions(_ options: [UInt8]) -> [UInt8] {
    Build.frame(
      Build.ipv4(Host.one, Host.server, 17, [0, 1, 0, 2, 0, 8, 0, 0], options: options), on: .inside)
  }

  private static let cases: [(String, [UInt8])] = [
    ("frameTooShort", Array(good[..<13])),
    ("vlanTagged", good[..<12] + [0x81, 0, 0, 7] + good[12...]),
    ("ipv6", good[..<12] + [0x86, 0xDD] + good[14...]),
    ("unknownEtherType", good[..<12] + [0x88, 0xCC] + good[14...]),
    ("malformedARP", good[..<12] + [0x08, 0x06] + [UInt8](repeating: 0, count: 28)),
    ("malformedIPv4", changed(good, 0, [0x65])),
    ("malformedIPv4", changed(good, 0, [0x44])),
    ("malformedIPv4", changed(good, 2, [0, 19])),
    ("malformedIPv4", changed(good, 2, [0, 41])),
    ("malformedIPv4", changed(datagram, 6, [0x1F, 0xFF])),
    ("badIPv4Checksum", good[..<24] + [good[24] ^ 1] + good[25...]),
    ("badIPv4Options", withOptions([7, 1, 0, 0])),
    ("badIPv4Options", withOptions([7, 9, 0, 0])),
    ("badIPv4Options", withOptions([1, 1, 1, 7])),
    ("sourceRoute", withOptions([131, 3, 4, 0])),
    ("sourceRoute", withOptions([137, 3, 4, 0])),
    ("malformedTCP", changed(good, 32, [0x40])),
    ("malformedTCP", changed(good, 32, [0x60])),
    ("malformedUDP", changed(datagram, 24, [0, 7])),
    ("malformedUDP", changed(datagram, 24, [0, 12])),
    ("malformedICMP", changed(ping, 2, [0, 27])),
    ("badTCPFlags", changed(good, 33, [0])),
    ("badTCPFlags", changed(good, 33, [3])),
    ("badTCPFlags", changed(good, 33, [6])),
    ("portZero", changed(good, 22, [0, 0])),
    ("portZero", changed(datagram, 22, [0, 0])),
    ("badICMPChecksum", changed(ping, 20, [3])),
    ("notForUs", [0x02, 0x50, 0, 0, 0, 9] + good[6...]),
    ("notForUs", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] + good[6...]),
    ("invalidSource", changed(good, 12, [127, 0, 0, 1])),
    ("invalidSource", changed(good, 12, [203, 0, 113, 5])),
    ("invalidSource", changed(good, 12, [198, 51, 100, 7])),
    ("invalidDestination", changed(good, 16, [224, 0, 0, 1])),
    ("firstFragmentTooSmall", changed(changed(good, 6, [0x20, 0]), 2, [0, 28])),
    ("toGateway", changed(good, 16, [192, 168, 1, 1])),
    ("badEchoChecksum", changed(changed(ping, 16, [192, 168, 1, 1]), 24, [9])),
  ]

  @Test(
    "each malformed frame has its own reason, makes nothing and gets no answer, MAL1 to MAL10",
    arguments: cases)
  func reason(_ name: String, _ frame: [UInt8]) {
    var nat = ReferenceNAT(.plain)
    #expect(nat.giveFrame(frame, on: .inside).isEmpty)
    #expect(nat.counted == [name: 1], "\(describe(frame))")
    #expect(nat.table().isEmpty)
  }

  @Test("a capture cut short has a reason of its own, MAL10")
  func snapLength() {
    var nat = ReferenceNAT(.plain)
    for cut in [14, 20, 40] {
      nat.receive(
        Array(Self.good[..<cut]), wireLength: Self.good.count, on: .inside, ethernet: true, at: 0)
    }
    #expect(nat.counted == ["captureTruncated": 3])
  }

  @Test("a VLAN tag with identifier 0 and a trailer are taken off, raw records need no MAC")
  func layout() {
    var nat = ReferenceNAT(.plain)
    let tagged = nat.giveFrame(
      Self.good[..<12] + [0x81, 0, 0xE0, 0] + Self.good[12...] + [1, 2, 3], on: .inside)
    let packet = Array(Self.good[14...])
    nat.receive(packet, wireLength: packet.count, on: .inside, ethernet: false, at: 0)
    #expect(tagged.count == 1 && nat.sent.count == 2 && nat.sent[0] == nat.sent[1])
    #expect(nat.sent[0].bytes.count == Self.good.count)
  }

  @Test("wrong TCP and UDP checksums pass and stay wrong by as much; UDP 0 stays 0, CS1 CS5")
  func wrongChecksums() {
    for (wrong, isKept) in [([UInt8(0), 0], true), ([0x12, 0x34], false)] {
      var nat = ReferenceNAT(.plain)
      let right = nat.giveFrame(Self.datagram, on: .inside)[0].bytes
      let frame = Self.changed(Self.datagram, 26, wrong)
      let left = nat.giveFrame(frame, on: .inside)[0].bytes
      if isKept {
        #expect(Array(left[40...41]) == wrong)
      } else {
        func value(_ bytes: [UInt8]) -> Int { Int(bytes[40]) * 256 + Int(bytes[41]) }
        let before = (value(frame) - value(Self.datagram) + 0xFFFF) % 0xFFFF
        let after = (value(left) - value(right) + 0xFFFF) % 0xFFFF
        #expect(before == after)
      }
    }
  }

  @Test(
    "mutated and random frames never trap, no malformed packet makes state, and describe reads them all, MAL11"
  )
  func fuzz() {
    let seed = UInt64.random(in: 1...UInt64.max)
    var random = Generator(seed: seed)
    var nat = ReferenceNAT(
      .plain.with {
        $0.statics = [.oneToOne(public: "203.0.113.6", private: "192.168.1.2")]
        $0.filtering[.udp] = .endpointIndependent
        $0.outside.mtu = 576
      })
    let samples =
      [Self.good, Self.datagram, Self.ping, Golden.errorIn, Golden.replyError, Golden.splitIn, Golden.arpIn]
      + [
        Golden.fragmentFirst, Golden.fragmentLast, Golden.hairpinIn, Golden.liteIn, Golden.mssIn,
        Golden.echoIn,
      ]
    for round in 0..<8_000 {
      var frame = samples.randomElement(using: &random) ?? []
      for _ in 0..<Int.random(in: 0...4, using: &random) {
        let place = Int.random(in: 12..<frame.count, using: &random)
        frame[place] = UInt8.random(in: 0...255, using: &random)
      }
      if Int.random(in: 0..<8, using: &random) == 0 {
        frame = Array(frame[..<Int.random(in: 0...frame.count, using: &random)])
      }
      if frame.count >= 34, Int.random(in: 0..<4, using: &random) > 0 {
        let end = min(frame.count, 14 + max(20, Int(frame[14] & 15) * 4))
        frame.replaceSubrange(24..<26, with: [0, 0])
        frame.replaceSubrange(24..<26, with: big(InternetChecksum.of(Array(frame[14..<end]))))
      }
      let side: ReferenceSide = Bool.random(using: &random) ? .inside : .outside
      if frame.count >= 6 && side == .outside { frame[5] = 2 }
      let before = nat.sent.count
      nat.giveFrame(frame, on: side, at: UInt64(round) * 10_000_000)
      for left in nat.sent[before...] {
        let description = describe(left.bytes)
        // The invariant: no packet with a private source leaves on the outside.
        #expect(
          !(left.side == .outside && description.contains("ipv4 192.168.")
            && description.split(separator: "\n")[1].hasPrefix("ipv4 192.168.")),
          "seed \(seed)\n\(description)")
        #expect(!description.contains("malformed"), "seed \(seed)\n\(description)")
      }
      _ = describe(frame)
    }
    let stats = nat.stats()
    #expect(
      stats.events.sessionsCreated == stats.events.sessionsExpired + UInt64(stats.sessions), "seed \(seed)")
    #expect(stats.sessions > 0 && stats.drops.values.filter { $0 > 0 }.count > 15, "seed \(seed)")
  }
}
