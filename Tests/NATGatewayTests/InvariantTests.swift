import NATEngine
import NATTable
import NATWire
import TestSupport
import Testing

@testable import NATGateway

#if DEBUG
/// What a debug build checks after every packet is seen when it is broken.
@Suite struct InvariantTests {
  @Test("a well-formed packet, a malformed frame and ARP leave the accounts even")
  func evenAccounts() throws {
    var gate = Gate()
    gate.receive(Gate.datagram, from: .inside)
    gate.receive([UInt8](repeating: 7, count: 9), from: .inside)
    gate.receive(Gate.arpRequest, from: .inside)
    gate.receive(Gate.datagram, from: .outside)
    #expect(gate.gateway.framesWithoutEnd == 0)
    #expect(gate.counters.totalDrops == 2)
    #expect(gate.counters.drops(.frameTooShort) == 1 && gate.counters.drops(.notForUs) == 1)
    #expect(gate.counters.side(.outside).packetsSent == 1 && gate.counters.side(.inside).packetsSent == 1)
  }

  @Test("a gateway may start with counters that count already")
  func startedCounters() {
    var gate = Gate(dropsBefore: 3)
    gate.receive(Gate.datagram, from: .inside)
    #expect(gate.gateway.framesWithoutEnd == -3)
  }

  @Test("a packet that is counted twice ends the process")
  func countedTwice() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var gate = Gate()
      gate.receive(Gate.datagram, from: .inside)
      gate.counters.countDrop(.noRoute)
      gate.receive(Gate.datagram, from: .inside)
    }
    expect(result, says: "-1 frames more received than forwarded, answered, held or dropped")
  }

  @Test("a packet that has no end ends the process")
  func countedNowhere() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var gate = Gate()
      gate.counters.countReceived(.inside, bytes: 60)
      gate.receive(Gate.datagram, from: .inside)
    }
    expect(result, says: "1 frames more received than forwarded, answered, held or dropped")
  }

  @Test("a private source leaves outside only towards an exempt destination")
  func sources() {
    let gate = Gate()
    func leaks(_ source: IPv4Address, _ destination: IPv4Address, to side: Side = .outside) -> Bool {
      withFrame(Gate.datagram) {
        $0.setAddress(source, at: 26)
        $0.setAddress(destination, at: 30)
        return gate.gateway.leaksSource($0, to: InterfaceIndex(side))
      }
    }
    let exempt = IPv4Address(172, 16, 0, 9)
    #expect(!leaks(Gate.publicAddress, Gate.server))
    #expect(leaks(Gate.host, Gate.server))
    #expect(!leaks(Gate.host, Gate.server, to: .inside))
    #expect(!leaks(Gate.host, exempt))
    // Neither ours nor inside: it cannot have come from here.
    #expect(leaks(Gate.server, Gate.server))
    #expect(leaks(Gate.server, exempt))
    #expect(leaks(IPv4Address(192, 168, 1, 1), Gate.server))
  }

  @Test("a private source on its way out ends the process")
  func leakingSource() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let gate = Gate()
      var outbox = Outbox()
      withFrame(Gate.datagram) {
        gate.gateway.sendOnInterface(
          OutgoingFrame($0, .arp), .outside, to: .broadcast, at: Instant(nanoseconds: 1), &outbox)
      }
    }
    expect(result, says: "from 192.168.1.2 to the outside")
  }

  @Test("state behind a malformed packet, an ARP packet or a dropped packet ends the process")
  func stateOfNothing() async {
    let ofFault = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      Gate.makeState(behind: .fault(.badIPv4Checksum))
    }
    expect(ofFault, says: "a frame that is no IPv4 packet made state")
    let ofARP = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      Gate.makeState(behind: .arp)
    }
    expect(ofARP, says: "a frame that is no IPv4 packet made state")
    let ofDrop = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      Gate.makeState(behind: .ipv4)
    }
    expect(ofDrop, says: "a dropped packet made state")
  }

  @Test("a packet that passes may make state")
  func stateOfPassing() {
    var gate = Gate()
    let before = gate.gateway.before
    gate.receive(Gate.datagram, from: .inside)
    gate.gateway.checkEnd(of: .ipv4, before)
    #expect(gate.gateway.translator.shard.counts.sessionsCreated == before.table.sessionsCreated + 1)
  }

  private func expect(
    _ result: ExitTest.Result?, says message: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains(message), "it said: \(text)", sourceLocation: sourceLocation)
  }
}
#endif
