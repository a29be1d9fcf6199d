import NATControl
import NATWire
import TestSupport
import Testing

/// Long connections: the receiver reads exactly what the sender sent.
@Suite("TCP transfers")
struct TransferTests {
  private static let host: End = "192.168.1.2:5000"
  private static let remote: End = "142.250.195.100:443"
  private static let x = Stage.x(50001)
  private static let length = 2 << 20
  private static let segment = 1448

  /// The data of one end; no two parts are alike.
  private static func data(_ start: UInt64) -> [UInt8] {
    var state = start
    return (0..<length).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
  }

  /// The segments that arrive at the gateway, in order. Each is sent until it arrives.
  private struct Line {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func order(of count: Int, lossPercent: Int, reorderPercent: Int) -> [Int] {
      var waiting = Array(0..<count)
      var arrived: [Int] = []
      var next = 0
      while next < waiting.count {
        let index = waiting[next]
        next += 1
        if chance(lossPercent) {
          // Sent again after about twenty others.
          waiting.insert(index, at: min(waiting.count, next + 20))
        } else if chance(reorderPercent) {
          waiting.insert(index, at: min(waiting.count, next + 1 + Int(state >> 60) % 4))
        } else {
          arrived.append(index)
        }
      }
      return arrived
    }

    private mutating func chance(_ percent: Int) -> Bool {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % 100 < percent
    }
  }

  /// The stream that the receiver reassembles.
  private func reassembled(_ records: [Record]) -> [UInt8] {
    var data = [UInt8](repeating: 0, count: TransferTests.length)
    var filled = [Bool](repeating: false, count: TransferTests.length)
    for record in records where record.bytes.count > 54 {
      let sequence = record.bytes[38..<42].reduce(0) { $0 << 8 | Int($1) }
      for (index, byte) in record.bytes[54...].enumerated() {
        data[sequence - 1 + index] = byte
        filled[sequence - 1 + index] = true
      }
    }
    #expect(filled.allSatisfy { $0 }, "every byte has arrived")
    return data
  }

  @Test(
    "TCP23 2 MiB each way at once, then with 1 % loss and reordering: the same bytes arrive",
    arguments: [(0, 0, 1), (1, 5, 2)] as [(Int, Int, UInt64)])
  func bothWays(lossPercent: Int, reorderPercent: Int, seed: UInt64) throws {
    let (up, down) = (TransferTests.data(seed), TransferTests.data(seed &+ 100))
    var line = Line(seed: seed)
    let count = (TransferTests.length + TransferTests.segment - 1) / TransferTests.segment
    var script = try Script()
    script.outbound(.s(1), .tcp(TransferTests.host, TransferTests.remote, .syn), as: TransferTests.x)
    script.inbound(
      .s(1.1), .tcp(TransferTests.remote, TransferTests.x, [.syn, .ack]), to: TransferTests.host)
    func packet(_ source: End, _ destination: End, _ index: Int, of data: [UInt8]) -> Datagram {
      let start = index * TransferTests.segment
      let segment = Datagram.Segment(
        flags: [.psh, .ack], sequence: UInt32(start + 1),
        data: Array(data[start..<min(data.count, start + TransferTests.segment)]))
      return Datagram(source: source, destination: destination, payload: .tcp(segment))
    }
    for (place, index) in line.order(of: count, lossPercent: lossPercent, reorderPercent: reorderPercent)
      .enumerated()
    {
      script.outbound(
        .s(2) + .microseconds(place * 10), packet(TransferTests.host, TransferTests.remote, index, of: up),
        as: TransferTests.x)
    }
    for (place, index) in line.order(of: count, lossPercent: lossPercent, reorderPercent: reorderPercent)
      .enumerated()
    {
      script.inbound(
        .s(2) + .microseconds(place * 10 + 5), packet(TransferTests.remote, TransferTests.x, index, of: down),
        to: TransferTests.host)
    }
    let outcome = try script.check()
    #expect(reassembled(outcome.outside) == up)
    #expect(reassembled(outcome.inside) == down)
  }
}
