import NATWire
import TestSupport
import Testing

@testable import NATTable

/// Two TCPs that talk over a network which loses, repeats and reorders, on both sides of a gateway that tracks windows:
/// nothing that they say may ever be outside.
@Suite("TCP12 windows of connections that live") struct ConnectionWindowsModelTests {
  /// One end: what it has sent, what it has got in order, and the room in its buffer.
  private struct Peer {
    /// Numbers from 0 on, behind its SYN; the real ones begin at `initial + 1`.
    var initial: UInt32
    var sent = 0
    var acknowledged = 0
    /// The highest number that it may send, as it knows.
    var allowed = 0
    var received = 0
    /// Behind the last number that it has promised to take.
    var promised = 0
    var buffer: Int
    var scale: UInt8
    var peerScale: UInt8
  }

  private struct Segment {
    var start: Int
    var data: Int
    var ack: Int
    var window: UInt16
    var segment: TCPSegment
  }

  @Test("no segment of a live connection is ever outside, whatever the network does to it", arguments: 0..<40)
  func live(run: Int) {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    let scales: (UInt8, UInt8) =
      random.percent(70) ? (random.pick([0, 3, 7, 14]), random.pick([0, 2, 7, 14])) : (0, 0)
    var peers: [Side: Peer] = [:]
    for (side, own, other) in [(Side.inside, scales.0, scales.1), (.outside, scales.1, scales.0)] {
      peers[side] = Peer(
        initial: random.pick([0, 1, 0x7FFF_FFF0, 0xFFFF_F000, UInt32(truncatingIfNeeded: random.next())]),
        buffer: random.pick([0, 1, 1000, 65535, 200_000, 5_000_000]), scale: own, peerScale: other)
    }
    var connection = ConnectionWindows()
    let isPickedUp = random.percent(25)
    let window = { (peer: Peer) in UInt16(min(65535, peer.buffer)) }
    if !isPickedUp {
      let (a, b) = (peers[.inside]!, peers[.outside]!)
      connection.learn(
        TCPSegment(.syn, sequence: a.initial, window: window(a), windowScale: a.scale), from: .inside)
      connection.learn(
        TCPSegment(
          [.syn, .ack], sequence: b.initial, acknowledgement: a.initial &+ 1, window: window(b),
          windowScale: b.scale), from: .outside)
    }
    for side in Side.allCases {
      peers[side]!.allowed = Int(window(peers[side.other]!))
      peers[side]!.promised = Int(window(peers[side]!))
    }
    // What is on its way to the gateway, and from it, by sender.
    var before: [Side: [Segment]] = [.inside: [], .outside: []]
    var behind: [Side: [Segment]] = [.inside: [], .outside: []]
    var passed = 0
    var late = 0
    var forgeriesStopped = 0

    for step in 0..<4000 {
      let side = random.pick(Side.allCases)
      switch random.below(4) {
      case 0, 1: before[side]!.append(speak(&peers[side]!, peers[side.other]!, &random))
      case 2:
        guard let segment = take(&before[side]!, &random) else { continue }
        guard connection.admits(segment.segment, from: side) else {
          // Overtaken by more than a window: its sender knows by now that it has arrived.
          if segment.start + segment.data <= peers[side]!.acknowledged {
            late += 1
            continue
          }
          Issue.record("seed \(seed), step \(step): \(side) \(segment) is outside \(connection)")
          return
        }
        connection.learn(segment.segment, from: side)
        behind[side]!.append(segment)
        passed += 1
        // And a forger guesses.
        let guess = TCPSegment(.rst, sequence: UInt32(truncatingIfNeeded: random.next()))
        if !connection.admits(guess, from: side) { forgeriesStopped += 1 }
      default:
        guard let segment = take(&behind[side]!, &random) else { continue }
        hear(segment, &peers[side.other]!)
      }
    }
    #expect(passed > 100 && late < passed / 20)
    // A window of 2^30 both ways is half of all numbers.
    #expect(forgeriesStopped > passed / 3, "seed \(seed): \(forgeriesStopped) of \(passed)")
    if !isPickedUp, scales == (0, 0) { #expect(forgeriesStopped > passed * 98 / 100, "seed \(seed)") }
  }

  /// New data within what is allowed, a repetition, a probe or a plain ACK.
  private func speak(_ peer: inout Peer, _ other: Peer, _ random: inout Generator) -> Segment {
    var start = peer.sent
    var data = min(random.pick([0, 1, 536, 1460, 20000]), peer.allowed - peer.sent)
    switch random.below(10) {
    case 0, 1:
      // Not acknowledged yet, as far as it knows.
      start = peer.acknowledged
      data = min(peer.sent - start, 1460)
    case 2 where peer.sent > 0:
      // Keep-alive.
      start = peer.sent - 1
      data = random.below(2)
    case 3 where peer.allowed == peer.sent:
      // A window probe.
      data = 1
    default: break
    }
    data = max(0, data)
    peer.sent = max(peer.sent, min(start + data, peer.allowed))
    let room = random.below(max(1, peer.buffer + 1))
    let field = UInt16(min(65535, room >> Int(peer.scale)))
    peer.promised = max(peer.promised, peer.received + Int(field) << Int(peer.scale))
    let number = { (base: UInt32, count: Int) in base &+ 1 &+ UInt32(truncatingIfNeeded: count) }
    return Segment(
      start: start, data: data, ack: peer.received, window: field,
      segment: TCPSegment(
        data > 0 ? [.ack, .psh] : .ack, sequence: number(peer.initial, start),
        acknowledgement: number(other.initial, peer.received), window: field, data: data))
  }

  /// Mostly the first, sometimes another; sometimes it is lost or comes again.
  private func take(_ queue: inout [Segment], _ random: inout Generator) -> Segment? {
    guard !queue.isEmpty else { return nil }
    // Late, but not by more than a few dozen segments.
    let place = random.percent(80) ? 0 : random.below(min(queue.count, 8))
    if random.percent(8) {
      queue.remove(at: place)
      return nil
    }
    return random.percent(5) ? queue[place] : queue.remove(at: place)
  }

  private func hear(_ segment: Segment, _ peer: inout Peer) {
    let end = segment.start + segment.data
    if segment.start <= peer.received, end > peer.received {
      peer.received = min(end, max(peer.promised, peer.received))
    }
    guard segment.ack >= peer.acknowledged, segment.ack <= peer.sent else { return }
    peer.acknowledged = segment.ack
    // A window may shrink; what was allowed once stays so here, as a sender may have used it.
    peer.allowed = max(peer.allowed, segment.ack + Int(segment.window) << Int(peer.peerScale))
  }
}
