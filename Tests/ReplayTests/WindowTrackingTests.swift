import NATControl
import NATWire
import Testing

/// `tcp.window-tracking: true` (RFC 7857 section 2.3, RFC 5961): segments outside the window are dropped and change nothing.
@Suite("TCP12 window tracking")
struct WindowTrackingTests {
  private static let host: End = "192.168.1.2:5000"
  private static let remote: End = "142.250.195.100:443"
  private static let x = Stage.x(50001)
  /// The numbers of the two SYNs, near to where they wrap.
  private static let inside: UInt32 = 0xFFFF_FF00
  private static let outside: UInt32 = 0x1000

  private func script(_ nat: [String: String] = [:], tcp: String = "", more: [String] = []) throws -> Script {
    try Script(nat.merging(["tcp": "{ window-tracking: true\(tcp) }"]) { own, _ in own }, more: more)
  }

  private func segment(
    _ source: End, _ destination: End, _ flags: SegmentFlags, _ sequence: UInt32, ack: UInt32 = 0,
    window: UInt16 = 1000, options: [UInt8] = [], data: Int = 0
  ) -> Datagram {
    Datagram(
      source: source, destination: destination,
      payload: .tcp(
        Datagram.Segment(
          flags: flags, sequence: sequence, acknowledgement: ack, window: window, options: options,
          data: [UInt8](repeating: 0x2E, count: data))))
  }

  /// Sequence and acknowledgement numbers count from the byte after the SYN.
  private func out(
    _ flags: SegmentFlags, _ offset: Int, ack: Int = 0, window: UInt16 = 1000, data: Int = 0
  ) -> Datagram {
    segment(
      Self.host, Self.remote, flags, Self.inside &+ 1 &+ UInt32(truncatingIfNeeded: offset),
      ack: Self.outside + 1 &+ UInt32(truncatingIfNeeded: ack), window: window, data: data)
  }

  private func back(
    _ flags: SegmentFlags, _ offset: Int, ack: Int = 0, window: UInt16 = 1000, data: Int = 0
  ) -> Datagram {
    segment(
      Self.remote, Self.x, flags, Self.outside &+ 1 &+ UInt32(truncatingIfNeeded: offset),
      ack: Self.inside &+ 1 &+ UInt32(truncatingIfNeeded: ack), window: window, data: data)
  }

  /// SYN, SYN-ACK and ACK within the first second, each with a window of 1,000.
  private func open(_ script: inout Script, options: ([UInt8], [UInt8]) = ([], [])) {
    script.outbound(
      .s(1), segment(Self.host, Self.remote, .syn, Self.inside, options: options.0), as: Self.x)
    script.inbound(
      .s(1.1),
      segment(Self.remote, Self.x, [.syn, .ack], Self.outside, ack: Self.inside &+ 1, options: options.1),
      to: Self.host)
    script.outbound(.s(1.2), out(.ack, 0), as: Self.x)
  }

  private func state(_ script: Script) throws -> String? {
    try script.run().table.bindings.first?.sessions.first.map { "\($0.state.rawValue)" }
  }

  @Test("TCP12 a RST or data outside the window is dropped, and neither state nor clock nor counters change")
  func outsideTheWindow() throws {
    for flags in [.rst, [.rst, .ack], [.ack, .psh], [.ack], [.fin, .ack]] as [SegmentFlags] {
      var script = try script()
      open(&script)
      for far in [1001, -65537, 0x7000_0000, -0x7000_0000] {
        script.dropped(.s(2), .outside, back(flags, far), "outsideWindow")
        script.dropped(.s(3), .inside, out(flags, far), "outsideWindow")
      }
      try script.check(sessions: [
        "tcp 192.168.1.2:5000 203.0.113.5:50001 142.250.195.100:443 established idle 1.8 expires 7438.2 "
          + "out 2/80 in 1/40"
      ])
    }
  }

  @Test("TCP12 TCP10 a RST at the edges of the window passes, and resets", arguments: [0, 1000, -65535])
  func inside(offset: Int) throws {
    for isInbound in [true, false] {
      var script = try script()
      open(&script)
      if isInbound {
        script.inbound(.s(2), back(.rst, offset), to: Self.host)
      } else {
        script.outbound(.s(2), out([.rst, .ack], offset), as: Self.x)
      }
      try script.check()
      #expect(try state(script) == "reset")
    }
  }

  @Test("TCP12 RFC 7323 a scaled window counts if both SYNs carry the option, but not in them")
  func scaled() throws {
    // No operation, then the option at an odd place; the answer's comes behind an MSS.
    let (seven, two): ([UInt8], [UInt8]) = ([1, 3, 3, 7], [2, 4, 5, 0xB4, 3, 3, 2, 0])
    for (options, limit) in [((seven, two), 1000 << 2), ((seven, []), 1000), (([], two), 1000)] {
      var script = try script()
      open(&script, options: options)
      script.dropped(.s(2), .inside, out([.ack, .psh], 1001, data: 1), "outsideWindow")
      script.inbound(.s(3), back(.ack, 0), to: Self.host)
      script.outbound(.s(4), out([.ack, .psh], limit, data: 1), as: Self.x)
      script.dropped(.s(5), .inside, out([.ack, .psh], limit + 1, data: 1), "outsideWindow")
      try script.check()
    }
  }

  @Test("TCP18 TCP22 late retransmissions, keep-alives and window probes pass")
  func ordinary() throws {
    var script = try script()
    open(&script)
    script.outbound(.s(2), out([.ack, .psh], 0, data: 1000), as: Self.x)
    script.inbound(.s(3), back(.ack, 0, ack: 1000, window: 0), to: Self.host)
    script.outbound(.s(4), out([.ack, .psh], 0, data: 1000), as: Self.x)
    script.outbound(.s(5), out(.ack, 999), as: Self.x)
    script.outbound(.s(6), out([.ack, .psh], 1000, data: 1), as: Self.x)
    script.dropped(.s(7), .inside, out([.ack, .psh], 1001, data: 1), "outsideWindow")
    script.inbound(.s(8), back(.ack, 0, ack: 1000, window: 500), to: Self.host)
    script.outbound(.s(9), out([.ack, .psh], 1001, data: 400), as: Self.x)
    try script.check()
  }

  @Test("TCP13 a RST in answer to a SYN must acknowledge it")
  func refused() throws {
    var script = try script()
    script.outbound(.s(1), segment(Self.host, Self.remote, .syn, Self.inside), as: Self.x)
    for ack in [0, 2, 0x7000_0000] {
      script.dropped(.s(2), .outside, back([.rst, .ack], -0x1001, ack: ack - 1), "outsideWindow")
    }
    script.dropped(.s(3), .outside, back(.rst, 0), "outsideWindow")
    #expect(try state(script) == "syn-sent")
    script.inbound(.s(4), back([.rst, .ack], -0x1001, ack: 0), to: Self.host)
    #expect(try state(script) == "reset")
    try script.check()
  }

  @Test(
    "TCP17 a SYN on a live connection passes and moves no window; its challenge and the RST that follows pass"
  )
  func challenged() throws {
    var script = try script()
    open(&script)
    let fresh: UInt32 = 0x4000_0000
    script.outbound(.s(2), segment(Self.host, Self.remote, .syn, fresh), as: Self.x)
    script.inbound(.s(3), back(.ack, 0), to: Self.host)
    script.dropped(.s(4), .inside, segment(Self.host, Self.remote, .rst, fresh &+ 5000), "outsideWindow")
    script.outbound(.s(5), out(.rst, 0), as: Self.x)
    #expect(try state(script) == "reset")
    // The next attempt is answered, and only its numbers count.
    script.outbound(.s(6), segment(Self.host, Self.remote, .syn, fresh), as: Self.x)
    script.inbound(
      .s(7), segment(Self.remote, Self.x, [.syn, .ack], 0x5000_0000, ack: fresh &+ 1), to: Self.host)
    script.dropped(.s(8), .outside, back(.rst, 0), "outsideWindow")
    script.inbound(
      .s(9), segment(Self.remote, Self.x, [.ack, .psh], 0x5000_0001, ack: fresh &+ 1, data: 3),
      to: Self.host)
    try script.check()
    #expect(try state(script) == "established")
  }

  @Test("TCP14 loose: picked up in the middle, the first segment says where both sides are")
  func pickedUp() throws {
    var script = try script(tcp: ", loose: true")
    let largest = 65535 << 14
    script.outbound(.s(1), out([.ack, .psh], 0, data: 10), as: Self.x)
    script.inbound(.s(2), back(.ack, 1_000_000, ack: 10), to: Self.host)
    script.dropped(.s(3), .outside, back(.rst, -largest - 1), "outsideWindow")
    script.dropped(.s(4), .inside, out(.rst, 10 + largest + (1000 << 14) + 1), "outsideWindow")
    script.inbound(.s(5), back(.rst, 1_000_000), to: Self.host)
    try script.check()
  }

  @Test("TCP12 ST-2 over a port forward from outside, and TCP2 with another host inside")
  func otherWays() throws {
    var script = try script(
      more: ["static:", "  - { protocol: tcp, public: \"203.0.113.5:80\", private: \"192.168.1.3:8080\" }"])
    let (server, forward): (End, End) = ("192.168.1.3:8080", Stage.x(80))
    script.inbound(.s(1), segment(Self.remote, forward, .syn, 100), to: server)
    script.outbound(.s(1.1), segment(server, Self.remote, [.syn, .ack], 900, ack: 101), as: forward)
    script.dropped(.s(2), .outside, segment(Self.remote, forward, .rst, 1102), "outsideWindow")
    script.inbound(.s(3), segment(Self.remote, forward, .rst, 1101), to: server)

    // Both legs of a hairpin ask.
    func across(_ time: Double, _ source: End, _ destination: End, as seen: (End, End), _ packet: Datagram) {
      script.receive(.s(time), .inside, packet)
      script.expect(
        .s(time), .inside,
        packet.with {
          $0.timeToLive -= 1
          ($0.source, $0.destination) = seen
        })
    }
    across(4, Self.host, forward, as: (Self.x, server), segment(Self.host, forward, .syn, 100))
    across(
      5, server, Self.x, as: (forward, Self.host), segment(server, Self.x, [.syn, .ack], 900, ack: 101))
    script.dropped(.s(6), .inside, segment(Self.host, forward, .rst, 1102), "outsideWindow")
    script.dropped(.s(7), .inside, segment(server, Self.x, [.ack, .psh], 1902, data: 4), "outsideWindow")
    across(8, server, Self.x, as: (forward, Self.host), segment(server, Self.x, .rst, 901))
    try script.check()
  }

  @Test("TCP12 a session that takes the record of an ended one begins with nothing")
  func recordReused() throws {
    var script = try script(["lifetimes": "{ tcp-transitory: 5s }"])
    open(&script)
    script.inbound(.s(2), back(.rst, 0), to: Self.host)
    // Seven seconds later the session is over, and its numbers with it.
    script.outbound(.s(10), segment(Self.host, Self.remote, .syn, 0x7000_0000), as: Self.x)
    script.inbound(
      .s(11), segment(Self.remote, Self.x, [.rst, .ack], 0, ack: 0x7000_0001), to: Self.host)
    try script.check()
  }
}
