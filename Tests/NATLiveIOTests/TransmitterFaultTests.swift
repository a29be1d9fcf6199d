import CLinuxPacket
import Glibc
import NATLiveIO
import NATWire
import TestSupport
import Testing

/// What a transmitter does when the system does not take everything at once, under scripted answers.
struct TransmitterFaultTests {
  /// `Transmitter.Drops`, to compare with.
  struct Dropped: Equatable {
    var queueFull = 0
    var linkDown = 0
    var refused = 0
    var all: Int { queueFull + linkDown + refused }
  }

  enum Answer {
    /// So many messages, or as many as there are.
    case takes(Int)
    case fails(Int32)
  }

  /// Sockets of a script: they take frames, which begin with their number, or fail.
  struct Script: SendingCalls {
    /// One answer a call; then everything is taken.
    var answers: [Answer] = []
    /// What the socket behind the queueing discipline answers, in the same way.
    var queuedAnswers: [Answer] = []
    let queued: Int32
    var taken: [UInt8] = []
    var takenQueued: [UInt8] = []
    var calls = 0
    var yields = 0

    mutating func send(_ messages: UnsafeMutablePointer<portico_message>, count: Int, to socket: Int32)
      -> Int32
    {
      calls += 1
      let answer: Answer
      if socket == queued {
        answer = queuedAnswers.isEmpty ? .takes(count) : queuedAnswers.removeFirst()
      } else {
        answer = answers.isEmpty ? .takes(count) : answers.removeFirst()
      }
      switch answer {
      case .fails(let code): return -code
      case .takes(let most):
        let taken = min(most, count)
        for index in 0..<taken {
          // Safety: the transmitter filled `count` messages; the second vector is the frame, which has bytes.
          let number = unsafe messages[index].header.msg_iov[1].iov_base.load(as: UInt8.self)
          if socket == queued { takenQueued.append(number) } else { self.taken.append(number) }
        }
        return Int32(taken)
      }
    }

    mutating func yield() { yields += 1 }
  }

  /// Sends frames that begin with 0, 1, 2 and so on as one batch.
  /// - Parameter kind: of each frame.
  private func send(
    _ count: Int, _ answers: [Answer], queued: [Answer] = [], as kind: (Int) -> [UInt8] = { _ in plain }
  ) throws -> (script: Script, counters: Transmitter.Counters, drops: Dropped?, lengths: [Int]) {
    let sockets = try (0..<2).map { _ in
      // Safety: the path is a constant.
      let descriptor = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
      return try #require(descriptor >= 0 ? descriptor : nil)
    }
    var transmitter = Transmitter(
      name: "scripted", mtu: 1500, cutsSegments: true, direct: sockets[0], queued: sockets[1])
    var script = Script(answers: answers, queuedAnswers: queued, queued: sockets[1])
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count * 8192, alignment: 8)
    defer { unsafe memory.deallocate() }
    var lengths: [Int] = []
    for index in 0..<count {
      var bytes = kind(index)
      bytes[0] = UInt8(index)
      lengths.append(bytes.count)
      // Safety: each frame has 8,192 bytes of the memory, which lives until the flush is over.
      let place = unsafe UnsafeMutableRawBufferPointer(
        rebasing: memory[index * 8192..<index * 8192 + bytes.count])
      unsafe place.copyBytes(from: bytes)
      var facts = FrameFacts.arp
      if bytes.count > 1500 {
        facts = FrameFacts(kind: .tcp, headerLength: 20, transportHeaderLength: 20)
        facts.hasPartialChecksum = true
      }
      unsafe transmitter.add(Frame(unsafeBase: place.baseAddress!, count: bytes.count), facts)
    }
    transmitter.flush(through: &script)
    // The batch is over: nothing is sent a second time.
    let calls = script.calls
    transmitter.flush(through: &script)
    #expect(script.calls == calls)
    return (
      script, transmitter.counters,
      transmitter.takeDrops().map {
        Dropped(queueFull: $0.queueFull, linkDown: $0.linkDown, refused: $0.refused)
      }, lengths
    )
  }

  private static let plain =
    [UInt8](repeating: 0, count: 12) + [0x88, 0xB5] + [UInt8](repeating: 1, count: 40)

  /// A TCP packet of 3,000 bytes whose checksum field holds the sum of the pseudo-header.
  private static let superFrame: [UInt8] = {
    // 10.0.0.1 to 10.0.0.2, protocol 6, 2,980 bytes: 0A00 + 0001 + 0A00 + 0002 + 0006 + 0BA4 = 1FAD.
    [UInt8](repeating: 0, count: 12) + [8, 0]
      + [0x45, 0, 0x0B, 0xB8, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
      + [0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0xFF, 0xFF, 0x1F, 0xAD, 0, 0]
      + [UInt8](repeating: 7, count: 2960)
  }()

  @Test("short counts go on behind the last frame taken: every frame once, in order")
  func shortCounts() throws {
    let result = try send(64, [.takes(1), .takes(30), .takes(2), .takes(30)])
    #expect(result.script.taken == Array(0..<64))
    #expect(result.script.calls == 5)
    #expect(result.counters.frames == 64)
    #expect(result.counters.bytes == UInt64(result.lengths.reduce(0, +)))
    #expect(result.drops == nil)
  }

  @Test(
    "ENOBUFS, EAGAIN and ENOMEM are offered again, and nothing is lost", arguments: [ENOBUFS, EAGAIN, ENOMEM])
  func retried(code: Int32) throws {
    let result = try send(10, [.takes(4)] + Array(repeating: .fails(code), count: 32) + [.takes(6)])
    #expect(result.script.taken == Array(0..<10))
    #expect(result.script.yields == 32)
    #expect(result.counters.frames == 10 && result.drops == nil)
  }

  @Test(
    "a device that stays full is offered a batch in bounds; each frame that it does not take is counted once")
  func full() throws {
    let result = try send(10, [.takes(4)] + Array(repeating: .fails(ENOBUFS), count: 1000))
    #expect(result.script.taken == Array(0..<4))
    // One call took four frames, 32 were retries, then each of the other six was refused once.
    #expect(result.script.calls == 1 + 32 + 6)
    #expect(result.counters.frames == 4)
    #expect(result.drops == Dropped(queueFull: 6))
  }

  @Test(
    "a device that is full for a while: what it refused after the retries is counted, the rest leaves in order"
  )
  func fullForAWhile() throws {
    let result = try send(10, Array(repeating: .fails(ENOBUFS), count: 35))
    #expect(result.script.taken == Array(3..<10))
    #expect(result.counters.frames == 7)
    #expect(result.drops == Dropped(queueFull: 3))
  }

  @Test("EINTR between short counts: the call is made again at once, in bounds")
  func interrupted() throws {
    let result = try send(6, [.fails(EINTR), .takes(2), .fails(EINTR), .fails(EINTR), .takes(1)])
    #expect(result.script.taken == Array(0..<6))
    #expect(result.script.yields == 0 && result.counters.frames == 6 && result.drops == nil)
    let endless = try send(6, Array(repeating: .fails(EINTR), count: 1000))
    #expect(endless.script.calls == 32 + 6)
    #expect(endless.drops == Dropped(queueFull: 6))
  }

  @Test("a frame that the kernel refuses is counted, and those around it leave")
  func refused() throws {
    let result = try send(5, [.takes(2), .fails(EMSGSIZE)])
    #expect(result.script.taken == [0, 1, 3, 4])
    #expect(result.drops == Dropped(refused: 1))
  }

  @Test("RC3 a link that is down costs one more call, and the rest of the batch is counted")
  func linkDown() throws {
    // What was down in the meantime says so once.
    let once = try send(5, [.fails(ENETDOWN)])
    #expect(once.script.taken == Array(0..<5) && once.drops == nil)
    let down = try send(5, [.takes(1), .fails(ENETDOWN), .fails(ENETDOWN)])
    #expect(down.script.taken == [0] && down.script.calls == 3)
    #expect(down.drops == Dropped(linkDown: 4))
  }

  @Test("super-frames that the device cannot cut go through the queueing discipline, however many they are")
  func queuedSuperFrames() throws {
    // The device refuses each super-frame, and takes the plain frame between them.
    let isSuper = { (index: Int) in index != 20 }
    let refusals: [Answer] = Array(repeating: .fails(ENOBUFS), count: 20) + [.takes(1)]
    let result = try send(60, refusals + Array(repeating: .fails(ENOBUFS), count: 39)) {
      isSuper($0) ? Self.superFrame : Self.plain
    }
    #expect(result.script.taken == [20])
    #expect(result.script.takenQueued == Array(0..<20) + Array(21..<60))
    #expect(result.counters.joinedPackets == 59 && result.counters.frames == 60 && result.drops == nil)
  }

  @Test("a super-frame that both ways refuse is offered again to both, in bounds, and counted")
  func refusedTwice() throws {
    let result = try send(
      1, Array(repeating: .fails(ENOBUFS), count: 1000),
      queued: Array(repeating: .fails(ENOBUFS), count: 1000)
    ) { _ in Self.superFrame }
    #expect(result.script.calls == 2 * 33)
    #expect(result.drops == Dropped(queueFull: 1))
  }

  @Test("whatever the system answers, every frame is taken once and in order, or counted as dropped")
  func random() throws {
    let seed = UInt64.random(in: 1...UInt64.max)
    print("transmitter faults: seed \(seed)")
    var state = seed
    // xorshift64 (Marsaglia 2003).
    func next(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    for _ in 0..<500 {
      let count = 1 + next(64)
      let codes = [ENOBUFS, EAGAIN, ENOMEM, EINTR, EMSGSIZE, EIO]
      let answers: [Answer] = (0..<next(120)).map { _ in
        next(3) == 0 ? .takes(1 + next(20)) : .fails(codes[next(next(4) == 0 ? 6 : 4)])
      }
      let queued: [Answer] = (0..<next(40)).map { _ in next(2) == 0 ? .takes(1) : .fails(ENOBUFS) }
      let kinds = (0..<count).map { _ in next(4) }
      let result = try send(count, answers, queued: queued) { kinds[$0] == 0 ? Self.superFrame : Self.plain }
      let all = result.script.taken + result.script.takenQueued
      #expect(Set(all).count == all.count, "seed \(seed): a frame twice")
      #expect(result.script.taken == result.script.taken.sorted(), "seed \(seed): out of order")
      #expect(result.script.takenQueued == result.script.takenQueued.sorted(), "seed \(seed): out of order")
      let drops = result.drops?.all ?? 0
      #expect(all.count + drops == count && Int(result.counters.frames) == all.count, "seed \(seed)")
      #expect(
        Int(result.counters.bytes) == all.reduce(0) { $0 + result.lengths[Int($1)] }, "seed \(seed)")
    }
  }
}
