import Testing

@testable import NATWire

@Suite struct TCPSegmentTests {
  private func segment(_ flags: UInt8, _ options: [UInt8] = [], data: Int = 0, fragment: UInt16 = 0)
    -> TCPSegment
  {
    var packet = PacketBytes.tcp(flags: flags, options: options, [UInt8](repeating: 7, count: data))
    packet.payload.replaceSubrange(4..<12, with: [0xFE, 0xDC, 0xBA, 0x98, 0x12, 0x34, 0x56, 0x78])
    packet.payload.replaceSubrange(14..<16, with: [0xAB, 0xCD])
    packet.fragment = fragment
    packet.options = [1, 1, 1, 1]
    return Buffer(packet.ipv4).decode().packet.segment
  }

  @Test("the numbers of a segment: data, SYN and FIN take their place in the stream")
  func numbers() {
    let read = segment(0x10, data: 5)
    #expect(
      read
        == TCPSegment(
          .ack, sequence: 0xFEDC_BA98, acknowledgement: 0x1234_5678, window: 0xABCD, data: 5))
    #expect(read.length == 5 && read.end == 0xFEDC_BA9D)
    #expect(segment(0x10).length == 0)
    #expect(segment(0x11, data: 5).length == 6)
    #expect(segment(0x02, [1, 1, 1, 0], data: 5).length == 6)
    // Of a first fragment, what is in it: 20 bytes of header and 4 of data.
    #expect(segment(0x10, data: 4, fragment: 0x2000).length == 4)
  }

  @Test(
    "RFC 7323 the window scale is the first well-formed option of its kind in a SYN, at most 14",
    arguments: [
      ([3, 3, 7, 0], 7), ([1, 3, 3, 0], 0), ([2, 4, 5, 0xB4, 1, 3, 3, 14], 14), ([3, 3, 15, 1], 14),
      ([3, 3, 255, 1], 14), ([3, 3, 2, 3, 3, 9, 0, 0], 2), ([3, 4, 5, 6, 3, 3, 9, 0], 9), ([], nil),
      ([2, 4, 5, 0xB4], nil), ([0, 3, 3, 7], nil), ([8, 0, 3, 3], nil), ([8, 1, 3, 3], nil),
      ([8, 5, 3, 3], nil), ([1, 1, 3, 3], nil), ([1, 1, 1, 3], nil),
    ] as [([UInt8], UInt8?)])
  func scale(options: [UInt8], scale: UInt8?) {
    #expect(segment(0x02, options).windowScale == scale)
    #expect(segment(0x12, options).windowScale == scale)
    #expect(segment(0x10, options).windowScale == nil)
  }
}
