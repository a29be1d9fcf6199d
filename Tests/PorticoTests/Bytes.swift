/// Frames and capture files, written out by hand.
enum Bytes {
  struct Packet {
    var microseconds: UInt64
    var frame: [UInt8]
  }

  static let start: UInt64 = 1_700_000_000

  /// A pcap file, little endian.
  /// - Parameter isNanoseconds: else microseconds.
  static func capture(_ packets: [Packet], link: UInt32 = 1, isNanoseconds: Bool = true) -> [UInt8] {
    var bytes =
      little(isNanoseconds ? 0xA1B2_3C4D : 0xA1B2_C3D4) + [2, 0, 4, 0] + little(0) + little(0) + little(65535)
      + little(link)
    for packet in packets {
      let fraction = packet.microseconds % 1_000_000 * (isNanoseconds ? 1000 : 1)
      bytes += little(UInt32(start + packet.microseconds / 1_000_000)) + little(UInt32(fraction))
      bytes += little(UInt32(packet.frame.count)) + little(UInt32(packet.frame.count)) + packet.frame
    }
    return bytes
  }

  /// A pcapng file with one Ethernet interface, microseconds.
  static func captureNextGeneration(_ packets: [Packet]) -> [UInt8] {
    func block(_ type: UInt32, _ body: [UInt8]) -> [UInt8] {
      let length = little(UInt32(12 + body.count))
      return little(type) + length + body + length
    }
    var bytes = block(0x0A0D_0D0A, little(0x1A2B_3C4D) + [1, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 8))
    bytes += block(1, [1, 0, 0, 0] + little(65535))
    for packet in packets {
      let stamp = start * 1_000_000 + packet.microseconds
      let length = little(UInt32(packet.frame.count))
      let padding = [UInt8](repeating: 0, count: (4 - packet.frame.count % 4) % 4)
      bytes += block(
        6,
        little(0) + little(UInt32(stamp >> 32)) + little(UInt32(truncatingIfNeeded: stamp)) + length + length
          + packet.frame + padding)
    }
    return bytes
  }

  /// A UDP datagram of 18 bytes of data to the gateway's MAC address, without UDP checksum.
  static func udp(
    from source: [UInt8], _ sourcePort: UInt16, to destination: [UInt8], _ destinationPort: UInt16,
    isInside: Bool
  ) -> [UInt8] {
    var header: [UInt8] = [0x45, 0, 0, 46, 0, 7, 0x40, 0, 64, 17, 0, 0] + source + destination
    var sum: UInt32 = 0
    for index in stride(from: 0, to: 20, by: 2) {
      sum += UInt32(header[index]) << 8 | UInt32(header[index + 1])
    }
    while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
    header[10] = UInt8(~sum >> 8 & 0xFF)
    header[11] = UInt8(~sum & 0xFF)
    return [2, 0x50, 0, 0, 0, isInside ? 1 : 2, 0x52, 0x54, 0, 0, 0, 9, 8, 0] + header + big(sourcePort)
      + big(destinationPort) + [0, 26, 0, 0] + [UInt8](0..<18)
  }

  static func little(_ value: UInt32) -> [UInt8] {
    [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  private static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

  /// The number of records of a capture as the command writes it.
  static func records(_ capture: [UInt8]) -> Int? {
    guard capture.count >= 24, Array(capture[0..<4]) == little(0xA1B2_3C4D) else { return nil }
    var offset = 24
    var count = 0
    while offset + 16 <= capture.count {
      let length = capture[offset + 8..<offset + 12].reversed().reduce(0) { $0 << 8 | Int($1) }
      offset += 16 + length
      count += 1
    }
    return offset == capture.count ? count : nil
  }
}
