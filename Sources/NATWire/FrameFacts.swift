/// What decoding learned about a frame. It travels with the frame to the transmitter.
///
/// Four bytes, so that one move copies them. All lengths are in bytes. The IPv4 header begins at
/// ``Packet/networkOffset``.
public struct FrameFacts: BitwiseCopyable, Equatable, Sendable {
  /// What the IPv4 packet carries; `.other` for ARP.
  public var kind: PacketKind
  /// Length of the IPv4 header; 0 for ARP.
  public var headerLength: UInt8
  /// Length of the transport header; 0 if there is none.
  public var transportHeaderLength: UInt8
  @usableFromInline var flags: UInt8 = 0

  @inlinable public init(kind: PacketKind, headerLength: UInt8, transportHeaderLength: UInt8) {
    self.kind = kind
    self.headerLength = headerLength
    self.transportHeaderLength = transportHeaderLength
  }

  /// Facts of a frame that carries no IPv4 packet.
  @inlinable public static var arp: FrameFacts {
    FrameFacts(kind: .other, headerLength: 0, transportHeaderLength: 0)
  }

  @inlinable public var isIPv4: Bool { headerLength > 0 }

  /// Whether the TCP or UDP checksum field holds only the sum of the pseudo-header: the device or the kernel
  /// finishes it.
  @inlinable public var hasPartialChecksum: Bool {
    @inline(__always) get { flags & 1 != 0 }
    @inline(__always) set { flags = newValue ? flags | 1 : flags & ~1 }
  }

  /// Whether the frame is a joined packet (GSO, GRO, LRO): larger than any packet of the link that it came
  /// from.
  @inlinable public var isJoined: Bool {
    @inline(__always) get { flags & 2 != 0 }
    @inline(__always) set { flags = newValue ? flags | 2 : flags & ~2 }
  }
}
