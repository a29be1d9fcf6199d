import Testing

@testable import NATControl

@Suite("Text for people")
struct TextTests {
  @Test("static mappings as lines; terms have a column where some have any")
  func statics() {
    let plain = StaticDocument(
      protocolName: "all", publicEndpoint: "203.0.113.6", privateEndpoint: "192.168.1.20")
    let terms = StaticDocument(
      protocolName: "tcp", publicEndpoint: "203.0.113.5:8080", privateEndpoint: "192.168.1.10:80",
      direction: "inbound", remote: "198.51.100.0/24", once: true, lifetime: "600s")
    #expect(
      ChangeText.render(StaticsDocument(statics: [plain])) == """
        PROTO  PUBLIC       PRIVATE
        all    203.0.113.6  192.168.1.20

        """)
    #expect(
      ChangeText.render(StaticsDocument(statics: [terms, plain])) == """
        PROTO  PUBLIC            PRIVATE          TERMS
        tcp    203.0.113.5:8080  192.168.1.10:80  inbound, remote 198.51.100.0/24, once, for 600s
        all    203.0.113.6       192.168.1.20     -

        """)
  }

  @Test(
    "durations: the two largest units",
    arguments: [
      (0, "0s"), (200_000_000, "0s"), (499_999_999, "0s"), (500_000_000, "1s"), (59_000_000_000, "59s"),
      (59_500_000_000, "1m"), (200_000_000_000, "3m20s"), (300_000_000_000, "5m"),
      (3_599_499_999_999, "59m59s"),
      (3_600_000_000_000, "1h"), (7_439_800_000_000, "2h4m"), (7_439_400_000_000, "2h3m"),
      (86_399_000_000_000, "23h59m"), (86_400_000_000_000, "1d"), (97_200_000_000_000, "1d3h"),
    ] as [(UInt64, String)])
  func duration(nanoseconds: UInt64, text: String) {
    #expect(HumanText.duration(Seconds(nanoseconds: nanoseconds)) == text)
  }

  @Test(
    "counts: one decimal and a decimal unit from 1,000 up",
    arguments: [
      (0, "0"), (999, "999"), (1000, "1.0K"), (1021, "1.0K"), (1049, "1.0K"), (1050, "1.1K"), (5210, "5.2K"),
      (999_949, "999.9K"), (999_950, "1.0M"), (5_200_000, "5.2M"), (7_300_000_000, "7.3G"),
      (1_000_000_000_000, "1.0T"), (1_000_000_000_000_000, "1.0P"), (.max, "18.4E"),
    ] as [(UInt64, String)])
  func count(value: UInt64, text: String) {
    #expect(HumanText.count(value) == text)
  }

  @Test("the documented table, byte for byte")
  func table() {
    #expect(TableText.render(Examples.table) == Examples.tableText)
  }

  @Test(
    "on a terminal that is too narrow for the table, endpoints have a column each and the figures are left out"
  )
  func narrow() {
    for width in [80, 123] {
      var pages = TablePages(width: width)
      #expect(
        pages.next(Examples.table.bindings) == """
          PROTO  PRIVATE           PUBLIC             DESTINATION          STATE
          tcp    192.168.1.2:1234  203.0.113.5:50001  142.250.195.100:443  established

          """)
    }
    for width in [124, 160, nil] {
      var pages = TablePages(width: width)
      #expect(pages.next(Examples.table.bindings) == Examples.tableText)
    }
  }

  @Test("columns as wide as their widest cell; a binding without sessions; ICMP without a port")
  func columns() {
    var icmp = Examples.table.bindings[0]
    icmp.transport = .icmp
    icmp.privateEndpoint = EndpointDocument(address: "192.168.100.200", port: 7)
    icmp.sessions[0].remote = EndpointDocument(address: "8.8.8.8", port: 0)
    icmp.sessions[0].state = .active
    icmp.sessions[0].expiresIn = Seconds(nanoseconds: 59_000_000_000)
    var forward = Examples.table.bindings[0]
    forward.kind = .static
    forward.sessions = []
    var two = Examples.table.bindings[0]
    two.sessions += two.sessions
    two.sessions[1].packetsOut = 123_456
    two.sessions[1].bytesOut = 98_765_432
    #expect(
      TableText.render(TableDocument(bindings: [icmp, forward, two])) == """
        PROTO  PRIVATE IP       PRIVATE PORT  PUBLIC IP    PUBLIC PORT  DESTINATION          STATE        IDLE  EXPIRES  OUT           IN
        icmp   192.168.100.200  7             203.0.113.5  50001        8.8.8.8              active       0s    59s      7/1.0K        6/5.2K
        tcp    192.168.1.2      1234          203.0.113.5  50001        -                    -            -     -        -             -
        tcp    192.168.1.2      1234          203.0.113.5  50001        142.250.195.100:443  established  0s    2h4m     7/1.0K        6/5.2K
        tcp    192.168.1.2      1234          203.0.113.5  50001        142.250.195.100:443  established  0s    2h4m     123.5K/98.8M  6/5.2K

        """)
  }

  @Test("an empty table is its titles")
  func empty() {
    let text = TableText.render(TableDocument(bindings: []))
    #expect(text.hasPrefix("PROTO  PRIVATE IP  PRIVATE PORT  PUBLIC IP  "))
    #expect(text.filter { $0 == "\n" }.count == 1)
  }

  @Test("the stats: drops that are zero are left out")
  func stats() {
    #expect(
      StatsText.render(Examples.stats) == """
        up 1h, 2 bindings, 2 sessions

        SIDE     RECEIVED  SENT    LOST BY CAPTURE
        inside   10/900    9/800   0
        outside  9/800     10/900  0

        POOL         PROTO  PORTS  IN USE  RESTING  USED
        203.0.113.5  udp    64512  2       0        0.0%

        DROPS      PACKETS
        noBinding  1

        EVENTS                COUNT
        bindingsCreated       2
        sessionsCreated       2
        sessionsExpired       0
        hairpins              0
        icmpErrorsSuppressed  0
        leftToKernel          0

        """)
  }

  @Test("the stats of nothing: no pool, no drops, the singular")
  func fewStats() {
    var stats = Examples.stats
    stats.bindings = 1
    stats.sessions = 1
    stats.pool = []
    stats.drops = ["filtered": 0]
    let text = StatsText.render(stats)
    #expect(text.hasPrefix("up 1h, 1 binding, 1 session\n"))
    #expect(text.contains("\n\nno drops\n\n"))
    #expect(!text.contains("POOL"))
  }
}
