import NATConfiguration
import NATWire
import Testing

/// What is accepted, and what it comes to.
@Suite struct AcceptanceTests {
  private func parse(_ text: String) throws -> Configuration {
    try Configuration.parse(interfaces + text + "\n", file: "portico.yaml")
  }

  /// `SettingTests` finds every setting by itself. A setting that the file leaves out has its default.
  @Test("a file with many settings comes to these values, in the order of the page")
  func everySetting() throws {
    let configuration = try Configuration.parse(
      """
      interfaces:
        inside: { name: lan0, address: 192.168.1.1/24, mac: 02:50:00:00:00:01, mtu: 9000 }
        outside: { name: wan0, address: 203.0.113.5/31, gateway: 203.0.113.4, mac: "00:11:22:33:44:55", mtu: 68 }
      routes:
        - { network: 10.9.0.0/24, via: 192.168.1.254 }
      nat:
        inside-networks: [192.168.1.0/25, 10.9.0.128/25]
        exempt: [172.16.0.0/12, 192.0.2.7]
        pool: [{ address: 203.0.113.5, ports: 5000 }, { address: 198.51.100.7 }]
        port-choice: random
        parity: off
        port-rest: 0s
        pooling: arbitrary
        filtering: { udp: endpoint-independent, tcp: address-and-port-dependent }
        hairpin: no
        inbound-refresh: yes
        lifetimes: { udp: 5m, tcp-established: 2h4m, tcp-transitory: 1s, icmp: 1d1h1m1s, fragment: 365d,
          ports: { udp/53: 30s, tcp/80: 1h, tcp/22: 24h } }
        limits: { bindings: 1, sessions: 67108864, per-host: { ports: 2, sessions: 2147483647, sessions-per-second: 100000 } }
        exhaustion: host-unreachable
        evict: oldest-transitory
        unsolicited-syn: silent
        tcp: { loose: on, window-tracking: TRUE, after-reset: transitory, mss-clamp: 1400 }
        fragments: { datagrams: 16, memory: 65536B }
        icmp-errors-per-second: 0
      static:
        - { protocol: udp, public: 203.0.113.5:5000, private: 192.168.1.10:53 }
        - { protocol: icmp, public: 203.0.113.5:0, private: 192.168.1.10:65535 }
      workers: 64
      capture: { delivery: blocks, ring: 1536KiB, snap-length: 2048 }
      control: { socket: portico.sock, mode: 600, group: 0 }
      metrics: { listen: 0.0.0.0:9100 }
      state: { file: /var/lib/portico/state, interval: 5m }
      record: { active: on, content: headers, window: 5m, memory: 1GiB }
      guard: off
      log: { level: critical }
      """, file: "portico.yaml")
    let expected = [
      "interfaces.inside.name lan0", "interfaces.inside.address 192.168.1.1/24",
      "interfaces.inside.mac 02:50:00:00:00:01", "interfaces.inside.mtu 9000",
      "interfaces.outside.name wan0", "interfaces.outside.address 203.0.113.5/31",
      "interfaces.outside.mac 00:11:22:33:44:55", "interfaces.outside.mtu 68",
      "interfaces.outside.gateway 203.0.113.4", "routes[10.9.0.0/24].via 192.168.1.254",
      "nat.inside-networks 192.168.1.0/25, 10.9.0.128/25", "nat.exempt 172.16.0.0/12, 192.0.2.7/32",
      "nat.pool[203.0.113.5].ports 5000", "nat.pool[198.51.100.7].ports 1024-65535",
      "nat.port-choice random", "nat.parity false", "nat.port-rest 0s", "nat.pooling arbitrary",
      "nat.filtering.udp endpoint-independent", "nat.filtering.tcp address-and-port-dependent",
      "nat.filtering.icmp address-dependent", "nat.hairpin false", "nat.inbound-refresh all",
      "nat.lifetimes.udp 300s", "nat.lifetimes.tcp-established 7440s", "nat.lifetimes.tcp-transitory 1s",
      "nat.lifetimes.icmp 90061s", "nat.lifetimes.fragment 31536000s", "nat.lifetimes.ports.tcp/22 86400s",
      "nat.lifetimes.ports.tcp/80 3600s", "nat.lifetimes.ports.udp/53 30s", "nat.limits.bindings 1",
      "nat.limits.sessions 67108864", "nat.limits.per-host.ports 2",
      "nat.limits.per-host.sessions 2147483647", "nat.limits.per-host.sessions-per-second 100000",
      "nat.exhaustion host-unreachable", "nat.evict oldest-transitory", "nat.unsolicited-syn silent",
      "nat.tcp.loose true", "nat.tcp.window-tracking true", "nat.tcp.after-reset transitory",
      "nat.tcp.mss-clamp 1400", "nat.fragments.datagrams 16", "nat.fragments.memory 64KiB",
      "nat.icmp-errors-per-second 0", "static[udp 203.0.113.5:5000].private 192.168.1.10:53",
      "static[icmp 203.0.113.5:0].private 192.168.1.10:65535", "workers 64",
      "capture.delivery blocks", "capture.ring 1536KiB", "capture.snap-length 2048",
      "control.socket portico.sock",
      "control.mode 0600", "control.group 0", "metrics.listen 0.0.0.0:9100",
      "state.file /var/lib/portico/state", "state.interval 300s",
      "record.active on", "record.content headers", "record.window 300s", "record.memory 1GiB", "guard off",
      "log.level critical",
    ]
    let byDefault = try parse("").settings.map { "\($0.name) \($0.value)" }
    let listed = configuration.settings.map { "\($0.name) \($0.value)" }
    #expect(listed.filter { expected.contains($0) || !byDefault.contains($0) } == expected)
  }

  @Test(
    "scalars are read as they are written: no sexagesimals, no octals, no truth values",
    arguments: ["00:11:22:33:44:55", "02:50:00:00:00:01", "'10:20:30:40:50:10'", "\"12:34:56:10:20:30\""])
  func addressesAreText(mac: String) throws {
    let configuration = try Configuration.parse(
      """
      interfaces:
        inside:
          name: off
          address: 192.168.1.1/24
          mac: \(mac)
        outside: { name: 0x10, address: 203.0.113.5/24, mac: \(mac) }
      control: { group: yes, socket: 1:30, mode: 0640 }
      """, file: "portico.yaml")
    let expected = mac.filter { $0 != "'" && $0 != "\"" }
    #expect(configuration.interfaces.inside.mac?.description == expected)
    #expect(configuration.interfaces.outside.mac?.description == expected)
    #expect(configuration.interfaces.inside.name == "off")
    #expect(configuration.interfaces.outside.name == "0x10")
    #expect(configuration.control.group == "yes")
    #expect(configuration.control.socket == "1:30")
    #expect(configuration.control.mode == 0o640)
  }

  @Test(
    "off and false mean the same, on and true too",
    arguments: [
      ("on", true), ("true", true), ("yes", true), ("On", true), ("TRUE", true), ("off", false),
      ("false", false), ("no", false), ("OFF", false), ("False", false), ("\"off\"", false),
    ])
  func switches(word: String, value: Bool) throws {
    let configuration = try parse("guard: \(word)\nnat: { hairpin: \(word) }")
    #expect(configuration.kernelGuard == value)
    #expect(configuration.nat.hairpin == value)
  }

  @Test(
    "the MSS clamp and the metrics can be off", arguments: ["off", "false"])
  func off(word: String) throws {
    let configuration = try parse("nat: { tcp: { mss-clamp: \(word) } }\nmetrics: { listen: \(word) }")
    #expect(configuration.nat.tcp.mssClamp == .off)
    #expect(configuration.metrics.listen == nil)
  }

  @Test(
    "the ports of a pool, RFC 6888 REQ-3",
    arguments: [
      ("1024-65535", [1024...65535]), ("5000", [5000...5000]),
      ("1024-4999,5100-65535", [1024...4999, 5100...65535]),
      ("\"1024-4999, 5100-65535\"", [1024...4999, 5100...65535]),
      ("1024-4999, 5100-65535", [1024...4999, 5100...65535]),
      ("7000,5000-5999,6000-6500,1", [1...1, 5000...6500, 7000...7000]), ("1-65535", [1...65535]),
      ("[1024-4999, 5100]", [1024...4999, 5100...5100]), ("65535,65534", [65534...65535]),
    ] as [(String, [ClosedRange<UInt16>])])
  func poolPorts(written: String, ports: [ClosedRange<UInt16>]) throws {
    let flow = try parse("nat: { pool: [{ address: 203.0.113.5, ports: \(written) }] }")
    #expect(flow.nat.pool == [Configuration.PoolAddress(IPv4Address(203, 0, 113, 5), ports: ports)])
    let block = try parse("nat:\n  pool:\n    - ports: \(written)\n      address: 203.0.113.5")
    #expect(block.nat.pool == flow.nat.pool)
  }

  @Test("one pool address with its ports in two entries is one address")
  func poolEntriesMerge() throws {
    let configuration = try parse(
      """
      nat:
        pool:
          - { address: 203.0.113.5, ports: 1024-2047 }
          - { address: 203.0.113.6 }
          - { address: 203.0.113.5, ports: 2048-4095 }
      """)
    #expect(
      configuration.nat.pool == [
        Configuration.PoolAddress(IPv4Address(203, 0, 113, 5), ports: [1024...4095]),
        Configuration.PoolAddress(IPv4Address(203, 0, 113, 6)),
      ])
  }

  @Test(
    "what no rule forbids, RFC 6888 REQ-3",
    arguments: [
      "nat: { pool: [] }",
      "nat: { pool: [{ address: 198.51.100.1 }] } # off the outside network",
      "nat: { exempt: [0.0.0.0/0] }",
      "nat: { lifetimes: { udp: 1s, ports: { udp/5000: 1s } } } # below RFC 4787 REQ-5",
      "routes: [{ network: 192.168.1.128/25, via: 192.168.1.2 }, { network: 192.168.0.0/16, via: 192.168.1.3 }]",
      "static: [{ protocol: tcp, public: 203.0.113.5:2000, private: 192.168.1.10:80 }] # in the pool's ports",
      "static: [{ protocol: tcp, public: 198.51.100.1:80, private: 192.168.1.10:80 }]",
    ])
  func allowed(text: String) throws { _ = try parse(text) }

  @Test("inside networks may lie in several routes together")
  func coveredByRoutes() throws {
    let configuration = try parse(
      """
      routes:
        - { network: 10.0.0.0/9, via: 192.168.1.2 }
        - { network: 10.128.0.0/10, via: 192.168.1.3 }
        - { network: 10.192.0.0/10, via: 192.168.1.2 }
      nat: { inside-networks: [10.0.0.0/8] }
      """)
    #expect(configuration.nat.insideNetworks.map(\.description) == ["10.0.0.0/8"])
    #expect(throws: ConfigurationErrors.self) {
      try parse(
        """
        routes:
          - { network: 10.0.0.0/9, via: 192.168.1.2 }
          - { network: 10.192.0.0/10, via: 192.168.1.2 }
        nat: { inside-networks: [10.0.0.0/8] }
        """)
    }
  }

  @Test(
    "ST-4 a port forward within a 1:1 mapping is no conflict, nor are two forwards of one private endpoint")
  func nestedStatics() throws {
    let configuration = try parse(
      """
      static:
        - { protocol: all, public: 203.0.113.6, private: 192.168.1.20 }
        - { protocol: tcp, public: 203.0.113.6:80, private: 192.168.1.21:80 }
        - { protocol: tcp, public: 203.0.113.6:81, private: 192.168.1.21:80 }
        - { protocol: udp, public: 203.0.113.6:80, private: 192.168.1.21:80 }
      """)
    #expect(
      configuration.statics.map { "\($0.protocolText) \($0.publicText) \($0.privateText)" } == [
        "all 203.0.113.6 192.168.1.20", "tcp 203.0.113.6:80 192.168.1.21:80",
        "tcp 203.0.113.6:81 192.168.1.21:80", "udp 203.0.113.6:80 192.168.1.21:80",
      ])
  }

  @Test("ST-14 ten thousand statics")
  func manyStatics() throws {
    let lines = (0..<10_000).map { index in
      "  - { protocol: all, public: 198.51.\(index / 250).\(index % 250 + 1), "
        + "private: 10.9.\(index / 250).\(index % 250 + 1) }"
    }
    let configuration = try parse(
      "routes: [{ network: 10.9.0.0/16, via: 192.168.1.2 }]\nstatic:\n\(lines.joined(separator: "\n"))")
    #expect(configuration.statics.count == 10_000)
  }

  @Test("line ends of other systems and a byte order mark", arguments: ["\r\n", "\n", "\r"])
  func lineEnds(end: String) throws {
    let text =
      "\u{FEFF}"
      + (interfaces + "workers: 2\nlog: { level: debug }\n").split(separator: "\n")
      .joined(separator: end)
    let configuration = try Configuration.parse(text, file: "portico.yaml")
    #expect(configuration.workers == 2)
    let wrong = text.replacing("debug", with: "loud")
    #expect {
      try Configuration.parse(wrong, file: "portico.yaml")
    } throws: { error in
      let problem = (error as? ConfigurationErrors)?.problems.first
      return problem?.line == 5 && problem?.column == 15
    }
  }
}
