import NATEngine
import NATGateway
import NATTable
import NATWire
import TestSupport
import Testing

/// Batches that the gateway cannot work on at one go.
@Suite struct BatchTests {
  /// UDP 192.168.1.2:`port` to 198.51.100.7:53 without a checksum and without DF.
  private static func datagram(from port: UInt16, payload: Int) -> [UInt8] {
    var builder = PacketBuilder(
      "192.168.1.2", "198.51.100.7", .udp(port, 53, data: [UInt8](repeating: 0, count: payload)))
    builder.identification = 7
    builder.checksum = .none
    return EthernetFrame.bytes(
      to: EthernetFrame.gatewayInside, from: [0x52, 0x54, 0, 0, 0, 2], builder.bytes)
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
