import Foundation
import NATEngine
import NATGateway
import NATMemory
import NATTable
import NATWire
import Testing

/// The example of the page DriveAGateway.md, which this suite compares with the page and runs.
@Suite struct DriveAGatewayTests {
  // example
  struct Received {
    var time: Instant
    var interface: InterfaceIndex
    var frame: [UInt8]
  }

  func translate(_ received: [Received], send: (InterfaceIndex, [UInt8]) -> Void) {
    var table = TableSettings(pool: [PoolAddress(IPv4Address(203, 0, 113, 5), ports: [50001...60000])])
    table.policy = PoolPolicy(portChoice: .sequential, parity: false)
    let mac = GatewaySettings.defaultMAC
    var settings = GatewaySettings(
      [
        Interface(.inside, address: IPv4Address(192, 168, 1, 1), prefixLength: 24, mac: mac.inside),
        Interface(.outside, address: IPv4Address(203, 0, 113, 5), prefixLength: 24, mac: mac.outside),
      ],
      insideNetworks: [IPv4Network(IPv4Address(192, 168, 1, 0), prefixLength: 24)], table: table)
    let everywhere = IPv4Network(.any, prefixLength: 0)
    settings.routes = [StaticRoute(everywhere, via: IPv4Address(203, 0, 113, 1), on: .outside)]
    let counters = CounterStore()
    var gateway = Gateway(settings, counters: counters.counters, random: RandomSource(seed: 1))
    var batch = FrameBatch(maximumFrameLength: 2048)
    var outbox = Outbox()
    for packet in received {
      // Safety: `append` copies the bytes.
      unsafe packet.frame.withUnsafeBytes {
        unsafe batch.append(
          $0, wireLength: $0.count, at: packet.time, from: packet.interface, link: .ethernet)
      }
      while batch.processed < batch.count {
        gateway.process(&batch, into: &outbox)
        for index in 0..<outbox.count {
          let frame = outbox[index].frame
          send(outbox[index].interface, (0..<frame.count).map { frame.uint8(at: $0) })
        }
        outbox.removeAll()
      }
      batch.removeAll()
    }
  }
  // end of example

  @Test("the example of DriveAGateway.md is this code, and translates to 203.0.113.5:50001")
  func example() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(
      contentsOf: root.appending(path: "Sources/portico/portico.docc/DriveAGateway.md"), encoding: .utf8)
    let block = try #require(
      page.split(separator: "```swift\n").dropFirst().first?.split(separator: "```").first)
    let source = try String(contentsOf: URL(fileURLWithPath: #filePath), encoding: .utf8)
    let code = try #require(
      source.split(separator: "  // example\n").dropFirst().first?.split(separator: "  // end of example")
        .first)
    let unindented = code.split(separator: "\n", omittingEmptySubsequences: false).map { $0.dropFirst(2) }
    #expect(block == unindented.joined(separator: "\n"))

    // 192.168.1.2:1234 to 142.250.195.100:443, UDP without data and checksum.
    let udp: [UInt8] = [
      0x02, 0x50, 0, 0, 0, 1, 0x02, 0xAA, 0, 0, 0, 2, 0x08, 0x00,
      0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17, 0x26, 0xC8, 192, 168, 1, 2, 142, 250, 195, 100,
      0x04, 0xD2, 0x01, 0xBB, 0, 8, 0, 0,
    ]
    var sent: [Received] = []
    let start = Instant(nanoseconds: 1_000_000_000)
    translate([Received(time: start, interface: .inside, frame: udp)]) {
      sent.append(Received(time: start, interface: $0, frame: $1))
    }
    #expect(sent.count == 1 && sent[0].interface == .outside)
    #expect(sent[0].frame[26..<38] == [203, 0, 113, 5, 142, 250, 195, 100, 0xC3, 0x51, 0x01, 0xBB])
  }
}
