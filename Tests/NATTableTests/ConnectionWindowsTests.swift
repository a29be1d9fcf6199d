import NATWire
import Testing

@testable import NATTable

/// The rule of window tracking, number by number (RFC 5961, RFC 7323, RFC 7857 section 2.3).
@Suite("TCP12 windows of connections") struct ConnectionWindowsTests {
  typealias Step = (Side, TCPSegment)

  /// Sequence numbers begin here: a little before they wrap.
  private static let inside: UInt32 = 0xFFFF_FF00
  private static let outside: UInt32 = 0x7FFF_FF00

  private static func segment(
    _ flags: TCPFlags, _ sequence: UInt32, ack: UInt32 = 0, window: UInt16 = 1000, data: Int = 0,
    scale: UInt8? = nil
  ) -> TCPSegment {
    TCPSegment(
      flags, sequence: sequence, acknowledgement: ack, window: window, data: data, windowScale: scale)
  }

  /// The inside opens, the outside answers.
  private func connect(
    scales: (UInt8?, UInt8?) = (nil, nil), windows: (UInt16, UInt16) = (1000, 2000)
  ) -> ConnectionWindows {
    var connection = ConnectionWindows()
    connection.learn(Self.segment(.syn, Self.inside, window: windows.0, scale: scales.0), from: .inside)
    connection.learn(
      Self.segment([.syn, .ack], Self.outside, ack: Self.inside &+ 1, window: windows.1, scale: scales.1),
      from: .outside)
    return connection
  }

  @Test("48 bytes a connection, all zeros while nothing is known")
  func size() {
    #expect(MemoryLayout<ConnectionWindows>.stride == 48)
    #expect(MemoryLayout<ConnectionWindows>.size <= 48)
  }

  /// Numbers are counted from behind the SYN of the side.
  @Test(
    "a segment passes up to the limit that the other side sets, and back to its window or 65,535",
    arguments: [
      // The inside may send 2,000 bytes, the outside 1,000; nothing more has been sent.
      (.inside, 0, 0, true), (.inside, 2000, 0, true), (.inside, 2000, 500, true), (.inside, 2001, 0, false),
      (.inside, 1 << 30, 0, false), (.inside, -65535, 0, true), (.inside, -65536, 0, false),
      (.inside, -65536, 1, true), (.inside, -66535, 1000, true), (.inside, -66536, 1000, false),
      (.outside, 1000, 0, true), (.outside, 1001, 0, false), (.outside, -65535, 0, true),
      (.outside, -65536, 0, false), (.outside, Int(Int32.min), 0, false),
    ] as [(Side, Int, Int, Bool)], [TCPFlags.ack, .rst, [.rst, .ack], [.fin, .ack], [.ack, .psh]])
  func bounds(test: (side: Side, from: Int, data: Int, passes: Bool), flags: TCPFlags) {
    // A FIN is a number of its own.
    let data = test.data - (flags.contains(.fin) ? 1 : 0)
    guard data >= 0 else { return }
    let first = (test.side == .inside ? Self.inside : Self.outside) &+ 1
    let segment = Self.segment(flags, first &+ UInt32(truncatingIfNeeded: test.from), data: data)
    #expect(connect().admits(segment, from: test.side) == test.passes)
  }

  @Test(
    "windows are scaled if both sides say so, but not those of the SYNs",
    arguments: [
      ((nil, nil), 500), ((7, nil), 500), ((nil, 7), 500), ((3, 7), 500 << 7), ((0, 0), 500),
    ] as [((UInt8?, UInt8?), UInt32)])
  func scales(scales: (UInt8?, UInt8?), limit: UInt32) {
    var connection = connect(scales: scales, windows: (100, 100))
    let first = Self.inside &+ 1
    // The SYN-ACK's 100 are 100, whatever the scale.
    #expect(connection.admits(Self.segment(.ack, first &+ 100), from: .inside))
    #expect(!connection.admits(Self.segment(.ack, first &+ 101), from: .inside))
    connection.learn(Self.segment(.ack, Self.outside &+ 1, ack: first, window: 500), from: .outside)
    #expect(connection.admits(Self.segment(.rst, first &+ limit), from: .inside))
    #expect(!connection.admits(Self.segment(.rst, first &+ limit &+ 1), from: .inside))
  }

  @Test("what passes moves end, limit and window; a smaller window takes nothing back")
  func moves() {
    var connection = connect()
    let (first, other) = (Self.inside &+ 1, Self.outside &+ 1)
    connection.learn(Self.segment([.ack, .psh], first, ack: other, data: 2000), from: .inside)
    connection.learn(Self.segment(.ack, other, ack: first &+ 1500, window: 3000), from: .outside)
    connection.learn(Self.segment(.ack, other, ack: first &+ 2000, window: 0), from: .outside)
    #expect(connection.admits(Self.segment(.ack, first &+ 4500), from: .inside))
    #expect(!connection.admits(Self.segment(.ack, first &+ 4501), from: .inside))
    // Back from 2,000, the highest number sent.
    #expect(connection.admits(Self.segment(.ack, first &+ 2000 &- 65535), from: .inside))
    #expect(!connection.admits(Self.segment(.ack, first &+ 2000 &- 65536), from: .inside))
  }

  @Test(
    "an end beyond the limit counts up to the limit; an acknowledgement of what was not sent teaches nothing")
  func impossible() {
    var connection = connect()
    let (first, other) = (Self.inside &+ 1, Self.outside &+ 1)
    let before = connection
    connection.learn(Self.segment(.ack, first, ack: other &+ 65536, window: 9000), from: .inside)
    #expect(connection == before)
    connection.learn(Self.segment(.ack, first, ack: other &+ 65535, window: 1000), from: .inside)
    #expect(connection.admits(Self.segment(.ack, other &+ 66535), from: .outside))
    #expect(!connection.admits(Self.segment(.ack, other &+ 66536), from: .outside))
    connection.learn(Self.segment(.ack, first &+ 2000, data: 60000), from: .inside)
    #expect(connection.admits(Self.segment(.ack, first &+ 2000 &- 65535), from: .inside))
    #expect(!connection.admits(Self.segment(.ack, first &+ 2000 &- 65536), from: .inside))
  }

  @Test("a RST teaches nothing, nor does a SYN in a connection, until the other side answers it")
  func lessons() {
    var connection = connect()
    let before = connection
    connection.learn(
      Self.segment([.rst, .ack], Self.inside &+ 1, ack: Self.outside, window: 9), from: .inside)
    #expect(connection == before)
    // A forged SYN passes, and the old numbers stay in force.
    connection.learn(Self.segment(.syn, 77_000, window: 9), from: .outside)
    #expect(connection.admits(Self.segment(.ack, Self.outside &+ 1), from: .outside))
    #expect(!connection.admits(Self.segment(.ack, 77_001), from: .outside))
    // A SYN-ACK that answers another SYN changes nothing either.
    let forged = connection
    connection.learn(Self.segment([.syn, .ack], 5, ack: 78_000), from: .inside)
    #expect(connection == forged)
    connection.learn(Self.segment([.syn, .ack], 5, ack: 77_001), from: .inside)
    #expect(connection.admits(Self.segment(.ack, 77_001), from: .outside))
    #expect(!connection.admits(Self.segment(.ack, Self.outside &+ 1), from: .outside))
  }

  /// Flags, sequence and acknowledgement, counted from the SYN.
  private static let waitingCases: [(Side, TCPFlags, UInt32, UInt32, Bool)] = [
    (.outside, [.rst, .ack], 0, 1, true), (.outside, [.rst, .ack], 0, 0, false),
    (.outside, [.rst, .ack], 0, 2, false), (.outside, .rst, 0, 1, false), (.inside, .rst, 1, 0, true),
    (.inside, .rst, 4711, 0, true), (.outside, .ack, 9, 9, true), (.outside, [.ack, .fin], 9, 9, true),
  ]

  @Test(
    "while a SYN waits, the other side's RST must acknowledge it; the opener's own passes",
    arguments: waitingCases)
  func waiting(side: Side, flags: TCPFlags, sequence: UInt32, ack: UInt32, passes: Bool) {
    var connection = ConnectionWindows()
    connection.learn(Self.segment(.syn, Self.inside), from: .inside)
    let segment = Self.segment(
      flags, side == .inside ? Self.inside &+ sequence : sequence, ack: Self.inside &+ ack)
    #expect(connection.admits(segment, from: side) == passes)
  }

  @Test(
    "RFC 7413 a SYN with data may be acknowledged with or without it",
    arguments: [0, 1, 501, 502] as [UInt32])
  func fastOpen(ack: UInt32) {
    var connection = ConnectionWindows()
    connection.learn(Self.segment(.syn, Self.inside, data: 500), from: .inside)
    let isRight = ack == 1 || ack == 501
    #expect(
      connection.admits(Self.segment([.rst, .ack], 0, ack: Self.inside &+ ack), from: .outside) == isRight)
    connection.learn(Self.segment([.syn, .ack], Self.outside, ack: Self.inside &+ ack), from: .outside)
    // Once begun, the outside is held to its numbers.
    #expect(connection.admits(Self.segment(.ack, Self.outside &- 70000), from: .outside) == !isRight)
  }

  @Test("simultaneous open: two SYNs cross, and either answer begins the connection")
  func simultaneous() {
    for answerer in Side.allCases {
      var connection = ConnectionWindows()
      connection.learn(Self.segment(.syn, Self.inside), from: .inside)
      connection.learn(Self.segment(.syn, Self.outside), from: .outside)
      connection.learn(
        Self.segment([.syn, .ack], Self.inside, ack: Self.outside &+ 1), from: .inside)
      if answerer == .outside {
        connection.learn(
          Self.segment([.syn, .ack], Self.outside, ack: Self.inside &+ 1), from: .outside)
      }
      for (side, first) in [(Side.inside, Self.inside), (.outside, Self.outside)] {
        #expect(connection.admits(Self.segment([.ack, .psh], first &+ 1, data: 10), from: side))
        #expect(!connection.admits(Self.segment(.rst, first &+ 1002), from: side))
      }
    }
  }

  @Test(
    "a new connection under the old endpoints: its RST belongs to its own SYN, its data to its own numbers")
  func reopened() {
    var connection = connect()
    let fresh: UInt32 = 0x2000_0000
    connection.learn(Self.segment(.syn, fresh), from: .inside)
    // Refused, or given up.
    #expect(connection.admits(Self.segment([.rst, .ack], 0, ack: fresh &+ 1), from: .outside))
    #expect(connection.admits(Self.segment(.rst, fresh &+ 1), from: .inside))
    #expect(!connection.admits(Self.segment(.rst, fresh &+ 2), from: .inside))
    // The answer to a challenge has an old number.
    #expect(connection.admits(Self.segment(.rst, Self.inside &+ 1), from: .inside))
    connection.learn(Self.segment([.syn, .ack], 9_000, ack: fresh &+ 1), from: .outside)
    #expect(connection.admits(Self.segment(.ack, fresh &+ 1), from: .inside))
    #expect(!connection.admits(Self.segment(.ack, Self.inside &+ 1), from: .inside))
  }

  @Test("picked up in the middle: everything passes until an acknowledgement has told where the sides are")
  func pickedUp() {
    var connection = ConnectionWindows()
    for side in Side.allCases {
      #expect(connection.admits(Self.segment(.rst, 12345), from: side))
      #expect(connection.admits(Self.segment([.fin, .ack], 12345), from: side))
    }
    connection.learn(Self.segment(.psh, 9), from: .inside)
    #expect(connection == ConnectionWindows())
    connection.learn(
      Self.segment(.ack, Self.inside, ack: Self.outside, window: 10, data: 5), from: .inside)
    // Earlier windows may have been larger than 10, and scaled.
    let largest: UInt32 = 65535 << 14
    for (side, end) in [(Side.inside, Self.inside &+ 5), (.outside, Self.outside)] {
      #expect(connection.admits(Self.segment(.rst, end &+ largest), from: side))
      #expect(!connection.admits(Self.segment(.rst, end &+ 1 &+ largest), from: side))
      #expect(connection.admits(Self.segment(.rst, end &- largest), from: side))
      #expect(!connection.admits(Self.segment(.rst, end &- 1 &- largest), from: side))
    }
  }
}
