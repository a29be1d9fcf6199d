@testable import NATControl

/// The documented examples.
enum Examples {
  static let table = TableDocument(bindings: [
    BindingDocument(
      transport: .tcp, kind: .dynamic,
      privateEndpoint: EndpointDocument(address: "192.168.1.2", port: 1234),
      publicEndpoint: EndpointDocument(address: "203.0.113.5", port: 50001),
      age: Seconds(nanoseconds: 12_500_000_000),
      sessions: [
        SessionDocument(
          remote: EndpointDocument(address: "142.250.195.100", port: 443), state: .established,
          idle: Seconds(nanoseconds: 200_000_000), expiresIn: Seconds(nanoseconds: 7_439_800_000_000),
          packetsOut: 7, bytesOut: 1021, packetsIn: 6, bytesIn: 5210, hairpin: false)
      ])
  ])

  /// Line breaks and indentation are the documentation's, not the document's.
  static let tableJSON = unbroken(
    #"""
    {"bindings":[{"protocol":"tcp","kind":"dynamic",
      "private":{"address":"192.168.1.2","port":1234},"public":{"address":"203.0.113.5","port":50001},"ageSeconds":12.5,
      "sessions":[{"remote":{"address":"142.250.195.100","port":443},"state":"established","idleSeconds":0.2,"expiresInSeconds":7439.8,
        "packetsOut":7,"bytesOut":1021,"packetsIn":6,"bytesIn":5210,"hairpin":false}]}],
     "next":null}
    """#)

  static let tableText = """
    PROTO  PRIVATE IP   PRIVATE PORT  PUBLIC IP    PUBLIC PORT  DESTINATION          STATE        IDLE  EXPIRES  OUT      IN
    tcp    192.168.1.2  1234          203.0.113.5  50001        142.250.195.100:443  established  0s    2h4m     7/1.0K   6/5.2K

    """

  static let stats: StatsDocument = {
    var inside = StatsDocument.SideStats()
    inside.packetsReceived = 10
    inside.bytesReceived = 900
    inside.packetsSent = 9
    inside.bytesSent = 800
    var outside = StatsDocument.SideStats()
    outside.packetsReceived = 9
    outside.bytesReceived = 800
    outside.packetsSent = 10
    outside.bytesSent = 900
    var events = StatsDocument.EventStats()
    events.bindingsCreated = 2
    events.sessionsCreated = 2
    return StatsDocument(
      uptime: Seconds(nanoseconds: 3_600_000_000_000), bindings: 2, sessions: 2, inside: inside,
      outside: outside,
      pool: [
        StatsDocument.PoolStats(address: "203.0.113.5", transport: .udp, ports: 64512, inUse: 2, resting: 0)
      ],
      drops: ["noBinding": 1, "filtered": 0], events: events)
  }()

  static let statsJSON = unbroken(
    #"""
    {"uptimeSeconds":3600,"bindings":2,"sessions":2,
     "inside":{"packetsReceived":10,"bytesReceived":900,"packetsSent":9,"bytesSent":800,"captureDropped":0},
     "outside":{"packetsReceived":9,"bytesReceived":800,"packetsSent":10,"bytesSent":900,"captureDropped":0},
     "pool":[{"address":"203.0.113.5","protocol":"udp","ports":64512,"inUse":2,"resting":0}],
     "drops":{"noBinding":1,"filtered":0},"events":{"bindingsCreated":2,"sessionsCreated":2,"sessionsExpired":0,"hairpins":0,"icmpErrorsSuppressed":0,"leftToKernel":0}}
    """#)

  private static func unbroken(_ text: String) -> String {
    text.split(separator: "\n").map { $0.drop { $0 == " " } }.joined() + "\n"
  }
}
