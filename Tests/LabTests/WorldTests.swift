import Foundation
import Glibc
import NATLab
import NATWire
import TestSupport
import Testing

extension Lab {
  /// What a host behind the daemon meets in the world.
  @Suite struct WorldTests {
    @Test("FW4 traceroute sees the gateway, the hop behind it, and the host", arguments: ["", "-I"])
    func route(kind: String) throws {
      let street = try Street()
      let far = try street.layFar()
      let daemon = try street.startDaemon()
      let trace = try street.client.attempt("traceroute \(kind) -n -q 1 -w 3 -m 5 198.51.100.9").output
      let hops = trace.split(separator: "\n").dropFirst().map {
        $0.split(separator: " ").prefix(2).map(String.init)
      }
      #expect(hops == [["1", "192.168.1.1"], ["2", "203.0.113.9"], ["3", "198.51.100.9"]], "\(trace)")
      withExtendedLifetime(far) {}
      daemon.expectEnd()
    }

    @Test("a name is resolved over UDP by a server outside")
    func names() throws {
      let street = try Street()
      let server = try street.server.start([
        "/bin/sh", "-c",
        """
        exec dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file \
        --log-facility=- --listen-address=203.0.113.9 --bind-interfaces --address=/example.test/203.0.113.77
        """,
      ])
      let words = server.read(until: "started")
      try #require(words.contains("started"), "\(words)")
      let daemon = try street.startDaemon()
      // RFC 1035: a query with recursion for www.example.test, type A, class IN.
      let name: [UInt8] =
        [3] + Array("www".utf8) + [7] + Array("example".utf8) + [4] + Array("test".utf8) + [0]
      let query: [UInt8] = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name + [0, 1, 0, 1]
      let socket = try street.client.enter { try PlainSocket.udp(port: 0) }
      try socket.send(query, to: [203, 0, 113, 9], 53)
      let received = socket.receive()
      let answer = try #require(received)
      #expect(Array(answer.prefix(2)) == [0x12, 0x34] && Array(answer.suffix(4)) == [203, 0, 113, 77])
      daemon.expectEnd()
    }

    @Test("IE3 errors of routers outside reach the client: unreachable, prohibited")
    func errors() throws {
      let street = try Street()
      try street.server.shell(
        """
        echo 1 >/proc/sys/net/ipv4/ip_forward && ip route add unreachable 198.51.100.0/25 && \
        ip route add prohibit 198.51.100.128/25
        """)
      let daemon = try street.startDaemon()
      let unreachable = try street.client.attempt("ping -n -c 1 -W 3 198.51.100.1").output
      #expect(
        unreachable.contains("From 203.0.113.9 icmp_seq=1 Destination Host Unreachable"), "\(unreachable)")
      let prohibited = try street.client.attempt("ping -n -c 1 -W 3 198.51.100.200").output
      #expect(prohibited.contains("From 203.0.113.9 icmp_seq=1 Packet filtered"), "\(prohibited)")
      daemon.expectEnd()
    }

    @Test(
      "FR11 a smaller MTU outside: the client is told, and an upload arrives whole", arguments: [true, false])
    func outsideMTU(offloads: Bool) throws {
      let street = try Street(offloads: offloads, outsideMTU: 1400)
      try street.configure("nat: { tcp: { mss-clamp: off } }")
      // The server claims to take what its own cable does not.
      try street.server.shell("ip route replace 203.0.113.0/24 dev eth0 advmss 1460")
      let server = try street.server.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      let ping = try street.client.attempt("ping -n -c 1 -W 3 -M do -s 1472 203.0.113.9").output
      #expect(ping.contains("From 192.168.1.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)"), "\(ping)")
      try street.client.shell("ip route flush cache")
      try uploads(2, to: "203.0.113.9", street)
      withExtendedLifetime(server) {}
      daemon.expectEnd()
    }

    @Test(
      "IE3 a hop of MTU 1,400 behind the server's side: its 3/4 reaches the client, and an upload arrives whole",
      arguments: [true, false])
    func farMTU(offloads: Bool) throws {
      let street = try Street(offloads: offloads)
      let far = try street.layFar(mtu: 1400)
      let server = try far.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      try uploads(2, to: "198.51.100.9", street)
      #expect(try street.client.shell("ip route get 198.51.100.9").contains("mtu 1400"))
      withExtendedLifetime(server) {}
      daemon.expectEnd()
    }

    private func uploads(_ blocks: Int, to host: String, _ street: Street) throws {
      try Data((0..<blocks).flatMap { _ in Download.block }).write(
        to: street.folder.appending(path: "upload"))
      let upload = try street.curl("-m 60 -T upload http://\(host)/")
      #expect(upload.output == "same", "\(upload)")
    }

    @Test(
      "CS7 segments are no larger than the MSS of 1,220 that the server announced, whoever cuts them",
      arguments: ["offloads on inside and off outside", "offloads on, and off at the server's router"])
    func segmentSize(place: String) throws {
      let street = try Street()
      let isFar = place.hasSuffix("router")
      let host = isFar ? try street.layFar() : street.server
      if isFar {
        // What passes the gateway as super-frames comes out in pieces there, of the size that it gave them.
        try street.server.shell("ethtool -K eth1 tx off tso off gso off")
        try host.shell("ip route replace default via 198.51.100.1 advmss 1220")
      } else {
        try street.gateway.shell("ethtool -K wan0 tx off tso off gso off")
        try host.shell("ip route replace 203.0.113.0/24 dev eth0 advmss 1220")
      }
      let server = try host.enter { try HTTPServer(port: 80) }
      let wire = try Tap(host)
      let daemon = try street.startDaemon()
      try uploads(1, to: isFar ? "198.51.100.9" : "203.0.113.9", street)
      let largest =
        wire.socket.framesSoFar().filter { $0.ipv4?.source == [203, 0, 113, 5] }
        .map(\.bytes.count).max() ?? 0
      // Ethernet, IPv4 and TCP without options around 1,220 bytes, of which options take their part.
      #expect(largest > 1000)
      #expect(largest <= 14 + 20 + 20 + 1220)
      withExtendedLifetime(server) {}
      daemon.expectEnd()
    }

    @Test(
      "CS7 100 MB by HTTPS arrive whole both ways, with offloads and without, by the hashes of both ends",
      arguments: [true, false])
    func secureTransfers(offloads: Bool) throws {
      let street = try Street(offloads: offloads)
      let server = try SecureServer(street)
      let daemon = try street.startDaemon()
      let original = street.folder.appending(path: "original").path
      try street.server.shell("head -c 100000000 /dev/urandom >\(original)")
      let options = "--cacert certificate.pem --resolve portico.test:443:203.0.113.9"
      let download = try street.curl("\(options) -o downloaded https://portico.test/original")
      #expect(download.code == 0, "\(download.output)")
      let upload = try street.curl("\(options) -T downloaded https://portico.test/uploaded")
      #expect(upload.code == 0 && upload.output == "stored", "\(upload.output)")
      let sums = try street.client.shell("cd \(street.folder.path) && sha256sum original downloaded uploaded")
      #expect(Set(sums.split(separator: "\n").map { $0.prefix(64) }).count == 1, "\(sums)")
      server.stop()
      daemon.expectEnd()
    }

    @Test("FR1 datagrams of 4,500 bytes arrive whole both ways", arguments: [true, false])
    func largeDatagrams(offloads: Bool) throws {
      let street = try Street(offloads: offloads)
      let here = try street.client.enter { try PlainSocket.udp(port: 5000) }
      let there = try street.server.enter { try PlainSocket.udp(port: 9) }
      let daemon = try street.startDaemon()
      let data = Array(Download.block[..<4500])
      try here.send(data, to: [203, 0, 113, 9], 9)
      #expect(there.receive() == data)
      // The port is preserved.
      try there.send(data.reversed(), to: [203, 0, 113, 5], 5000)
      #expect(here.receive() == data.reversed())
      daemon.expectEnd()
    }

    @Test("HP6 an inside host reaches another one's port forward by the public address")
    func hairpin() throws {
      let street = try Street()
      let second = try street.addHost()
      try street.configure("static: [{ protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.3:80 }]")
      let server = try second.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      let result = try street.curl("-o hairpin http://203.0.113.5:8080/2")
      #expect(result.code == 0, "\(result.output)")
      #expect(try Download.isWhole(street.folder.appending(path: "hairpin"), blocks: 2))
      withExtendedLifetime(server) {}
      daemon.expectEnd()
    }

    @Test(
      "HP1 two inside hosts meet by the public endpoints of their UDP bindings, whatever the filtering",
      arguments: ["endpoint-independent", "address-dependent", "address-and-port-dependent"])
    func meeting(filtering: String) throws {
      let street = try Street()
      let second = try street.addHost()
      try street.configure("nat: { filtering: \(filtering), port-choice: random }")
      let server = try street.server.enter { try PlainSocket.udp(port: 9) }
      let one = try street.client.enter { try PlainSocket.udp(port: 5000) }
      let other = try second.enter { try PlainSocket.udp(port: 5000) }
      let daemon = try street.startDaemon()
      // Each learns its public endpoint from the server, as by STUN.
      try one.send([1], to: [203, 0, 113, 9], 9)
      let onePublic = try server.receiveDatagram()
      try other.send([2], to: [203, 0, 113, 9], 9)
      let otherPublic = try server.receiveDatagram()
      #expect(onePublic.host == [203, 0, 113, 5] && otherPublic.host == [203, 0, 113, 5])
      #expect(onePublic.port != otherPublic.port)
      try one.send([3], to: otherPublic.host, otherPublic.port)
      let met = try other.receiveDatagram()
      #expect(met.data == [3] && met.host == onePublic.host && met.port == onePublic.port)
      try other.send([4], to: met.host, met.port)
      let answer = try one.receiveDatagram()
      #expect(answer.data == [4] && answer.host == otherPublic.host && answer.port == otherPublic.port)
      daemon.expectEnd()
    }

    @Test(
      "the watch on the outside wire, which every test has, sees a private source where nothing is translated"
    )
    func watch() throws {
      let street = try Street()
      try street.configure("nat: { exempt: [203.0.113.0/24] }")
      let daemon = try street.startDaemon()
      _ = try street.ping("203.0.113.9", count: 1)
      #expect(street.endWatch().contains("192.168.1.2 > 203.0.113.9"))
      daemon.expectEnd()
    }

    @Test("RC3 a link that goes down and up in the middle of a download: it arrives whole")
    func linkUnderTraffic() throws {
      let street = try Street()
      let server = try street.server.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      let download = try street.client.start([
        "/bin/sh", "-c",
        "cd \(street.folder.path) && exec curl -sS -m 300 --limit-rate 4M -o download http://203.0.113.9/8",
      ])
      let file = street.folder.appending(path: "download").path
      #expect(
        eventually {
          ((try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0) > 100_000
        })
      for name in ["wan0", "lan0"] {
        try street.gateway.shell("ip link set \(name) down")
        usleep(200_000)
        try street.gateway.shell("ip link set \(name) up")
      }
      let errors = download.readToEnd()
      #expect(download.wait() == 0, "\(errors)")
      #expect(try Download.isWhole(URL(fileURLWithPath: file), blocks: 8))
      withExtendedLifetime(server) {}
      daemon.expectEnd()
    }

    @Test("20,000 packets of junk a second from outside while a download runs: it arrives whole")
    func junk() throws {
      let street = try Street()
      let server = try street.server.enter { try HTTPServer(port: 80) }
      let daemon = try street.startDaemon()
      #expect(try street.ping("203.0.113.9"))
      var sent = 0
      var rate = 0.0
      // Again while other programs keep the machine from making as many.
      let end = ContinuousClock.now + .seconds(60)
      repeat {
        let junk = try Junk(street)
        let download = try street.curl("--limit-rate 8M -o download http://203.0.113.9/16")
        let made = junk.stop()
        #expect(download.code == 0, "\(download.output)")
        #expect(try Download.isWhole(street.folder.appending(path: "download"), blocks: 16))
        sent += made.count
        rate = Double(made.count) / (made.time / .seconds(1))
        print("junk: \(made.count) packets in \(made.time), \(Int(rate)) a second, seed \(junk.seed)")
      } while rate < 20_000 && ContinuousClock.now < end
      #expect(rate >= 20_000)
      #expect(try street.ping("203.0.113.9"))
      withExtendedLifetime(server) {}
      daemon.signal(SIGTERM)
      let log = daemon.readToEnd()
      #expect(log.contains("noBinding"), "\(log)")
      // It looked at all of it, or its ring was full and says so.
      let counted = ["outsideReceived", "outsideCaptureDropped"].compactMap { name in
        try? Regex("\(name)=(\\d+)").firstMatch(in: log)?.output[1].substring.flatMap { Int($0) }
      }
      #expect(counted.count == 2 && counted.reduce(0, +) >= sent, "\(log)")
      #expect(daemon.wait() == 0)
    }
  }
}
