public import NATWire

/// Receives the frames of a live capture.
public protocol FrameReceiver: ~Copyable {
  /// Called for each frame.
  ///
  /// - Parameters:
  ///   - frame: the bytes in the capture's ring, Ethernet header first. They may be changed, and sent before
  ///     this returns; then the kernel reuses them. Copy a frame to send it later. Send a large frame from
  ///     here, after the frames before it: a copy of 64 KiB costs more than all other work on a frame.
  ///   - wireLength: bytes on the wire; more than `frame.count` if the snap length truncated the frame.
  mutating func receive(_ frame: Frame, wireLength: Int)
}
