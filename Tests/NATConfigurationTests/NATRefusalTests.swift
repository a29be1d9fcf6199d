import Testing

/// Refusals of the key nat.
@Suite struct NATRefusalTests {
  @Test("a setting of nat is refused with its place and what would be right", arguments: refusals)
  func refused(_ refusal: Refusal) { refusal.check() }

  @Test(
    "MAP9 a translated network that overlaps the outside network is refused, RFC 4787 REQ-7",
    arguments: Refusal.of("MAP9", in: refusals))
  func overlapping(_ refusal: Refusal) { refusal.check() }

  @Test(
    "LIM8 limits of zero, below zero or no number are refused", arguments: Refusal.of("LIM8", in: refusals))
  func limits(_ refusal: Refusal) { refusal.check() }

  static let refusals = settings + poolPorts + portRests

  private static let poolPorts = ["0-1023", "1024-65536", "1024-", "-5", "1-2-3", "", "01-9", "a"].map {
    ports in
    Refusal(
      "the pool ports \(ports)", after: #"nat: { pool: [{ address: 203.0.113.5, ports: "\#(ports)" }] }"#,
      "4:46: nat.pool[0].ports: found \"\(ports)\"; expected ports from 1 to 65535, such as 1024-65535, 1024-4999,5100-65535 or 5000"
    )
  }

  private static let portRests = ["601s", "-1s", "10m1s", "1.5s", "1d", "s"].map { rest in
    Refusal(
      "the port rest \(rest)", after: "nat: { port-rest: \(rest) }",
      "4:19: nat.port-rest: found \"\(rest)\"; expected a duration from 0s to 600s, such as 120s or 2m")
  }

  private static let settings = [
    Refusal(
      "an inside network without a way to it",
      after: "nat: { inside-networks: [192.168.1.0/24, 10.9.0.0/24] }",
      "4:42: nat.inside-networks[1]: found \"10.9.0.0/24\", to which neither the inside network nor a route leads; expected a network within 192.168.1.0/24, or a route to it"
    ),
    Refusal(
      "an inside network larger than its route",
      after: """
        routes: [{ network: 10.9.0.0/25, via: 192.168.1.2 }]
        nat:
          inside-networks:
            - 10.9.0.0/24
        """,
      "7:7: nat.inside-networks[0]: found \"10.9.0.0/24\", to which neither the inside network nor a route leads; expected a network within 192.168.1.0/24 or 10.9.0.0/25, or a route to it"
    ),
    Refusal(
      "no inside network", after: "nat: { inside-networks: [] }",
      "4:25: nat.inside-networks: found an empty list; expected at least one network (without the key: the inside network and the routes)"
    ),
    Refusal(
      "MAP9 an inside network in the outside network",
      after: """
        routes: [{ network: 203.0.0.0/16, via: 192.168.1.2 }]
        nat: { inside-networks: [203.0.113.64/26] }
        """,
      "5:26: nat.inside-networks[0]: found \"203.0.113.64/26\", which overlaps the outside network 203.0.113.0/24; expected inside and outside networks apart from each other"
    ),
    Refusal(
      "networks that are none",
      after: "nat: { inside-networks: [lan], exempt: [172.16.0.1/12, 10.0.0.0/40] }",
      "4:26: nat.inside-networks[0]: found \"lan\"; expected an IPv4 network such as 10.9.0.0/24",
      "4:41: nat.exempt[0]: found \"172.16.0.1/12\", which has bits set behind its prefix; expected 172.16.0.0/12",
      "4:56: nat.exempt[1]: found \"10.0.0.0/40\"; expected an IPv4 network such as 10.9.0.0/24"),
    Refusal(
      "a pool address without its address", after: "nat: { pool: [{ ports: 1024-2047 }] }",
      "4:15: nat.pool[0].address: found nothing; expected an IPv4 address such as 192.0.2.1, or host"),
    Refusal(
      "a pool address in an inside network",
      after: """
        routes: [{ network: 10.9.0.0/24, via: 192.168.1.2 }]
        nat:
          pool:
            - { address: 192.168.1.7 }
            - { address: 10.9.0.1 }
        """,
      "7:18: nat.pool[0].address: found \"192.168.1.7\", which is in the inside network 192.168.1.0/24; expected a public address",
      "8:18: nat.pool[1].address: found \"10.9.0.1\", which is in the inside network 10.9.0.0/24; expected a public address"
    ),
    Refusal(
      "pool addresses that no host can have",
      after: """
        nat:
          pool: [{ address: 203.0.113.255 }, { address: 127.0.0.1 }, { address: 203.0.113.0 }]
        """,
      "5:21: nat.pool[0].address: found \"203.0.113.255\", the broadcast address of 203.0.113.0/24; expected a public address",
      "5:49: nat.pool[1].address: found \"127.0.0.1\", a loopback address; expected an address that a host can have",
      "5:73: nat.pool[2].address: found \"203.0.113.0\", the network address of 203.0.113.0/24; expected a public address"
    ),
    Refusal(
      "the next router as a pool address",
      file: """
        interfaces:
          inside: { name: lan0, address: 192.168.1.1/24 }
          outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }
        nat: { pool: [{ address: 203.0.113.1 }] }
        """,
      "4:26: nat.pool[0].address: found \"203.0.113.1\", which is the next router's (interfaces.outside.gateway); expected a public address"
    ),
    Refusal(
      "overlapping pools",
      after: """
        nat:
          pool:
            - { address: 203.0.113.5, ports: 1024-4999,6000 }
            - { address: 203.0.113.6 }
            - { address: 203.0.113.5, ports: "5000,4000-4500" }
            - { address: 203.0.113.6, ports: 2000-2999 }
        """,
      "8:38: nat.pool[2].ports: found ports 4000-4500 of 203.0.113.5, which overlap 1024-4999 on line 6; expected each port of an address once",
      "9:38: nat.pool[3].ports: found ports 2000-2999 of 203.0.113.6, which overlap 1024-65535 on line 7; expected each port of an address once"
    ),
    Refusal(
      "a pool without its ports readable, and another",
      after: """
        nat:
          pool:
            - { address: 203.0.113.5, ports: many }
            - { address: 203.0.113.5 }
        """,
      "6:38: nat.pool[0].ports: found \"many\"; expected ports from 1 to 65535, such as 1024-65535, 1024-4999,5100-65535 or 5000"
    ),
    Refusal(
      "the pool ports 5000-4000", after: #"nat: { pool: [{ address: 203.0.113.5, ports: "5000-4000" }] }"#,
      "4:46: nat.pool[0].ports: found \"5000-4000\", a reversed range; expected 4000-5000"),
    Refusal(
      "the pool ports 1024-2047,", after: #"nat: { pool: [{ address: 203.0.113.5, ports: "1024-2047," }] }"#,
      "4:46: nat.pool[0].ports: found \"\" in \"1024-2047,\"; expected ports from 1 to 65535, such as 1024-65535, 1024-4999,5100-65535 or 5000"
    ),
    Refusal(
      "the pool ports 1024-2047,2000-3000",
      after: #"nat: { pool: [{ address: 203.0.113.5, ports: "1024-2047,2000-3000" }] }"#,
      "4:46: nat.pool[0].ports: found \"2000-3000\" and \"1024-2047\", which overlap; expected each port once"
    ),
    Refusal(
      "a second range that is none",
      after: "nat: { pool: [{ address: 203.0.113.5, ports: 1024-4999,5100-x }] }",
      "4:46: nat.pool[0].ports: found \"5100-x\" in \"1024-4999,5100-x\"; expected ports from 1 to 65535, such as 1024-65535, 1024-4999,5100-65535 or 5000"
    ),
    Refusal(
      "a list of ports that are none",
      after:
        "nat: { pool: [{ address: 203.0.113.5, ports: [1, 1] }, { address: 203.0.113.6, ports: [[]] }, { address: 203.0.113.7, ports: [] }, { address: 203.0.113.8, ports: { 1: 2 } }] }",
      "4:46: nat.pool[0].ports: found \"1\" and \"1\", which overlap; expected each port once",
      "4:87: nat.pool[1].ports: found a list; expected ports from 1 to 65535, such as 1024-65535, 1024-4999,5100-65535 or 5000",
      "4:126: nat.pool[2].ports: found \"\"; expected ports from 1 to 65535, such as 1024-65535, 1024-4999,5100-65535 or 5000",
      "4:163: nat.pool[3].ports: found a mapping; expected ports from 1 to 65535, such as 1024-65535, 1024-4999,5100-65535 or 5000"
    ),
    Refusal(
      "a port in a pool entry without ports", after: "nat: { pool: [{ address: 203.0.113.5, 5000 }] }",
      "4:39: nat.pool[0].5000: found an unknown key; expected one of address or ports"),
    Refusal(
      "a pool network", after: "nat: { pool: [{ address: 203.0.113.0/28 }] }",
      "4:26: nat.pool[0].address: found \"203.0.113.0/28\"; expected an IPv4 address such as 192.0.2.1, or host"
    ),
    Refusal(
      "words that are none",
      after: """
        nat:
          port-choice: keep
          pooling: shared
          exhaustion: drop
          evict: oldest
          unsolicited-syn: "off"
          tcp: { after-reset: closed }
        """,
      "5:16: nat.port-choice: found \"keep\"; expected preserve, random or sequential",
      "6:12: nat.pooling: found \"shared\"; expected paired or arbitrary",
      "7:15: nat.exhaustion: found \"drop\"; expected prohibited, host-unreachable or silent",
      "8:10: nat.evict: found \"oldest\"; expected never or oldest-transitory",
      "9:20: nat.unsolicited-syn: found \"off\"; expected answer or silent",
      "10:23: nat.tcp.after-reset: found \"closed\"; expected established or transitory"),
    Refusal(
      "switches that are none",
      after: """
        nat:
          parity: even
          hairpin: 1
          inbound-refresh: y
          tcp: { loose: oN, window-tracking: "" }
        """,
      "5:11: nat.parity: found \"even\"; expected on or off (or true, false, yes, no)",
      "6:12: nat.hairpin: found \"1\"; expected on or off (or true, false, yes, no)",
      "7:20: nat.inbound-refresh: found \"y\"; expected peers, all or off (true is all, false is off)",
      "8:17: nat.tcp.loose: found \"oN\"; expected on or off (or true, false, yes, no)",
      "8:38: nat.tcp.window-tracking: found \"\"; expected on or off (or true, false, yes, no)"),
    Refusal(
      "filtering that is none", after: "nat: { filtering: eif }",
      "4:19: nat.filtering: found \"eif\"; expected endpoint-independent, address-dependent or address-and-port-dependent"
    ),
    Refusal(
      "filtering that is none, by protocol",
      after: "nat: { filtering: { udp: open, gre: address-dependent } }",
      "4:26: nat.filtering.udp: found \"open\"; expected endpoint-independent, address-dependent or address-and-port-dependent",
      "4:32: nat.filtering.gre: found an unknown key; expected one of udp, tcp or icmp"),
    Refusal(
      "a list of filterings", after: "nat: { filtering: [address-dependent] }",
      "4:19: nat.filtering: found a list; expected endpoint-independent, address-dependent or address-and-port-dependent, or a mapping by protocol"
    ),
    Refusal(
      "the port rest 120", after: "nat: { port-rest: 120 }",
      "4:19: nat.port-rest: found \"120\", which has no unit; expected a duration from 0s to 600s, such as 120s or 2m"
    ),
    Refusal(
      "lifetimes that are none",
      after: """
        nat:
          lifetimes:
            udp: 0s
            tcp-established: 300
            tcp-transitory: 4m2h
            icmp: 60 s
            fragment: 500ms
        """,
      "6:10: nat.lifetimes.udp: found \"0s\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "7:22: nat.lifetimes.tcp-established: found \"300\", which has no unit; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "8:21: nat.lifetimes.tcp-transitory: found \"4m2h\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "9:11: nat.lifetimes.icmp: found \"60 s\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "10:15: nat.lifetimes.fragment: found \"500ms\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m"
    ),
    Refusal(
      "lifetimes out of range",
      after: """
        nat:
          lifetimes: { udp: 366d, icmp: 9999999999s, fragment: 0, tcp-established: 1h1h, tcp-transitory: -5s }
        """,
      "5:21: nat.lifetimes.udp: found \"366d\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "5:33: nat.lifetimes.icmp: found \"9999999999s\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "5:56: nat.lifetimes.fragment: found \"0\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "5:76: nat.lifetimes.tcp-established: found \"1h1h\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "5:98: nat.lifetimes.tcp-transitory: found \"-5s\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m"
    ),
    Refusal(
      "lifetimes of ports",
      after: """
        nat:
          lifetimes:
            ports:
              icmp/8: 60s
              udp/0: 60s
              tcp/65536: 60s
              "53": 60s
              udp/53: 0s
              udp/67:
        """,
      "7:7: nat.lifetimes.ports.icmp/8: found \"icmp/8\"; expected a protocol and a port from 1 to 65535, such as udp/53 or tcp/80",
      "8:7: nat.lifetimes.ports.udp/0: found \"udp/0\"; expected a protocol and a port from 1 to 65535, such as udp/53 or tcp/80",
      "9:7: nat.lifetimes.ports.tcp/65536: found \"tcp/65536\"; expected a protocol and a port from 1 to 65535, such as udp/53 or tcp/80",
      "10:7: nat.lifetimes.ports.53: found \"53\"; expected a protocol and a port from 1 to 65535, such as udp/53 or tcp/80",
      "11:15: nat.lifetimes.ports.udp/53: found \"0s\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "12:14: nat.lifetimes.ports.udp/67: found nothing; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m"
    ),
    Refusal(
      "lifetimes of ports as a list", after: "nat: { lifetimes: { ports: [udp/53] } }",
      "4:28: nat.lifetimes.ports: found a list; expected a mapping such as { udp/53: 120s }"),
    Refusal(
      "LIM8 limits that are none",
      after: """
        nat:
          limits:
            bindings: 0
            sessions: -1
            per-host: { ports: many, sessions: 2147483648 }
        """,
      "6:15: nat.limits.bindings: found \"0\"; expected a number from 1 to 67108864",
      "7:15: nat.limits.sessions: found \"-1\"; expected a number from 1 to 67108864",
      "8:24: nat.limits.per-host.ports: found \"many\"; expected a number from 1 to 2147483647",
      "8:40: nat.limits.per-host.sessions: found \"2147483648\"; expected a number from 1 to 2147483647"),
    Refusal(
      "LIM8 a rate that is none", after: "nat: { limits: { per-host: { sessions-per-second: 0 } } }",
      "4:51: nat.limits.per-host.sessions-per-second: found \"0\"; expected off, or a number from 1 to 100000"
    ),
    Refusal(
      "LIM8 limits that no table can hold",
      after: """
        nat:
          limits: { bindings: 67108865, sessions: 2147483647 }
        """,
      "5:23: nat.limits.bindings: found \"67108865\"; expected a number from 1 to 67108864",
      "5:43: nat.limits.sessions: found \"2147483647\"; expected a number from 1 to 67108864"),
    Refusal(
      "LIM8 more addresses than a pool can have",
      after: "nat:\n  pool:\n"
        + (0...1024).map { "    - { address: 198.18.\($0 / 200).\(1 + $0 % 200) }" }.joined(separator: "\n"),
      "1030:18: nat.pool[1024].address: found address number 1025 of the pool; expected at most 1024"),
    Refusal(
      "LIM8 numbers not written in decimal",
      after: """
        nat:
          limits: { bindings: 0x10, sessions: 1_000, per-host: { ports: 010, sessions: 1e3 } }
        """,
      "5:23: nat.limits.bindings: found \"0x10\"; expected a number from 1 to 67108864",
      "5:39: nat.limits.sessions: found \"1_000\"; expected a number from 1 to 67108864",
      "5:65: nat.limits.per-host.ports: found \"010\"; expected a number from 1 to 2147483647",
      "5:80: nat.limits.per-host.sessions: found \"1e3\"; expected a number from 1 to 2147483647"),
    Refusal(
      "an MSS clamp out of range", after: "nat: { tcp: { mss-clamp: 87 } }",
      "4:26: nat.tcp.mss-clamp: found \"87\"; expected auto, off, or a number from 88 to 65495"),
    Refusal(
      "an MSS clamp that is none", after: "nat: { tcp: { mss-clamp: on } }",
      "4:26: nat.tcp.mss-clamp: found \"on\"; expected auto, off, or a number from 88 to 65495"),
    Refusal(
      "fragments that are none", after: "nat: { fragments: { datagrams: 0, memory: 8MB } }",
      "4:32: nat.fragments.datagrams: found \"0\"; expected a number from 1 to 1048576",
      "4:43: nat.fragments.memory: found \"8MB\"; expected a size from 64KiB to 512MiB, such as 8MiB"),
    Refusal(
      "a memory without a unit", after: "nat: { fragments: { memory: 8388608 } }",
      "4:29: nat.fragments.memory: found \"8388608\", which has no unit; expected a size from 64KiB to 512MiB, such as 8MiB"
    ),
    Refusal(
      "a memory out of range", after: "nat: { fragments: { memory: 63KiB } }",
      "4:29: nat.fragments.memory: found \"63KiB\"; expected a size from 64KiB to 512MiB, such as 8MiB"),
    Refusal(
      "a memory beyond counting", after: "nat: { fragments: { memory: 99999999999999999GiB } }",
      "4:29: nat.fragments.memory: found \"99999999999999999GiB\"; expected a size from 64KiB to 512MiB, such as 8MiB"
    ),
    Refusal(
      "a negative budget of ICMP errors", after: "nat: { icmp-errors-per-second: -1 }",
      "4:32: nat.icmp-errors-per-second: found \"-1\"; expected a number from 0 to 1000000"),
  ]
}
