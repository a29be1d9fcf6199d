/// Capture files built by hand, so that no test depends on the writer.
public struct CaptureBytes {
  public var bytes: [UInt8] = []
  public let isBigEndian: Bool

  public init(isBigEndian: Bool = false) { self.isBigEndian = isBigEndian }

  public mutating func add(_ values: UInt32...) {
    for value in values { add32(value) }
  }

  public mutating func add32(_ value: UInt32) {
    for index in 0..<4 {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * (isBigEndian ? 3 - index : index))))
    }
  }

  public mutating func add16(_ value: UInt16) {
    let octets = [UInt8(value & 255), UInt8(value >> 8)]
    bytes += isBigEndian ? octets.reversed() : octets
  }

  // MARK: pcap

  public static let microseconds: UInt32 = 0xA1B2_C3D4
  public static let nanoseconds: UInt32 = 0xA1B2_3C4D

  public static func pcap(
    isBigEndian: Bool = false, magic: UInt32 = microseconds, snapLength: UInt32 = 65535, link: UInt32 = 1
  ) -> CaptureBytes {
    var file = CaptureBytes(isBigEndian: isBigEndian)
    file.add32(magic)
    file.add16(2)
    file.add16(4)
    file.add(0, 0, snapLength, link)
    return file
  }

  public mutating func record(
    _ seconds: UInt32, _ fraction: UInt32, _ packet: [UInt8], wireLength: Int? = nil
  ) {
    add(seconds, fraction, UInt32(packet.count), UInt32(wireLength ?? packet.count))
    bytes += packet
  }

  // MARK: pcapng

  public static func pcapng(isBigEndian: Bool = false) -> CaptureBytes {
    var file = CaptureBytes(isBigEndian: isBigEndian)
    file.block(0x0A0D_0D0A) { body in
      body.add32(0x1A2B_3C4D)
      body.add16(1)
      body.add16(0)
      body.add(.max, .max)
    }
    return file
  }

  public mutating func block(_ type: UInt32, _ build: (inout CaptureBytes) -> Void) {
    var body = CaptureBytes(isBigEndian: isBigEndian)
    build(&body)
    while body.bytes.count % 4 != 0 { body.bytes.append(0) }
    let length = UInt32(body.bytes.count + 12)
    add(type, length)
    bytes += body.bytes
    add32(length)
  }

  /// - Parameter resolution: the option's value: n for units of 10^-n seconds.
  public mutating func interface(link: UInt16 = 1, snapLength: UInt32 = 65535, resolution: UInt8? = nil) {
    block(1) { body in
      body.add16(link)
      body.add16(0)
      body.add32(snapLength)
      guard let resolution else { return }
      body.add16(9)
      body.add16(1)
      body.bytes += [resolution, 0, 0, 0]
      body.add32(0)
    }
  }

  public mutating func packet(interface: UInt32 = 0, stamp: UInt64, _ packet: [UInt8]) {
    block(6) { body in
      body.add(interface, UInt32(stamp >> 32), UInt32(truncatingIfNeeded: stamp))
      body.add(UInt32(packet.count), UInt32(packet.count))
      body.bytes += packet
    }
  }

  /// A block of a kind that holds no packet.
  public mutating func otherBlock(_ length: Int) {
    block(0x0BAD) { body in body.bytes += [UInt8](repeating: 0, count: length) }
  }
}
