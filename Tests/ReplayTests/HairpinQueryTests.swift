import NATControl
import NATWire
import TestSupport
import Testing

/// ICMP queries between inside hosts (RFC 5508 REQ-7, RFC 7857 section 12): over 1:1 mappings alone, under the sender's
/// translated identifier.
@Suite("HP hairpinned queries")
struct HairpinQueryTests {
  /// The 1:1 address of `Stage.c2`.
  private let mapped = "203.0.113.6"

  private func script(_ nat: [String: String] = [:], _ statics: [String] = []) throws -> Script {
    try Script(
      nat,
      more: ["static:", "  - { protocol: all, public: 203.0.113.6, private: 192.168.1.3 }"]
        + statics.map { "  - { \($0) }" })
  }

  /// A query of `sender`'s as its receiver gets it.
  private func query(_ type: UInt8, _ sender: String, _ receiver: String, _ identifier: UInt16) -> Datagram {
    .query(type, sender, receiver, identifier).with { $0.timeToLive -= 1 }
  }

  private func complaint(_ sender: String, about packet: Datagram) -> Datagram {
    Datagram(
      source: End(sender, 0), destination: End(packet.source.address, 0),
      payload: .icmp(type: 3, code: 3, rest: 0, data: Array(packet.bytes.prefix(28))))
  }

  /// C1 asks, C2 answers.
  private func exchange(_ script: inout Script) {
    script.receive(.s(1), .inside, .echo(Stage.c1, mapped, 42))
    script.expect(.s(1), .inside, query(8, Stage.gateway, Stage.c2, 0))
    script.receive(.s(2), .inside, .echoReply(Stage.c2, Stage.gateway, 0))
    script.expect(.s(2), .inside, query(0, mapped, Stage.c1, 42))
  }

  @Test("HP3 a query to a 1:1 address arrives under the sender's public identifier, and its reply finds back")
  func exchanged() throws {
    var script = try script()
    exchange(&script)
    let outcome = try script.check(sessions: [
      "icmp 192.168.1.2:42 203.0.113.5:0 203.0.113.6:0 active idle 0 expires 59 out 1/36 in 1/36 hairpin",
      "icmp static 192.168.1.3:0 203.0.113.6:0 203.0.113.5:0 active idle 0 expires 60 out 1/36 in 1/36 hairpin",
    ])
    #expect(outcome.stats.events.hairpins == 2)
  }

  @Test("HP5 an error about a hairpinned query reaches its sender, the quote as it was sent, RFC 5508 REQ-7")
  func errorAboutRequest() throws {
    var script = try script()
    exchange(&script)
    script.receive(.s(3), .inside, complaint(Stage.c2, about: query(8, Stage.gateway, Stage.c2, 0)))
    script.expect(
      .s(3), .inside,
      complaint(mapped, about: query(8, Stage.c1, mapped, 42)).with { $0.timeToLive -= 1 })
    try script.check()
  }

  @Test("HP5 so does one about the reply: its quote holds the identifier that the 1:1 host sent")
  func errorAboutReply() throws {
    var script = try script()
    exchange(&script)
    script.receive(.s(3), .inside, complaint(Stage.c1, about: query(0, mapped, Stage.c1, 42)))
    script.expect(
      .s(3), .inside,
      complaint(Stage.gateway, about: query(0, Stage.c2, Stage.gateway, 0)).with { $0.timeToLive -= 1 })
    try script.check()
  }

  @Test("HP3 ST-4 a forward of the same identifier takes no query from inside")
  func forwardOfTheSameIdentifier() throws {
    // The forward has the identifier that is in the packet, then the one under which it arrives.
    for forwarded in ["203.0.113.6:42", "203.0.113.6:0"] {
      var script = try script([:], ["protocol: icmp, public: \"\(forwarded)\", private: \"192.168.1.4:7\""])
      exchange(&script)
      try script.check()
    }
  }

  @Test("HP3 a reply to a query that left by a forward of a 1:1 address takes the same way back")
  func replyOverForward() throws {
    var script = try script(
      [:],
      [
        "protocol: all, public: 203.0.113.7, private: 192.168.1.4",
        "protocol: icmp, public: \"203.0.113.6:9\", private: \"192.168.1.3:5\"",
      ])
    script.receive(.s(1), .inside, .echo(Stage.c2, "203.0.113.7", 5))
    script.expect(.s(1), .inside, query(8, mapped, Stage.c3, 9))
    script.receive(.s(2), .inside, .echoReply(Stage.c3, mapped, 9))
    script.expect(.s(2), .inside, query(0, "203.0.113.7", Stage.c2, 5))
    try script.check()
  }

  @Test("HP4 a query to an address that is nobody's alone does not hairpin, even where a session waits")
  func noQueryToSharedAddress() throws {
    var script = try script()
    exchange(&script)
    script.dropped(.s(3), .inside, .query(13, Stage.c2, Stage.gateway, 0), "noBinding")
    try script.check()
  }
}

/// Hairpinned packets and the limits.
@Suite("HP hairpin and limits")
struct HairpinLimitTests {
  @Test("HP9 a host that meets another public endpoint of its own needs a session for each")
  func ownOtherEndpoint() throws {
    var script = try Script(
      ["limits": "{ per-host: { sessions: 1 } }", "exhaustion": "silent"],
      more: [
        "static:", "  - { protocol: udp, public: \"203.0.113.5:80\", private: \"192.168.1.2:80\" }",
        "  - { protocol: udp, public: \"203.0.113.5:81\", private: \"192.168.1.2:80\" }",
      ])
    script.dropped(.s(1), .inside, .udp("192.168.1.2:80", "203.0.113.5:81"), "hostSessionLimit")
    // Its own endpoint is one session.
    script.receive(.s(2), .inside, .udp("192.168.1.2:80", "203.0.113.5:80"))
    script.expect(
      .s(2), .inside,
      Datagram.udp("203.0.113.5:80", "192.168.1.2:80").with { $0.timeToLive -= 1 })
    try script.check()
  }

  @Test("HP6 a session that the receiver still has is not asked for again")
  func receiverHasSession() throws {
    // C2's leg of C1's datagram runs out at 6 s, C1's own is kept alive until 9 s; then C2 speaks.
    var script = try Script(
      [
        "lifetimes": "{ udp: 5s, ports: { udp/7: 5s } }", "limits": "{ sessions: 2 }", "exhaustion": "silent",
      ],
      more: [
        "static:", "  - { protocol: all, public: 203.0.113.6, private: 192.168.1.3 }",
        "  - { protocol: all, public: 203.0.113.7, private: 192.168.1.4 }",
      ])
    func pass(_ time: Double, _ from: End, _ to: End, as source: End, at destination: End) {
      script.receive(.s(time), .inside, .udp(from, to))
      script.expect(.s(time), .inside, Datagram.udp(source, destination).with { $0.timeToLive -= 1 })
    }
    pass(1, "192.168.1.3:5", "203.0.113.7:7", as: "203.0.113.6:5", at: "192.168.1.4:7")
    pass(4, "192.168.1.4:7", "203.0.113.6:5", as: "203.0.113.7:7", at: "192.168.1.3:5")
    // C3's session lives until 9 s, C2's until 6 s.
    pass(7, "192.168.1.3:5", "203.0.113.7:7", as: "203.0.113.6:5", at: "192.168.1.4:7")
    try script.check()
  }
}
