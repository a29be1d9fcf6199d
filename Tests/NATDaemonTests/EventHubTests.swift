import NATControl
import NATEngine
import NATGateway
import Testing

@testable import NATDaemon

/// Events of what runs out.
@Suite struct EventHubTests {
  @Test(
    "SH9 a limit that refused packets is one event with their number, told once; ports that ran out another"
  )
  func limits() async throws {
    let bench = try Bench()
    let stream = try await bench.control.events()
    // As the gateway counts, on its worker.
    func refuse(_ reason: DropReason, _ count: Int) async {
      _ = await bench.mailbox.perform { pipeline, _ in
        for _ in 0..<count { pipeline.gateway.counters.countDrop(reason) }
      }
    }
    await refuse(.hostSessionLimit, 3)
    var seen: [String] = []
    for await event in stream {
      seen.append("\(event.kind) \(event.reason ?? "") \(event.count ?? 0)")
      // At the next look, a second later.
      if seen.count == 1 { await refuse(.portsExhausted, 2) }
      if seen.count == 2 { break }
    }
    #expect(seen == ["limit hostSessionLimit 3", "exhaustion portsExhausted 2"])
    await bench.stop()
  }
}
