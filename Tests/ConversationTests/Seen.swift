import NATConfiguration
import NATWire
import ReferenceNAT
import TestSupport

/// One frame for the gateway.
struct Input: Equatable {
  var bytes: [UInt8]
  var wireLength: Int
  var side: Side
  var isEthernet: Bool
  /// Nanoseconds.
  var stamp: UInt64
}

/// One thing that happens to the gateway.
enum Step {
  case frame(Input)
  /// A reload at `stamp`, in nanoseconds.
  case reload(Configuration, stamp: UInt64)
}

/// What a host reads of an IPv4 packet, or of its first fragment, that the gateway sent.
struct Seen {
  var side: Side
  /// From the IPv4 header on.
  var packet: [UInt8]
  var source: IPv4Address
  var destination: IPv4Address
  var protocolNumber: UInt8
  /// Of ICMP the identifier, as is the destination port.
  var sourcePort: UInt16
  var destinationPort: UInt16
  var tcpFlags: UInt8 = 0
  var tcpSequence: UInt32 = 0
  var tcpAcknowledgement: UInt32 = 0
  /// The number after the last one of the segment.
  var tcpEnd: UInt32 = 0
  var icmpType: UInt8 = 0

  /// The rest of the packet is to come.
  var isFragment: Bool

  /// Nil for frames without ports: ARP, later fragments.
  init?(_ frame: ReferenceFrame) {
    let packet = Array(frame.bytes.dropFirst(14))
    guard word(frame.bytes, 12) == 0x0800, packet.count >= 28, word(packet, 6) & 0x1FFF == 0 else {
      return nil
    }
    let header = Int(packet[0] & 0x0F) * 4
    guard packet.count >= header + 8 else { return nil }
    side = frame.side == .inside ? .inside : .outside
    self.packet = packet
    isFragment = word(packet, 6) & 0x2000 != 0
    source = address(packet, 12)
    destination = address(packet, 16)
    protocolNumber = packet[9]
    switch protocolNumber {
    case 6:
      guard packet.count >= header + 20 else { return nil }
      tcpFlags = packet[header + 13]
      tcpSequence = UInt32(word(packet, header + 4)) << 16 | UInt32(word(packet, header + 6))
      tcpAcknowledgement = UInt32(word(packet, header + 8)) << 16 | UInt32(word(packet, header + 10))
      let data = packet.count - header - Int(packet[header + 12] >> 4) * 4
      let flags = tcpFlags & (Flag.syn | Flag.fin)
      tcpEnd = tcpSequence &+ UInt32(truncatingIfNeeded: data) &+ UInt32(flags.nonzeroBitCount)
      sourcePort = word(packet, header)
      destinationPort = word(packet, header + 2)
    case 17:
      sourcePort = word(packet, header)
      destinationPort = word(packet, header + 2)
    default:
      icmpType = packet[header]
      sourcePort = word(packet, header + 4)
      destinationPort = sourcePort
    }
  }
}
