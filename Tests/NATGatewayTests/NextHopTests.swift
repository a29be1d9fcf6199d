import NATEngine
import NATTable
import NATWire
import TestSupport
import Testing

@testable import NATGateway

/// Next hops that have to be asked for, as a live gateway does: addresses and times are those of ``Gate``.
@Suite struct NextHopTests {
  private static let second: UInt64 = 1_000_000_000
  private static let gatewayMAC: [UInt8] = [0x52, 0x54, 0, 0, 0, 0x99]
  private static let insideMAC: [UInt8] = [2, 0x50, 0, 0, 0, 1]
  private static let outsideMAC: [UInt8] = [2, 0x50, 0, 0, 0, 2]

  private static func gate() -> Gate { Gate { $0.asksForNextHops = true } }

  /// ARP for Ethernet and IPv4, written out field by field.
  private static func arp(
    _ operation: UInt8, from sender: ([UInt8], [UInt8]), to target: ([UInt8], [UInt8]), _ destination: [UInt8]
  ) -> [UInt8] {
    destination + sender.0 + [8, 6, 0, 1, 8, 0, 6, 4, 0, operation] + sender.0 + sender.1 + target.0
      + target.1
  }

  private static let everybody: [UInt8] = [255, 255, 255, 255, 255, 255]
  private static let request = arp(
    1, from: (outsideMAC, [203, 0, 113, 5]), to: ([0, 0, 0, 0, 0, 0], [203, 0, 113, 1]), everybody)
  private static let reply = arp(
    2, from: (gatewayMAC, [203, 0, 113, 1]), to: (outsideMAC, [203, 0, 113, 5]), outsideMAC)

  @Test("FW9 the first packets wait for their next hop, which is asked for once, and leave in order")
  func firstPacketsWait() {
    var gate = Self.gate()
    gate.receive(Gate.datagram, from: .inside)
    var second = Gate.datagram
    second[45] = 9
    gate.receive(second, from: .inside)
    #expect(gate.takeSent().map(\.bytes) == [Self.request])
    gate.receive(Self.reply, from: .outside)
    let sent = gate.takeSent()
    #expect(sent.map(\.side) == [.outside, .outside])
    #expect(
      sent.map { Array($0.bytes[0..<12]) } == [
        Self.gatewayMAC + Self.outsideMAC, Self.gatewayMAC + Self.outsideMAC,
      ])
    #expect(sent.map { $0.bytes[45] } == [4, 9])
    // The next one has nothing to wait for.
    gate.receive(Gate.datagram, from: .inside)
    #expect(gate.takeSent().map { Array($0.bytes[0..<6]) } == [Self.gatewayMAC])
    #expect(gate.counters.totalDrops == 0)
  }

  @Test(
    "FW9 RC3 the neighbours of a side are forgotten when its interface comes back, those of the other stay")
  func forgotten() {
    var gate = Self.gate()
    gate.receive(Gate.datagram, from: .inside)
    gate.receive(Self.reply, from: .outside)
    _ = gate.takeSent()
    gate.gateway.forgetNeighbours(on: .inside)
    gate.receive(Gate.datagram, from: .inside)
    #expect(gate.takeSent().map { Array($0.bytes[0..<6]) } == [Self.gatewayMAC])
    gate.gateway.forgetNeighbours(on: .outside)
    gate.receive(Gate.datagram, from: .inside)
    #expect(gate.takeSent().map(\.bytes) == [Self.request])
    let other: [UInt8] = [0x52, 0x54, 0, 0, 0, 0x77]
    gate.receive(
      Self.arp(
        2, from: (other, [203, 0, 113, 1]), to: (Self.outsideMAC, [203, 0, 113, 5]), Self.outsideMAC),
      from: .outside)
    #expect(gate.takeSent().map { Array($0.bytes[0..<6]) } == [other])
  }

  @Test("FW8 what is for an address of the machine's own is left to its kernel: nobody is asked who has it")
  func machine() {
    var gate = Self.gate()
    // On the wire inside, where the host is a neighbour; and far away.
    let neighbour = IPv4Address(192, 168, 1, 254)
    for destination in [neighbour, Gate.server] {
      let datagram = Gate.datagram(to: destination)
      gate.receive(datagram, from: .inside)
      #expect(gate.takeSent().count == 1)
      gate.gateway.setMachineAddresses([IPv4Address(10, 0, 0, 1), destination, Gate.publicAddress])
      gate.receive(datagram, from: .inside)
      #expect(gate.takeSent().isEmpty)
      // What the gateway has too stays the gateway's.
      gate.receive(Gate.datagram(to: Gate.publicAddress), from: .inside)
      gate.gateway.setMachineAddresses([])
    }
    #expect(gate.counters.events(.leftToKernel) == 2)
    #expect(gate.counters.drops(.noBinding) == 2 && gate.counters.totalDrops == 2)
  }

  @Test(
    "FW9 FW10 a next hop that does not answer three requests a second apart: 3/1 about the packet as it came")
  func silentNextHop() {
    var gate = Self.gate()
    gate.receive(Gate.datagram, from: .inside)
    let asked = gate.takeSent()[0].nanoseconds
    for _ in 0..<8 { gate.wait(nanoseconds: Self.second / 2) }
    let sent = gate.takeSent()
    #expect(sent.count == 3)
    #expect(sent.prefix(2).map(\.bytes) == [Self.request, Self.request])
    #expect(sent.map { ($0.nanoseconds - asked) / Self.second } == [1, 2, 3])
    let error = sent[2]
    #expect(error.side == .inside && Array(error.bytes[0..<12]) == [0x52, 0x54, 0, 0, 0, 2] + Self.insideMAC)
    #expect(Array(error.bytes[34..<36]) == [3, 1])
    #expect(Array(error.bytes[26..<34]) == [192, 168, 1, 1, 192, 168, 1, 2])
    #expect(Array(error.bytes[42...]) == Array(Gate.datagram[14...]))
    #expect(gate.counters.drops(.nextHopUnreachable) == 1 && gate.counters.totalDrops == 1)
  }

  @Test("FW9 no more than sixteen frames wait for one next hop")
  func boundedQueue() {
    var gate = Self.gate()
    for _ in 0..<20 { gate.receive(Gate.datagram, from: .inside) }
    #expect(gate.counters.drops(.nextHopQueueFull) == 4)
    _ = gate.takeSent()
    gate.receive(Self.reply, from: .outside)
    #expect(gate.takeSent().count == 16)
  }

  @Test("FW9 a packet that its next hop's full queue refuses has passed all questions: its session is made")
  func sessionBehindFullQueue() {
    var gate = Self.gate()
    for port in UInt8(0)..<20 {
      var datagram = Gate.datagram
      datagram[35] = port
      gate.receive(datagram, from: .inside)
    }
    #expect(gate.counters.drops(.nextHopQueueFull) == 4)
    #expect(gate.gateway.translator.shard.counts.sessions == 20)
  }

  @Test(
    "FW9 a neighbour that is silent for half a minute is asked again while its old MAC is used, then forgotten"
  )
  func staleNeighbour() {
    var gate = Self.gate()
    gate.receive(Self.reply, from: .outside)
    gate.receive(Gate.datagram, from: .inside)
    #expect(gate.takeSent().map { Array($0.bytes[0..<6]) } == [Self.gatewayMAC])
    gate.wait(nanoseconds: 29 * Self.second)
    gate.receive(Gate.datagram, from: .inside)
    #expect(gate.takeSent().count == 1)
    gate.wait(nanoseconds: 2 * Self.second)
    gate.receive(Gate.datagram, from: .inside)
    let sent = gate.takeSent().map(\.bytes)
    #expect(sent.count == 2 && sent[0] == Self.request && Array(sent[1][0..<6]) == Self.gatewayMAC)
    for _ in 0..<4 { gate.wait(nanoseconds: Self.second) }
    #expect(gate.takeSent().map(\.bytes) == [Self.request, Self.request])
    gate.receive(Gate.datagram, from: .inside)
    #expect(gate.takeSent().map(\.bytes) == [Self.request])
    #expect(gate.counters.totalDrops == 0)
  }

  @Test("FW9 another MAC for a known neighbour is followed at once")
  func changedMAC() {
    var gate = Self.gate()
    gate.receive(Self.reply, from: .outside)
    gate.receive(Gate.datagram, from: .inside)
    _ = gate.takeSent()
    let other: [UInt8] = [0x52, 0x54, 0, 0, 0, 0x77]
    let none: [UInt8] = [0, 0, 0, 0, 0, 0]
    gate.receive(
      Self.arp(1, from: (other, [203, 0, 113, 1]), to: (none, [203, 0, 113, 1]), Self.everybody),
      from: .outside)
    gate.receive(Gate.datagram, from: .inside)
    #expect(gate.takeSent().map { Array($0.bytes[0..<6]) } == [other])
  }

  @Test("ST-13 the inside address is announced inside, public ones outside")
  func announcements() {
    var gate = Gate {
      $0.asksForNextHops = true
      $0.table.pool.append(PoolAddress(IPv4Address(203, 0, 113, 6), ports: [1024...2047]))
    }
    gate.announce()
    let none: [UInt8] = [0, 0, 0, 0, 0, 0]
    let sent = gate.takeSent()
    #expect(
      sent.filter { $0.side == .inside }.map(\.bytes) == [
        Self.arp(1, from: (Self.insideMAC, [192, 168, 1, 1]), to: (none, [192, 168, 1, 1]), Self.everybody)
      ])
    let outside = sent.filter { $0.side == .outside }.map(\.bytes).sorted { $0[31] < $1[31] }
    #expect(
      outside
        == [5, 6].map {
          Self.arp(
            1, from: (Self.outsideMAC, [203, 0, 113, $0]), to: (none, [203, 0, 113, $0]), Self.everybody)
        })
  }

  @Test("a replay asks nobody: the placeholder is written")
  func placeholder() {
    var gate = Gate()
    gate.receive(Gate.datagram, from: .inside)
    #expect(gate.takeSent().map { Array($0.bytes[0..<6]) } == [[2, 0, 0, 0, 0, 2]])
  }
}
