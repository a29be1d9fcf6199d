import TestSupport
import Testing

@testable import NATWire

@Suite struct BatchTests {
  @Test("a batch holds 64 frames, each behind 16 free bytes, and starts anew when it is cleared")
  func batch() {
    var batch = FrameBatch(maximumFrameLength: 2000)
    let bytes = [UInt8](repeating: 7, count: 61)
    for number in 0..<FrameBatch.capacity {
      let hasRoom = batch.hasRoom(for: bytes.count)
      #expect(hasRoom)
      // Safety: the bytes live as long as the closure, and `append` copies them.
      unsafe bytes.withUnsafeBytes {
        unsafe batch.append(
          $0, wireLength: 100 + number, at: Instant(nanoseconds: UInt64(number)), from: .outside,
          link: .ethernet)
      }
    }
    let isFull = !batch.hasRoom(for: 0) && batch.count == 64
    #expect(isFull)
    for number in 0..<64 {
      let entry = batch[number]
      #expect(entry.wireLength == 100 + number && entry.instant.nanoseconds == UInt64(number))
      let wide = entry.frame.extendedForward(by: FrameBatch.headroom)
      for index in 0..<16 { wide.setUInt8(0xEE, at: index) }
    }
    for number in 0..<64 {
      let frame = batch[number].frame
      #expect((0..<61).allSatisfy { frame.uint8(at: $0) == 7 }, "\(number)")
    }
    batch.removeAll()
    let isEmpty = batch.count == 0 && batch.hasRoom(for: 2000)
    #expect(isEmpty)
  }

  @Test("a frame in place keeps its bytes and takes no room of the batch's")
  func inPlace() {
    var batch = FrameBatch(maximumFrameLength: 2000)
    let large = UnsafeMutableRawPointer.allocate(byteCount: 65_549, alignment: 8)
    defer { unsafe large.deallocate() }
    // Safety: the memory was allocated above, and lives until the end.
    let frame = unsafe Frame(unsafeBase: large, count: 65_549)
    frame.setUInt32(0x0102_0304, at: 65_545)
    for number in 0..<FrameBatch.capacity {
      batch.append(
        inPlace: frame, wireLength: 65_549, at: Instant(nanoseconds: UInt64(number)), from: .inside)
    }
    let isFull = !batch.hasRoom(for: 0) && batch.count == 64
    #expect(isFull)
    let entry = batch[63]
    #expect(entry.frame.count == 65_549 && entry.frame.uint32(at: 65_545) == 0x0102_0304)
    #expect(entry.link == .ethernet && entry.side == .inside && entry.instant.nanoseconds == 63)
    entry.frame.setUInt8(9, at: 65_548)
    #expect(frame.uint8(at: 65_548) == 9)
  }

  @Test("a batch always takes one frame of its largest length", arguments: [64, 9018, 65549, 200_000])
  func largest(length: Int) {
    let batch = FrameBatch(maximumFrameLength: length)
    let hasRoom = batch.hasRoom(for: length)
    #expect(hasRoom)
  }

  @Test(
    "an outbox hands out memory that does not overlap, and has room for a whole datagram in fragments of 8 bytes"
  )
  func outbox() {
    var outbox = Outbox()
    let hasRoom = outbox.hasRoomForAnyPacket
    #expect(hasRoom)
    var frames: [Frame] = []
    for number in 0..<8192 {
      let frame = outbox.build(length: 14 + 20 + 8)
      for index in 0..<frame.count { frame.setUInt8(UInt8(number & 255), at: index) }
      frames.append(frame)
      outbox.send(frame, to: .inside, at: Instant(nanoseconds: UInt64(number)), facts: .arp)
    }
    let count = outbox.count
    #expect(count == 8192)
    let isIntact = frames.enumerated().allSatisfy { number, frame in
      (0..<frame.count).allSatisfy { frame.uint8(at: $0) == UInt8(number & 255) }
    }
    #expect(isIntact)
    outbox.removeAll()
    let isEmpty = outbox.count == 0 && outbox.hasRoomForAnyPacket
    #expect(isEmpty)
  }
}
