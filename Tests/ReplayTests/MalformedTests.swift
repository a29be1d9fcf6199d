import Foundation
import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 1122, RFC 1812 section 5.2.2: malformed packets and invalid addresses.
@Suite("MAL malformed packets")
struct MalformedTests {
  private static let host: End = "192.168.1.2:5000"
  private static let remote: End = "142.250.195.100:9"
  private static let x = Stage.x(50001)

  /// A good packet with other bytes at some places; the checksum of the IPv4 header is that of the result.
  private static func changed(_ packet: Datagram, _ changes: [(at: Int, byte: UInt8)], cut: Int? = nil)
    -> [UInt8]
  {
    var bytes = packet.bytes
    for change in changes { bytes[change.at] = change.byte }
    if let cut { bytes = Array(bytes.prefix(cut)) }
    let header = Int((bytes.first ?? 0) & 15) * 4
    if header >= 20, header <= bytes.count {
      (bytes[10], bytes[11]) = (0, 0)
      let sum = big(InternetChecksum.of(bytes[0..<header]))
      (bytes[10], bytes[11]) = (sum[0], sum[1])
    }
    return bytes
  }

  /// What is wrong with a packet, made from a good one that an inside or an outside host sends.
  struct Fault: CustomTestStringConvertible, Sendable {
    var name: String
    var reason: String
    var bytes: @Sendable (_ source: End, _ destination: End) -> [UInt8]

    var testDescription: String { name }

    init(_ name: String, _ reason: String, _ bytes: @escaping @Sendable (End, End) -> [UInt8]) {
      self.name = name
      self.reason = reason
      self.bytes = bytes
    }
  }

  /// Sends each fault from both sides, on live sessions and without one. It must be dropped, make and refresh no state, teach
  /// no MAC and get no answer, and correct packets must still pass.
  private func check(_ fault: Fault, sourceLocation: SourceLocation = #_sourceLocation) throws {
    var script = try Script(["filtering": "endpoint-independent", "exempt": "[172.16.0.0/12]"])
    script.outbound(.s(1), .udp(MalformedTests.host, MalformedTests.remote), as: MalformedTests.x)
    script.outbound(.s(1), .tcp(MalformedTests.host, MalformedTests.remote, .syn), as: MalformedTests.x)
    let forger = "52:54:00:00:00:99"
    for (side, source, destination) in [
      (Side.inside, MalformedTests.host, MalformedTests.remote),
      (.inside, "192.168.1.4:7", MalformedTests.remote),
      (.inside, MalformedTests.host, "172.16.0.9:9"), (.inside, MalformedTests.host, "192.168.1.3:9"),
      (.outside, MalformedTests.remote, MalformedTests.x), (.outside, "151.101.65.69:7", MalformedTests.x),
      (.outside, "172.16.0.9:9", MalformedTests.host),
    ] {
      let own = side == .inside ? Link.gatewayInside : Link.gatewayOutside
      script.receive(.s(2), side, Link.frame(own, forger, fault.bytes(source, destination)))
      script.expectDrop(fault.reason)
    }
    script.outbound(.s(3), .udp(MalformedTests.host, MalformedTests.remote), as: MalformedTests.x)
    script.inbound(.s(3), .udp(MalformedTests.remote, MalformedTests.x), to: MalformedTests.host)
    try script.check(
      sessions: [
        "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 syn-sent idle 2 expires 238 out 1/40 in 0/0",
        "udp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:9 active idle 0 expires 300 out 2/72 in 1/36",
      ], sourceLocation: sourceLocation)
  }

  // MARK: IPv4

  static let headers: [Fault] = [
    Fault("version 5", "malformedIPv4") { changed(.udp($0, $1), [(0, 0x55)]) },
    Fault("version 0", "malformedIPv4") { changed(.udp($0, $1), [(0, 0x05)]) },
    Fault("header length 0", "malformedIPv4") { changed(.udp($0, $1), [(0, 0x40)]) },
    Fault("header length 16", "malformedIPv4") { changed(.udp($0, $1), [(0, 0x44)]) },
    Fault("header length beyond the packet", "malformedIPv4") { changed(.udp($0, $1), [(0, 0x4F)]) },
    Fault("cut in the header", "malformedIPv4") { changed(.udp($0, $1), [], cut: 19) },
    Fault("a frame without a byte of IPv4", "malformedIPv4") { changed(.udp($0, $1), [], cut: 0) },
  ]

  @Test("MAL1 version and header length: dropped, RFC 1812 section 5.2.2", arguments: headers)
  func header(fault: Fault) throws { try check(fault) }

  static let lengths: [Fault] = [
    Fault("total length beyond the frame", "malformedIPv4") { changed(.udp($0, $1), [(3, 37)]) },
    Fault("total length 65535", "malformedIPv4") { changed(.udp($0, $1), [(2, 255), (3, 255)]) },
    Fault("total length below the header's", "malformedIPv4") { changed(.udp($0, $1), [(3, 19)]) },
    Fault("total length 0", "malformedIPv4") { changed(.udp($0, $1), [(2, 0), (3, 0)]) },
    Fault("no UDP header", "malformedUDP") { changed(.udp($0, $1), [(3, 20)]) },
    Fault("half a UDP header", "malformedUDP") { changed(.udp($0, $1), [(3, 27)]) },
    Fault("UDP length beyond the packet", "malformedUDP") { changed(.udp($0, $1), [(25, 17)]) },
    Fault("UDP length 7", "malformedUDP") { changed(.udp($0, $1), [(25, 7)]) },
    Fault("UDP length 0", "malformedUDP") { changed(.udp($0, $1), [(25, 0)]) },
    Fault("half a TCP header", "malformedTCP") { changed(.tcp($0, $1, .syn), [(3, 39)]) },
    Fault("half an ICMP header", "malformedICMP") { changed(.echo($0.address, $1.address, 7), [(3, 27)]) },
  ]

  @Test("MAL2 total length and UDP length: dropped, RFC 1812 section 5.2.2", arguments: lengths)
  func length(fault: Fault) throws { try check(fault) }

  static let segments: [Fault] = [
    Fault("data offset 0", "malformedTCP") { changed(.tcp($0, $1, .syn), [(32, 0x00)]) },
    Fault("data offset 16", "malformedTCP") { changed(.tcp($0, $1, .syn), [(32, 0x40)]) },
    Fault("data offset beyond the segment", "malformedTCP") { changed(.tcp($0, $1, .syn), [(32, 0x60)]) },
    Fault("all six flags", "badTCPFlags") { changed(.tcp($0, $1, .syn), [(33, 0x3F)]) },
    Fault("no flag", "badTCPFlags") { changed(.tcp($0, $1, .syn), [(33, 0)]) },
    Fault("no flag but ECE and CWR", "badTCPFlags") { changed(.tcp($0, $1, .syn), [(33, 0xC0)]) },
    Fault("SYN and FIN", "badTCPFlags") { changed(.tcp($0, $1, .syn), [(33, 0x03)]) },
    Fault("SYN and RST", "badTCPFlags") { changed(.tcp($0, $1, .syn), [(33, 0x06)]) },
  ]

  @Test("MAL3 data offset and flags of TCP: dropped, RFC 9293 section 3.1", arguments: segments)
  func segment(fault: Fault) throws { try check(fault) }

  private static func options(_ options: [UInt8]) -> @Sendable (End, End) -> [UInt8] {
    { source, destination in Datagram.udp(source, destination).with { $0.options = options }.bytes }
  }

  static let badOptions: [Fault] = [
    Fault("loose source route", "sourceRoute", options([131, 7, 4, 10, 0, 0, 1, 0])),
    Fault("strict source route behind others", "sourceRoute", options([1, 7, 3, 4, 137, 3, 4, 0])),
    Fault("length 0", "badIPv4Options", options([7, 0, 0, 0])),
    Fault("length 1", "badIPv4Options", options([1, 7, 1, 0])),
    Fault("length beyond the header", "badIPv4Options", options([7, 5, 4, 0])),
    Fault("no room for a length", "badIPv4Options", options([1, 1, 1, 7])),
    Fault("length 255", "badIPv4Options", options([7, 255, 4, 0, 0, 0, 0, 0])),
  ]

  @Test(
    "MAL5 source routes and lengths of options that do not fit: dropped, RFC 1812 section 5.3.13",
    arguments: badOptions)
  func badOption(fault: Fault) throws { try check(fault) }

  @Test(
    "MAL5 record route, timestamp and unknown options pass unfilled; the end of the list ends it",
    arguments: [
      [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0], [68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0], [148, 4, 0, 0],
      [1, 1, 1, 1], [0, 131, 0, 0], [7, 39, 4] + [UInt8](repeating: 0, count: 36) + [1],
    ] as [[UInt8]])
  func options(options: [UInt8]) throws {
    var script = try Script()
    let change: (inout Datagram) -> Void = { $0.options = options }
    script.outbound(
      .s(1), Datagram.udp(MalformedTests.host, MalformedTests.remote).with(change), as: MalformedTests.x)
    script.inbound(
      .s(2), Datagram.udp(MalformedTests.remote, MalformedTests.x).with(change), to: MalformedTests.host)
    script.outbound(
      .s(3), Datagram.tcp(MalformedTests.host, MalformedTests.remote, .syn).with(change), as: MalformedTests.x
    )
    try script.check()
  }

  // MARK: Addresses and ports

  static let neverASource = [
    "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "192.168.1.0", "192.168.1.255", "203.0.113.0", "203.0.113.255", "192.168.1.1",
    "203.0.113.5", "203.0.113.7", "203.0.113.8", "203.0.113.9",
  ]

  /// A pool address, a port forward and a 1:1 mapping: the gateway's own addresses.
  private func addresses() throws -> Script {
    try Script(
      ["pool": "[{ address: 203.0.113.7, ports: 50001-60000 }]", "exempt": "[172.16.0.0/12]"],
      more: [
        "static:", "  - { protocol: tcp, public: 203.0.113.8:80, private: 192.168.1.3:80 }",
        "  - { protocol: all, public: 203.0.113.9, private: 192.168.1.4 }",
      ])
  }

  @Test(
    "MAL6 addresses that are never a source, from both sides: dropped, no session, no answer, RFC 1812 section 5.3.7",
    arguments: neverASource)
  func source(address: String) throws {
    var script = try addresses()
    let source = End(address, 7)
    for destination in [
      MalformedTests.remote, "172.16.0.9:9", "192.168.1.3:9", "203.0.113.9:80", "192.168.1.1:9",
    ] {
      guard destination.address != address else { continue }
      script.dropped(.s(1), .inside, .udp(source, destination), "invalidSource")
      script.dropped(.s(1), .inside, .tcp(source, destination, .syn), "invalidSource")
      script.dropped(.s(1), .inside, .echo(address, destination.address, 7), "invalidSource")
    }
    for destination in [End("203.0.113.7", 50001), "203.0.113.8:80", "203.0.113.9:80", "203.0.113.5:7"] {
      guard destination.address != address else { continue }
      script.dropped(.s(2), .outside, .udp(source, destination), "invalidSource")
      script.dropped(.s(2), .outside, .tcp(source, destination, .syn), "invalidSource")
      script.dropped(.s(2), .outside, .echo(address, destination.address, 7), "invalidSource")
    }
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 0 && outcome.stats.events.icmpErrorsSuppressed == 0)
  }

  @Test("MAL6 source and destination are the same (LAND): dropped, from both sides")
  func land() throws {
    var script = try addresses()
    for end in [End("192.168.1.2", 7), "203.0.113.9:80", "203.0.113.7:50001", "203.0.113.5:80"] {
      for side in [Side.inside, .outside] {
        script.dropped(.s(1), side, .tcp(end, end, .syn), "invalidSource")
        script.dropped(.s(1), side, .udp(end, end), "invalidSource")
        script.dropped(.s(1), side, .echo(end.address, end.address, 7), "invalidSource")
      }
    }
    let outcome = try script.check()
    #expect(outcome.stats.sessions == 0)
  }

  @Test("MAL7 destination port 0: dropped; source port 0 passes", arguments: [true, false])
  func portZero(isTCP: Bool) throws {
    try check(
      Fault("port 0", "portZero") { source, destination in
        let zero = End(destination.address, 0)
        return (isTCP ? Datagram.tcp(source, zero, .syn) : .udp(source, zero)).bytes
      })
    var script = try Script()
    let packet =
      isTCP
      ? Datagram.tcp("192.168.1.2:0", MalformedTests.remote, .syn)
      : .udp("192.168.1.2:0", MalformedTests.remote)
    script.outbound(.s(1), packet, as: MalformedTests.x)
    try script.check()
  }

  @Test(
    "MAL8 multicast, broadcast and other addresses that are never a destination: dropped, no answer, RFC 1812 section 5.3.7",
    arguments: [
      "224.0.0.22", "239.1.1.1", "240.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1", "192.168.1.255",
      "192.168.1.0", "203.0.113.255", "203.0.113.0",
    ])
  func destination(address: String) throws {
    var script = try Script(["exempt": "[0.0.0.0/0]"])
    let end = End(address, 9)
    let report = Datagram(
      source: MalformedTests.host, destination: end,
      payload: .other(protocolNumber: 2, [0x16, 0, 0x09, 0xFD, 224, 0, 0, 251]))
    for packet in [
      Datagram.udp(MalformedTests.host, end), .tcp(MalformedTests.host, end, .syn),
      .echo(Stage.c1, address, 7), report,
      report.with { $0.timeToLive = 1 },
    ] {
      script.dropped(.s(1), .inside, packet, "invalidDestination")
    }
    script.dropped(.s(2), .outside, .udp(MalformedTests.remote, end), "invalidDestination")
    // With a group MAC, as such packets really come.
    script.receive(.s(3), .inside, Link.frame("01:00:5e:00:00:16", Link.mac(of: Stage.c1), report.bytes))
    script.receive(
      .s(3), .outside, Link.frame(Link.broadcast, Link.router, Datagram.udp(MalformedTests.remote, end).bytes)
    )
    script.expectDrop("notForUs", 2)
    try script.check(sessions: [])
  }

  @Test("MAL8 IGMP to a host: not translated, dropped under its name")
  func membership() throws {
    var script = try Script()
    let query = Datagram(
      source: MalformedTests.host, destination: MalformedTests.remote,
      payload: .other(protocolNumber: 2, [0x11, 0x64, 0xEE, 0x9B, 0, 0, 0, 0]))
    script.dropped(.s(1), .inside, query, "unknownProtocol")
    script.dropped(
      .s(2), .outside,
      query.with {
        $0.source = MalformedTests.remote
        $0.destination = MalformedTests.x
      }, "unknownProtocol")
    try script.check(sessions: [])
  }

  // MARK: ICMP

  @Test("MAL9 an error about an error, and ICMP of less than 8 bytes: dropped, RFC 1122 section 3.2.2")
  func nested() throws {
    for length in 0..<8 {
      try check(
        Fault("ICMP of \(length) bytes", "malformedICMP") { source, destination in
          Datagram(
            source: source, destination: destination,
            payload: .other(protocolNumber: 1, [UInt8](repeating: 0, count: length))
          ).bytes
        })
    }
    var script = try Script()
    let packet = Datagram.udp(MalformedTests.host, MalformedTests.remote)
    script.outbound(.s(1), packet, as: MalformedTests.x)
    for (type, code) in [(UInt8(3), UInt8(3)), (11, 0), (12, 0), (5, 1), (4, 0)] {
      let error = Datagram.passingError(
        type, code, from: Stage.gateway, to: Stage.s1, quoting: .udp(MalformedTests.remote, MalformedTests.x))
      script.dropped(
        .s(2), .outside, .passingError(3, 3, from: Stage.s1, to: Stage.gateway, quoting: error),
        "icmpErrorUnmatched")
    }
    try script.check()
  }

  // MARK: Counters

  @Test(
    "MAL12 every class of malformed packet has a counter of its own, and it is documented, RFC 6888 REQ-13")
  func counters() throws {
    let classes: Set = [
      "frameTooShort", "vlanTagged", "ipv6", "unknownEtherType", "malformedARP", "captureTruncated",
      "malformedIPv4", "badIPv4Checksum", "badIPv4Options", "sourceRoute", "malformedTCP", "malformedUDP",
      "malformedICMP", "badTCPFlags", "portZero", "badICMPChecksum", "firstFragmentTooSmall",
      "fragmentedICMPError", "notForUs", "invalidSource", "invalidDestination",
    ]
    let counted = try Script().run().stats.drops.counters.map(\.name)
    #expect(classes.isSubset(of: counted))
    #expect(Set(counted).count == counted.count)
    let page = try String(
      contentsOf: Package.root.appending(path: "Sources/portico/portico.docc/DropReasons.md"), encoding: .utf8
    )
    let documented = page.split(separator: "\n").filter { $0.hasPrefix("| `") }.compactMap {
      $0.split(separator: "`").dropFirst().first.map(String.init)
    }
    #expect(documented.sorted() == counted.sorted(), "one line for each reason")
  }
}
