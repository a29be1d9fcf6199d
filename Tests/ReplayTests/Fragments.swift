import NATWire
import TestSupport

/// Datagrams in pieces (RFC 791 section 3.2).
extension Datagram {
  /// In fragments whose payloads have these lengths; what is left is the last one. Options go on all of them.
  func fragments(_ lengths: [Int]) -> [Datagram] {
    let bytes = self.bytes
    let payload = Array(bytes[(20 + options.count)...])
    var fragments: [Datagram] = []
    var start = 0
    for length in lengths + [payload.count - lengths.reduce(0, +)] {
      fragments.append(
        fragment(start, payload[start..<start + length], isLast: start + length == payload.count))
      start += length
    }
    return fragments
  }

  /// One fragment of this datagram.
  func fragment(_ offset: Int, _ payload: some Sequence<UInt8>, isLast: Bool) -> Datagram {
    with {
      $0.payload = .other(protocolNumber: bytes[9], Array(payload))
      $0.flagsAndOffset = flagsAndOffset & 0xC000 | UInt16(offset / 8) | (isLast ? 0 : 0x2000)
    }
  }

  /// A UDP datagram with so many bytes of data that differ from each other, DF clear.
  static func long(_ source: End, _ destination: End, _ count: Int, identification: UInt16 = 7) -> Datagram {
    var datagram = Datagram(
      source: source, destination: destination,
      payload: .udp((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 8) }, hasChecksum: true))
    datagram.flagsAndOffset = 0
    datagram.identification = identification
    return datagram
  }

  func identified(_ identification: UInt16) -> Datagram { with { $0.identification = identification } }
}

extension Script {
  /// Fragments come a millisecond apart. Each leaves as soon as the first fragment is there; held ones leave at once behind
  /// it, by offset.
  ///
  /// - Parameter expected: the same fragments as they must leave.
  mutating func pass(
    _ start: Duration, from side: Side, to other: Side, _ fragments: [Datagram], as expected: [Datagram],
    inOrder order: [Int]
  ) {
    var waiting: [Int] = []
    var isOpen = false
    for (place, index) in order.enumerated() {
      let time = start + .milliseconds(place)
      receive(time, side, fragments[index])
      waiting.append(index)
      isOpen = isOpen || index == 0
      guard isOpen else { continue }
      for index in waiting.sorted() { expect(time, other, expected[index]) }
      waiting = []
    }
  }

  /// An inside host's datagram in fragments leaves under a public endpoint.
  mutating func outbound(
    _ start: Duration, _ packet: Datagram, _ lengths: [Int], as public: End, identification: UInt16? = nil,
    inOrder order: [Int]? = nil
  ) {
    let expected = packet.sent(as: `public`).identified(identification ?? packet.identification)
    pass(
      start, from: .inside, to: .outside, packet.fragments(lengths), as: expected.fragments(lengths),
      inOrder: order ?? Array(0...lengths.count))
  }

  /// A remote's datagram in fragments reaches a private endpoint.
  mutating func inbound(
    _ start: Duration, _ packet: Datagram, _ lengths: [Int], to private: End, inOrder order: [Int]? = nil
  ) {
    pass(
      start, from: .outside, to: .inside, packet.fragments(lengths),
      as: packet.delivered(to: `private`).fragments(lengths), inOrder: order ?? Array(0...lengths.count))
  }
}

/// One inside host, one remote, and datagrams of three fragments between them.
enum FragmentStage {
  static let host: End = "192.168.1.2:5000"
  static let remote: End = "142.250.195.100:9"
  static let x = Stage.x(50001)
  static let out = Datagram.long(host, remote, 4000)
  static let back = Datagram.long(remote, x, 4000)
  /// Payload lengths of the first two of three.
  static let lengths = [1480, 1480]
  static let dead = "fragmentOfDeadDatagram"
  static let again = "fragmentDuplicate"

  static func segment(_ source: End, _ destination: End) -> Datagram {
    Datagram(
      source: source, destination: destination,
      payload: .tcp(
        Datagram.Segment(flags: [.psh, .ack], data: (0..<4000).map { UInt8(truncatingIfNeeded: $0) }))
    ).with { $0.flagsAndOffset = 0 }
  }

  static func ping(
    _ type: UInt8, _ source: String, _ destination: String, _ identifier: UInt16, _ count: Int
  ) -> Datagram {
    Datagram.query(type, source, destination, identifier).with {
      $0.payload = .query(
        type: type, sequence: 1, data: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
      $0.flagsAndOffset = 0
    }
  }

  /// A session of the host with its remote, opened by a datagram of another identification.
  static func script(_ nat: [String: String] = [:], more: [String] = []) throws -> Script {
    var script = try Script(nat, more: more)
    script.outbound(.s(1), Datagram.udp(host, remote).identified(1), as: x)
    return script
  }
}
