import TestSupport

/// Frames and capture files of these tests.
enum Bytes {
  struct Packet {
    var microseconds: UInt64
    var frame: [UInt8]
  }

  /// Seconds since 1970 at which captures begin.
  static let start: UInt64 = 1_700_000_000

  /// A pcap file, little endian.
  /// - Parameter isNanoseconds: else microseconds.
  static func capture(_ packets: [Packet], link: UInt32 = 1, isNanoseconds: Bool = true) -> [UInt8] {
    var file = CaptureBytes.pcap(
      magic: isNanoseconds ? CaptureBytes.nanoseconds : CaptureBytes.microseconds, link: link)
    for packet in packets {
      let fraction = packet.microseconds % 1_000_000 * (isNanoseconds ? 1000 : 1)
      file.record(UInt32(start + packet.microseconds / 1_000_000), UInt32(fraction), packet.frame)
    }
    return file.bytes
  }

  /// A pcapng file with one Ethernet interface, microseconds.
  static func captureNextGeneration(_ packets: [Packet]) -> [UInt8] {
    var file = CaptureBytes.pcapng()
    file.interface()
    for packet in packets { file.packet(stamp: start * 1_000_000 + packet.microseconds, packet.frame) }
    return file.bytes
  }

  /// A UDP datagram of 18 bytes of data to the gateway's MAC address, without UDP checksum.
  static func udp(
    from source: [UInt8], _ sourcePort: UInt16, to destination: [UInt8], _ destinationPort: UInt16,
    isInside: Bool
  ) -> [UInt8] {
    let packet = PacketBuilder(source, destination, .udp(sourcePort, destinationPort, data: [UInt8](0..<18)))
    return EthernetFrame.bytes(
      to: isInside ? EthernetFrame.gatewayInside : EthernetFrame.gatewayOutside, from: Frames.stranger,
      packet.with {
        $0.checksum = .none
        $0.identification = 7
        $0.fragmentField = 0x4000
      }.bytes)
  }

  /// The number of records of a capture as the command writes it.
  static func records(_ capture: [UInt8]) -> Int? { try? Capture.records(capture, name: "capture").count }
}
