import NATWire

/// A frame on its way out.
struct OutgoingFrame: BitwiseCopyable {
  var frame: Frame
  var facts: FrameFacts
  /// Bytes of the largest IPv4 packet for its receiver; `.max` where nothing is known.
  var largestPacket = UInt16.max
  /// The packet as it came, for the error that its sender gets if the next hop does not answer. Nil for frames of the
  /// gateway's own and for all pieces of a packet but the first.
  var quoted: Packet?

  @inline(__always) init(_ frame: Frame, _ facts: FrameFacts) {
    self.frame = frame
    self.facts = facts
  }
}

/// An ARP packet that the gateway sends from one of its interfaces.
struct OutgoingARP: BitwiseCopyable {
  var operation: UInt16
  var sender: IPv4Address
  /// 0 in a request.
  var targetMAC: MACAddress
  var target: IPv4Address
  /// Of the Ethernet header.
  var destination: MACAddress
}
