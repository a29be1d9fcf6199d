import NATConfiguration
import NATEngine
import NATTable
import NATWire
import TestSupport
import Testing

@testable import NATComposition
@testable import NATGateway

/// A gateway that shares its outside address with the kernel of its machine, and follows it.
@Suite struct HostAddressTests {
  private static let text = """
    interfaces:
      inside: { name: lan0, address: 192.168.1.1/24 }
      outside: { name: wan0, address: host }
    static: [{ protocol: tcp, public: host:8080, private: 192.168.1.10:80 }]

    """
  private static let first = Configuration.Machine(
    outside: Configuration.MachineAddress(
      IPv4Address(203, 0, 113, 5), prefixLength: 24, gateway: IPv4Address(203, 0, 113, 1)))
  private static let second = Configuration.Machine(
    outside: Configuration.MachineAddress(
      IPv4Address(198, 18, 7, 77), prefixLength: 23, gateway: IPv4Address(198, 18, 6, 1)))
  private static let h1 = IPv4Address(203, 0, 113, 5)
  private static let h2 = IPv4Address(198, 18, 7, 77)
  /// A private port of the pool's range, which is preserved.
  private static let c1 = Endpoint(IPv4Address(192, 168, 1, 2), 12_345)
  private static let s1 = Town.s1
  private static let s2 = Town.s2

  private func town(_ host: Configuration.Machine = first, _ more: String = "") throws -> Town {
    try Town(Self.text + more, host: host)
  }

  /// An ICMP message with an identifier from outside.
  private static func icmp(
    _ type: UInt8, _ identifier: UInt16, from source: IPv4Address, to destination: IPv4Address
  )
    -> [UInt8]
  {
    var frame = Town.packet(
      .icmp, 0, from: Endpoint(source, identifier), to: Endpoint(destination, 0), .outside)
    frame[34] = type
    InternetChecksum.write(to: &frame, at: 36, over: 34..<frame.count)
    return frame
  }

  @Test(
    "RC2 the outside address changes: its sessions end as address-changed, and new ones are seen under the new one at once"
  )
  func changes() throws {
    var town = try town()
    for port in UInt16(12_345)..<12_395 { town.send(from: Endpoint(Self.c1.address, port), to: Self.s1) }
    let before = town.send(.tcp, from: Self.c1, to: Self.s1)
    #expect(before == [.init(side: .outside, source: Endpoint(Self.h1, 12_345), destination: Self.s1)])
    let ended = town.follow(Self.second).ended
    #expect(ended.sessions == 51 && ended.bindings == 51)
    #expect(Set(ended.listed.map(\.reason.name)) == ["address-changed"])
    #expect(town.send(from: Self.s1, to: Endpoint(Self.h1, 12_345), .outside) == [])
    let after = town.send(.tcp, from: Self.c1, to: Self.s1)
    #expect(after == [.init(side: .outside, source: Endpoint(Self.h2, 12_345), destination: Self.s1)])
    let answer = town.send(.tcp, 0x12, from: Self.s1, to: Endpoint(Self.h2, 12_345), .outside)
    #expect(answer == [.init(side: .inside, source: Self.s1, destination: Self.c1)])
    #expect(town.faults() == [])
  }

  @Test("RC2 nothing leaves under the lost address while its bindings end, and no packet meets it")
  func steps() throws {
    var town = try Town(Self.text, host: Self.first) { $0.asksForNextHops = true }
    // The router's MAC.
    town.frame(Town.request(for: Self.h1, .outside), .outside)
    for host in UInt8(2)..<100 {
      for port in UInt16(12_000)..<12_030 {
        town.send(from: Endpoint(IPv4Address(192, 168, 1, host), port), to: Self.s1)
      }
    }
    let sessions = town.gateway.translator.shard.counts.sessions
    #expect(sessions == 98 * 30)
    var (refused, withheld) = (0, 0)
    let noBinding = town.counters.drops(.noBinding)
    let ended = town.follow(Self.second) { town in
      // What has a session, and a new one over the same binding; a hairpin; a question for a next hop.
      let old = Endpoint(IPv4Address(192, 168, 1, 99), 12_029)
      for remote in [Self.s1, Town.s2, Endpoint(Self.h1, 12_000), Endpoint(IPv4Address(203, 0, 113, 8), 7)] {
        let sent = town.send(from: old, to: remote)
        #expect(!sent.contains { $0.source.address == Self.h1 }, "\(sent)")
        withheld += 1
      }
      // A new host finds no port on the old address, and none yet on the new one.
      let sent = town.send(from: Endpoint(IPv4Address(192, 168, 1, 200), 15_000), to: Self.s1)
      if !sent.contains(where: { $0.side == .outside }) { refused += 1 }
      #expect(!sent.contains { $0.source.address == Self.h1 && $0.source.port == 15_000 })
    }.ended
    #expect(ended.sessions >= sessions && refused > 0 && withheld > 20)
    #expect(town.counters.drops(.noBinding) > noBinding)
    town.frame(Town.request(for: Self.h2, from: IPv4Address(198, 18, 6, 1), .outside), .outside)
    #expect(town.send(from: Self.c1, to: Self.s1).map(\.source.address) == [Self.h2])
    #expect(town.faults() == [])
  }

  @Test("ST-7 RC2 a static on host follows the address: its sessions end, and it is reached at the new one")
  func statics() throws {
    var town = try town()
    let inside = Endpoint(IPv4Address(192, 168, 1, 10), 80)
    let peer = Endpoint(IPv4Address(198, 51, 100, 7), 4000)
    #expect(
      town.send(.tcp, from: peer, to: Endpoint(Self.h1, 8080), .outside)
        == [.init(side: .inside, source: peer, destination: inside)])
    let ended = town.follow(Self.second).ended
    #expect(ended.sessions == 1 && ended.listed.map(\.reason.name) == ["address-changed"])
    #expect(town.send(.tcp, from: peer, to: Endpoint(Self.h1, 8080), .outside) == [])
    #expect(
      town.send(.tcp, from: peer, to: Endpoint(Self.h2, 8080), .outside)
        == [.init(side: .inside, source: peer, destination: inside)])
    #expect(town.listing() == ["tcp static 192.168.1.10:80 198.18.7.77:8080 198.51.100.7:4000"])
    #expect(town.faults() == [])
  }

  @Test(
    "EX1 RC2 without an address nothing is translated, and it works at once when one comes; it goes, and comes back"
  )
  func comesAndGoes() throws {
    var town = try town(Configuration.Machine())
    #expect(town.send(from: Self.c1, to: Self.s1).map(\.side) == [.inside])
    #expect(town.counters.drops(.noRoute) == 1 && town.gateway.translator.shard.counts.sessions == 0)
    // One beside it, where there would be a route: no pool.
    #expect(town.listing() == [])
    town.follow(Self.first)
    #expect(town.send(from: Self.c1, to: Self.s1).map(\.source) == [Endpoint(Self.h1, 12_345)])
    let ended = town.follow(Configuration.Machine()).ended
    #expect(ended.sessions == 1 && ended.listed[0].reason.name == "address-changed")
    #expect(town.send(from: Self.s1, to: Endpoint(Self.h1, 12_345), .outside) == [])
    #expect(town.send(from: Self.c1, to: Self.s1).map(\.side) == [.inside])
    town.follow(Self.first)
    #expect(town.send(from: Self.c1, to: Self.s1).map(\.source) == [Endpoint(Self.h1, 12_345)])
    #expect(town.listing().count == 2)
    #expect(town.faults() == [])
  }

  @Test("RC2 another gateway on the same address: sessions live, and their packets take the new way")
  func newGateway() throws {
    var town = try town()
    town.send(from: Self.c1, to: Self.s1)
    town.frame(Town.request(for: IPv4Address(203, 0, 113, 254), .outside), .outside)
    var host = Self.first
    host.outside?.gateway = IPv4Address(203, 0, 113, 254)
    let ended = town.follow(host).ended
    #expect(ended.sessions == 0)
    #expect(town.send(from: Self.c1, to: Self.s1).map(\.source) == [Endpoint(Self.h1, 12_345)])
    #expect(town.lastFrames[0].prefix(6) == [2, 0, 0, 0, 0, 2])
    host.outside?.gateway = nil
    town.follow(host)
    #expect(town.send(from: Self.c1, to: Self.s1).map(\.side) == [.inside])
    #expect(town.counters.drops(.noRoute) == 1)
    #expect(town.send(from: Self.c1, to: Endpoint(IPv4Address(203, 0, 113, 9), 80)).map(\.side) == [.outside])
  }

  @Test(
    "FW8 what is for the host's own ports, and other protocols, is left to the kernel from both sides, and is no drop"
  )
  func leaves() throws {
    var town = try town()
    for side in [Side.outside, .inside] {
      let peer = side == .outside ? Self.s1 : Self.c1
      for (transport, port) in [
        (TransportProtocol.tcp, UInt16(22)), (.udp, 53), (.tcp, 40_000), (.udp, 8080),
      ] {
        #expect(town.send(transport, from: peer, to: Endpoint(Self.h1, port), side) == [])
      }
    }
    var frame = Town.packet(.udp, 0, from: Self.s1, to: Endpoint(Self.h1, 1), .outside)
    // ESP instead, and the header's sum by as much less.
    frame[23] = 50
    let sum = UInt16(frame[24]) << 8 | UInt16(frame[25])
    let carried = UInt32(~sum) + 50 + UInt32(~UInt16(17))
    let folded = ~UInt16(truncatingIfNeeded: carried >> 16 + carried & 0xFFFF)
    frame.replaceSubrange(24..<26, with: [UInt8(folded >> 8), UInt8(folded & 0xFF)])
    town.frame(frame, .outside)
    #expect(town.counters.events(.leftToKernel) == 9 && town.counters.totalDrops == 0)
    // A port of the pool that nobody has is the gateway's, which is silent.
    #expect(town.send(.tcp, from: Self.s1, to: Endpoint(Self.h1, 20_000), .outside) == [])
    #expect(town.counters.drops(.noBinding) == 1 && town.counters.events(.leftToKernel) == 9)
  }

  @Test(
    "FW8 echo requests to the host's address are the kernel's; replies and errors are taken with a session only"
  )
  func icmp() throws {
    var town = try town(Self.first, "nat: { filtering: endpoint-independent }")
    let peer = Endpoint(Self.s1.address, 0)
    #expect(town.send(.icmp, from: Endpoint(Self.c1.address, 77), to: peer).count == 1)
    #expect(
      town.frame(Self.icmp(0, 77, from: Self.s1.address, to: Self.h1), .outside).map(\.side) == [.inside])
    // Requests of all kinds, also under an identifier that has a session; replies of another host, or to the kernel.
    for (type, identifier, source) in [
      (UInt8(8), UInt16(77), Self.s1.address), (8, 1, Self.s1.address), (13, 77, Self.s1.address),
      (0, 77, Town.s2.address), (0, 78, Self.s1.address), (14, 78, Self.s1.address),
    ] {
      #expect(town.frame(Self.icmp(type, identifier, from: source, to: Self.h1), .outside) == [])
    }
    // From inside, too.
    #expect(town.send(.icmp, from: Endpoint(Self.c1.address, 79), to: Endpoint(Self.h1, 0)) == [])
    // An error that quotes the kernel's own packet.
    let own = Town.packet(.udp, 0, from: Endpoint(Self.h1, 40_000), to: Self.s1, .outside)
    var error = Self.icmp(3, 0, from: Self.s1.address, to: Self.h1)
    error += own[14...]
    error[17] = UInt8(error.count - 14)
    InternetChecksum.write(to: &error, at: 24, over: 14..<34)
    InternetChecksum.write(to: &error, at: 36, over: 34..<error.count)
    #expect(town.frame(error, .outside) == [])
    #expect(town.counters.events(.leftToKernel) == 8 && town.counters.totalDrops == 0)
  }

  @Test(
    "FW8 ARP for a shared address is the kernel's: no answer and no announcement; what is the gateway's alone is answered"
  )
  func arp() throws {
    var town = try town(
      Self.first, "nat: { pool: [{ address: host }, { address: 203.0.113.6 }] }")
    #expect(town.frame(Town.request(for: Self.h1, .outside), .outside) == [])
    #expect(town.frame(Town.request(for: IPv4Address(203, 0, 113, 6), .outside), .outside).count == 1)
    #expect(town.frame(Town.request(for: IPv4Address(192, 168, 1, 1), .inside), .inside).count == 1)
    let sent = town.follow(Self.second).sent
    #expect(!sent.contains { $0.isARP && $0.source.address == Self.h2 })
  }

  @Test("FW8 host inside: the kernel has its address to itself, and what is behind the gateway is translated")
  func inside() throws {
    let text = """
      interfaces:
        inside: { name: lan0, address: host }
        outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }
      """
    var host = Configuration.Machine()
    var town = try Town(text, host: host)
    // No address inside: nobody is an inside host.
    #expect(town.send(from: Self.c1, to: Self.s1) == [])
    #expect(town.counters.drops(.sourceNotInside) == 1)
    host.inside = Configuration.MachineAddress(IPv4Address(192, 168, 1, 1), prefixLength: 24)
    town.follow(host)
    #expect(town.send(from: Self.c1, to: Self.s1).map(\.side) == [.outside])
    #expect(
      town.send(.icmp, from: Endpoint(Self.c1.address, 5), to: Endpoint(IPv4Address(192, 168, 1, 1), 0)) == []
    )
    #expect(town.send(.tcp, from: Self.c1, to: Endpoint(IPv4Address(192, 168, 1, 1), 22)) == [])
    #expect(town.frame(Town.request(for: IPv4Address(192, 168, 1, 1), .inside), .inside) == [])
    #expect(town.counters.events(.leftToKernel) == 2)
    // The outside address is the gateway's own.
    #expect(
      town.send(.icmp, from: Endpoint(Self.c1.address, 5), to: Endpoint(IPv4Address(203, 0, 113, 5), 0)).count
        == 1)
    // Another network inside: hosts of the old one are outsiders.
    host.inside = Configuration.MachineAddress(IPv4Address(10, 1, 0, 1), prefixLength: 16)
    let ended = town.follow(host).ended
    #expect(ended.listed.map(\.reason.name) == ["inside-network-removed"])
    #expect(town.faults() == [])
  }

  @Test(
    "a port that a socket of the host's takes is the kernel's: what was bound there ends, and nobody gets it")
  func taken() throws {
    var town = try town()
    town.send(.tcp, from: Self.c1, to: Self.s1)
    town.send(.tcp, from: Endpoint(Self.c1.address, 12_347), to: Self.s1)
    var host = Self.first
    host.tcpPorts = [12_345]
    let ended = town.follow(host).ended
    #expect(ended.listed.map { "\($0.public) \($0.reason.name)" } == ["203.0.113.5:12345 port-of-host"])
    #expect(town.send(.tcp, 0x12, from: Self.s1, to: Endpoint(Self.h1, 12_345), .outside) == [])
    #expect(town.counters.events(.leftToKernel) == 1)
    #expect(town.send(.tcp, from: Self.c1, to: Self.s1)[0].source.port != 12_345)
    #expect(town.send(.tcp, 0x12, from: Self.s1, to: Endpoint(Self.h1, 12_347), .outside).count == 1)
    // And back.
    town.follow(Self.first)
    town.wait(seconds: 1000)
    #expect(town.send(.udp, from: Self.c1, to: Self.s1)[0].source.port == 12_345)
    #expect(town.faults() == [])
  }

  @Test("FW8 fragments of a datagram for the kernel are left to it, whatever their order")
  func fragments() throws {
    func fragment(_ offset: UInt16, more: Bool, identification: UInt8) -> [UInt8] {
      var frame = Town.packet(.udp, 0, from: Self.s1, to: Endpoint(Self.h1, 53), .outside)
      // Eight bytes each.
      frame[19] = identification
      frame.replaceSubrange(20..<22, with: [more ? 0x20 : 0, UInt8(offset)])
      frame.replaceSubrange(24..<26, with: [0, 0])
      var sum: UInt32 = 0
      for at in stride(from: 14, to: 34, by: 2) { sum += UInt32(frame[at]) << 8 | UInt32(frame[at + 1]) }
      while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
      frame.replaceSubrange(24..<26, with: [UInt8(~sum >> 8 & 0xFF), UInt8(~sum & 0xFF)])
      // The datagram is longer than its first fragment.
      if offset == 0 { frame[39] = 24 }
      return frame
    }
    var town = try town()
    for order in [[0, 1, 2], [2, 1, 0]] as [[UInt16]] {
      for offset in order {
        #expect(
          town.frame(fragment(offset, more: offset < 2, identification: UInt8(order[0])), .outside) == [])
      }
    }
    #expect(town.counters.events(.leftToKernel) == 6 && town.counters.totalDrops == 0)
  }

  @Test(
    "RC8 ST-7 a state that waits for the host's address is taken up with it, before a packet can take its ports; under another one it is dropped and counted"
  )
  func held() throws {
    var before = try town()
    for port in UInt16(12_345)..<12_355 { before.send(from: Endpoint(Self.c1.address, port), to: Self.s1) }
    let forward = before.send(from: Self.s1, to: Endpoint(Self.h1, 8080), .outside)
    before.send(.tcp, from: Self.s1, to: Endpoint(Self.h1, 8080), .outside)
    #expect(forward == [])
    let held = HeldTable(snapshot: try before.snapshot(), offset: 0)
    #expect(held.snapshot.counts.sessions == 11)
    let lines = Set(before.listing())
    for (host, kept) in [(Self.first, 11), (Self.second, 0)] {
      var after = try town(Configuration.Machine())
      after.now = before.now
      // Nothing is translated yet, and what is sent meanwhile makes nothing that would stand in the way.
      #expect(after.send(from: Self.c1, to: Self.s2).filter { $0.side == .outside } == [])
      #expect(after.listing() == [])
      let changed = after.follow(host, takingUp: held) { _ in
        Issue.record("a packet comes between the address and what waits for it")
      }
      let restored = try #require(changed.restored)
      #expect(restored.sessions == kept && restored.notAllowed == 11 - kept)
      #expect(changed.ended.sessions == 0)
      if kept > 0 {
        #expect(Set(after.listing()) == lines)
        let goesOn = after.send(from: Endpoint(Self.c1.address, 12_350), to: Self.s1)
        #expect(goesOn.map(\.source) == [Endpoint(Self.h1, 12_350)])
      } else {
        #expect(after.listing().count == 1)
      }
      #expect(after.faults() == [])
    }
    #expect(!held.isOutdated(at: Instant(nanoseconds: before.now)))
    #expect(!held.isOutdated(at: Instant(nanoseconds: before.now + 230_000_000_000)))
    #expect(held.isOutdated(at: Instant(nanoseconds: before.now + 301_000_000_000)))
  }

  @Test("a port of the host's own that was taken while the daemon was down is not restored")
  func heldPort() throws {
    var before = try town()
    for port in UInt16(12_345)..<12_347 { before.send(from: Endpoint(Self.c1.address, port), to: Self.s1) }
    let snapshot = try before.snapshot()
    var host = Self.first
    host.udpPorts = [12_346]
    var after = try town(host)
    let restored = after.gateway.restore(snapshot, offset: 0, at: Instant(nanoseconds: before.now))
    #expect(restored.sessions == 1 && restored.notAllowed == 1)
  }
}
