import NATControl
import NATWire
import TestSupport
import Testing

/// RFC 5722, RFC 1858, RFC 791: fragments that contradict each other or never come.
@Suite("FR contradictions")
struct FragmentContradictionTests {
  // MARK: What does not fit together

  /// Fragments of 2,400 bytes of payload, as offset and length; the end of the range says whether it is the last.
  struct Pieces: CustomTestStringConvertible {
    var name: String
    var pieces: [(offset: Int, count: Int, isLast: Bool)]
    /// The drop reason of each; nil if it leaves.
    var fates: [String?]

    var testDescription: String { name }
  }

  static let contradictions: [Pieces] = [
    Pieces(
      name: "overlap by 8 bytes with the first",
      pieces: [(0, 1480, false), (1472, 808, false), (2280, 120, true)],
      fates: [nil, FragmentStage.dead, FragmentStage.dead]),
    Pieces(
      name: "overlap with a later one, from before",
      pieces: [(0, 800, false), (1600, 80, false), (800, 808, false), (1680, 720, true)],
      fates: [nil, nil, FragmentStage.dead, FragmentStage.dead]),
    Pieces(
      name: "contained in another", pieces: [(0, 1480, false), (800, 80, false)],
      fates: [nil, FragmentStage.dead]),
    Pieces(
      name: "around another",
      pieces: [(0, 800, false), (1600, 80, false), (1200, 1200, false)],
      fates: [nil, nil, FragmentStage.dead]),
    Pieces(
      name: "the same offset, another length",
      pieces: [(0, 800, false), (800, 800, false), (800, 808, false)],
      fates: [nil, nil, FragmentStage.dead]),
    Pieces(
      name: "two ends", pieces: [(0, 800, false), (1600, 400, true), (2000, 400, true)],
      fates: [nil, nil, FragmentStage.dead]),
    Pieces(
      name: "behind the end", pieces: [(0, 800, false), (1200, 400, true), (1600, 800, false)],
      fates: [nil, nil, FragmentStage.dead]),
    Pieces(
      name: "an end before what is there", pieces: [(0, 800, false), (1600, 800, false), (800, 400, true)],
      fates: [nil, nil, FragmentStage.dead]),
    Pieces(
      name: "a repeat that newly claims to be the last",
      pieces: [(0, 800, false), (800, 800, false), (800, 800, true)], fates: [nil, nil, FragmentStage.dead]),
    Pieces(
      name: "another first", pieces: [(0, 800, false), (0, 808, false), (808, 800, false)],
      fates: [nil, FragmentStage.dead, FragmentStage.dead]),
    Pieces(
      name: "the first FragmentStage.again, exactly",
      pieces: [(0, 1200, false), (0, 1200, false), (1200, 1200, true)],
      fates: [nil, FragmentStage.again, nil]),
    Pieces(
      name: "a later one FragmentStage.again, exactly",
      pieces: [(0, 800, false), (800, 800, false), (800, 800, false), (1600, 800, true)],
      fates: [nil, nil, FragmentStage.again, nil]),
    Pieces(
      name: "the last again",
      pieces: [(0, 800, false), (1600, 800, true), (1600, 800, true), (800, 800, false)],
      fates: [nil, nil, FragmentStage.again, nil]),
    Pieces(
      name: "the last FragmentStage.again, now with more to follow",
      pieces: [(0, 800, false), (1600, 800, true), (1600, 800, false), (800, 800, false)],
      fates: [nil, nil, FragmentStage.again, nil]),
  ]

  @Test(
    "FR6 overlap and contradiction kill the datagram, an exact duplicate is dropped alone, RFC 5722",
    arguments: contradictions)
  func pieces(pieces: Pieces) throws {
    for isInside in [true, false] {
      var script = try FragmentStage.script()
      let packet =
        isInside
        ? Datagram.long(FragmentStage.host, FragmentStage.remote, 2392)
        : .long(FragmentStage.remote, FragmentStage.x, 2392)
      let seen = isInside ? packet.sent(as: FragmentStage.x) : packet.delivered(to: FragmentStage.host)
      let (side, other) = isInside ? (Side.inside, Side.outside) : (.outside, .inside)
      func piece(_ datagram: Datagram, _ piece: (offset: Int, count: Int, isLast: Bool)) -> Datagram {
        let payload = datagram.bytes[20...]
        return datagram.fragment(
          piece.offset, payload.dropFirst(piece.offset).prefix(piece.count), isLast: piece.isLast)
      }
      for (index, part) in pieces.pieces.enumerated() {
        let time = Duration.s(2) + .milliseconds(index)
        script.receive(time, side, piece(packet, part))
        if let fate = pieces.fates[index] {
          script.expectDrop(fate)
        } else {
          script.expect(time, other, piece(seen, part))
        }
      }
      if pieces.fates.contains(FragmentStage.dead) {
        // The datagram stays dead until 30 s after its first fragment arrived; a new first fragment is dropped too.
        script.dropped(.s(31.999), side, packet.fragments([1480])[0], FragmentStage.dead)
        script.dropped(.s(32), side, packet.fragments([1480])[1], FragmentStage.dead)
        script.pass(
          .s(32.001), from: side, to: other, packet.fragments([1480]),
          as: seen.fragments([1480]), inOrder: [0, 1])
      }
      try script.check()
    }
  }

  @Test("FR6 contradictions among those that wait: all of them are dropped")
  func waiting() throws {
    var script = try FragmentStage.script()
    let payload = FragmentStage.out.bytes[20...]
    func piece(_ offset: Int, _ count: Int) -> Datagram {
      FragmentStage.out.fragment(offset, payload.dropFirst(offset).prefix(count), isLast: false)
    }
    script.receive(.s(2), .inside, piece(800, 800))
    script.receive(.s(3), .inside, piece(1600, 800))
    script.receive(.s(4), .inside, piece(1608, 8))
    script.expectDrop(FragmentStage.dead, 3)
    script.dropped(.s(5), .inside, piece(0, 800), FragmentStage.dead)
    // Only the duplicate of a held fragment is dropped.
    script.receive(.s(40), .inside, piece(800, 800))
    script.dropped(.s(41), .inside, piece(800, 800), FragmentStage.again)
    script.pass(
      .s(42), from: .inside, to: .outside, FragmentStage.out.fragments([800]),
      as: FragmentStage.out.sent(as: FragmentStage.x).fragments([800]), inOrder: [0])
    script.expect(
      .s(42), .outside,
      FragmentStage.out.sent(as: FragmentStage.x).fragment(
        800, FragmentStage.out.sent(as: FragmentStage.x).bytes[20...].dropFirst(800).prefix(800),
        isLast: false))
    try script.check()
  }

  @Test(
    "FR7 a first fragment without its whole transport header is dropped alone, opens and kills nothing, RFC 1858"
  )
  func tiny() throws {
    var script = try FragmentStage.script()
    script.outbound(
      .s(1), Datagram.tcp(FragmentStage.host, FragmentStage.remote, .syn).identified(1), as: FragmentStage.x)
    script.inbound(
      .s(1.1), .tcp(FragmentStage.remote, FragmentStage.x, [.syn, .ack]), to: FragmentStage.host)
    let segment = FragmentStage.segment(FragmentStage.host, FragmentStage.remote)
    for (index, length) in [8, 16].enumerated() {
      script.dropped(
        .s(Double(2 + index)), .inside, segment.fragments([length])[0], "firstFragmentTooSmall")
    }
    // By the data offset, with options.
    let options = segment.with {
      if case .tcp(var segment) = $0.payload {
        segment.options = [UInt8](repeating: 1, count: 12)
        $0.payload = .tcp(segment)
      }
    }
    script.dropped(.s(4), .inside, options.fragments([24])[0], "firstFragmentTooSmall")
    // The datagram itself passes all the same, with 24 bytes of a header of 20.
    script.outbound(.s(5), segment, [24, 1480, 1480], as: FragmentStage.x)
    // A UDP header is whole with 8 bytes.
    script.outbound(.s(6), FragmentStage.out, [8, 1480, 1480], as: FragmentStage.x, identification: 7)
    try script.check()
  }

  @Test(
    "FR7 a second fragment that would overwrite the transport header kills the datagram, RFC 1858 section 4")
  func overwritten() throws {
    var script = try FragmentStage.script()
    script.outbound(
      .s(1), Datagram.tcp(FragmentStage.host, FragmentStage.remote, .syn).identified(1), as: FragmentStage.x)
    let segment = FragmentStage.segment(FragmentStage.host, FragmentStage.remote)
    let seen = segment.sent(as: FragmentStage.x)
    script.receive(.s(2), .inside, segment.fragments([24])[0])
    script.expect(.s(2), .outside, seen.fragments([24])[0])
    script.dropped(
      .s(3), .inside, segment.fragment(8, segment.bytes[28..<1996], isLast: false), FragmentStage.dead)
    try script.check()
  }

  @Test(
    "FR8 what waits in vain is dropped when its time is over, exactly, without 11/1, RFC 792",
    arguments: [10, 30])
  func timeout(seconds: Int) throws {
    var script = try FragmentStage.script(["lifetimes": "{ fragment: \(seconds)s }"])
    let fragments = FragmentStage.out.fragments(FragmentStage.lengths)
    script.receive(.s(2), .inside, fragments[1])
    script.receive(.s(2.5), .inside, fragments[2])
    var early = script
    early.receive(.seconds(2 + seconds), .inside, fragments[0])
    for fragment in FragmentStage.out.sent(as: FragmentStage.x).fragments(FragmentStage.lengths) {
      early.expect(.seconds(2 + seconds), .outside, fragment)
    }
    try early.check()
    // A first fragment that comes later opens another datagram.
    script.receive(.seconds(2 + seconds) + .nanosecond, .inside, fragments[0])
    script.expect(
      .seconds(2 + seconds) + .nanosecond, .outside,
      FragmentStage.out.sent(as: FragmentStage.x).fragments(FragmentStage.lengths)[0])
    script.expectDrop("fragmentTimeout", 2)
    let outcome = try script.check()
    #expect(outcome.stats.events.icmpErrorsSuppressed == 0)
  }

  @Test(
    "FR8 a datagram whose first fragment has passed is forgotten in time too, and what comes later waits anew"
  )
  func forgotten() throws {
    var script = try FragmentStage.script()
    let fragments = FragmentStage.out.fragments(FragmentStage.lengths)
    let seen = FragmentStage.out.sent(as: FragmentStage.x).fragments(FragmentStage.lengths)
    script.receive(.s(2), .inside, fragments[0])
    script.expect(.s(2), .outside, seen[0])
    script.receive(.s(32), .inside, fragments[1])
    script.expect(.s(32), .outside, seen[1])
    script.receive(.s(32.001), .inside, fragments[2])
    script.dropped(.s(62.002), .outside, .udp(FragmentStage.remote, Stage.x(59999)), "noBinding")
    script.expectDrop("fragmentTimeout")
    try script.check()
  }

  @Test("FR10 beyond 65,535 bytes: dropped, RFC 791")
  func tooLong() throws {
    var script = try FragmentStage.script()
    let fragments = FragmentStage.out.fragments(FragmentStage.lengths)
    script.receive(.s(2), .inside, fragments[0])
    script.expect(
      .s(2), .outside, FragmentStage.out.sent(as: FragmentStage.x).fragments(FragmentStage.lengths)[0])
    // 65,512 + 4 bytes and a header of 20 are one byte too many; 65,512 + 3 are not.
    script.dropped(
      .s(3), .inside, FragmentStage.out.fragment(65512, [1, 2, 3, 4], isLast: true), "malformedIPv4")
    script.dropped(
      .s(4), .inside, FragmentStage.out.fragment(65528, [UInt8](repeating: 0, count: 1000), isLast: true),
      "malformedIPv4")
    let last = FragmentStage.out.fragment(65512, [1, 2, 3], isLast: true)
    script.receive(.s(5), .inside, last)
    script.expect(
      .s(5), .outside,
      last.with {
        $0.source = FragmentStage.x
        $0.timeToLive = 63
      })
    try script.check()
  }

  @Test(
    "FR10 MF with a data length that is no multiple of 8 is malformed, opens nothing and moves no state, RFC 791"
  )
  func oddLength() throws {
    var script = try FragmentStage.script()
    script.outbound(.s(2), .tcp(FragmentStage.host, FragmentStage.remote, .syn), as: FragmentStage.x)
    var answer = Datagram.tcp(FragmentStage.remote, FragmentStage.x, [.syn, .ack])
    answer.flagsAndOffset = 0x2000
    script.dropped(.s(3), .outside, answer, "malformedIPv4")
    for length in [7, 9, 1479] {
      let data = [UInt8](repeating: 1, count: length)
      script.dropped(
        .s(4), .inside, FragmentStage.out.identified(9).fragment(1480, data, isLast: false), "malformedIPv4")
    }
    script.dropped(
      .s(5), .inside, FragmentStage.out.identified(9).fragment(0, [], isLast: false), "malformedIPv4")
    // The same datagram passes if cut as RFC 791 requires: the refused one opened nothing.
    script.outbound(
      .s(6), FragmentStage.out.identified(9), FragmentStage.lengths, as: FragmentStage.x)
    let outcome = try script.check()
    let states = Script.sessions(outcome.table).filter { $0.hasPrefix("tcp") }
    #expect(states.count == 1 && states.allSatisfy { $0.contains(" syn-sent ") }, "\(states)")
  }
}
