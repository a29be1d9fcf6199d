public import NATMemory
public import NATWire

/// The largest IPv4 packet for each end of a TCP session: the segment size that the receiver announced, and
/// what the path let through. Capture does not report the segment size of a joined packet, so joined packets
/// are cut to this size.
///
/// 12 bits each: exact below 2,048 bytes, above that rounded down by at most 31 bytes.
extension SessionStore {
  /// In bytes, IPv4 header included; `.max` while nothing is known.
  @inlinable @inline(__always)
  public func largestPacket(of session: SessionIndex, to side: Side) -> UInt16 {
    let word = words[at(session, .state)]
    let code = UInt16(truncatingIfNeeded: side == .inside ? word : word >> 12) & 0xFFF
    if code < 0x800 { return code == 0 ? .max : code }
    return 0x800 &+ (code & 0x7FF) &* 32
  }

  /// - Parameter bytes: IPv4 header included, not 0.
  func setLargestPacket(_ bytes: UInt16, of session: SessionIndex, to side: Side) {
    let code = bytes < 0x800 ? bytes : 0x800 + (bytes - 0x800) / 32
    let shift: UInt64 = side == .inside ? 0 : 12
    let word = words[at(session, .state)]
    words.release(word & ~(0xFFF << shift) | UInt64(code) << shift, at: at(session, .state))
  }
}

extension Shard {
  /// Sets the size that one side announces when it begins a connection.
  ///
  /// - Parameter bytes: the largest IPv4 packet that it takes, not 0.
  public func announceLargestPacket(_ bytes: UInt16, of session: SessionIndex, to side: Side) {
    sessions.setLargestPacket(bytes, of: session, to: side)
  }

  /// Lowers the size to the path MTU towards one side.
  ///
  /// - Parameter bytes: the largest IPv4 packet, not 0.
  public func lowerLargestPacket(_ bytes: UInt16, of session: SessionIndex, to side: Side) {
    guard bytes < sessions.largestPacket(of: session, to: side) else { return }
    sessions.setLargestPacket(bytes, of: session, to: side)
  }
}
