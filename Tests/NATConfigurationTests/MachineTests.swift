import NATWire
import Testing

@testable import NATConfiguration

/// `address: host`: what the file says, and what becomes of it with the host's addresses in it.
@Suite struct MachineTests {
  private static let outsideText = """
    interfaces:
      inside: { name: lan0, address: 192.168.1.1/24 }
      outside: { name: wan0, address: host }

    """
  private static let bothText = """
    interfaces:
      inside: { name: lan0, address: host }
      outside: { name: wan0, address: host }

    """
  private static let wan = Configuration.MachineAddress(
    IPv4Address(203, 0, 113, 5), prefixLength: 24, gateway: IPv4Address(203, 0, 113, 1))

  private func parse(_ text: String) throws -> Configuration {
    try Configuration.parse(text + "\n", file: "portico.yaml")
  }

  @Test("host outside: its address, network and gateway come from the host, the pool is 10240-32767 on it")
  func outside() throws {
    let configuration = try parse(Self.outsideText)
    let settings = configuration.settings.map { "\($0.name): \($0.value)" }
    #expect(settings.contains("interfaces.outside.address: host"))
    #expect(settings.contains("nat.pool[host].ports: 10240-32767"))
    #expect(configuration.ownAddresses == [IPv4Address(192, 168, 1, 1)])
    #expect(configuration.reservedPorts == [10240...32767, 10240...32767])
    let resolved = configuration.resolved(Configuration.Machine(outside: Self.wan))
    #expect(resolved.degraded == [])
    let now = resolved.configuration
    #expect(now.interfaces.outside.address == IPv4Address(203, 0, 113, 5))
    #expect(now.interfaces.outside.network == IPv4Network(IPv4Address(203, 0, 113, 0), prefixLength: 24))
    #expect(now.interfaces.gateway == IPv4Address(203, 0, 113, 1))
    #expect(
      now.nat.pool == [Configuration.PoolAddress(IPv4Address(203, 0, 113, 5), ports: [10240...32767])])
    #expect(now.sharedAddress == IPv4Address(203, 0, 113, 5))
    #expect(now.ownAddresses == [IPv4Address(192, 168, 1, 1)])
  }

  @Test("host inside: its network is what is translated, with the routes")
  func inside() throws {
    let configuration = try parse(
      Self.bothText + "routes: [{ network: 10.9.0.0/24, via: 192.168.1.254 }]")
    #expect(
      configuration.settings.contains { $0.name == "nat.inside-networks" && $0.value == "host, 10.9.0.0/24" })
    var host = Configuration.Machine(outside: Self.wan)
    host.inside = Configuration.MachineAddress(IPv4Address(192, 168, 1, 1), prefixLength: 24)
    let now = configuration.resolved(host).configuration
    #expect(now.nat.insideNetworks.map(\.description) == ["192.168.1.0/24", "10.9.0.0/24"])
    #expect(now.interfaces.inside.address == IPv4Address(192, 168, 1, 1))
    #expect(now.ownAddresses == [])
    let without = configuration.resolved(Configuration.Machine(outside: Self.wan))
    #expect(without.configuration.nat.insideNetworks.map(\.description) == ["10.9.0.0/24"])
    #expect(without.degraded == ["the inside interface lan0 has no address"])
  }

  @Test("EX1 host outside without an address: no pool, no statics on it, and it says so")
  func nothing() throws {
    let configuration = try parse(
      Self.outsideText + "static: [{ protocol: tcp, public: host:8080, private: 192.168.1.2:80 }]")
    let resolved = configuration.resolved(Configuration.Machine())
    #expect(resolved.configuration.nat.pool == [] && resolved.configuration.statics == [])
    #expect(resolved.configuration.publicAddresses == [] && resolved.configuration.sharedAddress == nil)
    #expect(resolved.degraded == ["the outside interface wan0 has no address: nothing is translated"])
  }

  @Test("ST-7 a static on host is on the host's address, whatever that is")
  func statics() throws {
    let configuration = try parse(
      Self.outsideText + "static: [{ protocol: tcp, public: host:8080, private: 192.168.1.2:80 }]")
    #expect(configuration.statics.map(\.publicText) == ["host:8080"])
    #expect(configuration.settings.contains { $0.name == "static[tcp host:8080].private" })
    #expect(configuration.portsOnMachine(.tcp) == [10240...32767, 8080...8080])
    #expect(configuration.portsOnMachine(.udp) == [10240...32767])
    for address in [IPv4Address(203, 0, 113, 5), IPv4Address(203, 0, 113, 77)] {
      let host = Configuration.Machine(outside: Configuration.MachineAddress(address, prefixLength: 24))
      #expect(configuration.resolved(host).configuration.statics.map(\.publicText) == ["\(address):8080"])
    }
    // At run time, too.
    let entry = ["protocol": "udp", "public": "host:53", "private": "192.168.1.2:53"]
    #expect(try configuration.staticMapping(from: entry, beside: []).publicText == "host:53")
  }

  @Test("ports of the host's own sockets are no part of the pool, and a static on one is left out and named")
  func sockets() throws {
    let configuration = try parse(
      Self.outsideText
        + """
        static:
          - { protocol: tcp, public: host:22, private: 192.168.1.2:22 }
          - { protocol: udp, public: host:22, private: 192.168.1.2:22 }
        """)
    var host = Configuration.Machine(outside: Self.wan)
    host.tcpPorts = [22, 10240, 20000]
    host.udpPorts = [20001, 32767]
    let resolved = configuration.resolved(host)
    #expect(resolved.configuration.nat.pool[0].ports == [10241...19999, 20002...32766])
    #expect(resolved.configuration.statics.map(\.protocolText) == ["udp"])
    #expect(resolved.degraded == ["static tcp host:22: a socket of the machine has the port"])
  }

  @Test("an outside address in an inside network is not taken: nothing is translated, and it says why")
  func overlap() throws {
    let configuration = try parse(Self.outsideText)
    let host = Configuration.Machine(
      outside: Configuration.MachineAddress(IPv4Address(192, 168, 1, 77), prefixLength: 24))
    let resolved = configuration.resolved(host)
    #expect(resolved.configuration.nat.pool == [] && resolved.configuration.sharedAddress == nil)
    #expect(
      resolved.degraded == [
        "the outside interface wan0 has 192.168.1.77/24, which overlaps the inside network 192.168.1.0/24: nothing is translated"
      ])
  }

  @Test("pool and statics may name the host's address by its number; what comes twice is merged or left out")
  func byNumber() throws {
    let configuration = try parse(
      Self.outsideText
        + """
        nat: { pool: [{ address: host, ports: 20000-20999 }, { address: 203.0.113.5, ports: 21000-21999 }] }
        static:
          - { protocol: tcp, public: host:80, private: 192.168.1.2:80 }
          - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.3:80 }
          - { protocol: all, public: 203.0.113.6, private: 192.168.1.4 }
        """)
    let now = configuration.resolved(Configuration.Machine(outside: Self.wan))
    #expect(
      now.configuration.nat.pool == [
        Configuration.PoolAddress(IPv4Address(203, 0, 113, 5), ports: [20000...21999])
      ])
    #expect(now.configuration.statics.map(\.privateText) == ["192.168.1.2:80", "192.168.1.4"])
    #expect(now.degraded == ["static tcp 203.0.113.5:80: another one has its public endpoint"])
    // The host comes to the address of a 1:1 mapping.
    let other = configuration.resolved(
      Configuration.Machine(
        outside: Configuration.MachineAddress(IPv4Address(203, 0, 113, 6), prefixLength: 24)))
    #expect(other.degraded.contains("static all 203.0.113.6: the machine has the address itself"))
  }

  @Test("what cannot be with host is refused with its place and what would be right", arguments: refusals)
  func refused(_ refusal: Refusal) { refusal.check() }

  static let refusals = [
    Refusal(
      "a mac",
      file: """
        interfaces:
          inside: { name: lan0, address: 192.168.1.1/24 }
          outside: { name: wan0, address: host, mac: "02:50:00:00:00:01" }
        """,
      "3:46: interfaces.outside.mac: found 02:50:00:00:00:01, where the address is the machine's; expected no mac, as the kernel answers for its address with the device's own"
    ),
    Refusal(
      "host in pool and statics without a host",
      after: """
        nat: { pool: [{ address: host }] }
        static: [{ protocol: tcp, public: host:80, private: 192.168.1.2:80 }]
        """,
      "4:26: nat.pool[0].address: found \"host\", and interfaces.outside.address is not host; expected a public address",
      "5:35: static[0].public: found \"host:80\", and interfaces.outside.address is not host; expected a public address"
    ),
    Refusal(
      "a whole host, a host without a port, an identifier of the host's, a private host",
      file: MachineTests.outsideText + """
        static:
          - { protocol: all, public: host, private: 192.168.1.2 }
          - { protocol: tcp, public: host, private: 192.168.1.2:80 }
          - { protocol: icmp, public: host:7, private: 192.168.1.2:7 }
          - { protocol: tcp, public: host:81, private: host:80 }
        """,
      "5:30: static[0].public: found \"host\", whose kernel keeps it; expected an address of its own; or protocol: tcp or udp, and a port, such as host:8080",
      "6:30: static[1].public: found \"host\"; expected host and a port from 1 to 65535, such as host:8080",
      "7:31: static[2].public: found \"host:7\", whose kernel answers echo requests itself; expected an identifier at an address of Portico's own",
      "8:48: static[3].private: found \"host:80\"; expected an address and a port from 1 to 65535, such as 192.0.2.1:8080"
    ),
  ]
}
