import Foundation
import Glibc
import NATLab
import Testing

extension Lab {
  /// The gateway's machine, its kernel and its own traffic, beside the daemon.
  @Suite struct LocalTests {
    @Test(
      "FW8 the machine's own traffic is untouched: by other addresses of its own, from each side and to the world"
    )
    func local() throws {
      let street = try Street()
      let office = try NetworkNamespace()
      try street.gateway.connect("mgmt0", to: office, "eth0")
      try office.shell("ip address add 10.0.0.2/24 dev eth0")
      try street.gateway.shell(
        """
        ip address add 10.0.0.1/24 dev mgmt0 && ip address add 192.168.1.254/24 dev lan0 && \
        ip address add 203.0.113.6/24 dev wan0 && ip route add default via 203.0.113.9
        """)
      let login = try street.gateway.enter { try HTTPServer(port: 22) }
      let server = try street.server.enter { try HTTPServer(port: 80) }
      let (client, wire) = (try Tap(street.client), try Tap(street.server))
      let daemon = try street.startDaemon()
      // From each side to the address there, and out by the machine's own.
      let ways: [(from: NetworkNamespace, to: String)] = [
        (street.client, "192.168.1.254:22"), (street.server, "203.0.113.6:22"), (office, "10.0.0.1:22"),
        (street.client, "203.0.113.6:22"), (street.client, "10.0.0.1:22"), (street.gateway, "203.0.113.9:80"),
        (street.client, "203.0.113.9:80"),
      ]
      for (index, way) in ways.enumerated() {
        let host = way.to.split(separator: ":")[0]
        let ping = try way.from.attempt("ping -n -c 3 -i 0.05 -W 1 \(host)")
        #expect(ping.code == 0 && !ping.output.contains("DUP"), "\(ping.output)")
        let result = try way.from.attempt(
          "cd \(street.folder.path) && curl -sS -m 20 -o local\(index) http://\(way.to)/2")
        #expect(result.code == 0, "\(result.output)")
        #expect(try Download.isWhole(street.folder.appending(path: "local\(index)"), blocks: 2))
      }
      // The gateway passes nothing on to its own machine, nor asks who that is, nor calls it unreachable.
      let own = [try street.gatewayMAC("lan0"), try street.gatewayMAC("wan0")]
      for frame in client.socket.framesSoFar() + wire.socket.framesSoFar() where own.contains(frame.source) {
        if let arp = frame.arp, arp.operation == 1 {
          #expect(![[192, 168, 1, 254], [203, 0, 113, 6]].contains(arp.target), "\(frame)")
        }
        if let packet = frame.ipv4, packet.protocolNumber == 1 {
          #expect(packet.payload[0] != 3, "\(frame)")
        }
      }
      withExtendedLifetime((login, server)) {}
      daemon.expectEnd()
    }

    @Test("FW8 a DHCP client of the machine gets a lease on the outside interface under the guard")
    func lease() throws {
      let street = try Street()
      let server = try street.server.start([
        "/bin/sh", "-c",
        """
        exec dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --pid-file \
        --log-facility=- --interface=eth0 --bind-interfaces --dhcp-range=203.0.113.100,203.0.113.110,1h \
        --dhcp-leasefile=\(street.folder.path)/leases --no-ping
        """,
      ])
      let words = server.read(until: "started")
      try #require(words.contains("started"), "\(words)")
      let daemon = try street.startDaemon()
      // Without its script the client asks, and changes nothing.
      let client = try street.gateway.attempt(
        """
        timeout 20 dhclient -1 -d -sf /bin/true -cf /dev/null -lf \(street.folder.path)/lease \
        -pf \(street.folder.path)/pid wan0 & client=$!
        for wait in $(seq 100); do grep -qs 'fixed-address' \(street.folder.path)/lease && break; sleep 0.1; done
        kill $client; wait $client; grep 'fixed-address' \(street.folder.path)/lease
        """)
      #expect(client.output.contains("fixed-address 203.0.113.1"), "\(client.output)")
      #expect(try street.ping("203.0.113.9"))
      daemon.expectEnd()
    }

    @Test(
      "FW11 a kernel that has the gateway's addresses and forwards sends nothing: no packet twice, no RST, no ICMP"
    )
    func kernel() throws {
      let street = try Street()
      try street.configure(
        "static: [{ protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.2:80 }]")
      try street.gateway.shell(
        """
        echo 1 >/proc/sys/net/ipv4/ip_forward && ip address add 192.168.1.1/24 dev lan0 && \
        ip address add 203.0.113.5/24 dev wan0 && ip route add default via 203.0.113.9
        """)
      let here = try street.client.enter { try HTTPServer(port: 80) }
      let there = try street.server.enter { try HTTPServer(port: 80) }
      let wire = try Tap(street.server)
      let wan = try street.gatewayMAC("wan0")
      let daemon = try street.startDaemon()
      let ping = try street.client.attempt("ping -n -c 5 -i 0.05 -W 1 203.0.113.9")
      #expect(ping.code == 0 && !ping.output.contains("DUP"), "\(ping.output)")
      let requests = wire.socket.framesSoFar().filter { $0.source == wan && $0.ipv4?.payload.first == 8 }
      #expect(requests.count == 5 && requests.allSatisfy { $0.ipv4?.source == [203, 0, 113, 5] })
      // The kernel knows no connection on either port, and nobody listens on the third.
      #expect(try street.curl("-o download http://203.0.113.9/1").code == 0)
      let forwarded = try street.server.attempt(
        "cd \(street.folder.path) && curl -sS -m 20 -o forwarded http://203.0.113.5:8080/1")
      #expect(forwarded.code == 0, "\(forwarded.output)")
      let refused = try street.server.attempt("curl -sS -m 1 http://203.0.113.5:81/")
      #expect(refused.code == 28, "\(refused.output)")
      let datagram = try street.server.enter { try PlainSocket.udp(port: 0) }
      try datagram.send([1], to: [203, 0, 113, 5], 81)
      for name in ["download", "forwarded"] {
        #expect(try Download.isWhole(street.folder.appending(path: name), blocks: 1))
      }
      for frame in wire.socket.framesSoFar() where frame.source == wan {
        guard let packet = frame.ipv4 else { continue }
        #expect(packet.protocolNumber == 6, "\(frame)")
        if packet.protocolNumber == 6 { #expect(packet.payload[13] & 0x04 == 0, "a RST: \(frame)") }
      }
      withExtendedLifetime((here, there)) {}
      daemon.expectEnd()
    }
  }
}
