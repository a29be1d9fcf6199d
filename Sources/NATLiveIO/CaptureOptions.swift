/// How a live capture waits and how much it keeps.
public struct CaptureOptions: Equatable, Sendable {
  /// When the kernel hands frames over.
  public enum Delivery: Equatable, Sendable {
    /// At once, one slot of the ring a frame (TPACKET_V2): round trips of 0.1 ms. A slot is as large as the
    /// snap length wherever the interface joins segments to super-frames.
    case immediate
    /// In blocks, full ones or after so many milliseconds (TPACKET_V3): frames lie densely in the ring, and
    /// wait for up to that time.
    case blocks(milliseconds: Int)
  }

  /// Bytes kept of a frame, Ethernet header and VLAN tag included. A frame that is cut cannot be forwarded.
  public var snapLength: Int
  /// Bytes of the ring. The kernel rounds the slots of ``Delivery/immediate`` up to pages, a power of two of
  /// them: with the default snap length it takes up to twice as much.
  public var ringSize: Int
  public var delivery: Delivery
  /// Whether frames for other stations are captured too. Not needed where the gateway has the device's own
  /// MAC.
  public var isPromiscuous: Bool

  /// The largest IPv4 packet behind an Ethernet header and a VLAN tag.
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
