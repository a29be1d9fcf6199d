import Testing

/// Refusals of static mappings.
@Suite struct StaticRefusalTests {
  @Test("a static mapping is refused with its place and what would be right", arguments: refusals)
  func refused(_ refusal: Refusal) { refusal.check() }

  @Test(
    "ST-6 an identity mapping is refused, and the message points to exempt",
    arguments: Refusal.of("ST-6", in: refusals))
  func identity(_ refusal: Refusal) { refusal.check() }

  @Test(
    "ST-9 duplicates and conflicts are refused, with both places", arguments: Refusal.of("ST-9", in: refusals)
  )
  func conflicts(_ refusal: Refusal) { refusal.check() }

  @Test(
    "ST-3 ST-5 ST-11 terms of a mapping are refused with their place",
    arguments: Refusal.of("ST-5", in: refusals))
  func terms(_ refusal: Refusal) { refusal.check() }

  @Test(
    "HP10 a mapping onto the gateway or onto another public address is refused, so nothing can loop",
    arguments: Refusal.of("HP10", in: refusals))
  func loops(_ refusal: Refusal) { refusal.check() }

  static let refusals = [
    Refusal(
      "a mapping without its parts", after: "static: [{}]",
      "4:10: static[0].protocol: found nothing; expected tcp, udp, icmp or all",
      "4:10: static[0].public: found nothing; expected an address, and a port unless protocol is all",
      "4:10: static[0].private: found nothing; expected an address, and a port unless protocol is all"),
    Refusal(
      "a protocol that is none",
      after: "static: [{ protocol: gre, public: 203.0.113.6, private: 192.168.1.20 }]",
      "4:22: static[0].protocol: found \"gre\"; expected tcp, udp, icmp or all"),
    Refusal(
      "an unknown key",
      after: "static: [{ protocol: tcp, publik: 203.0.113.5:8080, private: 192.168.1.10:80 }]",
      "4:10: static[0].public: found nothing; expected an address and a port from 1 to 65535, such as 192.0.2.1:8080",
      "4:27: static[0].publik: found an unknown key; expected public"),
    Refusal(
      "ST-3 ST-11 terms that are none",
      after: """
        static:
          - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.10:80, direction: outbound, once: 1, lifetime: 10 }
          - { protocol: tcp, public: 203.0.113.5:81, private: 192.168.1.10:81, lifetime: 0s }
        """,
      "5:83: static[0].direction: found \"outbound\"; expected both or inbound",
      "5:99: static[0].once: found \"1\"; expected on or off (or true, false, yes, no)",
      "5:112: static[0].lifetime: found \"10\", which has no unit; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m",
      "6:82: static[1].lifetime: found \"0s\"; expected a duration from 1s to 365d, such as 300s, 5m or 2h4m"),
    Refusal(
      "ST-5 remotes that are none",
      after: """
        static:
          - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.10:80, remote: example.org }
          - { protocol: tcp, public: 203.0.113.5:81, private: 192.168.1.10:81, remote: 198.51.100.7/24 }
          - { protocol: tcp, public: 203.0.113.5:82, private: 192.168.1.10:82, remote: 198.51.100.7:0 }
          - { protocol: icmp, public: 203.0.113.5:83, private: 192.168.1.10:83, remote: 198.51.100.7:83 }
          - { protocol: tcp, public: 203.0.113.5:84, private: 192.168.1.10:84, remote: 224.0.0.1 }
          - { protocol: tcp, public: 203.0.113.5:85, private: 192.168.1.10:85, remote: 192.168.1.77 }
          - { protocol: tcp, public: 203.0.113.5:86, private: 192.168.1.10:86, remote: 203.0.113.5:443 }
        """,
      "5:80: static[0].remote: found \"example.org\"; expected an address, an address and a port, or a network, such as 198.51.100.7:443 or 198.51.100.0/24",
      "6:80: static[1].remote: found \"198.51.100.7/24\", which has bits set behind its prefix; expected 198.51.100.0/24",
      "7:80: static[2].remote: found \"198.51.100.7:0\"; expected an address, an address and a port, or a network, such as 198.51.100.7:443 or 198.51.100.0/24",
      "8:81: static[3].remote: found \"198.51.100.7:83\", which has a port; expected 198.51.100.7",
      "9:80: static[4].remote: found \"224.0.0.1\", a multicast address; expected an address that a host can have",
      "10:80: static[5].remote: found \"192.168.1.77\", which overlaps the inside network 192.168.1.0/24; expected an address or network outside",
      "11:80: static[6].remote: found \"203.0.113.5:443\", which is the gateway's own; expected an address or network outside"
    ),
    Refusal(
      "ST-3 ST-5 ST-11 terms of a 1:1 mapping",
      after:
        "static: [{ protocol: all, public: 203.0.113.6, private: 192.168.1.20, direction: inbound, lifetime: 5m }]",
      "4:71: static[0].direction: found direction beside protocol: all; expected it with tcp, udp or icmp alone",
      "4:91: static[0].lifetime: found lifetime beside protocol: all; expected it with tcp, udp or icmp alone"
    ),
    Refusal(
      "ST-9 two forwards of one public endpoint for two remotes",
      after: """
        static:
          - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.10:80, remote: 198.51.100.7 }
          - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.11:80, remote: 198.51.100.8 }
        """,
      "6:30: static[1].public: found \"203.0.113.5:80\", which line 5 maps to 192.168.1.10:80; expected each public endpoint once"
    ),
    Refusal(
      "a port forward without ports",
      after: "static: [{ protocol: tcp, public: 203.0.113.5, private: 192.168.1.10 }]",
      "4:35: static[0].public: found \"203.0.113.5\", which has no port; expected an address and a port from 1 to 65535, such as 203.0.113.5:8080; or protocol: all for the whole address",
      "4:57: static[0].private: found \"192.168.1.10\", which has no port; expected an address and a port from 1 to 65535, such as 192.168.1.10:8080; or protocol: all for the whole address"
    ),
    Refusal(
      "an ICMP mapping without identifiers",
      after: "static: [{ protocol: icmp, public: 203.0.113.5, private: 192.168.1.10:65536 }]",
      "4:36: static[0].public: found \"203.0.113.5\", which has no identifier; expected an address and an identifier from 0 to 65535, such as 203.0.113.5:8080; or protocol: all for the whole address",
      "4:58: static[0].private: found \"192.168.1.10:65536\"; expected an address and an identifier from 0 to 65535, such as 192.0.2.1:8080"
    ),
    Refusal(
      "a 1:1 mapping with ports",
      after: "static: [{ protocol: all, public: 203.0.113.6:80, private: 192.168.1.20:80 }]",
      "4:35: static[0].public: found \"203.0.113.6:80\", which has a port; expected 203.0.113.6, as protocol: all maps every port; or protocol: tcp or udp",
      "4:60: static[0].private: found \"192.168.1.20:80\", which has a port; expected 192.168.1.20, as protocol: all maps every port; or protocol: tcp or udp"
    ),
    Refusal(
      "port 0", after: "static: [{ protocol: udp, public: 203.0.113.5:0, private: 192.168.1.10:0 }]",
      "4:35: static[0].public: found \"203.0.113.5:0\"; expected an address and a port from 1 to 65535, such as 192.0.2.1:8080",
      "4:59: static[0].private: found \"192.168.1.10:0\"; expected an address and a port from 1 to 65535, such as 192.0.2.1:8080"
    ),
    Refusal(
      "addresses that no host can have",
      after: """
        static:
          - { protocol: tcp, public: 127.0.0.1:80, private: 224.0.0.1:80 }
          - { protocol: all, public: 0.0.0.0, private: 255.255.255.255 }
        """,
      "5:30: static[0].public: found \"127.0.0.1:80\", a loopback address; expected an address that a host can have",
      "5:53: static[0].private: found \"224.0.0.1:80\", a multicast address; expected an address that a host can have",
      "6:30: static[1].public: found \"0.0.0.0\", an address of \"this network\"; expected an address that a host can have",
      "6:48: static[1].private: found \"255.255.255.255\", a reserved address; expected an address that a host can have"
    ),
    Refusal(
      "addresses that are none",
      after: """
        static:
          - { protocol: tcp, public: web:80, private: 192.168.1.10:http }
          - { protocol: all, public: web, private: 192.168.1 }
        """,
      "5:30: static[0].public: found \"web:80\"; expected an address and a port from 1 to 65535, such as 192.0.2.1:8080",
      "5:47: static[0].private: found \"192.168.1.10:http\"; expected an address and a port from 1 to 65535, such as 192.0.2.1:8080",
      "6:30: static[1].public: found \"web\"; expected an IPv4 address such as 192.0.2.1",
      "6:44: static[1].private: found \"192.168.1\"; expected an IPv4 address such as 192.0.2.1"),
    Refusal(
      "ST-6 an identity mapping",
      after: """
        static:
          - { protocol: all, public: 192.168.1.20, private: 192.168.1.20 }
          - { protocol: tcp, public: 192.168.1.20:80, private: 192.168.1.20:80 }
        """,
      "5:30: static[0].public: found \"192.168.1.20\", which is the private side as well; expected another address; what is to be forwarded without translation belongs in nat.exempt",
      "6:30: static[1].public: found \"192.168.1.20:80\", which is the private side as well; expected another address; what is to be forwarded without translation belongs in nat.exempt"
    ),
    Refusal(
      "a public address in an inside network",
      after: """
        routes: [{ network: 10.9.0.0/24, via: 192.168.1.2 }]
        static:
          - { protocol: tcp, public: 192.168.1.20:80, private: 192.168.1.20:8080 }
          - { protocol: all, public: 10.9.0.7, private: 192.168.1.20 }
        """,
      "6:30: static[0].public: found \"192.168.1.20:80\", which is in the inside network 192.168.1.0/24; expected a public address",
      "7:30: static[1].public: found \"10.9.0.7\", which is in the inside network 10.9.0.0/24; expected a public address"
    ),
    Refusal(
      "public addresses that are another's",
      file: """
        interfaces:
          inside: { name: lan0, address: 192.168.1.1/24 }
          outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }
        static:
          - { protocol: tcp, public: 203.0.113.1:80, private: 192.168.1.20:80 }
          - { protocol: tcp, public: 203.0.113.255:80, private: 192.168.1.20:80 }
        """,
      "5:30: static[0].public: found \"203.0.113.1:80\", which is the next router's (interfaces.outside.gateway); expected a public address",
      "6:30: static[1].public: found \"203.0.113.255:80\", the broadcast address of 203.0.113.0/24; expected a public address"
    ),
    Refusal(
      "a private address in no inside network",
      after: """
        static:
          - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.2.20:80 }
        """,
      "5:55: static[0].private: found \"192.168.2.20:80\", which is in no inside network; expected an address in 192.168.1.0/24"
    ),
    Refusal(
      "a private address in a network that is not translated",
      after: """
        routes: [{ network: 10.9.0.0/24, via: 192.168.1.2 }]
        nat: { inside-networks: [192.168.1.0/24] }
        static:
          - { protocol: tcp, public: 203.0.113.5:80, private: 10.9.0.20:80 }
        """,
      "7:55: static[0].private: found \"10.9.0.20:80\", which is in no inside network; expected an address in 192.168.1.0/24"
    ),
    Refusal(
      "private addresses that no host has",
      after: """
        static:
          - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.1:80 }
          - { protocol: all, public: 203.0.113.6, private: 192.168.1.255 }
        """,
      "5:55: static[0].private: found \"192.168.1.1:80\", which is the gateway's own; expected the address of a host",
      "6:52: static[1].private: found \"192.168.1.255\", the broadcast address of 192.168.1.0/24; expected the address of a host"
    ),
    Refusal(
      "HP10 a private side that is the gateway's, or public",
      after: """
        static:
          - { protocol: all, public: 203.0.113.6, private: 192.168.1.1 }
          - { protocol: all, public: 203.0.113.7, private: 203.0.113.8 }
          - { protocol: udp, public: 203.0.113.5:53, private: 203.0.113.5:54 }
          - { protocol: tcp, public: 203.0.113.5:80, private: 203.0.113.5:80 }
        """,
      "5:52: static[0].private: found \"192.168.1.1\", which is the gateway's own; expected the address of a host",
      "6:52: static[1].private: found \"203.0.113.8\", which is in no inside network; expected an address in 192.168.1.0/24",
      "7:55: static[2].private: found \"203.0.113.5:54\", which is in no inside network; expected an address in 192.168.1.0/24",
      "8:30: static[3].public: found \"203.0.113.5:80\", which is the private side as well; expected another address; what is to be forwarded without translation belongs in nat.exempt"
    ),
    Refusal(
      "a 1:1 mapping of the pool by default",
      after: "static: [{ protocol: all, public: 203.0.113.5, private: 192.168.1.20 }]",
      "4:35: static[0].public: found \"203.0.113.5\", which is in the pool; expected an address of its own, or a nat.pool without it (by default the pool is the outside address)"
    ),
    Refusal(
      "a 1:1 mapping of a pool address",
      after: """
        nat: { pool: [{ address: 203.0.113.6 }] }
        static: [{ protocol: all, public: 203.0.113.6, private: 192.168.1.20 }]
        """,
      "5:35: static[0].public: found \"203.0.113.6\", which is in the pool; expected an address of its own, or a nat.pool without it"
    ),
    Refusal(
      "ST-9 two forwards of one public endpoint",
      after: """
        static:
          - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.20:80 }
          - { protocol: udp, public: 203.0.113.5:80, private: 192.168.1.20:80 }
          - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.21:80 }
        """,
      "7:30: static[2].public: found \"203.0.113.5:80\", which line 5 maps to 192.168.1.20:80; expected each public endpoint once"
    ),
    Refusal(
      "ST-9 the same mapping twice",
      after: """
        static:
          - { protocol: icmp, public: 203.0.113.5:7, private: 192.168.1.20:7 }
          - { protocol: icmp, public: 203.0.113.5:7, private: 192.168.1.20:7 }
        """,
      "6:31: static[1].public: found \"203.0.113.5:7\", which line 5 maps to 192.168.1.20:7; expected each public endpoint once"
    ),
    Refusal(
      "ST-9 two 1:1 mappings of one address",
      after: """
        static:
          - { protocol: all, public: 203.0.113.6, private: 192.168.1.20 }
          - { protocol: all, public: 203.0.113.6, private: 192.168.1.21 }
          - { protocol: all, public: 203.0.113.7, private: 192.168.1.20 }
        """,
      "6:30: static[1].public: found \"203.0.113.6\", which line 5 maps to 192.168.1.20; expected each public address once",
      "7:52: static[2].private: found \"192.168.1.20\", which line 5 maps to 203.0.113.6; expected one public address for a private one where protocol is all"
    ),
  ]
}
