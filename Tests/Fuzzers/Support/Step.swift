/// What an input of the gateway's fuzzer is made of: two bytes (configuration, link layers), then steps. A step is one
/// byte, the operation in its lower half and the time that passes before it in its upper one, and what the operation
/// reads.
public enum Operation: UInt8, CaseIterable, Sendable {
  /// Flags (bit 0 from outside, 1 and 2 mend checksums, 3 longer on the wire, 4 behind a link header for us), length
  /// (two bytes), as many bytes.
  case raw
  /// A packet of an inside host's: kind, host, remote, source port, destination port, shape, size, TCP flags.
  case fromInside
  /// A packet to a public address: kind, public address, remote, source port, destination port, shape, size, TCP flags.
  case fromOutside
  /// To a frame that was sent, from where it went: which, shape, size, TCP flags.
  case answer
  /// An ICMP error about a frame that was sent: which, type, code, length of the quote, damage.
  case error
  /// A frame that came already: which, from which side.
  case again
  /// A datagram in fragments, like `fromInside` or `answer`: which, host, remote, size (two bytes), size of the
  /// fragments, order, what goes wrong.
  case fragments
  /// One fragment alone: flags (bit 0 from outside, 1 MF, 3 an offset of two bytes, 4 to 7 identification), sender,
  /// receiver, kind, destination port, offset, length.
  case fragment
  /// A packet to the public endpoint of a frame that was sent: host, which, kind, shape, size, TCP flags.
  case hairpin
  /// A frame that came already, with other bytes: which, how many, place (two bytes) and change of each, mending.
  case change
  /// Flags (bit 0 from outside, 1 reply, 2 group MAC, 3 unknown operation), sender, target.
  case arp
  /// Flags (bit 0 back), milliseconds (two bytes).
  case time
  /// New flows of one host: host, remote, how many.
  case flood
  /// A live gateway has nothing to do; flags (bit 0 it announces its addresses).
  case idle
  /// What is asked of a running gateway (remainder of 4: 0 and 1 another configuration at once, 2 the same in steps with
  /// frames between them, 3 something else), and what that reads.
  case control
  /// Flags (bit 0 a snapshot is begun, else it is finished and restored; 1 a fresh one, 2 damaged, 3 damaged with its
  /// checksum mended, 4 port choice goes on, 5 to 7 the clock's correction, or how much a step saves), the damage.
  case snapshot

  public init(_ byte: UInt8) { self = Operation.allCases[Int(byte & 15)] }

  /// How long before a step, in nanoseconds, by its upper half.
  public static let delays: [UInt64] = [
    0, 1, 1_000, 1_000_000, 10_000_000, 100_000_000, 999_999_999, 1_000_000_000, 2_000_000_001,
    6_000_000_000, 30_000_000_001, 60_000_000_001, 120_000_000_000, 240_000_000_001, 300_000_000_001,
    7_440_000_000_001,
  ]
}

/// Steps as bytes, for seeds.
public enum Step {
  static func byte(_ operation: Operation, delay: UInt8 = 3) -> UInt8 {
    delay << 4 | operation.rawValue
  }

  /// A frame as it came.
  public static func raw(_ frame: [UInt8], isFromOutside: Bool) -> [UInt8] {
    [byte(.raw), isFromOutside ? 1 : 0] + two(UInt16(frame.count)) + frame
  }

  // Kinds of packets as the gateway's fuzzer numbers them.
  private static let udp: UInt8 = 0
  private static let tcp: UInt8 = 1
  private static let echo: UInt8 = 2

  private static func fromInside(_ kind: UInt8, port: UInt8 = 9, flags: UInt8 = 2) -> [UInt8] {
    [byte(.fromInside), kind, 0, 0, port, 5, 0, 3, flags]
  }

  private static func answer(flags: UInt8 = 0x10) -> [UInt8] { [byte(.answer), 0, 0, 3, flags] }

  /// A few words in every part of the language, for each configuration.
  public static var examples: [[UInt8]] {
    let connection =
      fromInside(tcp) + answer(flags: 0x12) + answer() + fromInside(tcp, flags: 0x18) + answer(flags: 0x18)
      + fromInside(tcp, flags: 0x11) + answer(flags: 0x11) + answer() + answer(flags: 4) + answer()
    let queries =
      fromInside(echo) + answer() + [byte(.fromOutside), echo, 0, 0, 5, 5, 0, 3, 0]
      + [byte(.fromInside), echo, 1, 6, 5, 5, 0, 3, 0]
    let errors = (0..<6).flatMap { type -> [UInt8] in
      fromInside(udp, port: type) + [byte(.error), 0, type, 0, type, 0] + [byte(.error), 0, type, 1, 4, type]
    }
    let fragments = (0..<4).flatMap { order -> [UInt8] in
      [byte(.fragments), 0, 0, 0, 0x10, 0, 64, order, 0] + [
        byte(.fragments), 1, 0, 0, 0x08, 0, 9, order, order,
      ]
    }
    // More datagrams, and more bytes, than may wait: all without their first fragment.
    let orphans = (0..<5).flatMap { _ -> [UInt8] in [byte(.fragments), 0, 0, 0, 0x7F, 0xFF, 255, 0, 4] }
    let hairpins =
      fromInside(udp) + [byte(.hairpin), 1, 0, udp, 0, 3, 0] + answer() + fromInside(tcp)
      + [byte(.hairpin), 1, 0, tcp, 0, 3, 2] + answer(flags: 0x12) + [byte(.error), 0, 0, 0, 4, 0]
    let unsolicited =
      fromInside(tcp) + [byte(.fromOutside), tcp, 0, 2, 9, 9, 0, 3, 2] + [byte(.time, delay: 9), 0, 0, 0]
      + fromInside(udp)
    let times = (1..<16).flatMap { delay -> [UInt8] in
      [byte(.fromInside, delay: UInt8(delay)), udp, 0, 0, 9, 5, 0, 3, 0] + answer()
    }
    let rest =
      [byte(.arp), 0, 0, 8] + [byte(.arp), 1, 0, 0] + [byte(.flood), 0, 0, 4] + [byte(.idle), 1]
      + fromInside(udp) + [byte(.idle, delay: 8), 0] + [byte(.idle, delay: 8), 0] + [byte(.again), 0, 0]
      + [byte(.change), 0, 1, 0, 22, 63, 3] + [byte(.fragment), 2, 0, 0, 0, 3, 0, 40]
    let flows = fromInside(udp) + fromInside(tcp, port: 8) + answer(flags: 0x12) + fromInside(echo) + answer()
    // Each kind of change, at once and in steps, with flows that live.
    let changes = (0..<UInt8(changeCount)).flatMap { kind -> [UInt8] in
      let change = [kind, kind, 1, 2, 3, kind &* 3, 9]
      return flows + [byte(.control), kind % 3] + change + flows + [byte(.control), 2] + change + flows
    }
    let statics = (0..<12).flatMap { number -> [UInt8] in
      [
        byte(.control), 0, 8, number, number, 9, 2, 9, number &* 21, byte(.fromOutside), 1, 0, number, 9, 9,
        0, 3, 2,
      ]
        + answer(flags: 0x12) + [byte(.time, delay: 8), 0, 0, 0]
    }
    let ends = flows + [byte(.control), 3, 0, 0] + flows + [byte(.control), 3, 1, 0] + flows
    // Saved whole and in steps, restored with each correction of the clock; damaged. Few in an input are restored.
    let snapshots = (0..<UInt8(8)).map { number -> [UInt8] in
      flows + [byte(.snapshot), number << 5 | 1] + flows + [byte(.snapshot), number << 5 | 16]
        + flows + [byte(.snapshot), number << 5 | 2] + answer(flags: 0x18) + flows
    }
    let damages = (0..<UInt8(4)).map { number -> [UInt8] in
      flows + [byte(.snapshot), 6, 0, number, number &* 40] + flows
        + [byte(.snapshot), 14, 1, 0, number &* 40 &+ 10, number, 0, 16, 3] + answer(flags: 0x18)
    }
    let scripts =
      [
        connection, queries, errors, fragments, orphans, hairpins, unsolicited, times, rest, changes, statics,
        ends,
      ] + snapshots + damages
    return (0..<UInt8(configurationCount)).flatMap { configuration in
      scripts.map { [configuration, 0] + $0 }
    }
  }

  /// How many configurations the gateway's fuzzer has.
  public static let configurationCount = 17

  /// As many as there were first: a larger first byte of an input counts from there, as it always did.
  public static let firstConfigurations = 14

  /// How many kinds of changes of a running gateway there are.
  public static let changeCount = 15
}
