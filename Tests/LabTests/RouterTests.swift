import Glibc
import NATLab
import NATWire
import Testing

extension Lab {
  /// What the daemon does as a router on two wires: neighbours, frames of other kinds, what is not translated.
  @Suite struct RouterTests {
    static let everything = """
      nat: { pool: [{ address: 203.0.113.5, ports: 1024-65535 }, { address: 203.0.113.7, ports: 1024-65535 }] }
      static:
        - { protocol: all, public: 203.0.113.6, private: 192.168.1.20 }
        - { protocol: tcp, public: 203.0.113.8:80, private: 192.168.1.2:80 }
      """

    @Test(
      "ST-13 ARP for pool and static addresses is answered outside alone, for the inside address inside alone"
    )
    func addressResolution() throws {
      let street = try Street()
      try street.configure(RouterTests.everything)
      let (inside, outside) = (try Tap(street.client), try Tap(street.server))
      let daemon = try street.startDaemon()
      /// Which of the gateway's addresses are answered for on a wire, and with which MAC.
      func answers(_ tap: Tap, _ own: [UInt8]) throws -> [[UInt8]: [UInt8]] {
        // The gateway answers in the order of the questions; other addresses have no answer at all.
        let asked: [[UInt8]] =
          [[203, 0, 113, 99], [192, 168, 1, 99], [192, 168, 1, 1]]
          + (5...8).map { [203, 0, 113, $0] }
        for address in asked { try tap.socket.sendFrame(WireFrames.arpRequest((tap.mac, own), for: address)) }
        var answers: [[UInt8]: [UInt8]] = [:]
        for frame in tap.socket.framesSoFar() where frame.destination == tap.mac {
          if let arp = frame.arp, arp.operation == 2 { answers[arp.sender] = arp.senderMAC }
        }
        return answers
      }
      var expected: [[UInt8]: [UInt8]] = [:]
      for number: UInt8 in 5...8 { expected[[203, 0, 113, number]] = try street.gatewayMAC("wan0") }
      #expect(try answers(outside, [203, 0, 113, 9]) == expected)
      #expect(try answers(inside, [192, 168, 1, 2]) == [[192, 168, 1, 1]: street.gatewayMAC("lan0")])
      daemon.expectEnd()
    }

    @Test("IQ6 the outside address and a pool address answer pings, from outside and from inside")
    func pings() throws {
      let street = try Street()
      try street.configure(RouterTests.everything)
      let daemon = try street.startDaemon()
      for address in ["203.0.113.5", "203.0.113.7"] {
        let outside = try street.server.attempt("ping -n -c 2 -i 0.05 -W 1 \(address)")
        #expect(outside.code == 0, "\(outside.output)")
        #expect(try street.ping(address))
      }
      // The inside address is nobody's outside.
      #expect(try street.server.attempt("ip route add 192.168.1.0/24 via 203.0.113.5").code == 0)
      #expect(try street.server.attempt("ping -n -c 1 -W 1 192.168.1.1").code != 0)
      daemon.expectEnd()
    }

    @Test("FW9 the first packets wait for their next hop, which is asked again; its new MAC is followed")
    func neighbours() throws {
      let street = try Street()
      let wire = try Tap(street.server)
      let gateway = try street.gatewayMAC("wan0")
      let host: [UInt8] = [203, 0, 113, 77]
      let daemon = try street.startDaemon()
      let socket = try street.client.enter { try PlainSocket.udp(port: 5000) }
      func request() -> SeenFrame? {
        wire.socket.frame { $0.arp?.operation == 1 && $0.arp?.target == host && $0.source == gateway }
      }
      func datagram() -> SeenFrame? {
        wire.socket.frame { $0.ipv4?.protocolNumber == 17 && $0.source == gateway }
      }
      let start = ContinuousClock.now
      for number in 1...3 { try socket.send([UInt8(number)], to: host, 9) }
      let first = request()
      #expect(first?.arp?.sender == [203, 0, 113, 5])
      #expect(first?.destination == [UInt8](repeating: 0xFF, count: 6))
      // Nothing leaves, nobody is asked for once more, until a second has passed.
      let second = wire.socket.frame { $0.source == gateway }
      #expect(second?.arp?.target == host)
      #expect(ContinuousClock.now - start > .milliseconds(900))
      let (old, new): ([UInt8], [UInt8]) = ([2, 0, 0, 0, 0, 0x77], [2, 0, 0, 0, 0, 0x78])
      try wire.socket.sendFrame(WireFrames.arpReply((old, host), (gateway, [203, 0, 113, 5])))
      for number in 1...3 {
        let frame = datagram()
        #expect(frame?.destination == old)
        #expect(frame?.ipv4?.payload.last == UInt8(number))
      }
      // A gratuitous request, as a host sends that has taken over the address (RFC 5227 section 3).
      try wire.socket.sendFrame(WireFrames.arpRequest((new, host), for: host))
      // The two sides have no order: a question behind it, once answered, says that it was heard.
      try wire.socket.sendFrame(
        WireFrames.arpRequest((wire.mac, [203, 0, 113, 9]), for: [203, 0, 113, 5]))
      #expect(wire.socket.frame { $0.arp?.operation == 2 && $0.source == gateway } != nil)
      try socket.send([4], to: host, 9)
      let moved = datagram()
      #expect(moved?.destination == new)
      #expect(moved?.ipv4?.payload.last == 4)
      daemon.expectEnd()
    }

    @Test("FW9 FW10 a next hop that stays silent is asked for three times, and the sender is told")
    func silentNeighbour() throws {
      let street = try Street()
      let wire = try Tap(street.server)
      let daemon = try street.startDaemon()
      let ping = try street.client.attempt("ping -n -c 1 -W 8 203.0.113.78").output
      #expect(ping.contains("From 192.168.1.1 icmp_seq=1 Destination Host Unreachable"), "\(ping)")
      let frames = wire.socket.framesSoFar()
      #expect(frames.count { $0.arp?.target == [203, 0, 113, 78] } == 3)
      #expect(!frames.contains { $0.ipv4?.destination == [203, 0, 113, 78] })
      #expect(street.report(daemon).contains(#/nextHopUnreachable +1/#))
      daemon.expectEnd()
    }

    @Test("FW10 where there is no route the sender hears 3/0")
    func noRoute() throws {
      let street = try Street()
      try street.configure(hop: "")
      let daemon = try street.startDaemon()
      let ping = try street.client.attempt("ping -n -c 1 -W 3 198.51.100.1").output
      #expect(ping.contains("From 192.168.1.1 icmp_seq=1 Destination Net Unreachable"), "\(ping)")
      #expect(try street.ping("203.0.113.9"))
      daemon.expectEnd()
    }

    @Test("FW12 a tag of VLAN 0 is taken off; frames of other VLANs and IPv6 are not forwarded")
    func tags() throws {
      let street = try Street()
      let (inside, outside) = (try Tap(street.client), try Tap(street.server))
      let (lan, wan) = (try street.gatewayMAC("lan0"), try street.gatewayMAC("wan0"))
      let there = try street.server.enter { try PlainSocket.udp(port: 9) }
      let daemon = try street.startDaemon()
      func datagram(_ number: UInt8) -> [UInt8] {
        WireFrames.udp((inside.mac, [192, 168, 1, 2]), 5000, (lan, [203, 0, 113, 9]), 9, [number])
      }
      func tagged(_ frame: [UInt8], _ tag: [UInt8]) -> [UInt8] {
        frame[..<12] + [0x81, 0x00] + tag + frame[12...]
      }
      // A datagram of IPv6 without a body to ff02::1, and the same to the gateway's MAC.
      let ipv6: [UInt8] =
        [0x60, 0, 0, 0, 0, 0, 59, 64, 0xFE, 0x80] + [UInt8](repeating: 0, count: 13) + [2, 0xFF, 2]
        + [UInt8](repeating: 0, count: 13) + [1]
      for destination in [lan, [0x33, 0x33, 0, 0, 0, 1]] {
        try inside.socket.sendFrame(destination + inside.mac + [0x86, 0xDD] + ipv6)
      }
      try inside.socket.sendFrame(tagged(datagram(1), [0x20, 0x05]))
      // Priority 5, VLAN 0.
      try inside.socket.sendFrame(tagged(datagram(2), [0xA0, 0x00]))
      try inside.socket.sendFrame(tagged(datagram(3), [0x0F, 0xFF]))
      try inside.socket.sendFrame(datagram(4))
      #expect(there.receive() == [2])
      #expect(there.receive() == [4])
      let types = Set(outside.socket.framesSoFar().filter { $0.source == wan }.map(\.type))
      #expect(types.isSubset(of: [0x0800, 0x0806]))
      #expect(street.report(daemon).contains(#/vlanTagged +2/#))
      daemon.expectEnd()
    }

    @Test(
      "FW13 DSCP and ECN stand on both wires as they were sent, of datagrams and of a connection with ECN")
    func typeOfService() throws {
      let street = try Street()
      for end in [street.client, street.server] { try end.shell("echo 1 >/proc/sys/net/ipv4/tcp_ecn") }
      let server = try street.server.enter { try HTTPServer(port: 80) }
      let (inside, outside) = (try Tap(street.client), try Tap(street.server))
      let (lan, wan) = (try street.gatewayMAC("lan0"), try street.gatewayMAC("wan0"))
      let here = try street.client.enter { try PlainSocket.udp(port: 5000) }
      let there = try street.server.enter { try PlainSocket.udp(port: 9) }
      let daemon = try street.startDaemon()
      // EF and ECT(1), AF11 and CE.
      here.setTypeOfService(0xB9)
      there.setTypeOfService(0x2B)
      try here.send([1], to: [203, 0, 113, 9], 9)
      let sent = outside.socket.frame { $0.source == wan && $0.ipv4?.protocolNumber == 17 }
      #expect(sent?.ipv4?.typeOfService == 0xB9)
      #expect(there.receive() == [1])
      try there.send([2], to: [203, 0, 113, 5], 5000)
      let answered = inside.socket.frame { $0.source == lan && $0.ipv4?.protocolNumber == 17 }
      #expect(answered?.ipv4?.typeOfService == 0x2B)
      #expect(here.receive() == [2])
      let result = try street.curl("-o download http://203.0.113.9/1")
      #expect(result.code == 0, "\(result.output)")
      // ECT(0) stands on segments with data alone (RFC 3168 section 6.1).
      let data = inside.socket.frame {
        $0.source == lan && $0.ipv4?.protocolNumber == 6 && ($0.ipv4?.payload.count ?? 0) > 1000
      }
      #expect(data?.ipv4?.typeOfService == 0x02)
      withExtendedLifetime(server) {}
      daemon.expectEnd()
    }

    @Test(
      "FW7 GRE and ESP of a 1:1 host are translated both ways, those of other hosts and to the pool dropped")
    func otherProtocols() throws {
      let street = try Street()
      try street.configure("static: [{ protocol: all, public: 203.0.113.6, private: 192.168.1.2 }]")
      let (inside, outside) = (try Tap(street.client), try Tap(street.server))
      let (lan, wan) = (try street.gatewayMAC("lan0"), try street.gatewayMAC("wan0"))
      let daemon = try street.startDaemon()
      for number: UInt8 in [47, 50] {
        let payload: [UInt8] = [0, 0, 0x08, 0x00, number] + Array(Download.block[..<40])
        func outbound(_ address: [UInt8]) throws {
          try inside.socket.sendFrame(
            WireFrames.ipv4(
              (inside.mac, address), (lan, [203, 0, 113, 9]), protocolNumber: number, payload))
        }
        func inbound(_ address: [UInt8]) throws {
          try outside.socket.sendFrame(
            WireFrames.ipv4(
              (outside.mac, [203, 0, 113, 9]), (wan, address), protocolNumber: number, payload))
        }
        // What is dropped comes before what passes.
        try outbound([192, 168, 1, 3])
        try outbound([192, 168, 1, 2])
        let sent = outside.socket.frame { $0.source == wan && $0.ipv4?.protocolNumber == number }
        #expect(sent?.ipv4?.source == [203, 0, 113, 6])
        #expect(sent?.ipv4?.payload == payload)
        try inbound([203, 0, 113, 5])
        try inbound([203, 0, 113, 6])
        let received = inside.socket.frame { $0.source == lan && $0.ipv4?.protocolNumber == number }
        #expect(received?.ipv4?.destination == [192, 168, 1, 2])
        #expect(received?.ipv4?.payload == payload)
      }
      #expect(
        !outside.socket.framesSoFar().contains { $0.source == wan && $0.ipv4?.source != [203, 0, 113, 6] })
      #expect(street.report(daemon).contains(#/unknownProtocol +4/#))
      daemon.expectEnd()
    }

    @Test(
      "FW1 FW2 FW3 to exempt destinations packets and fragments pass both ways as they are but for the TTL",
      arguments: ["203.0.113.0/24", "0.0.0.0/0"])
    func exempt(network: String) throws {
      let street = try Street()
      try street.configure("nat: { exempt: [\(network)] }")
      // Here private sources are meant to be on the outside wire.
      _ = street.endWatch()
      let far = try street.layFar()
      try street.server.shell("ip route add 192.168.1.0/24 via 203.0.113.5")
      let here = try street.client.enter { try PlainSocket.udp(port: 5000) }
      let there = try street.server.enter { try PlainSocket.udp(port: 9) }
      let beyond = try far.enter { try PlainSocket.udp(port: 9) }
      let (inside, outside) = (try Tap(street.client), try Tap(street.server))
      let (lan, wan) = (try street.gatewayMAC("lan0"), try street.gatewayMAC("wan0"))
      let daemon = try street.startDaemon()
      for length in [1, 4500] {
        let data = Array(Download.block[..<length])
        try here.send(data, to: [203, 0, 113, 9], 9)
        let request = try there.receiveDatagram()
        #expect(request.data == data)
        #expect(request.host == [192, 168, 1, 2])
        #expect(request.port == 5000)
        try there.send(data.reversed(), to: [192, 168, 1, 2], 5000)
        let answer = try here.receiveDatagram()
        #expect(answer.data == data.reversed())
        #expect(answer.host == [203, 0, 113, 9])
      }
      for frame in inside.socket.framesSoFar() + outside.socket.framesSoFar()
      where [lan, wan].contains(frame.source) {
        if let packet = frame.ipv4 { #expect(packet.timeToLive == 63) }
      }
      // Elsewhere the same host is translated, if that is not exempt too.
      try here.send([1], to: [198, 51, 100, 9], 9)
      let elsewhere = try beyond.receiveDatagram()
      let isExempt = network == "0.0.0.0/0"
      #expect(elsewhere.host == (isExempt ? [192, 168, 1, 2] : [203, 0, 113, 5]))
      #expect(street.report(daemon).contains(isExempt ? "0 bindings" : "1 binding,"))
      daemon.expectEnd()
    }

    @Test("FW5 MAP12 two inside networks reach each other untranslated, and both the outside by one address")
    func insideNetworks() throws {
      let street = try Street()
      let router = try street.addHost()
      try street.configure("routes: [{ network: 10.9.0.0/24, via: 192.168.1.3 }]")
      let branch = try NetworkNamespace()
      try router.connect("eth1", to: branch, "eth0")
      // The way back is by the gateway as well.
      try router.shell(
        """
        echo 1 >/proc/sys/net/ipv4/ip_forward && echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects && \
        echo 0 >/proc/sys/net/ipv4/conf/eth0/send_redirects && ip address add 10.9.0.1/24 dev eth1 && \
        ip route add 192.168.1.2/32 via 192.168.1.1
        """)
      try branch.shell("ip address add 10.9.0.5/24 dev eth0 && ip route add default via 10.9.0.1")
      let here = try street.client.enter { try PlainSocket.udp(port: 5000) }
      let there = try branch.enter { try PlainSocket.udp(port: 9) }
      let outside = try street.server.enter { try PlainSocket.udp(port: 9) }
      let (client, wire) = (try Tap(street.client), try Tap(branch))
      let daemon = try street.startDaemon()
      try here.send([1], to: [10, 9, 0, 5], 9)
      let request = try there.receiveDatagram()
      #expect(request.host == [192, 168, 1, 2])
      #expect(request.port == 5000)
      try there.send([2], to: [192, 168, 1, 2], 5000)
      let answer = try here.receiveDatagram()
      #expect(answer.host == [10, 9, 0, 5])
      // The gateway's hop and the inside router's.
      for tap in [wire.socket.framesSoFar(), client.socket.framesSoFar()] {
        let times = tap.compactMap { $0.ipv4?.protocolNumber == 17 ? $0.ipv4?.timeToLive : nil }
        #expect(Set(times) == [62, 64])
      }
      #expect(street.report(daemon).contains("0 bindings"))
      for socket in [5001, 5002] {
        let isBranch = socket == 5002
        try (isBranch ? branch : street.client).enter {
          _ = try PlainSocket.udp(port: UInt16(socket)).send([3], to: [203, 0, 113, 9], 9)
        }
        #expect(try outside.receiveDatagram().host == [203, 0, 113, 5])
      }
      daemon.expectEnd()
    }
  }
}
