import NATEngine
import NATGateway
import NATTable
import NATWire
import Testing

/// Batches that the gateway cannot work on at one go.
@Suite struct BatchTests {
  /// UDP 192.168.1.2:`port` to 198.51.100.7:53 without a checksum and without DF.
  private static func datagram(from port: UInt16, payload: Int) -> [UInt8] {
    let length = UInt16(28 + payload)
    var header: [UInt8] = [
      0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 7, 0, 0, 64, 17, 0, 0, 192, 168, 1, 2, 198, 51,
      100, 7,
    ]
    var sum = stride(from: 0, to: 20, by: 2).reduce(UInt32(0)) {
      $0 + UInt32(header[$1]) << 8 + UInt32(header[$1 + 1])
    }
    while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
    header[10] = ~UInt8(sum >> 8)
    header[11] = ~UInt8(sum & 255)
    let datagram: [UInt8] = [
      UInt8(port >> 8), UInt8(port & 255), 0, 53, UInt8((length - 20) >> 8), UInt8((length - 20) & 255), 0, 0,
    ]
    return [2, 0x50, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 2, 8, 0] + header + datagram
      + [UInt8](repeating: 0, count: payload)
  }

  @Test("a batch that fills the outbox goes on with its own frames, however large the table has become")
  func tableGrowsWithinBatch() {
    let ports = UInt16(20_000)..<20_050
    var gate = Gate(batchBytes: 4 << 20) { settings in
      settings.outside.mtu = 576
      // Passed while the batch waits for the outbox: from then on frames are decoded before their turn.
      settings.sessionsWorthPrefetching = 8
    }
    // 552 bytes in each piece of 576, behind the UDP header: 60,008 bytes in 109 pieces, and all of them are more than
    // the outbox takes before it wants to be emptied.
    gate.receive(batch: ports.map { Self.datagram(from: $0, payload: 60_000) }, from: .inside)
    #expect(gate.gateway.translator.shard.counts.sessions == ports.count)
    let sent = gate.takeSent()
    #expect(sent.count == ports.count * 109)
    let firsts = sent.filter { $0.bytes[20] & 0x1F == 0 && $0.bytes[21] == 0 }
    #expect(firsts.map { UInt16($0.bytes[34]) << 8 | UInt16($0.bytes[35]) } == Array(ports))
    #expect(gate.counters.totalDrops == 0)
  }
}
