import NATControl
import NATWire
import Testing

/// RFC 1812 section 4.3.2.8: the rate of ICMP errors that the gateway originates.
@Suite("EX4 budget of ICMP errors")
struct ErrorBudgetTests {
  private static let remote: End = "142.250.195.100:9"
  private static let out = Datagram.udp("192.168.1.2:5000", remote).with { $0.timeToLive = 1 }
  private static let back = Datagram.udp(remote, Stage.x(50001)).with { $0.timeToLive = 1 }

  private func told(_ script: inout Script, _ time: Duration, _ side: Side, about packet: Datagram) {
    script.dropped(time, side, packet, "ttlExceeded")
    let source = side == .inside ? "192.168.1.1" : Stage.gateway
    script.expect(time, side, .error(11, 0, from: source, about: packet))
  }

  @Test("EX4 each side has a budget of its own")
  func sides() throws {
    var script = try Script(["icmp-errors-per-second": "1"])
    script.outbound(.s(1), .udp("192.168.1.2:5000", ErrorBudgetTests.remote), as: Stage.x(50001))
    told(&script, .s(2), .inside, about: ErrorBudgetTests.out)
    told(&script, .s(2.1), .outside, about: ErrorBudgetTests.back)
    script.dropped(.s(2.2), .inside, ErrorBudgetTests.out, "ttlExceeded")
    script.dropped(.s(2.3), .outside, ErrorBudgetTests.back, "ttlExceeded")
    let outcome = try script.check()
    #expect(outcome.stats.events.icmpErrorsSuppressed == 2)
  }

  @Test(
    "EX4 a budget is full at the start, refilled all the time, and never holds more than a second's worth")
  func refilled() throws {
    var script = try Script(["icmp-errors-per-second": "2"])
    told(&script, .s(1), .inside, about: ErrorBudgetTests.out)
    told(&script, .s(1), .inside, about: ErrorBudgetTests.out)
    // Half a second refills one error; one nanosecond less does not.
    script.dropped(.s(1.5) - .nanosecond, .inside, ErrorBudgetTests.out, "ttlExceeded")
    told(&script, .s(1.5), .inside, about: ErrorBudgetTests.out)
    script.dropped(.s(1.5), .inside, ErrorBudgetTests.out, "ttlExceeded")
    // One of two is left. A long quiet time refills to two, not three.
    told(&script, .s(10), .inside, about: ErrorBudgetTests.out)
    told(&script, .s(60), .inside, about: ErrorBudgetTests.out)
    told(&script, .s(60), .inside, about: ErrorBudgetTests.out)
    script.dropped(.s(60), .inside, ErrorBudgetTests.out, "ttlExceeded")
    let outcome = try script.check()
    #expect(outcome.stats.events.icmpErrorsSuppressed == 3)
  }

  @Test("EX4 FW10 an error without a route takes nothing from the budget, and is not held back either")
  func withoutRoute() throws {
    var script = try Script(
      ["icmp-errors-per-second": "1"],
      more: ["static:", "  - { protocol: all, public: 203.0.113.6, private: 192.168.1.3 }"], hasGateway: false
    )
    let stranger = Datagram.udp(ErrorBudgetTests.remote, "203.0.113.6:7").with { $0.timeToLive = 1 }
    script.dropped(.s(1), .outside, stranger, "ttlExceeded")
    told(&script, .s(1.5), .outside, about: stranger.with { $0.source = "203.0.113.77:9" })
    let outcome = try script.check()
    #expect(outcome.stats.events.icmpErrorsSuppressed == 0)
  }
}
