import TestSupport
import Testing

@testable import NATWire

@Suite struct ChecksumTests {
  @Test("CS4 the sum over every length to 70 at every offset is the slow one's, whatever lies around")
  func sums() {
    var random = Generator(seed: 4)
    let contents: [[UInt8]] = [
      (0..<90).map { _ in UInt8(random.below(256)) }, [UInt8](repeating: 0xFF, count: 90),
      [UInt8](repeating: 0, count: 90), (0..<90).map { UInt8($0 % 2 == 0 ? 0 : 0xFF) },
    ]
    for bytes in contents {
      let buffer = Buffer(bytes)
      for offset in 0..<17 {
        for length in 0...70 {
          let expected = InternetChecksum.sum(Array(bytes[offset..<offset + length]))
          let sum = buffer.frame.sum(from: offset, count: length).folded
          #expect(
            sum == expected || (sum % 0xFFFF == 0 && expected % 0xFFFF == 0 && (sum == 0) == (expected == 0)))
          #expect(sum == expected, "\(length) bytes from \(offset) on")
        }
      }
    }
  }

  @Test("RFC 1071 section 3: the example's sum is ddf2")
  func example() {
    let buffer = Buffer([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7])
    #expect(buffer.frame.sum(from: 0, count: 8).folded == 0xDDF2)
    #expect(buffer.frame.sum(from: 0, count: 8).checksum == 0x220D)
  }

  @Test("a sum of 65,535 bytes of ones does not lose its carries")
  func longest() {
    let buffer = Buffer([UInt8](repeating: 0xFF, count: 65535))
    // 32,767 words of ones, which are nothing, and ff00.
    #expect(buffer.frame.sum(from: 0, count: 65535).folded == 0xFF00)
  }

  /// Words at the edges of ones' complement, or any.
  private func word(_ random: inout Generator) -> UInt16 {
    random.percent(40)
      ? random.pick([0, 0xFFFF, 1, 0xFFFE, 0x8000, 0x7FFF]) : UInt16(truncatingIfNeeded: random.next())
  }

  @Test(
    "CS1 CS2 CS3 RFC 1624 a change carried into the checksum is the checksum of the changed words, 200,000 times"
  )
  func deltas() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    var differences = 0
    for _ in 0..<200_000 {
      var words = (0..<6).map { _ in word(&random) }
      // As in every real header some word is not zero.
      words[5] |= 1
      func sum() -> UInt64 { words.reduce(0) { $0 + UInt64($1) } }
      let before = ChecksumSum(sum()).checksum
      var delta = ChecksumDelta()
      let address = IPv4Address(UInt32(words[0]) << 16 | UInt32(words[1]))
      words[0] = word(&random)
      words[1] = word(&random)
      delta.replace(address, with: IPv4Address(UInt32(words[0]) << 16 | UInt32(words[1])))
      var ports = ChecksumDelta()
      let port = words[2]
      words[2] = word(&random)
      ports.replace(port, with: words[2])
      delta.add(ports)
      let after = ChecksumSum(sum()).checksum
      if delta.applied(to: before) != after { differences += 1 }
      // UDP: 0 says that there is none, and what comes out as 0 is written as ffff.
      if delta.appliedUDP(to: 0) != 0 { differences += 1 }
      let udp = delta.appliedUDP(to: before == 0 ? 0xFFFF : before)
      if udp != (after == 0 ? 0xFFFF : after) { differences += 1 }
    }
    #expect(differences == 0, "seed \(seed)")
  }

  @Test("CS3 a checksum carried through 200,000 different ports and back does not drift")
  func drift() {
    for start in [0x0000, 0xFFFF, 0x1234] as [UInt16] {
      var checksum = start
      var port: UInt16 = 0
      for number in 1...200_000 {
        let next = UInt16(truncatingIfNeeded: number &* 7919)
        var delta = ChecksumDelta()
        delta.replace(port, with: next)
        checksum = delta.applied(to: checksum)
        port = next
      }
      var delta = ChecksumDelta()
      delta.replace(port, with: 0)
      checksum = delta.applied(to: checksum)
      // The two zeros of ones' complement are one number.
      #expect(checksum % 0xFFFF == start % 0xFFFF)
    }
  }

  @Test("CS5 a wrong checksum stays wrong by as much")
  func wrongStaysWrong() {
    var random = Generator(seed: 5)
    for _ in 0..<1000 {
      let (port, other, right, error) = (word(&random), word(&random), word(&random), word(&random))
      var delta = ChecksumDelta()
      delta.replace(port, with: other)
      let moved = ChecksumSum(UInt64(right) + UInt64(error)).folded
      let expected = ChecksumSum(UInt64(delta.applied(to: right)) + UInt64(error)).folded
      #expect(delta.applied(to: moved) % 0xFFFF == expected % 0xFFFF)
    }
  }

  // MARK: Segments

  /// Whether a transport's checksum adds up over its pseudo-header.
  private func addsUp(_ packet: Packet) -> Bool {
    var sum = Frame.pseudoHeaderSum(
      source: packet.source, destination: packet.destination, protocolNumber: packet.protocolNumber,
      length: packet.transportLength)
    sum.value += packet.frame.sum(from: packet.transportOffset, count: packet.transportLength).value
    return sum.folded == 0xFFFF
  }

  @Test("CS8 TCP20 the MSS option is lowered at even and odd places, and the checksum follows")
  func clamp() {
    let tables: [(options: [UInt8], limit: UInt16, expected: [UInt8]?)] = [
      ([2, 4, 0x05, 0xB4], 1400, [2, 4, 0x05, 0x78]),
      ([1, 2, 4, 0x05, 0xB4, 0, 0, 0], 1400, [1, 2, 4, 0x05, 0x78, 0, 0, 0]),
      ([1, 1, 1, 2, 4, 0xFF, 0xFF, 0], 536, [1, 1, 1, 2, 4, 0x02, 0x18, 0]),
      ([3, 3, 7, 2, 4, 0x05, 0xB4, 0], 1400, [3, 3, 7, 2, 4, 0x05, 0x78, 0]),
      ([2, 4, 0x05, 0x00], 1400, nil),
      ([2, 4, 0x05, 0x78], 1400, nil),
      ([], 1400, nil),
      // The first above the limit is lowered, and only that.
      (
        [2, 4, 0x02, 0x00, 2, 4, 0x05, 0xB4, 2, 4, 0x05, 0xB4], 1400,
        [2, 4, 0x02, 0x00, 2, 4, 0x05, 0x78, 2, 4, 0x05, 0xB4]
      ),
      // TCP21: nothing behind the end, behind a bad length, beyond the header, or of another length.
      ([0, 2, 4, 0x05, 0xB4, 0, 0, 0], 1400, nil),
      ([5, 0, 2, 4, 0x05, 0xB4, 0, 0], 1400, nil),
      ([5, 1, 2, 4, 0x05, 0xB4, 0, 0], 1400, nil),
      ([5, 200, 2, 4, 0x05, 0xB4, 0, 0], 1400, nil),
      ([1, 1, 2, 4], 0, nil),
      ([1, 1, 1, 2], 0, nil),
      ([2, 3, 0xFF, 0], 0, nil),
      ([2, 5, 0xFF, 0xFF, 0xFF, 0, 0, 0], 0, nil),
    ]
    for row in tables {
      let buffer = Buffer(PacketBytes.tcp(options: row.options).ipv4)
      let (_, packet) = buffer.decode()
      #expect(packet.kind == .tcp && addsUp(packet))
      let delta = packet.frame.clampMaximumSegmentSize(
        to: row.limit, tcpAt: packet.transportOffset, headerLength: packet.transportHeaderLength)
      #expect((delta != nil) == (row.expected != nil), "\(row.options)")
      if let delta { packet.carryIntoTransportChecksum(delta, pseudoHeader: ChecksumDelta()) }
      #expect(Array(buffer.bytes[40...]) == row.expected ?? row.options)
      #expect(addsUp(packet), "\(row.options)")
    }
  }

  private func partial(_ packet: PacketBytes, fieldAt offset: Int) -> PacketBytes {
    var packet = packet
    packet.payload.replaceSubrange(offset..<offset + 2, with: [0, 0])
    packet.payload.replaceSubrange(
      offset..<offset + 2, with: big(InternetChecksum.sum(packet.pseudoHeader)))
    return packet
  }

  @Test(
    "CS7 a field that holds the sum of the pseudo-header is partial, and is completed after a change of endpoints"
  )
  func partialChecksums() {
    for data in [[], [1], [1, 2, 3], [UInt8](repeating: 0xAB, count: 1460)] as [[UInt8]] {
      for (whole, offset) in [(PacketBytes.udp(data), 6), (PacketBytes.tcp(flags: 0x18, data), 16)] {
        let right = Buffer(whole.ipv4).decode().packet
        #expect(!right.hasPartialChecksum)
        let buffer = Buffer(partial(whole, fieldAt: offset).ipv4)
        var (_, packet) = buffer.decode()
        #expect(packet.hasPartialChecksum)
        let shared = IPv4Address(203, 0, 113, 5)
        var addresses = ChecksumDelta()
        addresses.replace(packet.source, with: shared)
        var all = addresses
        all.replace(packet.sourcePort, with: 50001)
        packet.frame.setAddress(shared, at: Packet.networkOffset + IPv4.sourceOffset)
        packet.frame.setUInt16(50001, at: packet.transportOffset)
        packet.source = shared
        packet.carryIntoTransportChecksum(all, pseudoHeader: addresses)
        packet.completePartialChecksum()
        #expect(addsUp(packet) && !packet.hasPartialChecksum)
        if packet.kind == .udp { #expect(packet.frame.uint16(at: packet.transportOffset + 6) != 0) }
      }
    }
  }

  @Test("CS7 a right checksum that happens to equal the pseudo-header's sum is not partial")
  func rightByChance() {
    // The segment's own words add up to what makes the field, as it stands, right.
    var packet = PacketBytes.udp([0, 0])
    packet = partial(packet, fieldAt: 6)
    let field = InternetChecksum.sum(packet.pseudoHeader)
    let rest = InternetChecksum.sum(packet.pseudoHeader + packet.payload)
    packet.payload.replaceSubrange(8..<10, with: big(0xFFFF - rest))
    #expect(packet.payload[6] == UInt8(field >> 8))
    let decoded = Buffer(packet.ipv4).decode().packet
    #expect(addsUp(decoded))
    #expect(!decoded.hasPartialChecksum)
  }

  @Test("CS2 a completed UDP checksum of 0 is written as ffff")
  func completedZero() {
    var packet = partial(PacketBytes.udp([0, 0]), fieldAt: 6)
    // Data that make the sum over pseudo-header and segment ffff, with the field counted as 0.
    var open = packet
    open.payload.replaceSubrange(6..<8, with: [0, 0])
    let sum = InternetChecksum.sum(open.pseudoHeader + open.payload)
    packet.payload.replaceSubrange(8..<10, with: big(0xFFFF - sum))
    let buffer = Buffer(packet.ipv4)
    var decoded = buffer.decode().packet
    #expect(decoded.hasPartialChecksum)
    decoded.completePartialChecksum()
    #expect(decoded.frame.uint16(at: decoded.transportOffset + 6) == 0xFFFF)
  }

  @Test("CS1 CS2 a UDP datagram without a checksum keeps none")
  func noChecksum() {
    var packet = PacketBytes.udp()
    packet.payload.replaceSubrange(6..<8, with: [0, 0])
    let decoded = Buffer(packet.ipv4).decode().packet
    #expect(!decoded.hasPartialChecksum)
    var delta = ChecksumDelta()
    delta.replace(decoded.sourcePort, with: 9)
    decoded.carryIntoTransportChecksum(delta, pseudoHeader: ChecksumDelta())
    #expect(decoded.frame.uint16(at: decoded.transportOffset + 6) == 0)
  }
}
