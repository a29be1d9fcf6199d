/// How a live capture delivers frames and how much it buffers.
public struct CaptureOptions: Equatable, Sendable {
  /// When the kernel hands frames over.
  public enum Delivery: Equatable, Sendable {
    /// At once, one ring slot a frame (TPACKET_V2): round trips of 0.1 ms. A slot is as large as the snap
    /// length if the interface has offloads that join packets.
    case immediate
    /// In blocks, when they are full or after so many milliseconds (TPACKET_V3). Frames lie densely in the
    /// ring, but wait up to that time.
    case blocks(milliseconds: Int)
  }

  /// Bytes captured of a frame, Ethernet header and VLAN tag included. A truncated frame cannot be forwarded.
  public var snapLength: Int
  /// Bytes of the ring. The kernel rounds a slot of ``Delivery/immediate`` up to a power of two pages, so
  /// with the default snap length the ring takes up to twice as much.
  public var ringSize: Int
  public var delivery: Delivery
  /// Whether to capture frames for other stations. The gateway uses the device's MAC address.
  public var isPromiscuous: Bool

  /// Ethernet header, VLAN tag and the largest IPv4 packet, in bytes.
  public static let longestFrame = 65_535 + 14 + 4

  public init(
    snapLength: Int = CaptureOptions.longestFrame, ringSize: Int = 64 << 20,
    delivery: Delivery = .immediate, isPromiscuous: Bool = false
  ) {
    self.snapLength = snapLength
    self.ringSize = ringSize
    self.delivery = delivery
    self.isPromiscuous = isPromiscuous
  }
}
