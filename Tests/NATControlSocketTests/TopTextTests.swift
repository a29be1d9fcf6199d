import Testing

@testable import NATControl

/// The picture of `portico top`.
@Suite struct TopTextTests {
  private static func picture(seconds: UInt64, hosts: Int = 2) -> TopDocument {
    var stats = Examples.stats
    stats.uptime = Seconds(nanoseconds: seconds * 1_000_000_000)
    stats.inside.packetsReceived = seconds * 1500
    stats.inside.bytesReceived = seconds * 1_500_000
    stats.drops = ["noBinding": seconds * 10, "filtered": 7, "martian": 0]
    var status = Examples.status
    status.workers[0].busyNanoseconds = seconds * 250_000_000
    let list = (0..<hosts).map {
      HostsDocument.Host(
        address: "192.168.1.\($0)", dynamicBindings: 3, sessions: 5, bytesOut: seconds * UInt64($0) * 1000,
        bytesIn: 20)
    }
    return TopDocument(status: status, stats: stats, hosts: HostsDocument(hosts: list, total: hosts))
  }

  @Test("top shows rates between two pictures, the busiest host first, and drops that grow first")
  func rates() {
    let text = TopText.render(
      TopTextTests.picture(seconds: 12), since: TopTextTests.picture(seconds: 10), columns: 80, rows: 24)
    #expect(
      text == """
        portico 0.1.0  up 12s  2 bindings  2 sessions  2 hosts  busy 25.0%
        degraded: the outside interface wan0 has no carrier

        SIDE     PACKETS IN/S  BYTES IN/S  PACKETS OUT/S  BYTES OUT/S  LOST/S
        inside   1.5K          1.5M        0              0            0
        outside  0             0           0              0            0

        POOL         PROTO  PORTS  IN USE  RESTING  USED
        203.0.113.5  udp    64512  2       0        0.0%

        HOST         SESSIONS  BINDINGS  BYTES OUT/S  BYTES IN/S
        192.168.1.1  5         3         1.0K         0
        192.168.1.0  5         3         0            0

        DROPS      PACKETS/S  IN ALL
        noBinding  10         120
        filtered   0          7

        """)
  }

  @Test("top fits the screen that it has", arguments: [(80, 24), (40, 10), (200, 50), (1, 1)])
  func screen(columns: Int, rows: Int) {
    for before in [nil, TopTextTests.picture(seconds: 10, hosts: 200)] {
      let text = TopText.render(
        TopTextTests.picture(seconds: 12, hosts: 200), since: before, columns: columns, rows: rows)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      #expect(lines.count <= rows)
      #expect(lines.allSatisfy { $0.count <= columns })
    }
  }

  @Test("counters that begin anew with the daemon are no rate")
  func restart() {
    let text = TopText.render(
      TopTextTests.picture(seconds: 1), since: TopTextTests.picture(seconds: 10), columns: 80, rows: 24)
    #expect(text.contains("inside   0             0 "))
  }
}
