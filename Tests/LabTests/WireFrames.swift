import NATWire
import TestSupport

/// Ethernet frames between two stations.
enum WireFrames {
  typealias Station = EthernetFrame.Station
  typealias Sum = PacketBuilder.Checksum

  static func ethernet(_ from: Station, _ to: Station, type: UInt16, _ payload: [UInt8]) -> [UInt8] {
    EthernetFrame.bytes(to: to.mac, from: from.mac, type: type, payload)
  }

  /// Identification 7 and DF.
  private static func frame(
    _ from: Station, _ to: Station, _ content: PacketBuilder.Content, _ sum: Sum = .right,
    _ change: (inout PacketBuilder) -> Void = { _ in }
  ) -> [UInt8] {
    var builder = PacketBuilder(from.address, to.address, content)
    builder.identification = 7
    builder.doesNotFragment = true
    builder.checksum = sum
    change(&builder)
    return EthernetFrame.bytes(to: to.mac, from: from.mac, builder.bytes)
  }

  static func ipv4(_ from: Station, _ to: Station, protocolNumber: UInt8, _ payload: [UInt8]) -> [UInt8] {
    frame(from, to, .other(protocolNumber, payload))
  }

  static func udp(
    _ from: Station, _ source: UInt16, _ to: Station, _ destination: UInt16, _ data: [UInt8],
    _ sum: Sum = .right
  ) -> [UInt8] {
    frame(from, to, .udp(source, destination, data: data), sum)
  }

  struct Segment {
    var flags: UInt8
    var sequence: UInt32
    var acknowledgement: UInt32 = 0
    var options: [UInt8] = []
    var data: [UInt8] = []
  }

  static func tcp(
    _ from: Station, _ source: UInt16, _ to: Station, _ destination: UInt16, _ segment: Segment,
    _ sum: Sum = .right
  ) -> [UInt8] {
    frame(
      from, to,
      .tcp(source, destination, flags: segment.flags, options: segment.options, data: segment.data), sum
    ) {
      $0.numbers.sequence = segment.sequence
      $0.numbers.acknowledgement = segment.acknowledgement
      $0.numbers.window = 0xFFFF
    }
  }

  static func arpRequest(_ from: Station, for target: [UInt8]) -> [UInt8] {
    EthernetFrame.arpRequest(from: from, for: target)
  }

  static func arpReply(_ from: Station, _ to: Station) -> [UInt8] {
    EthernetFrame.arpReply(from: from, to: to)
  }
}
