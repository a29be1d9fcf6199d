import CLinuxPacket
import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import NATWire
import Testing

@testable import NATKernel

extension Lab {
  /// How a gateway with `address: host` goes with what becomes of the host's address, in whatever way.
  @Suite struct HostFollowTests {
    /// A street whose gateway shares 203.0.113.5, with 198.51.100.9 behind its next hop.
    private func street() throws -> Street {
      let street = try Street()
      try street.configureHost()
      try street.giveInside()
      try street.giveOutside()
      try street.server.shell("ip address add 198.51.100.9/32 dev lo")
      return street
    }

    /// A flow that goes on: every packet of it is counted by one session, as long as that lives.
    private struct Flow {
      let street: Street
      let server: UDPEnd
      let end: UDPEnd
      let port: UInt16
      var sent = 0

      init(_ street: Street, _ server: UDPEnd, port: UInt16) throws {
        (self.street, self.server, self.port) = (street, server, port)
        end = try street.client.enter { try UDPEnd(port: port) }
      }

      /// Whether a packet of it is seen beyond the next hop, under which endpoint.
      mutating func passes() throws -> (host: [UInt8], port: UInt16)? {
        while server.socket.receive(within: 0) != nil {}
        try end.send([1], [198, 51, 100, 9], 9)
        guard server.socket.isReadable(within: 0.25) else { return nil }
        sent += 1
        let seen = try server.socket.receiveDatagram()
        return (seen.host, seen.port)
      }

      /// Packets that its session has counted; 0 where there is none.
      func counted() async throws -> Int {
        let bindings = try await street.control.wholeTable().filter { $0.privateEndpoint.port == port }
        return Int(bindings.first?.sessions.first?.packetsOut ?? 0)
      }

      /// It goes on as it was.
      mutating func expectAlive(
        _ host: [UInt8] = [203, 0, 113, 5], sourceLocation: SourceLocation = #_sourceLocation
      ) async throws {
        #expect(
          try eventually { try passes().map { $0.host == host && $0.port == port } ?? false },
          sourceLocation: sourceLocation)
        // Those that were lost on the way are counted too.
        #expect(try await counted() >= sent, sourceLocation: sourceLocation)
      }
    }

    @Test("RC2 new flows work within a second of a change of the address, in whatever way it is made")
    func withinASecond() async throws {
      let street = try street()
      try street.gateway.shell("echo 1 >/proc/sys/net/ipv4/conf/all/promote_secondaries")
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let daemon = try street.startDaemon()
      #expect(try street.becomes(server, [203, 0, 113, 5]))
      let way = "ip route replace default via 203.0.113.9"
      var times: [Duration] = []
      var old = 5
      for (number, new) in (80..<89).enumerated() {
        let (add, del) = (
          "ip address add 203.0.113.\(new)/24 dev wan0", "ip address del 203.0.113.\(old)/24 dev wan0"
        )
        let commands = [
          // As dhclient's script, with an interval; without one; with the default route taken away before.
          "\(del) && \(add) && \(way)", "\(add) && \(del) && \(way)",
          "ip route del default && \(del) && \(add) && \(way)",
        ]
        // The programs that make the change are a part of the time.
        let start = ContinuousClock.now
        try street.gateway.shell(commands[number % commands.count])
        #expect(try street.becomes(server, [203, 0, 113, UInt8(new)], within: 0.05), "\(new)")
        times.append(ContinuousClock.now - start)
        old = new
      }
      print("new flows work after \(times.map { $0.description }.joined(separator: ", "))")
      // Most of them: where other tests have both processors, any one may wait for its turn for longer than a second,
      // which says nothing about the gateway. Each of them within `patience`.
      #expect(times.sorted()[times.count / 2] < .seconds(1), "\(times)")
      daemon.expectEnd()
    }

    @Test(
      "RC2 what leaves the address as it is ends nothing: a renewed lease, another prefix, another next hop, a cable out and in"
    )
    func lives() async throws {
      let street = try street()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let daemon = try street.startDaemon()
      var flow = try Flow(street, server, port: 12_345)
      try await flow.expectAlive()
      // As a DHCP client renews.
      try street.gateway.shell("ip address change 203.0.113.5/24 dev wan0 valid_lft 3600 preferred_lft 1800")
      try await flow.expectAlive()
      // Another prefix, put beside the old one.
      try street.gateway.shell(
        "ip address add 203.0.113.5/25 dev wan0 && ip address del 203.0.113.5/24 dev wan0")
      #expect(
        try await eventually {
          try await street.control.status().interfaces.outside.address == "203.0.113.5/25"
        })
      try await flow.expectAlive()
      // A second address, which nothing is translated to.
      try street.gateway.shell("ip address add 203.0.113.6/25 dev wan0")
      try await flow.expectAlive()
      // A better default route by a router that is not there, and gone again.
      try street.gateway.shell(
        "ip route add default via 203.0.113.9 metric 100 && ip route del default metric 0")
      try await flow.expectAlive()
      try street.gateway.shell("ip route add default via 203.0.113.100 metric 50")
      #expect(try eventually { try flow.passes() == nil })
      try street.gateway.shell("ip route del default via 203.0.113.100 metric 50")
      try await flow.expectAlive()
      // No default route at all, and one by another router.
      try street.gateway.shell("ip route del default")
      #expect(try eventually { try flow.passes() == nil })
      #expect(
        try await eventually {
          try await street.control.status().degraded.joined().contains("no default gateway")
        })
      try street.server.shell("ip address add 203.0.113.10/24 dev eth0")
      try street.gateway.shell("ip route add default via 203.0.113.10")
      try await flow.expectAlive()
      // The cable out, and in.
      try street.server.shell("ip link set eth0 down")
      #expect(
        try await eventually { try await street.control.status().degraded.joined().contains("no carrier") })
      try street.server.shell("ip link set eth0 up")
      try await flow.expectAlive()
      #expect(try await eventually { try await street.control.status().degraded == [] })
      #expect(try await flow.counted() >= flow.sent)
      daemon.expectEnd()
    }

    @Test(
      "RC2 RC3 an address that comes and goes all the time, and a device that is made anew: the last word counts"
    )
    func flaps() async throws {
      let street = try street()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let daemon = try street.startDaemon()
      #expect(try street.becomes(server, [203, 0, 113, 5]))
      try street.gateway.shell(
        """
        for round in $(seq 40); do
          ip address flush dev wan0 scope global
          ip address add 203.0.113.$((100 + round)) peer 203.0.113.9/32 dev wan0
          ip address flush dev wan0 scope global
          ip address add 203.0.113.$((50 + round))/24 dev wan0
        done
        ip route replace default via 203.0.113.9
        """)
      #expect(try street.becomes(server, [203, 0, 113, 90]))
      #expect(try await eventually { try await street.control.status().degraded == [] })
      // Twice over in a moment, before anybody looks: the guard stands on the new device.
      for address in ["203.0.113.6", "203.0.113.7"] {
        try street.gateway.shell("ip link del wan0")
        try street.layOutside()
        try street.giveOutside(address)
      }
      #expect(try street.becomes(server, [203, 0, 113, 7]))
      #expect(try await eventually { try await street.control.status().degraded == [] })
      // 28 is silence, 7 a refusal.
      #expect(try street.server.attempt("curl -sS -m 0.5 http://203.0.113.7:20000/").code == 28)
      daemon.expectEnd()
      #expect(try street.gateway.shell("nft list ruleset") == "")
    }

    @Test(
      "RC2 an address without a network, and a router that is none's neighbour by its address, as clouds have it"
    )
    func alone() async throws {
      let street = try street()
      try street.gateway.shell(
        """
        ip address flush dev wan0 scope global && ip address add 203.0.113.5/32 dev wan0 && \
        ip route add 203.0.113.9 dev wan0 scope link && ip route add default via 203.0.113.9
        """)
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let daemon = try street.startDaemon()
      var flow = try Flow(street, server, port: 12_345)
      try await flow.expectAlive()
      #expect(try await street.control.status().interfaces.outside.address == "203.0.113.5/32")
      daemon.expectEnd()
    }

    @Test(
      "sockets of the machine's are seen in the ports that are asked for, on the address or on all, and in no others"
    )
    func sockets() throws {
      let namespace = try NetworkNamespace()
      try namespace.shell("ip address add 203.0.113.5/32 dev lo")
      try namespace.enter {
        let (streams, datagrams) = (
          try [8080, 9000, 20_000].map { Stream(try PlainSocket.listener(port: $0)) },
          try [8081, 10_240, 32_767, 32_768].map { try UDPEnd(port: $0) }
        )
        let address = IPv4Address(203, 0, 113, 5)
        let ranges: [ClosedRange<UInt16>] = [10_240...32_767, 8080...8080]
        #expect(try MachineSockets.ports(.tcp, on: address, in: ranges) == [8080, 20_000])
        #expect(try MachineSockets.ports(.udp, on: address, in: ranges) == [10_240, 32_767])
        #expect(try MachineSockets.ports(.tcp, on: address, in: []) == [])
        withExtendedLifetime((streams, datagrams)) {}
      }
    }

    @Test("RC3 a machine that has no address of any kind yet, and no table of routes, is no fault")
    func bare() throws {
      let namespace = try NetworkNamespace()
      let facts = try namespace.enter {
        // One in which not even the loopback has come up.
        guard portico_unshare_network() == 0 else {
          throw LabFailure(description: "no namespace: error \(errno)")
        }
        return try MachineWatch.facts()
      }
      #expect(facts == MachineFacts())
    }

    @Test("guard: off beside address: host is said by the daemon and by check, and is no reason not to start")
    func unguarded() throws {
      let street = try Street()
      try street.configureHost("guard: off")
      try street.giveInside()
      try street.giveOutside()
      let text = "guard: found off, where interfaces.outside.address is host: the kernel answers"
      let check = try street.client.attempt("\(Lab.program("portico")) check \(street.configurationFile)")
      #expect(check.code == 0 && check.output.contains("warning: \(text)"), "\(check.output)")
      let daemon = try street.gateway.start([Lab.program("porticod"), "--config", street.configurationFile])
      let log = daemon.read(until: "started")
      #expect(log.contains("warning") && log.contains(text), "\(log)")
      daemon.expectEnd()
    }
  }
}
