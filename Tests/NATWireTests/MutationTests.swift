import TestSupport
import Testing

@testable import NATWire

/// Valid packets damaged at random: whatever comes, there is an answer, and its offsets lie in the frame.
@Suite struct MutationTests {
  static let packets: [[UInt8]] = {
    var withOptions = PacketBytes.tcp(options: [2, 4, 5, 0xB4, 1, 3, 3, 7])
    withOptions.options = [7, 7, 4, 0, 0, 0, 0, 1]
    var first = PacketBytes.udp([UInt8](repeating: 1, count: 32))
    first.fragment = 0x2000
    var tagged = PacketBytes.udp().ethernet
    tagged.insert(contentsOf: [0x81, 0, 0, 0], at: 12)
    return [
      PacketBytes.udp().ethernet, PacketBytes.tcp(flags: 0x18, [1, 2, 3, 4, 5]).ethernet,
      withOptions.ethernet,
      PacketBytes.icmp(type: 8).ethernet,
      PacketBytes.icmp(type: 3, code: 4, rest: [0, 0, 5, 0xDC], DecodeTests.quote).ethernet,
      first.ethernet, tagged,
      Array(PacketBytes.udp().ethernet.prefix(12)) + [8, 6] + DecodeTests.arp,
    ]
  }()

  @Test("MAL11 damaged packets have an answer, and everything that is done to one stays inside it")
  func damage() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    var passed = 0
    for _ in 0..<60_000 {
      var bytes = random.pick(Self.packets)
      for _ in 0...random.below(4) {
        guard !bytes.isEmpty else { break }
        let index = random.below(bytes.count)
        switch random.below(6) {
        case 0: bytes[index] = UInt8(random.below(256))
        case 1: bytes[index] ^= 1 << UInt8(random.below(8))
        case 2: bytes.removeLast(min(bytes.count, random.below(8)))
        case 3: bytes.append(contentsOf: [UInt8](repeating: UInt8(random.below(256)), count: random.below(8)))
        case 4: bytes[index] = random.pick([0, 1, 0xFF, 0x45, 0x4F, 0x60])
        default: bytes.insert(UInt8(random.below(256)), at: index)
        }
      }
      // Most damage would end at the header's checksum: it is mended half the time.
      if random.percent(50), bytes.count >= 34 {
        let header = min(bytes.count - 14, max(20, Int(bytes[14] & 15) * 4))
        bytes.replaceSubrange(24..<26, with: [0, 0])
        bytes.replaceSubrange(
          24..<26, with: big(InternetChecksum.of(Array(bytes[14..<14 + header]))))
      }
      let buffer = Buffer(bytes)
      let link: LinkLayer = random.percent(90) ? .ethernet : .rawIP
      let (outcome, decoded) = buffer.decode(link: link, wireLength: bytes.count + random.pick([0, 0, 10]))
      guard case .ipv4 = outcome else { continue }
      passed += 1
      var packet = decoded
      let isSound =
        packet.frame.count == 14 + packet.totalLength && packet.headerLength >= 20
        && packet.transportOffset + packet.transportHeaderLength <= packet.frame.count
      #expect(isSound, "seed \(seed): \(bytes)")
      if packet.kind == .tcp {
        _ = packet.frame.clampMaximumSegmentSize(
          to: 536, tcpAt: packet.transportOffset, headerLength: packet.transportHeaderLength)
      }
      var delta = ChecksumDelta()
      delta.replace(packet.source, with: packet.destination)
      packet.carryIntoTransportChecksum(delta, pseudoHeader: delta)
      if random.percent(30), !packet.isFragment {
        packet.hasPartialChecksum = packet.kind == .tcp || packet.kind == .udp
      }
      packet.completePartialChecksum()
      packet.frame.setEthernet(destination: .broadcast, source: .broadcast, type: Ethernet.typeIPv4)
    }
    #expect(passed > 1000)
  }

  @Test("random bytes have an answer")
  func noise() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    for _ in 0..<20_000 {
      var bytes = (0..<random.below(80)).map { _ in UInt8(random.below(256)) }
      if random.percent(80), !bytes.isEmpty { bytes[0] = 0x45 }
      let buffer = Buffer(bytes)
      for link in [LinkLayer.ethernet, .rawIP] {
        let (outcome, packet) = buffer.decode(link: link)
        if case .ipv4 = outcome { #expect(packet.totalLength <= bytes.count, "seed \(seed)") }
      }
    }
  }
}
