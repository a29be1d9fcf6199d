import Testing

/// Refusals of interfaces and routes.
@Suite struct InterfaceRefusalTests {
  @Test("an interface or a route is refused with its place and what would be right", arguments: refusals)
  func refused(_ refusal: Refusal) { refusal.check() }

  @Test(
    "MAP9 an inside network that overlaps the outside network is refused, RFC 4787 REQ-7",
    arguments: Refusal.of("MAP9", in: refusals))
  func overlapping(_ refusal: Refusal) { refusal.check() }

  static let refusals = [
    Refusal(
      "no interfaces", file: "workers: 1",
      "1:1: interfaces: found nothing; expected a mapping with the keys inside and outside"),
    Refusal(
      "empty interfaces", file: "interfaces:",
      "1:1: interfaces: found nothing; expected a mapping with the keys inside and outside"),
    Refusal(
      "no outside",
      file: """
        interfaces:
          inside: { name: lan0, address: 192.168.1.1/24 }
        """,
      "1:1: interfaces.outside: found nothing; expected a mapping with the keys name and address"),
    Refusal(
      "no name and no address",
      inside: "{ mtu: 1500 }",
      outside: "{}",
      "2:3: interfaces.inside.name: found nothing; expected the name of a network device, 1 to 15 bytes without spaces, `/` and `:`",
      "2:3: interfaces.inside.address: found nothing; expected an IPv4 address with its prefix length (1 to 32), such as 192.168.1.1/24, or host",
      "3:3: interfaces.outside.name: found nothing; expected the name of a network device, 1 to 15 bytes without spaces, `/` and `:`",
      "3:3: interfaces.outside.address: found nothing; expected an IPv4 address with its prefix length (1 to 32), such as 192.168.1.1/24, or host"
    ),
    Refusal(
      "a name that is none",
      inside: "{ name: a/b, address: 192.168.1.1/24 }",
      outside: "{ name: abcdefghijklmnop, address: 203.0.113.5/24 }",
      "2:19: interfaces.inside.name: found \"a/b\"; expected the name of a network device, 1 to 15 bytes without spaces, `/` and `:`",
      "3:20: interfaces.outside.name: found \"abcdefghijklmnop\"; expected the name of a network device, 1 to 15 bytes without spaces, `/` and `:`"
    ),
    Refusal(
      "an empty name",
      inside: #"{ name: "", address: 192.168.1.1/24 }"#,
      outside: #"{ name: "wan 0", address: 203.0.113.5/24 }"#,
      "2:19: interfaces.inside.name: found \"\"; expected the name of a network device, 1 to 15 bytes without spaces, `/` and `:`",
      "3:20: interfaces.outside.name: found \"wan 0\"; expected the name of a network device, 1 to 15 bytes without spaces, `/` and `:`"
    ),
    Refusal(
      "one device for both",
      inside: "{ name: eth0, address: 192.168.1.1/24 }",
      outside: "{ name: eth0, address: 203.0.113.5/24 }",
      "3:20: interfaces.outside.name: found \"eth0\", which is the inside device as well; expected another device"
    ),
    Refusal(
      "an address without a prefix length",
      inside: "{ name: lan0, address: 192.168.1.1 }",
      "2:34: interfaces.inside.address: found \"192.168.1.1\", which has no prefix length; expected an IPv4 address with its prefix length (1 to 32), such as 192.168.1.1/24, or host"
    ),
    Refusal(
      "a prefix length out of range",
      inside: "{ name: lan0, address: 192.168.1.1/33 }",
      outside: "{ name: wan0, address: 203.0.113.5/0 }",
      "2:34: interfaces.inside.address: found \"192.168.1.1/33\"; expected an IPv4 address with its prefix length (1 to 32), such as 192.168.1.1/24, or host",
      "3:35: interfaces.outside.address: found \"203.0.113.5/0\"; expected an IPv4 address with its prefix length (1 to 32), such as 192.168.1.1/24, or host"
    ),
    Refusal(
      "an address that is none",
      inside: "{ name: lan0, address: 192.168.1.256/24 }",
      outside: "{ name: wan0, address: 203.0.113/24 }",
      "2:34: interfaces.inside.address: found \"192.168.1.256/24\"; expected an IPv4 address with its prefix length (1 to 32), such as 192.168.1.1/24, or host",
      "3:35: interfaces.outside.address: found \"203.0.113/24\"; expected an IPv4 address with its prefix length (1 to 32), such as 192.168.1.1/24, or host"
    ),
    Refusal(
      "a network and a broadcast address",
      inside: "{ name: lan0, address: 192.168.1.0/24 }",
      outside: "{ name: wan0, address: 203.0.113.7/30 }",
      "2:34: interfaces.inside.address: found \"192.168.1.0/24\", the network address of 192.168.1.0/24; expected the address of one host in its network",
      "3:35: interfaces.outside.address: found \"203.0.113.7/30\", the broadcast address of 203.0.113.4/30; expected the address of one host in its network"
    ),
    Refusal(
      "addresses no host has",
      inside: "{ name: lan0, address: 127.0.0.1/8 }",
      outside: "{ name: wan0, address: 224.0.0.5/24 }",
      "2:34: interfaces.inside.address: found \"127.0.0.1/8\", a loopback address; expected the address of one host in its network",
      "3:35: interfaces.outside.address: found \"224.0.0.5/24\", a multicast address; expected the address of one host in its network"
    ),
    Refusal(
      "addresses of this network and reserved",
      inside: "{ name: lan0, address: 0.1.0.1/24 }",
      outside: "{ name: wan0, address: 240.0.0.5/24 }",
      "2:34: interfaces.inside.address: found \"0.1.0.1/24\", an address of \"this network\"; expected the address of one host in its network",
      "3:35: interfaces.outside.address: found \"240.0.0.5/24\", a reserved address; expected the address of one host in its network"
    ),
    Refusal(
      "MAP9 overlapping sides",
      outside: "{ name: wan0, address: 192.168.0.5/16 }",
      "3:35: interfaces.outside.address: found the network 192.168.0.0/16, which overlaps the inside network 192.168.1.0/24; expected inside and outside networks apart from each other"
    ),
    Refusal(
      "a MAC address that is none",
      inside: "{ name: lan0, address: 192.168.1.1/24, mac: 02-50-00-00-00-01 }",
      outside: "{ name: wan0, address: 203.0.113.5/24, mac: 025000000001 }",
      "2:55: interfaces.inside.mac: found \"02-50-00-00-00-01\"; expected the MAC address of one device, such as 02:50:00:00:00:01",
      "3:56: interfaces.outside.mac: found \"025000000001\"; expected the MAC address of one device, such as 02:50:00:00:00:01"
    ),
    Refusal(
      "a group MAC address and none at all",
      inside: "{ name: lan0, address: 192.168.1.1/24, mac: 03:50:00:00:00:01 }",
      outside: "{ name: wan0, address: 203.0.113.5/24, mac: 00:00:00:00:00:00 }",
      "2:55: interfaces.inside.mac: found \"03:50:00:00:00:01\", a group address; expected the MAC address of one device, such as 02:50:00:00:00:01",
      "3:56: interfaces.outside.mac: found \"00:00:00:00:00:00\"; expected the MAC address of one device, such as 02:50:00:00:00:01"
    ),
    Refusal(
      "an MTU out of range",
      inside: "{ name: lan0, address: 192.168.1.1/24, mtu: 67 }",
      outside: "{ name: wan0, address: 203.0.113.5/24, mtu: 65536 }",
      "2:55: interfaces.inside.mtu: found \"67\"; expected a number from 68 to 65535",
      "3:56: interfaces.outside.mtu: found \"65536\"; expected a number from 68 to 65535"),
    Refusal(
      "a gateway off the outside network",
      outside: "{ name: wan0, address: 203.0.113.5/24, gateway: 203.0.114.1 }",
      "3:60: interfaces.outside.gateway: found \"203.0.114.1\", which is not in the outside network; expected the address of a router in 203.0.113.0/24"
    ),
    Refusal(
      "a gateway that is Portico",
      outside: "{ name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.5 }",
      "3:60: interfaces.outside.gateway: found \"203.0.113.5\", which is Portico's own; expected the address of a router in 203.0.113.0/24"
    ),
    Refusal(
      "a broadcast address as the gateway",
      outside: "{ name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.255 }",
      "3:60: interfaces.outside.gateway: found \"203.0.113.255\", the broadcast address of 203.0.113.0/24; expected the address of a router in 203.0.113.0/24"
    ),
    Refusal(
      "a gateway that is no address",
      outside: "{ name: wan0, address: 203.0.113.5/24, gateway: router }",
      "3:60: interfaces.outside.gateway: found \"router\"; expected an IPv4 address such as 192.0.2.1"),
    Refusal(
      "a route without its parts", after: "routes: [{}]",
      "4:10: routes[0].network: found nothing; expected an IPv4 network such as 10.9.0.0/24",
      "4:10: routes[0].via: found nothing; expected an IPv4 address such as 192.0.2.1"),
    Refusal(
      "a route over a router elsewhere",
      after: """
        routes:
          - { network: 10.9.0.0/24, via: 203.0.113.9 }
        """,
      "5:34: routes[0].via: found \"203.0.113.9\", which is not in the inside network; expected the address of a router in 192.168.1.0/24"
    ),
    Refusal(
      "a route over Portico, and over a network address",
      after: """
        routes:
          - { network: 10.9.0.0/24, via: 192.168.1.1 }
          - { network: 10.8.0.0/24, via: 192.168.1.0 }
        """,
      "5:34: routes[0].via: found \"192.168.1.1\", which is Portico's own; expected the address of a router in 192.168.1.0/24",
      "6:34: routes[1].via: found \"192.168.1.0\", the network address of 192.168.1.0/24; expected the address of a router in 192.168.1.0/24"
    ),
    Refusal(
      "two routes to one network",
      after: """
        routes:
          - { network: 10.9.0.0/24, via: 192.168.1.2 }
          - { network: 10.9.0.0/24, via: 192.168.1.3 }
        """,
      "6:16: routes[1].network: found \"10.9.0.0/24\", which has a route on line 5; expected one route to a network"
    ),
    Refusal(
      "a route to the inside network", after: "routes: [{ network: 192.168.1.0/24, via: 192.168.1.2 }]",
      "4:21: routes[0].network: found \"192.168.1.0/24\", which is the inside network itself; expected a network behind an inside router"
    ),
    Refusal(
      "MAP9 a route into the outside network",
      after: "routes: [{ network: 203.0.113.128/25, via: 192.168.1.2 }]",
      "4:21: routes[0].network: found \"203.0.113.128/25\", which overlaps the outside network 203.0.113.0/24; expected inside and outside networks apart from each other"
    ),
    Refusal(
      "MAP9 a default route on the inside", after: "routes: [{ network: 0.0.0.0/0, via: 192.168.1.2 }]",
      "4:21: routes[0].network: found \"0.0.0.0/0\", which overlaps the outside network 203.0.113.0/24; expected inside and outside networks apart from each other"
    ),
    Refusal(
      "a network with bits behind its prefix", after: "routes: [{ network: 10.9.0.1/24, via: 192.168.1.2 }]",
      "4:21: routes[0].network: found \"10.9.0.1/24\", which has bits set behind its prefix; expected 10.9.0.0/24"
    ),
    Refusal(
      "a network that is none", after: "routes: [{ network: 10.9.0.0/, via: 192.168.1.2 }]",
      "4:21: routes[0].network: found \"10.9.0.0/\"; expected an IPv4 network such as 10.9.0.0/24"),
  ]
}
