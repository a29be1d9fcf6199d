public import NATWire

/// What a live capture hands its frames to.
public protocol FrameReceiver: ~Copyable {
  /// A frame has arrived.
  ///
  /// - Parameters:
  ///   - frame: the bytes in the capture's ring, Ethernet header first. They may be changed, and sent from
  ///     here; they are the kernel's again when this returns. So what is sent later must be copied, and what
  ///     is large is better sent from here (a copy of 64 KiB costs more than everything else that happens to
  ///     a frame), after all that came before it.
  ///   - wireLength: bytes on the wire, more than `frame.count` where the snap length cut the frame.
  mutating func receive(_ frame: Frame, wireLength: Int)
}
